//! What is kept on disk of an object, in libvirt's own layout: its definition, its autostart link, and while it runs its
//! status file and pid file.
//!
//! Everything that was acknowledged survives a crash of the host: a definition is written to a temporary name, synced,
//! renamed, and the directory synced. A file that cannot be understood is reported and left as it is.
//!
//! All functions block on the file system; callers run them where they may. Who owns an object, and when a file is
//! written, is not known here; nor is what a definition means beyond the schema's parser.

mod atomic;
pub mod definitions;
pub mod status;

pub use atomic::{Durability, remove, replace};
pub use definitions::{Broken, Definition, Definitions, Loaded};
pub use status::{Found, StatusFiles};

use std::io;
use std::path::{Path, PathBuf};

/// A file could not be written, read or removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} '{}'", .path.display())]
pub struct Error {
    /// What was to be done: `write`, `remove`, `link`.
    pub action: &'static str,
    /// The file.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

impl Error {
    fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }
}

/// The result of this crate's calls.
pub type Result<T> = std::result::Result<T, Error>;

/// The comment that opens every file: tools look for its first words, users for the last.
pub(crate) fn header(edit: &str, name: &str) -> String {
    // A comment may not hold two hyphens in a row, a name may; and of three, each has a neighbour.
    let mut shown = String::with_capacity(name.len());
    for c in name.chars() {
        if c == '-' && shown.ends_with('-') {
            shown.push(' ');
        }
        shown.push(c);
    }
    format!(
        "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE. The daemon writes it anew at every change\n\
         and reads it only when it starts, so edits made here are lost. Use instead:\n  {edit} {shown}\n-->\n\n"
    )
}
