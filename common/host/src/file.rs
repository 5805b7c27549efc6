//! What disk images need of file systems beyond reading and writing: holes, preallocation, shared blocks, renaming that
//! replaces nothing.
//!
//! Every call may block on the file system; callers run them where they may. What is in the files is not known here.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use nix::fcntl::{AT_FDCWD, FallocateFlags, RenameFlags, fallocate, renameat2};
use nix::libc::off_t;
use nix::unistd::{Whence, lseek};

/// Attribute "no copy on write" of linux/fs.h.
const FS_NOCOW_FL: libc::c_long = 0x0080_0000;

/// A stretch of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// So many bytes that are stored.
    Data(u64),
    /// So many bytes that read as zero and take no room.
    Hole(u64),
    /// The file ends here.
    End,
}

fn offset(at: u64) -> io::Result<off_t> {
    off_t::try_from(at).map_err(|_| io::Error::from_raw_os_error(libc::EFBIG))
}

/// What is at `at` in a file of `size` bytes, and how far it reaches. A file system that knows no holes has data only.
///
/// # Errors
/// As lseek(2).
pub fn extent(file: &File, at: u64, size: u64) -> io::Result<Extent> {
    if at >= size {
        return Ok(Extent::End);
    }
    let rest = size - at;
    let start = match lseek(file.as_fd(), offset(at)?, Whence::SeekData) {
        Ok(start) => u64::try_from(start).unwrap_or(at),
        Err(nix::Error::ENXIO) => return Ok(Extent::Hole(rest)),
        Err(nix::Error::EINVAL | nix::Error::EOPNOTSUPP | nix::Error::ESPIPE) => return Ok(Extent::Data(rest)),
        Err(error) => return Err(error.into()),
    };
    if start > at {
        return Ok(Extent::Hole((start - at).min(rest)));
    }
    let end = lseek(file.as_fd(), offset(at)?, Whence::SeekHole)?;
    Ok(Extent::Data(u64::try_from(end).unwrap_or(size).saturating_sub(at).min(rest)))
}

/// Reserves blocks for `length` bytes from `at` on; the file grows if need be.
///
/// # Errors
/// As fallocate(2): `EOPNOTSUPP` where the file system cannot, `ENOSPC` where there is no room.
pub fn allocate(file: &File, at: u64, length: u64) -> io::Result<()> {
    Ok(fallocate(file, FallocateFlags::empty(), offset(at)?, offset(length)?)?)
}

/// Gives back the blocks of `length` bytes from `at` on, which then read as zero. The size stays.
///
/// # Errors
/// As fallocate(2): `EOPNOTSUPP` where the file system cannot.
pub fn punch_hole(file: &File, at: u64, length: u64) -> io::Result<()> {
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    Ok(fallocate(file, flags, offset(at)?, offset(length)?)?)
}

/// Makes `to` share all blocks of `from` until one of them is written.
///
/// # Errors
/// As ioctl_ficlone(2): `EOPNOTSUPP` and `EXDEV` where the file systems cannot.
pub fn reflink(from: &File, to: &File) -> io::Result<()> {
    // SAFETY: two live descriptors; the request takes the second one as a number and no memory of ours.
    #[allow(unsafe_code)]
    let done = unsafe { libc::ioctl(to.as_raw_fd(), libc::FICLONE, from.as_raw_fd()) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Asks that an empty file's blocks be overwritten in place (`chattr +C`).
///
/// # Errors
/// As ioctl_iflags(2): `ENOTTY` or `EOPNOTSUPP` where the file system has no such attribute.
pub fn disable_copy_on_write(file: &File) -> io::Result<()> {
    let mut flags: libc::c_long = 0;
    // SAFETY: the request reads one long into `flags`, which lives beyond the call.
    #[allow(unsafe_code)]
    let read = unsafe { libc::ioctl(file.as_raw_fd(), libc::FS_IOC_GETFLAGS, &raw mut flags) };
    if read < 0 {
        return Err(io::Error::last_os_error());
    }
    flags |= FS_NOCOW_FL;
    // SAFETY: the request reads one long from `flags`, which lives beyond the call.
    #[allow(unsafe_code)]
    let set = unsafe { libc::ioctl(file.as_raw_fd(), libc::FS_IOC_SETFLAGS, &raw const flags) };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether `file` lies on btrfs.
///
/// # Errors
/// As fstatfs(2).
pub fn is_on_btrfs(file: &File) -> io::Result<bool> {
    Ok(nix::sys::statfs::fstatfs(file)?.filesystem_type() == nix::sys::statfs::BTRFS_SUPER_MAGIC)
}

/// How long an open file or block device is.
///
/// # Errors
/// As lseek(2).
pub fn length(file: &File) -> io::Result<u64> {
    let end = lseek(file.as_fd(), 0, Whence::SeekEnd)?;
    u64::try_from(end).map_err(io::Error::other)
}

/// Has a block device forget `length` bytes from `at` on (TRIM).
///
/// # Errors
/// As the request BLKDISCARD: `EOPNOTSUPP` where the device cannot.
pub fn discard(device: &File, at: u64, length: u64) -> io::Result<()> {
    let range = [at, length];
    // SAFETY: the request reads two 64-bit numbers from `range`, which lives beyond the call.
    #[allow(unsafe_code)]
    let done = unsafe { libc::ioctl(device.as_raw_fd(), BLKDISCARD, range.as_ptr()) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// `_IO(0x12, 119)` of linux/fs.h, which libc does not name.
const BLKDISCARD: libc::Ioctl = 0x1277;

/// Gives `from` the name `to`, unless something has it.
///
/// # Errors
/// `AlreadyExists` when something has that name; otherwise as renameat2(2).
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        // Not every file system can; a hard link replaces nothing either, and every one that has links can do that.
        Err(nix::Error::EINVAL | nix::Error::ENOSYS) => {
            std::fs::hard_link(from, to)?;
            std::fs::remove_file(from)
        }
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt, MetadataExt};

    use super::*;

    #[test]
    fn holes_are_seen_and_made() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 20).unwrap();
        assert_eq!(extent(&file, 0, 1 << 20).unwrap(), Extent::Hole(1 << 20));
        file.write_all_at(&[1; 8192], 65536).unwrap();
        assert_eq!(extent(&file, 0, 1 << 20).unwrap(), Extent::Hole(65536));
        assert_eq!(extent(&file, 65536, 1 << 20).unwrap(), Extent::Data(8192));
        assert_eq!(extent(&file, 65536, 65540).unwrap(), Extent::Data(4));
        assert_eq!(extent(&file, 1 << 20, 1 << 20).unwrap(), Extent::End);
        punch_hole(&file, 65536, 8192).unwrap();
        assert_eq!(extent(&file, 0, 1 << 20).unwrap(), Extent::Hole(1 << 20));
        allocate(&file, 0, 2 << 20).unwrap();
        assert_eq!(length(&file).unwrap(), 2 << 20);
        assert!(file.metadata().unwrap().blocks() * 512 >= 2 << 20);
        assert!(!is_on_btrfs(&file).unwrap() || disable_copy_on_write(&tempfile::tempfile().unwrap()).is_ok());
        assert!(allocate(&file, u64::MAX, 1).is_err());
    }

    #[test]
    fn a_new_name_replaces_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        std::fs::write(file("a"), "a").unwrap();
        std::fs::write(file("b"), "b").unwrap();
        let taken = rename_new(&file("a"), &file("b")).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        rename_new(&file("a"), &file("c")).unwrap();
        assert_eq!(std::fs::read(file("c")).unwrap(), b"a");
        assert!(!file("a").exists());
    }
}
