//! Sets of CPU or node numbers, as `0-3,^2,8`.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use crate::error::{ErrorKind, Fault};
use crate::value::Value;
use crate::writer::Escaped;

/// The largest number a set may hold plus one; the reference's bitmaps of CPUs end there.
const LIMIT: u32 = 16384;

const WORDS: usize = word_of(LIMIT);

/// A set of CPU or node numbers; written as ranges in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct CpuSet(pub BTreeSet<u32>);

impl CpuSet {
    /// Whether a number is in the set.
    #[must_use]
    pub fn contains(&self, number: u32) -> bool {
        self.0.contains(&number)
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<u32> for CpuSet {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        Self(numbers.into_iter().collect())
    }
}

impl std::str::FromStr for CpuSet {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let shown = || text.chars().take(60).collect::<String>();
        match parse(text) {
            // It says nothing, and could not be read again.
            Some(set) if set.is_empty() => {
                Err(Fault::Other(ErrorKind::Unsupported, format!("\"{}\" leaves no number in the set", shown())))
            }
            Some(set) => Ok(set),
            None => Err(Fault::Other(
                ErrorKind::Argument,
                format!("\"{}\" is not a set of numbers such as 0-3,^2", shown()),
            )),
        }
    }
}

fn parse(text: &str) -> Option<CpuSet> {
    // A range costs its words, not its numbers: a text may name the widest one a million times.
    let mut words = [0_u64; WORDS];
    if text.trim().is_empty() {
        return None;
    }
    for part in text.split(',') {
        let part = part.trim();
        if let Some(excluded) = part.strip_prefix('^') {
            let number = number(excluded)?;
            *words.get_mut(word_of(number))? &= !(1 << (number % 64));
            continue;
        }
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return None;
        }
        let begin = u64::MAX << (first % 64);
        let end = u64::MAX >> (63 - last % 64);
        match words.get_mut(word_of(first)..=word_of(last))? {
            [only] => *only |= begin & end,
            [head, middle @ .., tail] => {
                *head |= begin;
                middle.fill(u64::MAX);
                *tail |= end;
            }
            [] => {}
        }
    }
    let mut set = BTreeSet::new();
    for (mut left, first) in words.into_iter().zip((0..LIMIT).step_by(64)) {
        while left != 0 {
            set.insert(first + left.trailing_zeros());
            left &= left - 1;
        }
    }
    Some(CpuSet(set))
}

const fn word_of(number: u32) -> usize {
    (number / 64) as usize
}

fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    if !text.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|it| *it < LIMIT)
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut numbers = self.0.iter().copied().peekable();
        let mut separator = "";
        while let Some(first) = numbers.next() {
            let mut last = first;
            while let Some(next) = numbers.next_if(|it| Some(*it) == last.checked_add(1)) {
                last = next;
            }
            write!(f, "{separator}{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
            separator = ",";
        }
        Ok(())
    }
}

impl Value for CpuSet {
    const SAMPLES: &'static [&'static str] = &["0", "0-3", "0-3,^2,8", " 1, 0", "63-64,127-128", "0-7,16383"];

    fn from_text(text: &str) -> Result<Self, Fault> {
        text.parse()
    }

    /// Numbers, ranges and exclusions with commas between and nothing else; whether they make sense is not asked.
    fn strict(text: &str) -> Result<(), Fault> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        let part = |part: &str| match part.strip_prefix('^') {
            Some(excluded) => digits(excluded),
            None => part.split_once('-').map_or(digits(part), |(first, last)| digits(first) && digits(last)),
        };
        if text.split(',').all(part) { Ok(()) } else { Err(Fault::NotA("a set of numbers such as 0-3,^2")) }
    }

    fn put(&self, out: &mut Escaped<'_>) {
        let _ = write!(out, "{self}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_exclusions() {
        let shown = |text: &str| text.parse::<CpuSet>().map(|it| it.to_string()).ok();
        assert_eq!(shown("0-3,^2,8").as_deref(), Some("0-1,3,8"));
        assert_eq!(shown("1,0").as_deref(), Some("0-1"));
        let nothing = "1,^1".parse::<CpuSet>().expect_err("nothing is left");
        assert!(matches!(nothing, Fault::Other(ErrorKind::Unsupported, _)), "{nothing:?}");
        assert_eq!(shown("0-16383,^64,^16383").as_deref(), Some("0-63,65-16382"));
        assert_eq!(shown("60-70,63-64,128-191, 200 - 201").as_deref(), Some("60-70,128-191,200-201"));
        assert_eq!(shown("63,64,127-128").as_deref(), Some("63-64,127-128"));
        for bad in ["x", "", "3-1", "1-", "99999999", "-1", "1,,2"] {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }
}
