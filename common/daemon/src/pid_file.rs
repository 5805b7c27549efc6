//! The pid file: which process is the daemon, and that there is one.
//!
//! It is locked for the daemon's life (fcntl-style lock of the open file), so a second daemon on the same root refuses
//! instead of fighting over sockets and guests, and a stale file of a killed one stops nobody.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};

use crate::paths::make_directory;

/// How long a killed daemon's lock may outlive it: a child it was just starting shares its descriptors until the program
/// is loaded.
const LAST_CHILD: Duration = Duration::from_secs(2);

/// Why the pid file cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PidFileError {
    /// Another daemon holds it.
    #[error("another daemon{} holds {}", .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default(), .path.display())]
    Held {
        /// The file.
        path: PathBuf,
        /// Whose, if the file says so.
        pid: Option<u32>,
    },
    /// A system call failed.
    #[error("cannot write the pid file {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A held pid file. Dropping it removes the file and lets go of the lock.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    // Closing it releases the lock.
    _file: File,
}

impl PidFile {
    /// Takes the file at `path` and writes this process's pid into it. Blocks on the file system; for start-up.
    ///
    /// # Errors
    /// When another process holds it, or it cannot be written.
    pub fn take(path: &Path) -> Result<Self, PidFileError> {
        let failed = |source| PidFileError::Io { path: path.to_owned(), source };
        if let Some(directory) = path.parent() {
            make_directory(directory, 0o755).map_err(failed)?;
        }
        let begun = Instant::now();
        loop {
            let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o644).open(path);
            let mut file = open.map_err(failed)?;
            if !lock(&file).map_err(failed)? {
                let mut text = String::new();
                // Only for the message: a file that cannot be read names no pid.
                let _ = (&mut file).take(32).read_to_string(&mut text);
                if is_gone(&text) && begun.elapsed() < LAST_CHILD {
                    #[allow(clippy::disallowed_methods, reason = "start-up blocks, and nothing tells of a lock's end")]
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                }
                return Err(PidFileError::Held { path: path.to_owned(), pid: text.trim().parse().ok() });
            }
            // A daemon that just ended may have removed the file between open and lock.
            if !still_at(&file, path) {
                continue;
            }
            let write = |file: &mut File| {
                file.set_len(0)?;
                file.rewind()?;
                writeln!(file, "{}", std::process::id())
            };
            write(&mut file).map_err(failed)?;
            return Ok(Self { path: path.to_owned(), _file: file });
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // While still locked, so that it cannot be the next daemon's.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether the daemon that wrote this pid has ended.
fn is_gone(text: &str) -> bool {
    let Ok(pid) = text.trim().parse() else { return false };
    matches!(virtbus_host::process::Process::open_pid(pid), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

fn lock(file: &File) -> io::Result<bool> {
    let region = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 1,
        l_pid: 0,
    };
    // A lock of the open file, not of the process: two daemons within one test process exclude each other as well.
    match fcntl(file, FcntlArg::F_OFD_SETLK(&region)) {
        Ok(_) => Ok(true),
        Err(nix::Error::EAGAIN | nix::Error::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(held), Ok(named)) = (file.metadata(), fs::metadata(path)) else { return false };
    (held.dev(), held.ino()) == (named.dev(), named.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_and_a_stale_file_is_taken() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("run/virtqemud.pid");
        let first = PidFile::take(&path).expect("free");
        let own = std::process::id();
        assert_eq!(fs::read_to_string(&path).expect("readable"), format!("{own}\n"));
        let refused = PidFile::take(&path).expect_err("held").to_string();
        assert_eq!(refused, format!("another daemon (pid {own}) holds {}", path.display()));
        drop(first);
        assert!(!path.exists());
        fs::write(&path, "999999999 leftover of a longer text\n").expect("written");
        let _second = PidFile::take(&path).expect("stale");
        assert_eq!(fs::read_to_string(&path).expect("readable"), format!("{own}\n"));
    }
}
