//! What is mounted where, and mounting and unmounting by the host's tools.
//!
//! The table is read from /proc, which no dead server can hold up; paths are compared as text for the same reason.

use std::path::Path;

use virtbus_api::{ErrorCode, Result};

use crate::blocking;
use crate::fault;
use crate::tool::{SOON, Tool};

/// The mounts that this thread sees, which are those that its children make.
const TABLE: &str = "/proc/thread-self/mountinfo";

/// A file system in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// Where.
    pub(super) target: String,
    /// What: a device, `host:/path`, or a word.
    pub(super) source: String,
}

/// What is mounted at `target`, the topmost if several are.
pub(super) fn at(target: &str) -> Result<Option<Mount>> {
    let table = std::fs::read_to_string(TABLE).map_err(fault::at("cannot read", Path::new(TABLE)))?;
    Ok(parse(&table).into_iter().rev().find(|it| it.target == target))
}

/// Whether `source` is mounted at `target`: the same name, or a loop device with that file behind it.
pub(super) fn is_mounted_from(target: &str, source: &str) -> Result<bool> {
    let Some(mount) = at(target)? else { return Ok(false) };
    if mount.source == source {
        return Ok(true);
    }
    let Some(device) = mount.source.strip_prefix("/dev/loop") else { return Ok(false) };
    let backing = std::fs::read_to_string(format!("/sys/block/loop{device}/loop/backing_file"));
    Ok(backing.is_ok_and(|it| it.trim_end() == source))
}

/// See proc(5): field 5 is the mount point, the source comes second after the lone hyphen.
fn parse(table: &str) -> Vec<Mount> {
    let line = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let target = unescape(before.split(' ').nth(4)?);
        let source = unescape(after.split(' ').nth(1)?);
        Some(Mount { target, source })
    };
    table.lines().filter_map(line).collect()
}

/// Blanks and the like are written as a backslash and three octal digits.
fn unescape(word: &str) -> String {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..3).filter(|_| *first == b'\\');
        let code = digits.and_then(|it| std::str::from_utf8(it).ok()).and_then(|it| u8::from_str_radix(it, 8).ok());
        match code {
            Some(code) => {
                bytes.push(code);
                rest = tail.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Mounts `source` at `target`; a file is put on a loop device by mount(8).
pub(super) async fn mount(source: &str, target: &str, format: Option<&str>, options: &[String]) -> Result<()> {
    let mut tool = Tool::new("mount").arg("-o").arg(options.join(","));
    if let Some(format) = format {
        tool = tool.arg("-t").arg(format);
    }
    tool.arg("--").arg(source).arg(target).run(SOON).await.map(drop)
}

/// Unmounts what is at `target`; nothing to do where nothing is. One whose server does not answer is detached: it is
/// gone from the tree, and for good once its last user is.
pub(super) async fn unmount(target: &str) -> Result<()> {
    if at(target)?.is_none() {
        return Ok(());
    }
    let plain = Tool::new("umount").arg("--no-canonicalize").arg("--").arg(target).run(SOON / 6).await;
    let Err(error) = plain else { return Ok(()) };
    // Those who wait for a dead server keep it busy.
    if at(target)?.is_some() && error.code != ErrorCode::OperationTimeout && answers(target).await {
        return Err(error);
    }
    tracing::warn!(target, "it does not answer and is detached");
    let lazy = Tool::new("umount").arg("--no-canonicalize").arg("--lazy").arg("--").arg(target).run(SOON / 6).await;
    match lazy {
        // The first one has come through in the meantime.
        Err(_) if at(target)?.is_none() => Ok(()),
        other => other.map(drop),
    }
}

/// Whether the file system at `target` says how full it is: a server's own figures, which nobody keeps for it.
async fn answers(target: &str) -> bool {
    let path = target.to_owned();
    blocking::look(target, move || {
        nix::sys::statvfs::statvfs(path.as_str()).map(drop).map_err(|error| fault::system(&path, &error.into()))
    })
    .await
    .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        let table = "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n\
                     37 35 0:44 / /n rw - nfs4 h:/a\\134b rw\nrubbish\n";
        let mounts = parse(table);
        assert_eq!(mounts[0], Mount { target: "/mnt 2".to_owned(), source: "/dev/root".to_owned() });
        assert_eq!(mounts[1], Mount { target: "/n".to_owned(), source: "h:/a\\b".to_owned() });
        assert_eq!(mounts.len(), 2);
        assert!(at("/proc").expect("readable").is_some());
        assert_eq!(at("/no/such/mount").expect("readable"), None);
    }
}
