//! Memory cells, CPUs and caches of the host, as sysfs tells of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use virtbus_schema::capabilities::host::{
    CacheBank, CacheKind, Cell, CellCpu, CellCpus, CellMemory, Cells, Distance, PageCount,
};
use virtbus_schema::domain::cpu::CpuTopology;
use virtbus_schema::xml::CpuSet;

use super::host_cpu::huge_page_sizes;

/// A place to read from: `/sys`, or a copy of it in tests.
#[derive(Debug, Clone)]
pub struct Sysfs {
    root: PathBuf,
}

impl Sysfs {
    /// The tree below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file's text without the line end; `None` when there is none.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.root.join(path)).ok().map(|it| it.trim_end().to_owned())
    }

    fn number<T: FromStr>(&self, path: &str) -> Option<T> {
        self.text(path)?.parse().ok()
    }

    fn set(&self, path: &str) -> Option<CpuSet> {
        self.text(path)?.parse().ok()
    }

    /// Names in a directory.
    #[must_use]
    pub fn names(&self, path: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.join(path)).into_iter().flatten().flatten();
        entries.map(|it| it.file_name().to_string_lossy().into_owned()).collect()
    }
}

/// The memory cells. A host without NUMA has one.
#[must_use]
pub fn cells(sys: &Sysfs) -> Cells {
    let nodes = sys.set("devices/system/node/online").filter(|it| !it.is_empty());
    let cells: Vec<Cell> = match nodes {
        Some(nodes) => nodes.0.iter().map(|id| node(sys, *id, &nodes)).collect(),
        None => vec![sole_cell(sys)],
    };
    Cells { num: count(cells.len()), cells }
}

fn node(sys: &Sysfs, id: u32, nodes: &CpuSet) -> Cell {
    let at = format!("devices/system/node/node{id}");
    let memory = sys.text(&format!("{at}/meminfo")).and_then(|text| {
        let line = text.lines().find(|it| it.contains("MemTotal:"))?;
        line.split_whitespace().rev().nth(1)?.parse::<u64>().ok()
    });
    let distances = sys.text(&format!("{at}/distance")).unwrap_or_default();
    let distances = distances.split_whitespace().zip(&nodes.0).filter_map(|(value, id)| {
        let value = value.parse().ok()?;
        Some(Distance { id: *id, value })
    });
    let cpus = sys.set(&format!("{at}/cpulist")).unwrap_or_default();
    Cell {
        id,
        pages: pages(sys, &format!("{at}/hugepages"), memory),
        memory: memory.map(kib),
        distances: distances.collect(),
        cpus: cell_cpus(sys, &cpus),
    }
}

fn sole_cell(sys: &Sysfs) -> Cell {
    let memory = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|it| it.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    Cell {
        id: 0,
        pages: pages(sys, "kernel/mm/hugepages", memory),
        memory: memory.map(kib),
        distances: Vec::new(),
        cpus: cell_cpus(sys, &sys.set("devices/system/cpu/present").unwrap_or_default()),
    }
}

fn kib(amount: u64) -> CellMemory {
    CellMemory { unit: "KiB".to_owned(), amount }
}

/// How many pages of each size there are; what is not in a pool of huge pages is in small ones.
fn pages(sys: &Sysfs, pools: &str, memory: Option<u64>) -> Vec<PageCount> {
    let page = |size: u64, count: u64| PageCount { unit: "KiB".to_owned(), size, count };
    let huge: Vec<PageCount> = huge_page_sizes(&sys.root.join(pools))
        .into_iter()
        .map(|size| page(size, sys.number(&format!("{pools}/hugepages-{size}kB/nr_hugepages")).unwrap_or(0)))
        .collect();
    let in_pools: u64 = huge.iter().map(|it| it.size.saturating_mul(it.count)).fold(0, u64::saturating_add);
    let base = super::host_cpu::page_sizes(&sys.root).first().copied().unwrap_or(4);
    let small = memory.map(|it| page(base, it.saturating_sub(in_pools) / base.max(1)));
    small.into_iter().chain(huge).collect()
}

fn cell_cpus(sys: &Sysfs, cpus: &CpuSet) -> CellCpus {
    let cpus: Vec<CellCpu> = cpus.0.iter().map(|id| cpu(sys, *id)).collect();
    CellCpus { num: count(cpus.len()), cpus }
}

fn cpu(sys: &Sysfs, id: u32) -> CellCpu {
    let at = format!("devices/system/cpu/cpu{id}/topology");
    let siblings = sys.set(&format!("{at}/thread_siblings_list"));
    // A CPU that is off line has no topology.
    let is_on = siblings.is_some();
    // Where the kernel does not know a level it says -1, or a number of 16 bits all set.
    let part = |name: &str| {
        let number = sys.number::<i64>(&format!("{at}/{name}")).unwrap_or(0).max(0);
        is_on.then(|| u32::try_from(number).unwrap_or(0))
    };
    CellCpu {
        id,
        socket_id: part("physical_package_id"),
        die_id: part("die_id"),
        cluster_id: part("cluster_id"),
        core_id: part("core_id"),
        siblings,
    }
}

/// Sockets per cell, dies per socket, cores per die and threads per core; all CPUs as cores of one socket where they are not
/// the same everywhere.
#[must_use]
pub fn cpu_topology(cells: &Cells) -> CpuTopology {
    let mut most = CpuTopology { sockets: 1, dies: 1, clusters: 1, cores: 1, threads: 1 };
    let mut total = 0;
    for cell in &cells.cells {
        let mut sockets: BTreeMap<u32, BTreeMap<u32, BTreeSet<u32>>> = BTreeMap::new();
        for cpu in cell.cpus.cpus.iter().filter(|it| it.siblings.is_some()) {
            total += 1;
            let (socket, die, core) = (cpu.socket_id.unwrap_or(0), cpu.die_id.unwrap_or(0), cpu.core_id.unwrap_or(0));
            sockets.entry(socket).or_default().entry(die).or_default().insert(core);
            let threads = cpu.siblings.as_ref().map_or(1, |it| count(it.0.len()));
            most.threads = most.threads.max(threads);
        }
        most.sockets = most.sockets.max(count(sockets.len()));
        for dies in sockets.values() {
            most.dies = most.dies.max(count(dies.len()));
            most.cores = dies.values().map(|it| count(it.len())).fold(most.cores, u32::max);
        }
    }
    let nodes = count(cells.cells.len());
    if most.vcpus().and_then(|it| it.checked_mul(nodes)) == Some(total) {
        most
    } else {
        CpuTopology { sockets: 1, dies: 1, clusters: 1, cores: total.max(1), threads: 1 }
    }
}

/// The caches from level 2 up, each once.
#[must_use]
pub fn caches(sys: &Sysfs) -> Vec<CacheBank> {
    let mut banks: BTreeMap<(u32, u32, &'static str), CacheBank> = BTreeMap::new();
    let cpus = sys.set("devices/system/cpu/online").unwrap_or_default();
    for cpu in &cpus.0 {
        let at = format!("devices/system/cpu/cpu{cpu}/cache");
        for index in sys.names(&at).iter().filter(|it| it.starts_with("index")) {
            if let Some(bank) = bank(sys, &format!("{at}/{index}")) {
                banks.entry((bank.level, bank.id, bank.kind.as_str())).or_insert(bank);
            }
        }
    }
    banks.into_values().collect()
}

fn bank(sys: &Sysfs, at: &str) -> Option<CacheBank> {
    let level = sys.number(&format!("{at}/level")).filter(|it| *it >= 2)?;
    let kind = match sys.text(&format!("{at}/type"))?.as_str() {
        "Unified" => CacheKind::Both,
        "Instruction" => CacheKind::Code,
        "Data" => CacheKind::Data,
        _ => return None,
    };
    let size: u64 = sys.text(&format!("{at}/size"))?.strip_suffix('K')?.parse().ok()?;
    let (size, unit) = if size > 0 && size.is_multiple_of(1024) { (size / 1024, "MiB") } else { (size, "KiB") };
    Some(CacheBank {
        id: sys.number(&format!("{at}/id"))?,
        level,
        kind,
        size,
        unit: unit.to_owned(),
        cpus: sys.set(&format!("{at}/shared_cpu_list"))?,
    })
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        std::fs::write(path, format!("{text}\n")).expect("written");
    }

    /// Two cells with one socket of two cores each, two threads per core; the last CPU is off line.
    fn two_cells(root: &Path, off: Option<u32>) -> Sysfs {
        file(root, "devices/system/node/online", "0-1");
        for node in 0..2 {
            let at = format!("devices/system/node/node{node}");
            file(root, &format!("{at}/meminfo"), &format!("Node {node} MemTotal:       8388608 kB"));
            file(root, &format!("{at}/distance"), if node == 0 { "10 21" } else { "21 10" });
            file(root, &format!("{at}/cpulist"), if node == 0 { "0-3" } else { "4-7" });
            file(root, &format!("{at}/hugepages/hugepages-2048kB/nr_hugepages"), "512");
        }
        file(root, "devices/system/cpu/online", "0-7");
        for cpu in (0..8).filter(|it| Some(*it) != off) {
            let at = format!("devices/system/cpu/cpu{cpu}");
            file(root, &format!("{at}/topology/physical_package_id"), &(cpu / 4).to_string());
            file(root, &format!("{at}/topology/die_id"), "0");
            file(root, &format!("{at}/topology/core_id"), &((cpu % 4) / 2).to_string());
            let siblings = format!("{}-{}", cpu / 2 * 2, cpu / 2 * 2 + 1);
            file(root, &format!("{at}/topology/thread_siblings_list"), &siblings);
            file(root, &format!("{at}/cache/index3/level"), "3");
            file(root, &format!("{at}/cache/index3/type"), "Unified");
            file(root, &format!("{at}/cache/index3/size"), "32768K");
            file(root, &format!("{at}/cache/index3/id"), &(cpu / 4).to_string());
            file(root, &format!("{at}/cache/index3/shared_cpu_list"), if cpu < 4 { "0-3" } else { "4-7" });
        }
        Sysfs::new(root)
    }

    #[test]
    fn cells_with_their_pages_and_distances() {
        let root = tempfile::tempdir().expect("a directory");
        let cells = cells(&two_cells(root.path(), None));
        assert_eq!(cells.num, 2);
        let cell = &cells.cells[1];
        assert_eq!(cell.distances.iter().map(|it| (it.id, it.value)).collect::<Vec<_>>(), [(0, 21), (1, 10)]);
        let huge = cell.pages.iter().find(|it| it.size == 2048).expect("huge pages");
        assert_eq!(huge.count, 512);
        assert_eq!(cell.pages[0].count * cell.pages[0].size + 512 * 2048, 8_388_608);
        let topology = cpu_topology(&cells);
        assert_eq!((topology.sockets, topology.cores, topology.threads), (1, 2, 2));
    }

    #[test]
    fn an_uneven_host_is_one_socket() {
        let root = tempfile::tempdir().expect("a directory");
        let cells = cells(&two_cells(root.path(), Some(7)));
        assert_eq!(cells.cells[1].cpus.cpus[3].core_id, None);
        let topology = cpu_topology(&cells);
        assert_eq!((topology.sockets, topology.cores, topology.threads), (1, 7, 1));
    }

    #[test]
    fn caches_are_counted_once() {
        let root = tempfile::tempdir().expect("a directory");
        let banks = caches(&two_cells(root.path(), None));
        let seen: Vec<_> = banks.iter().map(|it| (it.id, it.size, it.unit.as_str(), it.cpus.to_string())).collect();
        assert_eq!(seen, [(0, 32, "MiB", "0-3".to_owned()), (1, 32, "MiB", "4-7".to_owned())]);
    }
}
