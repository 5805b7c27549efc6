//! Replacing a file so that at any moment either the old or the new content is there, whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// What a file must survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A crash of the host: file and directory are synced before the call returns.
    Host,
    /// The end of this process only: for files below /run, which no boot sees again. Nothing is synced.
    Process,
}

/// Writes `content` to `path` with mode 0600, replacing what is there. On an error the old file is as it was.
///
/// # Errors
/// When any step fails; a full disk shows here, not later.
pub fn replace(path: &Path, content: &[u8], durability: Durability) -> Result<()> {
    let temporary = beside(path);
    let written = write_new(&temporary, content, durability).and_then(|()| std::fs::rename(&temporary, path));
    if let Err(error) = written {
        // Best effort: a leftover is no `.xml` and is overwritten by the next attempt.
        let _ = std::fs::remove_file(&temporary);
        return Err(Error::at("write", path)(error));
    }
    sync_parent(path, durability).map_err(Error::at("write", path))
}

/// Removes `path`; one that is not there is as good as removed.
///
/// # Errors
/// When it is still there, or may come back after a crash.
pub fn remove(path: &Path, durability: Durability) -> Result<()> {
    // A name beyond what the file system takes (a link's may be longer than its definition's) is not there either.
    let is_absent = |kind| matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::InvalidFilename);
    match std::fs::remove_file(path) {
        Err(error) if is_absent(error.kind()) => return Ok(()),
        other => other.map_err(Error::at("remove", path))?,
    }
    sync_parent(path, durability).map_err(Error::at("remove", path))
}

/// `NAME.xml.new`: in the same directory, so that the rename is one step, and not ending in `.xml`.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn write_new(path: &Path, content: &[u8], durability: Durability) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    if durability == Durability::Host {
        file.sync_all()?;
    }
    Ok(())
}

pub(crate) fn sync_parent(path: &Path, durability: Durability) -> io::Result<()> {
    match (durability, path.parent()) {
        (Durability::Host, Some(directory)) => File::open(directory)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.xml");
        replace(&path, b"one", Durability::Host).expect("written");
        replace(&path, b"two", Durability::Process).expect("written");
        assert_eq!(std::fs::read(&path).expect("read"), b"two");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 1);
        remove(&path, Durability::Host).expect("removed");
        remove(&path, Durability::Host).expect("already gone");
    }

    #[test]
    fn a_failure_leaves_the_old_file_and_names_the_path() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.xml");
        replace(&path, b"old", Durability::Host).expect("written");
        // A directory in the way of the temporary file stands for a disk that takes nothing more.
        std::fs::create_dir(dir.path().join("a.xml.new")).expect("made");
        let error = replace(&path, b"new", Durability::Host).expect_err("fails");
        assert!(error.to_string().contains("a.xml"), "{error}");
        assert_eq!(std::fs::read(&path).expect("read"), b"old");
    }
}
