//! The host's memory: how much, how it is spread over NUMA cells, in which page sizes. All sizes in bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::sysfs::{list, number, numbered, text};

/// What is used of /proc/meminfo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Meminfo {
    /// In all.
    pub total: u64,
    /// Used for nothing.
    pub free: u64,
    /// What programs could have without swapping.
    pub available: u64,
    /// Block buffers.
    pub buffers: u64,
    /// File cache.
    pub cached: u64,
    /// Swap in all.
    pub swap_total: u64,
    /// Swap in no use.
    pub swap_free: u64,
}

/// A pool of pages of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pages {
    /// Bytes of a page.
    pub size: u64,
    /// Pages in all.
    pub total: u64,
    /// Pages in no use.
    pub free: u64,
}

/// A NUMA cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Its number.
    pub id: u32,
    /// Its processors.
    pub cpus: BTreeSet<u32>,
    /// Memory in all.
    pub total: u64,
    /// Memory used for nothing.
    pub free: u64,
    /// Huge pages, smallest first.
    pub huge_pages: Vec<Pages>,
    /// Distance to each cell, 10 to itself.
    pub distances: BTreeMap<u32, u32>,
}

/// A mounted hugetlbfs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HugeMount {
    /// Where.
    pub path: PathBuf,
    /// Bytes of its pages; `None` for the host's default.
    pub page_size: Option<u64>,
}

/// Reads /proc/meminfo.
///
/// # Errors
/// When it cannot be read or lacks the total.
pub fn meminfo() -> io::Result<Meminfo> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let fields = fields(&text);
    let field = |name: &str| fields.get(name).copied().unwrap_or(0);
    if field("MemTotal") == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "/proc/meminfo has no total"));
    }
    Ok(Meminfo {
        total: field("MemTotal"),
        free: field("MemFree"),
        available: field("MemAvailable"),
        buffers: field("Buffers"),
        cached: field("Cached"),
        swap_total: field("SwapTotal"),
        swap_free: field("SwapFree"),
    })
}

/// `Name: 5 kB` lines, also with the `Node 0 ` in front that cells have.
fn fields(text: &str) -> BTreeMap<&str, u64> {
    let field = |line| {
        let (name, value) = str::split_once(line, ':')?;
        let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some((name.rsplit(' ').next()?, kib.checked_mul(1024)?))
    };
    text.lines().filter_map(field).collect()
}

/// The NUMA cells; a host without NUMA is one cell.
///
/// # Errors
/// When a host without NUMA does not tell its memory.
pub fn cells() -> io::Result<Vec<Cell>> {
    let system = Path::new("/sys/devices/system");
    let cells = cells_below(&system.join("node"));
    if !cells.is_empty() {
        return Ok(cells);
    }
    let memory = meminfo()?;
    let cpus = text(&system.join("cpu/online")).and_then(|text| list(&text)).unwrap_or_default();
    Ok(vec![Cell {
        id: 0,
        cpus,
        total: memory.total,
        free: memory.free,
        huge_pages: huge_pages(),
        distances: BTreeMap::from([(0, 10)]),
    }])
}

fn cells_below(directory: &Path) -> Vec<Cell> {
    let ids = numbered(directory, "node");
    let cell = |id: &u32| {
        let place = directory.join(format!("node{id}"));
        let memory = text(&place.join("meminfo")).unwrap_or_default();
        let memory = fields(&memory);
        let distances = text(&place.join("distance")).unwrap_or_default();
        let distances = distances.split_ascii_whitespace().filter_map(|distance| distance.parse().ok());
        Cell {
            id: *id,
            cpus: text(&place.join("cpulist")).and_then(|text| list(&text)).unwrap_or_default(),
            total: memory.get("MemTotal").copied().unwrap_or(0),
            free: memory.get("MemFree").copied().unwrap_or(0),
            huge_pages: pools(&place.join("hugepages")),
            // The file lists the cells that are online, in order.
            distances: ids.iter().copied().zip(distances).collect(),
        }
    };
    ids.iter().map(cell).collect()
}

/// The host's huge pages over all cells, smallest first.
pub fn huge_pages() -> Vec<Pages> {
    pools(Path::new("/sys/kernel/mm/hugepages"))
}

fn pools(directory: &Path) -> Vec<Pages> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let pool = |entry: fs::DirEntry| {
        let kib: u64 = entry.file_name().to_str()?.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
        let count = |name: &str| number(&entry.path().join(name)).unwrap_or(0);
        Some(Pages { size: kib.checked_mul(1024)?, total: count("nr_hugepages"), free: count("free_hugepages") })
    };
    let mut pools: Vec<Pages> = entries.flatten().filter_map(pool).collect();
    pools.sort_by_key(|pool| pool.size);
    pools
}

/// Bytes of the huge page that is meant where none is named; `None` on a host without.
pub fn default_huge_page() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    fields(&text).get("Hugepagesize").copied()
}

/// Bytes of an ordinary page.
pub fn page_size() -> u64 {
    crate::process::page_size()
}

/// The mounted hugetlbfs file systems.
pub fn huge_mounts() -> Vec<HugeMount> {
    mounts_in(&fs::read_to_string("/proc/self/mounts").unwrap_or_default())
}

fn mounts_in(text: &str) -> Vec<HugeMount> {
    let mount = |line: &str| {
        let mut words = line.split(' ');
        let (path, kind, options) = (words.nth(1)?, words.next()?, words.next()?);
        let size = options.split(',').find_map(|option| option.strip_prefix("pagesize="));
        let page_size = size.and_then(|size| {
            let (count, unit) = size.split_at(size.find(|c: char| !c.is_ascii_digit()).unwrap_or(size.len()));
            let shift = match unit {
                "" => 0,
                "K" => 10,
                "M" => 20,
                "G" => 30,
                _ => return None,
            };
            count.parse::<u64>().ok()?.checked_mul(1 << shift)
        });
        // Spaces in mount points are written as octal escapes.
        (kind == "hugetlbfs").then(|| HugeMount { path: path.replace("\\040", " ").into(), page_size })
    };
    text.lines().filter_map(mount).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_from_sysfs() {
        let root = tempfile::tempdir().expect("a directory");
        for (id, free) in [(0, 5), (2, 7)] {
            let cell = root.path().join(format!("node{id}"));
            fs::create_dir_all(cell.join("hugepages/hugepages-2048kB")).expect("made");
            fs::write(cell.join("meminfo"), format!("Node {id} MemTotal:  100 kB\nNode {id} MemFree: {free} kB\n"))
                .expect("written");
            fs::write(cell.join("cpulist"), format!("{id}-{}\n", id + 1)).expect("written");
            fs::write(cell.join("distance"), if id == 0 { "10 20\n" } else { "20 10\n" }).expect("written");
            fs::write(cell.join("hugepages/hugepages-2048kB/nr_hugepages"), "4\n").expect("written");
            fs::write(cell.join("hugepages/hugepages-2048kB/free_hugepages"), "3\n").expect("written");
        }
        let cells = cells_below(root.path());
        assert_eq!((cells[1].id, cells[1].free, cells[1].total), (2, 7 * 1024, 100 * 1024));
        assert_eq!(cells[1].cpus, BTreeSet::from([2, 3]));
        assert_eq!(cells[1].distances, BTreeMap::from([(0, 20), (2, 10)]));
        assert_eq!(cells[0].huge_pages, [Pages { size: 2 << 20, total: 4, free: 3 }]);
    }

    #[test]
    fn huge_mounts_have_their_page_size() {
        let text = "hugetlbfs /dev/hugepages hugetlbfs rw,relatime,pagesize=2M 0 0\n\
            none /mnt/big\\040ones hugetlbfs rw,pagesize=1024M 0 0\nproc /proc proc rw 0 0\nx /y hugetlbfs rw 0 0\n";
        let mounts = mounts_in(text);
        assert_eq!(mounts.len(), 3);
        assert_eq!(mounts[0].page_size, Some(2 << 20));
        assert_eq!(mounts[1], HugeMount { path: "/mnt/big ones".into(), page_size: Some(1 << 30) });
        assert_eq!(mounts[2].page_size, None);
    }

    #[test]
    fn this_host_answers() {
        let memory = meminfo().expect("readable");
        assert!(memory.total > memory.free && page_size() >= 4096);
        assert!(!cells().expect("readable").is_empty());
    }
}
