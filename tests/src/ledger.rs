//! A ledger: a text file with one line per name, and whether that name is served. What the names are is not known here.
//!
//! ```text
//! # comment
//! + served
//! - not served
//! * served, and unknown to the reference
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Names and whether they are served, in the order of the file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Ledger {
    lines: BTreeMap<String, bool>,
    extra: BTreeSet<String>,
}

impl Ledger {
    /// Adds a name of the reference's.
    pub fn add(&mut self, name: impl Into<String>, served: bool) {
        self.lines.insert(name.into(), served);
    }

    /// Adds a name that only we have.
    pub fn add_extra(&mut self, name: impl Into<String>) {
        self.extra.insert(name.into());
    }

    /// The reference's names that a ledger holds, served or not: so that a test needs nothing installed.
    #[must_use]
    pub fn names(text: &str) -> BTreeSet<String> {
        let line = |it: &str| it.strip_prefix("+ ").or_else(|| it.strip_prefix("- ")).map(str::to_owned);
        text.lines().filter_map(line).collect()
    }

    /// The file's text, under a heading.
    #[must_use]
    pub fn text(&self, heading: &str) -> String {
        let served = self.lines.values().filter(|it| **it).count();
        let mut text: String = heading.lines().map(|it| format!("# {it}\n")).collect();
        text += "# Written by `cargo xtask coverage`; a test holds it to be true.\n";
        text += &format!("# {served} of {} are served.\n", self.lines.len());
        for (name, served) in &self.lines {
            text += &format!("{} {name}\n", if *served { '+' } else { '-' });
        }
        for name in &self.extra {
            text += &format!("* {name}\n");
        }
        text
    }
}

/// The directory of this crate's data.
#[must_use]
pub fn tests_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Whether files that differ are to be written anew.
#[must_use]
pub fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some_and(|it| it == "1")
}

/// Compares a file below `tests/` with what it should be, or writes it when `UPDATE_GOLDEN=1`.
///
/// # Panics
///
/// When they differ; the message shows the lines that do.
#[track_caller]
pub fn check_file(name: &str, actual: &str) {
    let path = tests_dir().join(name);
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if expected == actual {
        return;
    }
    if updating() {
        write(&path, actual);
        return;
    }
    let (old, new): (BTreeSet<_>, BTreeSet<_>) = (expected.lines().collect(), actual.lines().collect());
    let gone = old.difference(&new).map(|it| format!("  in the file: {it}"));
    let come = new.difference(&old).map(|it| format!("  in reality:  {it}"));
    let shown: Vec<_> = gone.chain(come).take(40).collect();
    panic!("tests/{name} is not true (UPDATE_GOLDEN=1 writes it anew):\n{}", shown.join("\n"));
}

#[track_caller]
fn write(path: &Path, text: &str) {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    assert!(written.is_ok(), "{}: {written:?}", path.display());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_from_the_text() {
        let mut ledger = Ledger::default();
        ledger.add("b", true);
        ledger.add("a", false);
        ledger.add_extra("c");
        let text = ledger.text("Things");
        assert!(text.starts_with("# Things\n") && text.contains("# 1 of 2") && text.ends_with("- a\n+ b\n* c\n"));
        assert_eq!(Ledger::names(&text), ["a".to_owned(), "b".to_owned()].into());
    }
}
