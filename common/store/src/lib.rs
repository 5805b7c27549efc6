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

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::fcntl::OFlag;
use virtbus_schema::xml::MAX_DOCUMENT;

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

/// The text of a document's file, and when it was written. What is no regular file is not waited for, and none is read beyond
/// what a document may be.
pub(crate) fn text_of(path: &Path) -> io::Result<(String, SystemTime)> {
    // Opening a pipe would wait for somebody to write into it.
    let file = fs::OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let most = MAX_DOCUMENT as u64;
    // Room for all of it and for the end: one read for the text and one that finds nothing more.
    let room = about.len().min(most) + 1;
    let mut text = String::with_capacity(usize::try_from(room).unwrap_or_default());
    file.take(most + 1).read_to_string(&mut text)?;
    if text.len() > MAX_DOCUMENT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {} MiB", most >> 20)));
    }
    Ok((text, about.modified().unwrap_or(SystemTime::UNIX_EPOCH)))
}

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
