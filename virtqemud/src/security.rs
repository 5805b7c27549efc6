//! Whose files a guest uses: given to QEMU's user before it starts, given back when it has ended.
//!
//! Discretionary access control only (owner and group), which every host has; the count of users on shared files is
//! [`label`]'s. What is only read is left alone if QEMU's user can read it already, so that a kernel in /boot
//! stays root's. Who a file goes back to stands in the status file as well, so a restart of the daemon loses nothing.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use virtbus_api::{Error, Result};
use virtbus_host::label::{self, LabelError, Owner};
use virtbus_schema::domain_status::FileOwner;

use crate::config::User;

/// A file of the host that a guest uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Use {
    /// The file.
    pub(crate) path: PathBuf,
    /// Whether the guest writes to it.
    pub(crate) write: bool,
    /// Whether other guests may use it too.
    pub(crate) shared: bool,
    /// Whether it is a device node, which is left alone if everybody may use it (`/dev/urandom`).
    pub(crate) device: bool,
}

/// Gives `files` to `user`. Blocks on the file system. What was changed is in `owners` even on an error.
///
/// # Errors
/// When one cannot be looked at or given away, naming it.
pub(crate) fn give(files: &[Use], user: &User, owners: &mut Vec<FileOwner>) -> Result<()> {
    let owner = Owner { uid: user.uid, gid: user.gid };
    for file in files {
        let meta = match std::fs::metadata(&file.path) {
            // QEMU makes it: a file that a serial port writes to.
            Err(error) if error.kind() == io::ErrorKind::NotFound && file.write && !file.device => continue,
            other => {
                other.map_err(|error| Error::system(format!("Cannot access '{}'", file.path.display()), &error))?
            }
        };
        let asked = if file.write { 0o6 } else { 0o4 };
        if (file.device || !file.write) && may(&meta, user, asked) {
            continue;
        }
        let claim = label::claim(&file.path, owner, true).map_err(|error| to_error(error, user))?;
        // Without a count of users, a shared file is not taken back from the others.
        if claim.remembered || !file.shared {
            let path = file.path.to_string_lossy().into_owned();
            owners.push(FileOwner { path, uid: claim.before.uid, gid: claim.before.gid });
        }
    }
    Ok(())
}

fn to_error(error: LabelError, user: &User) -> Error {
    match error {
        LabelError::InUse { .. } => Error::internal(error.to_string()),
        LabelError::Io { path, source, .. } => {
            let (uid, gid) = (user.uid, user.gid);
            Error::system(format!("unable to set user and group to '{uid}:{gid}' on '{}'", path.display()), &source)
        }
    }
}

/// Gives files that `user` had back, the last one first; returns what did not work out. Blocks on the file system.
pub(crate) fn take_back(owners: &[FileOwner], user: Option<&User>) -> Vec<String> {
    let guest = user.map(|it| it.uid);
    let mut errors = Vec::new();
    for FileOwner { path, uid, gid } in owners.iter().rev() {
        match label::release(Path::new(path), guest, Some(Owner { uid: *uid, gid: *gid }), true) {
            Err(LabelError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => errors.push(format!("cannot give '{path}' back to {uid}:{gid}: {error}")),
            Ok(_) => {}
        }
    }
    errors
}

/// Makes `path` belong to `user`, if there is one to give it to. A link that was put in its place is not followed.
///
/// # Errors
/// As chown(2).
pub(crate) fn own(path: &Path, user: Option<&User>) -> io::Result<()> {
    let Some(user) = user else { return Ok(()) };
    std::os::unix::fs::lchown(path, Some(user.uid), Some(user.gid))
}

/// Whether `user` has the rights `asked` (4 read, 2 write).
fn may(meta: &std::fs::Metadata, user: &User, asked: u32) -> bool {
    let shift = if meta.uid() == user.uid {
        6
    } else if user.groups.contains(&meta.gid()) {
        3
    } else {
        0
    };
    meta.mode() >> shift & asked == asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_already_stays_whose_it_is() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("kernel");
        std::fs::write(&path, "k").expect("written");
        let user = User { uid: 4_000_000, gid: 4_000_000, groups: vec![4_000_000] };
        let mut owners = Vec::new();
        let file = Use { path: path.clone(), write: false, shared: false, device: false };
        give(std::slice::from_ref(&file), &user, &mut owners).expect("nothing to do");
        assert!(owners.is_empty());
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let before = std::fs::metadata(&path).expect("there");
        give(&[Use { write: true, ..file }], &user, &mut owners).expect("given");
        assert_eq!(std::fs::metadata(&path).expect("there").uid(), user.uid);
        assert_eq!(take_back(&owners, Some(&user)), [] as [String; 0]);
        assert_eq!(std::fs::metadata(&path).expect("there").uid(), before.uid());
    }
}
