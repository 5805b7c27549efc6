//! Making raw images and directories, and copying raw content.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::libc;
use virtbus_api::Result;
use virtbus_host::file;
use virtbus_schema::storage_pool::Permissions;

use crate::blocking::Progress;
use crate::fault;

/// The mode of a new volume that says none.
const MODE: u32 = 0o600;
/// Zeroes written at a time where the file system cannot reserve room.
const CHUNK: usize = 1 << 20;

/// What a raw image is to be like.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    /// How long it is.
    pub(crate) capacity: u64,
    /// How much of it gets room at once.
    pub(crate) allocation: u64,
    /// Whether its blocks are overwritten in place on a file system that copies on write.
    pub(crate) nocow: bool,
    /// Mode and owner.
    pub(crate) permissions: Permissions,
}

/// Makes an empty raw image at `path`, which must not exist; `shown` is what an error names. Blocks.
pub(crate) fn raw(path: &Path, shown: &Path, wanted: &Raw, progress: &Progress) -> Result<File> {
    let mode = wanted.permissions.mode.map_or(MODE, |it| it.0);
    let made = OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path);
    let content = made.map_err(fault::at("Failed to create file", shown))?;
    if wanted.nocow {
        if !file::is_on_btrfs(&content).map_err(fault::at("cannot stat", shown))? {
            let unknown = std::io::Error::from_raw_os_error(libc::ENOSYS);
            let text = format!("unable to control COW flag on '{}', not btrfs", shown.display());
            return Err(fault::system(text, &unknown));
        }
        file::disable_copy_on_write(&content).map_err(fault::at("cannot set COW flag of", shown))?;
    }
    content.set_len(wanted.capacity).map_err(fault::at("cannot extend file", shown))?;
    if wanted.allocation > 0 {
        allocate(&content, shown, wanted.allocation, progress)?;
    }
    own(path, shown, &wanted.permissions)?;
    Ok(content)
}

/// Reserves room for the first `length` bytes, by writing zeroes if the file system knows no other way. Blocks.
pub(crate) fn allocate(content: &File, shown: &Path, length: u64, progress: &Progress) -> Result<()> {
    let failed = |error: std::io::Error| {
        fault::system(format!("cannot allocate {length} bytes in file '{}'", shown.display()), &error)
    };
    match file::allocate(content, 0, length) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS)) => {}
        other => return other.map_err(failed),
    }
    let (zeroes, mut at) = (vec![0; CHUNK], 0);
    while at < length {
        let count = usize::try_from(length - at).unwrap_or(CHUNK).min(CHUNK);
        content.write_all_at(zeroes.get(..count).unwrap_or_default(), at).map_err(failed)?;
        at += count as u64;
        progress.step()?;
    }
    Ok(())
}

/// Gives the file the owner and mode that are wanted, of those that are said. Blocks.
pub(crate) fn own(path: &Path, shown: &Path, wanted: &Permissions) -> Result<()> {
    let (owner, group) = (wanted.owner.map(|it| it.0), wanted.group.map(|it| it.0));
    if owner.is_some() || group.is_some() {
        let text = format!("cannot chown '{}' to ({owner:?}, {group:?})", shown.display());
        std::os::unix::fs::chown(path, owner, group).map_err(|error| fault::system(text, &error))?;
    }
    // After the owner: a change of owner takes bits away. The umask had a say in what creating gave.
    let mode = wanted.mode.map_or(MODE, |it| it.0);
    let text = format!("cannot set mode of '{}' to {mode:04o}", shown.display());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(|error| fault::system(text, &error))
}

/// Makes a directory as a volume. Blocks.
pub(crate) fn directory(path: &Path, shown: &Path, wanted: &Permissions) -> Result<()> {
    let mode = wanted.mode.map_or(MODE, |it| it.0);
    DirBuilder::new().mode(mode).create(path).map_err(fault::at("failed to create directory", shown))?;
    own(path, shown, wanted)
}
