//! What is remembered on a file: its owner before, how many use it, and since which boot.

use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::Owner;

const OWNER: &CStr = c"trusted.libvirt.security.dac";
const USERS: &CStr = c"trusted.libvirt.security.ref_dac";
const BOOT: &CStr = c"trusted.libvirt.security.timestamp_dac";

/// What a file remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    /// Its owner before; `None` if it remembers nothing that still holds.
    pub(super) owner: Option<Owner>,
    /// How many use it.
    pub(super) users: u32,
}

/// Reads it; `None` where the file cannot have such attributes.
pub(super) fn read(file: &Path) -> Option<Memory> {
    let nothing = Memory { owner: None, users: 0 };
    let get_text = |name| match get(file, name) {
        Ok(text) => Some(text),
        Err(error) if error.raw_os_error() == Some(libc::ENODATA) => Some(None),
        Err(_) => None,
    };
    let (owner, users, boot) = (get_text(OWNER)?, get_text(USERS)?, get_text(BOOT)?);
    if boot != boot_time() {
        return Some(nothing);
    }
    let owner = owner.as_deref().and_then(Owner::from_text);
    let users = users.and_then(|users| users.parse().ok()).filter(|users| *users > 0);
    Some(match (owner, users) {
        (Some(owner), Some(users)) => Memory { owner: Some(owner), users },
        _ => nothing,
    })
}

/// Notes `owner` and `users`.
pub(super) fn write(file: &Path, owner: Owner, users: u32) -> io::Result<()> {
    // The count last: half of a note is none.
    let boot = boot_time().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "/proc/stat has no boot time"))?;
    let written = set(file, OWNER, &owner.to_text())
        .and_then(|()| set(file, BOOT, &boot))
        .and_then(|()| set(file, USERS, &users.to_string()));
    if written.is_err() && users == 1 {
        clear(file);
    }
    written
}

/// Forgets all.
pub(super) fn clear(file: &Path) {
    for name in [USERS, OWNER, BOOT] {
        // What is not there need not be removed.
        let _ = remove(file, name);
    }
}

/// Seconds since 1970 at which the host booted, as /proc/stat says; the reference notes the same.
fn boot_time() -> Option<String> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    Some(stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().to_owned())
}

fn c_path(file: &Path) -> io::Result<CString> {
    Ok(CString::new(file.as_os_str().as_bytes())?)
}

fn get(file: &Path, name: &CStr) -> io::Result<Option<String>> {
    let file = c_path(file)?;
    let mut value = [0_u8; 128];
    // SAFETY: two terminated strings, and a buffer with its length.
    #[allow(unsafe_code)]
    let length = unsafe { libc::getxattr(file.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    let text = value.get(..length).and_then(|text| std::str::from_utf8(text).ok());
    Ok(text.map(|text| text.trim_end_matches('\0').to_owned()))
}

fn set(file: &Path, name: &CStr, value: &str) -> io::Result<()> {
    let file = c_path(file)?;
    // SAFETY: two terminated strings, and a buffer with its length.
    #[allow(unsafe_code)]
    let result = unsafe { libc::setxattr(file.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn remove(file: &Path, name: &CStr) -> io::Result<()> {
    let file = c_path(file)?;
    // SAFETY: two terminated strings.
    #[allow(unsafe_code)]
    let result = unsafe { libc::removexattr(file.as_ptr(), name.as_ptr()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
pub(super) fn note(file: &Path, owner: &str, users: &str, boot: &str) -> io::Result<()> {
    set(file, OWNER, owner)?;
    set(file, USERS, users)?;
    set(file, BOOT, boot)
}
