//! Values to text in libvirt's layout: two blanks per level, single quotes, empty elements closed at once.
//! Everything goes into one `String`; what turns out to be empty is cut off again.

use std::fmt;

use crate::value::Value;

/// What a document is formatted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FormatOptions {
    /// With passwords and other secrets.
    pub secure: bool,
    /// As a definition at rest: without id, generated aliases and run-time state.
    pub inactive: bool,
    /// For a peer that may be older: without what it could refuse.
    pub migratable: bool,
    /// Run-time state for the daemon's own status file.
    pub status: bool,
}

/// Levels beyond this are indented no further, so that depth does not multiply a document.
const MAX_INDENT: usize = 64;

/// Where the writer stands within the innermost open element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// In the start tag, which is not yet closed.
    Tag,
    /// Behind text.
    Text,
    /// Behind a child element.
    Child,
}

/// Formats elements into a `String`.
#[derive(Debug)]
pub struct Writer {
    out: String,
    depth: usize,
    at: At,
    options: FormatOptions,
}

/// A place to come back to; see [`Writer::mark`].
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    len: usize,
    at: At,
}

impl Writer {
    /// A writer that starts at the left margin.
    #[must_use]
    pub fn new(options: FormatOptions) -> Self {
        Self { out: String::with_capacity(4096), depth: 0, at: At::Child, options }
    }

    /// What is formatted for.
    #[must_use]
    pub const fn options(&self) -> &FormatOptions {
        &self.options
    }

    /// The finished text.
    #[must_use]
    pub fn finish(self) -> String {
        self.out
    }

    /// Remembers the place before an element that may turn out empty.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { len: self.out.len(), at: self.at }
    }

    /// Opens an element.
    pub fn start(&mut self, name: &str) {
        self.line();
        self.out.push('<');
        self.out.push_str(name);
        self.at = At::Tag;
        self.depth += 1;
    }

    /// Closes the innermost element, which has this name.
    pub fn end(&mut self, name: &str) {
        self.depth = self.depth.saturating_sub(1);
        match self.at {
            At::Tag => self.out.push_str("/>\n"),
            at => {
                if at == At::Child {
                    self.indent();
                }
                self.out.push_str("</");
                self.out.push_str(name);
                self.out.push_str(">\n");
            }
        }
        self.at = At::Child;
    }

    /// Closes the innermost element, or takes it back if it has neither attribute nor content.
    pub fn end_unless_empty(&mut self, name: &str, mark: Mark) {
        if self.at == At::Tag && self.out.ends_with(name) && self.out[..self.out.len() - name.len()].ends_with('<') {
            self.depth = self.depth.saturating_sub(1);
            self.out.truncate(mark.len);
            self.at = mark.at;
        } else {
            self.end(name);
        }
    }

    /// Makes sure the innermost element gets an end tag of its own, on its own line, even with no content.
    pub fn keep_open(&mut self) {
        if self.at == At::Tag {
            self.out.push_str(">\n");
            self.at = At::Child;
        }
    }

    /// Writes an attribute of the element just opened.
    pub fn attr<T: Value>(&mut self, name: &str, value: &T) {
        self.quoted(name, |out| value.put(out));
    }

    /// Writes an attribute whose value is at hand as text.
    pub fn attr_str(&mut self, name: &str, value: &str) {
        self.quoted(name, |out| out.push(value));
    }

    fn quoted(&mut self, name: &str, put: impl FnOnce(&mut Escaped<'_>)) {
        debug_assert_eq!(self.at, At::Tag, "attribute {name} after content");
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("='");
        put(&mut Escaped { out: &mut self.out, in_attr: true });
        self.out.push('\'');
    }

    /// Writes text into the innermost element; an empty text still gives it an end tag.
    pub fn text<T: Value>(&mut self, value: &T) {
        self.inline();
        value.put(&mut Escaped { out: &mut self.out, in_attr: false });
    }

    /// Writes text that is at hand.
    pub fn text_str(&mut self, value: &str) {
        self.inline();
        Escaped { out: &mut self.out, in_attr: false }.push(value);
    }

    fn inline(&mut self) {
        if self.at == At::Tag {
            self.out.push('>');
            self.at = At::Text;
        }
    }

    /// Writes a finished fragment on lines of its own; it brings its own line end.
    pub(crate) fn fragment(&mut self, write: impl FnOnce(&mut String, usize)) {
        self.line();
        let depth = self.depth;
        write(&mut self.out, depth);
        self.at = At::Child;
    }

    fn line(&mut self) {
        match self.at {
            At::Tag => self.out.push_str(">\n"),
            At::Text => self.out.push('\n'),
            At::Child => {}
        }
        self.indent();
    }

    fn indent(&mut self) {
        const BLANKS: &str = "                                ";
        let mut left = self.depth.min(MAX_INDENT) * 2;
        while left > 0 {
            let part = left.min(BLANKS.len());
            self.out.push_str(&BLANKS[..part]);
            left -= part;
        }
    }
}

/// Text on its way into a document: markup is escaped, characters XML does not allow are left out.
///
/// White space that a reader would turn into a blank or another line end is written by number, so that nothing changes when a
/// document is read again. The reference writes it as it is, and loses it.
#[derive(Debug)]
pub struct Escaped<'w> {
    out: &'w mut String,
    in_attr: bool,
}

impl Escaped<'_> {
    /// Appends a piece of text.
    pub fn push(&mut self, text: &str) {
        let mut clean = 0;
        for (at, byte) in text.bytes().enumerate() {
            let replacement = match byte {
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'&' => "&amp;",
                b'\'' => "&apos;",
                b'"' => "&quot;",
                b'\r' => "&#13;",
                b'\n' if self.in_attr => "&#10;",
                b'\t' if self.in_attr => "&#9;",
                0..=8 | 11 | 12 | 14..=31 => "",
                _ => continue,
            };
            self.out.push_str(&text[clean..at]);
            self.out.push_str(replacement);
            clean = at + 1;
        }
        self.out.push_str(&text[clean..]);
    }
}

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        Ok(())
    }
}
