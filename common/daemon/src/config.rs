//! Configuration files in libvirt's syntax, read with types.
//!
//! A value of the wrong type is an error that names file, line and key; a key nobody asked for is left for a warning,
//! since users bring libvirt's files with them. What the keys mean is the reader's: [`DaemonConfig`] here for what all
//! daemons share, the drivers for their own files.

mod common;
mod syntax;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use common::DaemonConfig;
pub use syntax::Value;

/// Bytes of the largest configuration file that is read.
const MOST: u64 = 1 << 20;

/// Why a configuration cannot be used. A daemon ends with status 64 upon it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The text is not in the syntax.
    #[error("{}:{line}: {what}", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What was expected.
        what: &'static str,
    },
    /// A value is of the wrong type or out of range.
    #[error("{}:{line}: {key}: expected {expected}", .path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The key.
        key: String,
        /// What it should have been.
        expected: String,
    },
}

/// A configuration file, parsed; empty if there was none.
#[derive(Debug, Default)]
pub struct Config {
    path: PathBuf,
    entries: Vec<syntax::Entry>,
    asked: RefCell<BTreeSet<String>>,
}

/// A key that was set but never asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The file.
    pub path: PathBuf,
    /// Counted from 1.
    pub line: usize,
    /// The key.
    pub key: String,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} is not known here and is ignored", self.path.display(), self.line, self.key)
    }
}

impl Config {
    /// Reads `path`. With `required` false, a file that does not exist counts as empty. Blocks; for start-up and reload.
    ///
    /// # Errors
    /// When it cannot be read, is larger than 1 MiB or not in the syntax.
    pub fn read(path: &Path, required: bool) -> Result<Self, ConfigError> {
        let read = |source| ConfigError::Read { path: path.to_owned(), source };
        let text = match std::fs::File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !required => String::new(),
            Err(error) => return Err(read(error)),
            Ok(file) => {
                let mut text = String::new();
                io::Read::read_to_string(&mut io::Read::take(file, MOST + 1), &mut text).map_err(read)?;
                if text.len() as u64 > MOST {
                    return Err(read(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB")));
                }
                text
            }
        };
        Self::parse(path, &text)
    }

    /// Parses `text` as the content of `path`.
    ///
    /// # Errors
    /// When it is not in the syntax.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let entries = syntax::parse(text).map_err(|fault| ConfigError::Syntax {
            path: path.to_owned(),
            line: fault.line,
            what: fault.what,
        })?;
        Ok(Self { path: path.to_owned(), entries, asked: RefCell::default() })
    }

    /// The value of `key` as written; of several the last counts.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.entry(key).map(|entry| &entry.value)
    }

    fn entry(&self, key: &str) -> Option<&syntax::Entry> {
        self.asked.borrow_mut().insert(key.to_owned());
        self.entries.iter().rev().find(|entry| entry.key == key)
    }

    fn typed<T>(
        &self,
        key: &str,
        expected: impl fmt::Display,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(entry) = self.entry(key) else { return Ok(None) };
        read(&entry.value).map(Some).ok_or_else(|| self.wrong(key, expected))
    }

    /// The error for `key` whose value is not `expected`; for checks beyond the type.
    pub fn wrong(&self, key: &str, expected: impl fmt::Display) -> ConfigError {
        let line = self.entry(key).map_or(0, |entry| entry.line);
        ConfigError::Value { path: self.path.clone(), line, key: key.to_owned(), expected: expected.to_string() }
    }

    /// A string.
    ///
    /// # Errors
    /// When it is set to something else.
    pub fn string(&self, key: &str) -> Result<Option<String>, ConfigError> {
        self.typed(key, "a string", |value| match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        })
    }

    /// A list of strings.
    ///
    /// # Errors
    /// When it is set to something else.
    pub fn strings(&self, key: &str) -> Result<Option<Vec<String>>, ConfigError> {
        self.typed(key, "a list of strings", |value| match value {
            Value::List(items) => items
                .iter()
                .map(|item| match item {
                    Value::Text(text) => Some(text.clone()),
                    _ => None,
                })
                .collect(),
            _ => None,
        })
    }

    /// A list of strings, or one string that stands for a list of one, as some of libvirt's keys allow.
    ///
    /// # Errors
    /// When it is set to something else.
    pub fn string_or_strings(&self, key: &str) -> Result<Option<Vec<String>>, ConfigError> {
        match self.value(key) {
            Some(Value::Text(text)) => Ok(Some(vec![text.clone()])),
            _ => self.strings(key),
        }
    }

    /// An unsigned integer of 32 bits.
    ///
    /// # Errors
    /// When it is set to something else or out of range.
    pub fn uint(&self, key: &str) -> Result<Option<u32>, ConfigError> {
        self.typed(key, "an unsigned integer below 2^32", |value| match value {
            Value::Number(number) => u32::try_from(*number).ok(),
            _ => None,
        })
    }

    /// An unsigned integer of 64 bits (63 in the syntax).
    ///
    /// # Errors
    /// When it is set to something else or negative.
    pub fn ulong(&self, key: &str) -> Result<Option<u64>, ConfigError> {
        self.typed(key, "an unsigned integer", |value| match value {
            Value::Number(number) => u64::try_from(*number).ok(),
            _ => None,
        })
    }

    /// A signed integer of 32 bits.
    ///
    /// # Errors
    /// When it is set to something else or out of range.
    pub fn int(&self, key: &str) -> Result<Option<i32>, ConfigError> {
        self.typed(key, "an integer of 32 bits", |value| match value {
            Value::Number(number) => i32::try_from(*number).ok(),
            _ => None,
        })
    }

    /// A truth value: 0 or 1.
    ///
    /// # Errors
    /// When it is set to something else.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        self.typed(key, "0 or 1", |value| match value {
            Value::Number(0) => Some(false),
            Value::Number(1) => Some(true),
            _ => None,
        })
    }

    /// One of `choices`.
    ///
    /// # Errors
    /// When it is set to anything else.
    pub fn choice(&self, key: &str, choices: &[&'static str]) -> Result<Option<&'static str>, ConfigError> {
        let expected = format!("one of {}", choices.join(", "));
        self.typed(key, expected, |value| match value {
            Value::Text(text) => choices.iter().find(|choice| *choice == text).copied(),
            _ => None,
        })
    }

    /// File permissions: an octal number in a string, `"0770"`.
    ///
    /// # Errors
    /// When it is set to something else.
    pub fn permissions(&self, key: &str) -> Result<Option<u32>, ConfigError> {
        self.typed(key, "octal permissions such as \"0770\"", |value| match value {
            Value::Text(text) => u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777),
            _ => None,
        })
    }

    /// The keys that are set and that nobody has asked for until now.
    pub fn unknown(&self) -> Vec<Unknown> {
        let asked = self.asked.borrow();
        let unasked = self.entries.iter().filter(|entry| !asked.contains(&entry.key));
        unasked.map(|entry| Unknown { path: self.path.clone(), line: entry.line, key: entry.key.clone() }).collect()
    }
}

#[cfg(test)]
mod tests;
