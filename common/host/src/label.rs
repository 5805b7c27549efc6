//! Who owns the files a guest uses: giving them to its user, and giving them back.
//!
//! The owner before is remembered on the file itself, with a count of users, in the extended attributes that libvirt uses
//! (`trusted.libvirt.security.dac`, `ref_dac`, `timestamp_dac`), so that either may restore what the other has labelled. A
//! count from before the last boot is void: nothing of that time still runs. Where the file system or the privileges allow
//! no such attributes, the owner changes and [`Claim::before`] is all there is to remember by.
//!
//! Every function here blocks on the file system, which may be dead: call from where it can be abandoned.

mod walk;
mod xattr;

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{AtFlags, FcntlArg, fcntl};
use nix::unistd::{Gid, Uid, fchownat};

/// User and group of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl Owner {
    /// root:root, what is restored where nothing is remembered.
    pub const ROOT: Owner = Owner { uid: 0, gid: 0 };

    fn to_text(self) -> String {
        format!("+{}:+{}", self.uid, self.gid)
    }

    fn from_text(text: &str) -> Option<Self> {
        let (uid, gid) = text.split_once(':')?;
        let number = |text: &str| text.strip_prefix('+').unwrap_or(text).parse().ok();
        Some(Self { uid: number(uid)?, gid: number(gid)? })
    }
}

/// A file that was given to a guest's user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Who owned it before, as far as can be told.
    pub before: Owner,
    /// Whether that is remembered on the file.
    pub remembered: bool,
}

/// Why a file cannot be given to a guest's user.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// Another guest uses it under another owner.
    #[error("{} is in use by another guest as user {}, group {}", .path.display(), .owner.uid, .owner.gid)]
    InUse {
        /// The file.
        path: PathBuf,
        /// Who owns it now.
        owner: Owner,
    },
    /// A system call failed.
    #[error("cannot {step} {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What failed, as a verb.
        step: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// A file held by a path descriptor: links are followed once, and nothing can be put in its place afterwards.
struct Held<'a> {
    path: &'a Path,
    fd: OwnedFd,
    // Kept for its lock, which other processes honour while they count users.
    _lock: Option<File>,
}

impl<'a> Held<'a> {
    fn open(path: &'a Path, guest: Option<u32>) -> Result<Self, LabelError> {
        let fd = walk::open(path, guest);
        let fd = fd.map_err(|source| LabelError::Io { path: path.to_owned(), step: "open", source })?;
        let mut held = Self { path, fd, _lock: None };
        held._lock = held.lock();
        Ok(held)
    }

    fn failed(&self, step: &'static str) -> impl Fn(io::Error) -> LabelError + use<'_> {
        move |source| LabelError::Io { path: self.path.to_owned(), step, source }
    }

    /// A name for exactly this file.
    fn name(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.fd.as_raw_fd()))
    }

    /// Locks the count of users against other processes: byte 1, as libvirt does. Only regular files; opening a device
    /// may do things. A file that cannot be locked (read-only, a network file system) is counted without.
    fn lock(&self) -> Option<File> {
        use std::os::unix::fs::MetadataExt;
        let is_regular = std::fs::metadata(self.name()).ok()?.mode() & libc::S_IFMT == libc::S_IFREG;
        if !is_regular {
            return None;
        }
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = std::fs::OpenOptions::new().read(true).write(true).custom_flags(flags).open(self.name()).ok()?;
        let region = libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: 1,
            l_len: 1,
            l_pid: 0,
        };
        // Held for microseconds by whoever has it; a holder that hangs must not hang us.
        for _ in 0..50 {
            match fcntl(&file, FcntlArg::F_OFD_SETLK(&region)) {
                Ok(_) => return Some(file),
                Err(nix::Error::EAGAIN | nix::Error::EACCES) => {
                    #[allow(clippy::disallowed_methods, reason = "everything in this module blocks")]
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
                Err(_) => return None,
            }
        }
        None
    }

    fn owner(&self) -> Result<Owner, LabelError> {
        use std::os::unix::fs::MetadataExt;
        let found = std::fs::metadata(self.name()).map_err(self.failed("look at"))?;
        Ok(Owner { uid: found.uid(), gid: found.gid() })
    }

    /// Changes the owner, unless it is the right one already.
    fn give_to(&self, owner: Owner) -> Result<(), LabelError> {
        if self.owner()? == owner {
            return Ok(());
        }
        let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
        match fchownat(&self.fd, "", Some(uid), Some(gid), AtFlags::AT_EMPTY_PATH) {
            // A read-only image need not change hands; whether the guest may read it, QEMU will say.
            Ok(()) | Err(nix::Error::EROFS) => Ok(()),
            Err(error) => Err(self.failed("change the owner of")(error.into())),
        }
    }
}

/// Gives the file at `path` (or what it links to) to `owner`; links that this user has made are not followed. With `remember`, the owner before and one more user are
/// noted on the file.
///
/// # Errors
/// When another guest uses it under another owner, or a system call fails; the file is as it was then.
pub fn claim(path: &Path, owner: Owner, remember: bool) -> Result<Claim, LabelError> {
    let held = Held::open(path, Some(owner.uid))?;
    let now = held.owner()?;
    let memory = if remember { xattr::read(&held.name()) } else { None };
    let Some(memory) = memory else {
        held.give_to(owner)?;
        return Ok(Claim { before: now, remembered: false });
    };
    match memory {
        xattr::Memory { owner: Some(before), users } if users > 0 => {
            if now != owner {
                return Err(LabelError::InUse { path: path.to_owned(), owner: now });
            }
            let users = users.saturating_add(1);
            xattr::write(&held.name(), before, users).map_err(held.failed("note a user of"))?;
            Ok(Claim { before, remembered: true })
        }
        _ => {
            let remembered = xattr::write(&held.name(), now, 1).is_ok();
            if let Err(error) = held.give_to(owner) {
                if remembered {
                    xattr::clear(&held.name());
                }
                return Err(error);
            }
            Ok(Claim { before: now, remembered })
        }
    }
}

/// Takes one user off the file at `path`; with the last one the owner before is restored. Where none is remembered the
/// file goes to `fallback`, or stays as it is without one. `guest` is whom it was given to, where that is known: links that
/// this user has made are not followed, and what is not that user's any more is another file. Returns whether the file
/// changed hands.
///
/// # Errors
/// When a system call fails. A file that is gone is an error of kind `NotFound`, which callers will want to ignore.
pub fn release(path: &Path, guest: Option<u32>, fallback: Option<Owner>, remember: bool) -> Result<bool, LabelError> {
    let held = Held::open(path, guest)?;
    let memory = if remember { xattr::read(&held.name()) } else { None };
    if let Some(xattr::Memory { owner: Some(before), users }) = memory {
        if users > 1 {
            xattr::write(&held.name(), before, users - 1).map_err(held.failed("note a user of"))?;
            return Ok(false);
        }
        held.give_to(before)?;
        xattr::clear(&held.name());
        return Ok(true);
    }
    match fallback {
        Some(owner) if guest.is_none_or(|guest| held.owner().is_ok_and(|now| now.uid == guest)) => {
            held.give_to(owner).map(|()| true)
        }
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests;
