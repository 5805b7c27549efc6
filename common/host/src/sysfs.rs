//! Reading the small files of /proc and /sys.
//!
//! They answer from memory and do not block; what is absent is `None`, since kernels and machines differ in what they offer.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;

/// The most processors or nodes a list may name; Linux has 8192 at most.
const MOST: u32 = 65_536;

/// The trimmed text of a file.
pub fn text(path: &Path) -> Option<String> {
    Some(std::fs::read_to_string(path).ok()?.trim().to_owned())
}

/// A file that holds one number.
pub fn number<T: FromStr>(path: &Path) -> Option<T> {
    text(path)?.parse().ok()
}

/// A list such as `0-3,8`, as sysfs writes sets of processors and nodes.
pub fn list(text: &str) -> Option<BTreeSet<u32>> {
    let mut set = BTreeSet::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if last >= MOST || first > last {
            return None;
        }
        set.extend(first..=last);
    }
    Some(set)
}

/// The numbers of a directory's entries `PREFIXn`, ascending.
pub fn numbered(directory: &Path, prefix: &str) -> BTreeSet<u32> {
    let Ok(entries) = std::fs::read_dir(directory) else { return BTreeSet::new() };
    let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok();
    entries.flatten().filter_map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        assert_eq!(list("0-2,8\n"), Some(BTreeSet::from([0, 1, 2, 8])));
        assert_eq!(list(""), Some(BTreeSet::new()));
        for bad in ["x", "3-1", "0-4294967295", "-1", "1-"] {
            assert_eq!(list(bad), None, "{bad}");
        }
    }
}
