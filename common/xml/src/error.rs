//! Errors that say where: the element path, the line, what was found and what was meant.
//! It refuses to know libvirt's sentences: a kind names the reference's error code, the words are ours.

use std::fmt;

/// The result of reading a document.
pub type Result<T> = std::result::Result<T, Error>;

/// What is wrong with a document; decides the error code a client sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The text is not well-formed XML, or is beyond the bounds (code 35).
    Malformed,
    /// The root element is another one (code 27).
    WrongRoot,
    /// A required element or attribute is not there (code 27).
    Missing,
    /// A value is not of its type or not in its list (code 27).
    BadValue,
    /// A value the reference calls an unsupported configuration (code 67).
    Unsupported,
    /// A fault the reference reports as an internal error, such as a malformed UUID (code 1).
    Internal,
    /// An invalid argument, such as a CPU set that does not parse (code 8).
    Argument,
    /// A scaled number that does not fit (code 82).
    Overflow,
    /// Two parts of the document contradict each other; reported like malformed XML (code 35).
    Conflict,
    /// The object has no name (code 21).
    NoName,
    /// A device has no source (code 19).
    NoSource,
    /// A device has no target (code 20).
    NoTarget,
    /// What the reference says no driver of it supports (code 3).
    NoSupport,
    /// Strict reading met an element or attribute nobody knows (code 92).
    Unknown,
    /// An address that the reference gives to the resolver, which knows no such name (code 38).
    Unresolved,
}

impl ErrorKind {
    /// The number under which the reference reports this kind (virErrorNumber).
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Malformed | Self::Conflict => 35,
            Self::WrongRoot | Self::Missing | Self::BadValue => 27,
            Self::Unsupported => 67,
            Self::Internal => 1,
            Self::Argument => 8,
            Self::Overflow => 82,
            Self::NoName => 21,
            Self::NoSource => 19,
            Self::NoTarget => 20,
            Self::NoSupport => 3,
            Self::Unknown => 92,
            Self::Unresolved => 38,
        }
    }
}

/// One fault of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What kind of fault it is.
    pub kind: ErrorKind,
    /// Where, as `domain/devices/disk[2]/target/@bus`; empty when the document has no such place.
    pub path: String,
    /// The line, counted from 1; 0 when unknown.
    pub line: u32,
    /// One clause: what is wrong.
    pub message: String,
    /// What would be right, or the nearest allowed value.
    pub hint: Option<String>,
}

impl Error {
    /// An error without a place, for checks that run on values after reading.
    pub fn new(kind: ErrorKind, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, path: path.into(), line: 0, message: message.into(), hint: None }
    }

    /// The same error with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error under another kind, if it was a bad or missing value: some elements have codes of their own.
    #[must_use]
    pub fn under(mut self, kind: ErrorKind) -> Self {
        if matches!(self.kind, ErrorKind::BadValue) {
            self.kind = kind;
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        if self.line > 0 {
            write!(f, " (line {})", self.line)?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Why a text is not a value of a type; the reader adds the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The text is none of these.
    NotOneOf(&'static [&'static str]),
    /// The text is not what this clause describes, such as "a non-negative integer".
    NotA(&'static str),
    /// Another fault, with its own kind and clause.
    Other(ErrorKind, String),
}

/// The hint for a value that is in no list: the nearest name if one is near, and the list.
pub(crate) fn hint_for(found: &str, allowed: &[&str]) -> String {
    let list = allowed.join(", ");
    let nearest = allowed.iter().map(|it| (distance(found, it), it)).min_by_key(|(d, _)| *d);
    match nearest {
        Some((d, it)) if d <= 1 + it.len() / 4 && !found.is_empty() => {
            format!("expected one of {list}; did you mean \"{it}\"?")
        }
        _ => format!("expected one of {list}"),
    }
}

/// Edit distance of two short words; words beyond 40 bytes count as far away.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 40 || b.len() > 40 {
        return usize::MAX;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, cb) in row.iter_mut().skip(1).zip(&b) {
            let here = (diagonal + usize::from(ca != *cb)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            left = here;
            *cell = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_name_is_offered() {
        assert_eq!(distance("viritio", "virtio"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert!(hint_for("viritio", &["ide", "virtio"]).ends_with("did you mean \"virtio\"?"));
        assert_eq!(hint_for("zzz", &["ide", "virtio"]), "expected one of ide, virtio");
    }

    #[test]
    fn display_names_place_and_line() {
        let mut error = Error::new(ErrorKind::BadValue, "domain/memory", "\"x\" is not a number");
        error.line = 3;
        assert_eq!(error.to_string(), "domain/memory: \"x\" is not a number (line 3)");
    }
}
