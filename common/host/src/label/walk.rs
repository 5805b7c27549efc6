//! Opening a path without trusting the links that a guest's user has made.
//!
//! QEMU's user owns directories in which its guests' files lie. Whoever has broken into one guest can put a link there in
//! place of a file, and what follows it on behalf of root would give away what it leads to.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat, readlinkat};
use nix::sys::stat::{Mode, SFlag, fstat};

/// Links in one path, as for the kernel.
const MOST_LINKS: usize = 40;

/// A path descriptor of the file at `path`. A link that belongs to the user `distrusted` (unless that is who we are, or
/// root) is not followed, wherever on the way it lies.
pub(super) fn open(path: &Path, distrusted: Option<u32>) -> io::Result<OwnedFd> {
    let own = nix::unistd::geteuid().as_raw();
    let distrusted = distrusted.filter(|uid| *uid != 0 && *uid != own);
    let Some(distrusted) = distrusted else { return Ok(enter(None, path.as_os_str(), OFlag::empty())?) };
    let mut steps: VecDeque<OsString> = VecDeque::new();
    prepend(&mut steps, path);
    let mut at: Option<OwnedFd> = None;
    let mut links = 0;
    while let Some(step) = steps.pop_front() {
        let next = enter(at.as_ref(), &step, OFlag::O_NOFOLLOW)?;
        let found = fstat(&next)?;
        if SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT != SFlag::S_IFLNK {
            at = Some(next);
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Err(Errno::ELOOP.into());
        }
        if found.st_uid == distrusted {
            let name = step.to_string_lossy().into_owned();
            let what = format!("'{name}' is a link that belongs to the guest's user {distrusted}");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
        }
        prepend(&mut steps, Path::new(&readlinkat(&next, "")?));
    }
    at.ok_or_else(|| Errno::ENOENT.into())
}

/// An absolute path begins at the root again: its first step is `/`, which openat(2) takes from there.
fn prepend(steps: &mut VecDeque<OsString>, path: &Path) {
    for step in path.components().rev().filter(|step| *step != Component::CurDir) {
        steps.push_front(step.as_os_str().to_owned());
    }
}

fn enter(at: Option<&OwnedFd>, step: &OsStr, flags: OFlag) -> nix::Result<OwnedFd> {
    let flags = flags | OFlag::O_PATH | OFlag::O_CLOEXEC;
    match at {
        Some(at) => openat(at, step, flags, Mode::empty()),
        None => openat(AT_FDCWD, step, flags, Mode::empty()),
    }
}
