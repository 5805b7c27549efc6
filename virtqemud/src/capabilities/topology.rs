//! Memory cells, CPUs and caches of the host, as elements of the capabilities.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::str::FromStr;

use virtbus_host::cpu::Topology;
use virtbus_host::{memory, sysfs};
use virtbus_schema::capabilities::host::{
    CacheBank, CacheKind, Cell, CellCpu, CellCpus, CellMemory, Cells, Distance, PageCount,
};
use virtbus_schema::domain::cpu::CpuTopology;
use virtbus_schema::xml::CpuSet;

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

    /// A file's text without the line end; `None` when there is none.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<String> {
        sysfs::text(&self.root.join(path))
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

/// The memory cells with their CPUs and pages; `page` is the size of an ordinary page in bytes.
#[must_use]
pub fn cells(topology: &Topology, memory: &[memory::Cell], page: u64) -> Cells {
    let cells: Vec<Cell> = memory.iter().map(|it| cell(topology, it, page)).collect();
    Cells { num: count(cells.len()), cells }
}

fn cell(topology: &Topology, it: &memory::Cell, page: u64) -> Cell {
    let cpus: Vec<CellCpu> = it.cpus.iter().map(|id| cpu(topology, *id)).collect();
    let kib = |bytes: u64| bytes / 1024;
    let pages = |size: u64, count: u64| PageCount { unit: "KiB".to_owned(), size: kib(size), count };
    let huge: u64 = it.huge_pages.iter().map(|it| it.size.saturating_mul(it.total)).fold(0, u64::saturating_add);
    // What is not in a pool of huge pages is in ordinary ones.
    let ordinary = pages(page, it.total.saturating_sub(huge) / page.max(1));
    Cell {
        id: it.id,
        memory: Some(CellMemory { unit: "KiB".to_owned(), amount: kib(it.total) }),
        pages: std::iter::once(ordinary).chain(it.huge_pages.iter().map(|it| pages(it.size, it.total))).collect(),
        distances: it.distances.iter().map(|(id, value)| Distance { id: *id, value: *value }).collect(),
        cpus: CellCpus { num: count(cpus.len()), cpus },
    }
}

/// A CPU that is off line has no place.
fn cpu(topology: &Topology, id: u32) -> CellCpu {
    let it = topology.cpus.iter().find(|it| it.id == id);
    CellCpu {
        id,
        socket_id: it.map(|it| it.socket),
        die_id: it.map(|it| it.die),
        cluster_id: it.map(|it| it.cluster),
        core_id: it.map(|it| it.core),
        siblings: it.map(|it| it.siblings.iter().copied().collect()),
    }
}

/// Sockets per cell, dies per socket, cores per die and threads per core.
#[must_use]
pub fn cpu_topology(topology: &Topology) -> CpuTopology {
    let shape = topology.shape();
    let mut dies: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for cpu in &topology.cpus {
        dies.entry(cpu.socket).or_default().insert(cpu.die);
    }
    let dies = dies.values().map(|it| count(it.len())).max().unwrap_or(1).max(1);
    // A layout too irregular for these numbers is given as cores alone; then there are no dies either.
    let dies = if shape.cores.is_multiple_of(dies) && shape.cores < shape.cpus.max(2) { dies } else { 1 };
    CpuTopology { sockets: shape.sockets, dies, clusters: 1, cores: shape.cores / dies, threads: shape.threads }
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
    use std::path::Path;

    use virtbus_host::cpu::Cpu;

    use super::*;

    fn file(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        std::fs::write(path, format!("{text}\n")).expect("written");
    }

    /// Two cells with one socket of two cores each, two threads per core.
    fn two_cells() -> (Topology, Vec<memory::Cell>) {
        let cpu = |id: u32| Cpu {
            id,
            socket: id / 4,
            die: 0,
            cluster: 0,
            core: id % 4 / 2,
            node: id / 4,
            siblings: [id / 2 * 2, id / 2 * 2 + 1].into(),
        };
        let topology = Topology { cpus: (0..8).map(cpu).collect(), present: (0..8).collect() };
        let cell = |id: u32| memory::Cell {
            id,
            cpus: (id * 4..id * 4 + 4).collect(),
            total: 8 << 30,
            free: 0,
            huge_pages: vec![memory::Pages { size: 2 << 20, total: 512, free: 0 }],
            distances: [(id, 10), (1 - id, 21)].into(),
        };
        (topology, vec![cell(0), cell(1)])
    }

    #[test]
    fn cells_with_their_pages_and_distances() {
        let (topology, memory) = two_cells();
        let cells = cells(&topology, &memory, 4096);
        assert_eq!(cells.num, 2);
        let cell = &cells.cells[1];
        assert_eq!(cell.distances.iter().map(|it| (it.id, it.value)).collect::<Vec<_>>(), [(0, 21), (1, 10)]);
        assert_eq!(cell.pages.iter().map(|it| (it.size, it.count)).collect::<Vec<_>>(), [(4, 7 << 18), (2048, 512)]);
        assert_eq!(cell.cpus.cpus[2].siblings.as_ref().map(ToString::to_string).as_deref(), Some("6-7"));
        let shape = cpu_topology(&topology);
        assert_eq!((shape.sockets, shape.dies, shape.cores, shape.threads), (1, 1, 2, 2));
    }

    #[test]
    fn dies_share_the_cores_of_a_socket() {
        let (mut topology, _) = two_cells();
        for cpu in &mut topology.cpus {
            cpu.die = cpu.core;
        }
        let shape = cpu_topology(&topology);
        assert_eq!((shape.sockets, shape.dies, shape.cores, shape.threads), (1, 2, 1, 2));
    }

    #[test]
    fn an_irregular_host_is_cores_alone() {
        let (mut topology, memory) = two_cells();
        topology.cpus.pop();
        assert_eq!(cells(&topology, &memory, 4096).cells[1].cpus.cpus[3].core_id, None);
        let shape = cpu_topology(&topology);
        assert_eq!((shape.sockets, shape.dies, shape.cores, shape.threads), (1, 1, 7, 1));
    }

    #[test]
    fn caches_are_counted_once() {
        let root = tempfile::tempdir().expect("a directory");
        file(root.path(), "devices/system/cpu/online", "0-7");
        for cpu in 0..8 {
            let at = format!("devices/system/cpu/cpu{cpu}/cache");
            for (name, text) in
                [("level", "1"), ("type", "Data"), ("size", "32K"), ("id", "0"), ("shared_cpu_list", "0")]
            {
                file(root.path(), &format!("{at}/index0/{name}"), text);
            }
            file(root.path(), &format!("{at}/index3/level"), "3");
            file(root.path(), &format!("{at}/index3/type"), "Unified");
            file(root.path(), &format!("{at}/index3/size"), "32768K");
            file(root.path(), &format!("{at}/index3/id"), &(cpu / 4).to_string());
            file(root.path(), &format!("{at}/index3/shared_cpu_list"), if cpu < 4 { "0-3" } else { "4-7" });
        }
        let banks = caches(&Sysfs::new(root.path()));
        let seen: Vec<_> = banks.iter().map(|it| (it.id, it.size, it.unit.as_str(), it.cpus.to_string())).collect();
        assert_eq!(seen, [(0, 32, "MiB", "0-3".to_owned()), (1, 32, "MiB", "4-7".to_owned())]);
    }
}
