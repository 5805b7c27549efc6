//! The host's processors: which there are, how they are laid out, how fast, how busy.
//!
//! It reports what the kernel says and knows neither processor models (see `cpuid`) nor guests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::process::ticks;
use crate::sysfs::{list, number, numbered, text};

/// A processor (hardware thread) that is online, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cpu {
    /// Its number.
    pub id: u32,
    /// Physical package.
    pub socket: u32,
    /// Die within the package.
    pub die: u32,
    /// Cluster within the die; 65535 where the machine has none.
    pub cluster: u32,
    /// Core within the package.
    pub core: u32,
    /// NUMA node.
    pub node: u32,
    /// The threads of its core, itself included.
    pub siblings: BTreeSet<u32>,
}

/// The host's processors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topology {
    /// Those online.
    pub cpus: Vec<Cpu>,
    /// Those that exist, online or not.
    pub present: BTreeSet<u32>,
}

/// The layout in the four numbers of libvirt's node information.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// NUMA nodes.
    pub nodes: u32,
    /// Sockets of one node.
    pub sockets: u32,
    /// Cores of one socket.
    pub cores: u32,
    /// Threads of one core.
    pub threads: u32,
    /// Processors online.
    pub cpus: u32,
}

/// Time a processor spent, since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// In programs, niced ones and guests included.
    pub user: Duration,
    /// In the kernel, interrupts included.
    pub system: Duration,
    /// Doing nothing.
    pub idle: Duration,
    /// Doing nothing while something waited for a disk.
    pub iowait: Duration,
}

impl Topology {
    /// Reads it from /sys.
    pub fn read() -> Self {
        Self::read_from(Path::new("/sys/devices/system"))
    }

    fn read_from(system: &Path) -> Self {
        let cpus_directory = system.join("cpu");
        let set = |name: &str| text(&cpus_directory.join(name)).and_then(|text| list(&text));
        let present = set("present").unwrap_or_else(|| numbered(&cpus_directory, "cpu"));
        let online = set("online").unwrap_or_else(|| present.clone());
        let nodes = nodes_of_cpus(&system.join("node"));
        let cpu = |id: u32| {
            let place = cpus_directory.join(format!("cpu{id}/topology"));
            // Firmware without the information leaves -1 there.
            let field = |name: &str| number::<i64>(&place.join(name)).and_then(|value| u32::try_from(value).ok());
            let siblings = ["core_cpus_list", "thread_siblings_list"]
                .into_iter()
                .find_map(|name| list(&text(&place.join(name))?))
                .filter(|siblings| siblings.contains(&id));
            Cpu {
                id,
                socket: field("physical_package_id").unwrap_or(0),
                die: field("die_id").unwrap_or(0),
                cluster: field("cluster_id").unwrap_or(0),
                core: field("core_id").unwrap_or(id),
                node: nodes.get(&id).copied().unwrap_or(0),
                siblings: siblings.unwrap_or_else(|| BTreeSet::from([id])),
            }
        };
        Self { cpus: online.into_iter().map(cpu).collect(), present }
    }

    /// The layout in four numbers. Their product is at least the number of processors; where the host is too irregular for
    /// that, it is said to be one node with one socket of single-threaded cores.
    pub fn shape(&self) -> Shape {
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let cpus = count(self.cpus.len());
        let nodes: BTreeSet<u32> = self.cpus.iter().map(|cpu| cpu.node).collect();
        let mut sockets: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        let mut cores: BTreeMap<(u32, u32), BTreeSet<(u32, u32)>> = BTreeMap::new();
        let mut threads: BTreeMap<(u32, u32, u32, u32), u32> = BTreeMap::new();
        for cpu in &self.cpus {
            sockets.entry(cpu.node).or_default().insert(cpu.socket);
            cores.entry((cpu.node, cpu.socket)).or_default().insert((cpu.die, cpu.core));
            *threads.entry((cpu.node, cpu.socket, cpu.die, cpu.core)).or_default() += 1;
        }
        let shape = Shape {
            nodes: count(nodes.len()).max(1),
            sockets: count(sockets.values().map(BTreeSet::len).max().unwrap_or(1)),
            cores: count(cores.values().map(BTreeSet::len).max().unwrap_or(1)),
            threads: threads.values().copied().max().unwrap_or(1),
            cpus,
        };
        let product = [shape.nodes, shape.sockets, shape.cores, shape.threads]
            .into_iter()
            .try_fold(1_u32, u32::checked_mul)
            .unwrap_or(0);
        if product == cpus { shape } else { Shape { nodes: 1, sockets: 1, cores: cpus.max(1), threads: 1, cpus } }
    }

    /// The numbers of the processors online.
    pub fn online(&self) -> BTreeSet<u32> {
        self.cpus.iter().map(|cpu| cpu.id).collect()
    }
}

fn nodes_of_cpus(directory: &Path) -> BTreeMap<u32, u32> {
    let mut nodes = BTreeMap::new();
    for node in numbered(directory, "node") {
        let cpus = text(&directory.join(format!("node{node}/cpulist"))).and_then(|text| list(&text));
        nodes.extend(cpus.unwrap_or_default().into_iter().map(|cpu| (cpu, node)));
    }
    nodes
}

/// The machine's architecture as uname(2) names it, such as `x86_64`.
pub fn architecture() -> String {
    nix::sys::utsname::uname().map(|name| name.machine().to_string_lossy().into_owned()).unwrap_or_default()
}

/// Clock of the first processor in MHz, as /proc/cpuinfo has it or, where it has none, the frequency driver's highest.
pub fn mhz() -> Option<u32> {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    mhz_in(&info).or_else(|| {
        let khz: u32 = number(Path::new("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"))?;
        Some(khz / 1000)
    })
}

fn mhz_in(info: &str) -> Option<u32> {
    let line = info.lines().find_map(|line| line.strip_prefix("cpu MHz").or_else(|| line.strip_prefix("clock")))?;
    let value = line.trim_start_matches([' ', '\t', ':']);
    value.split('.').next()?.trim_end_matches("MHz").parse().ok()
}

/// Times of all processors together, and of each one online, from /proc/stat.
///
/// # Errors
/// When it cannot be read or has no such line.
pub fn times() -> io::Result<(Times, BTreeMap<u32, Times>)> {
    let text = fs::read_to_string("/proc/stat")?;
    times_in(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/stat has no processor times"))
}

fn times_in(text: &str) -> Option<(Times, BTreeMap<u32, Times>)> {
    let (mut all, mut each) = (None, BTreeMap::new());
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("cpu") else { continue };
        let (id, fields) = rest.split_once(' ')?;
        let fields: Vec<u64> = fields.split_ascii_whitespace().map_while(|field| field.parse().ok()).collect();
        let sum = |columns: &[usize]| {
            let counts = columns.iter().map(|column| fields.get(*column).copied().unwrap_or(0));
            ticks(counts.fold(0, u64::saturating_add))
        };
        // user nice system idle iowait irq softirq ...
        let times = Times { user: sum(&[0, 1]), system: sum(&[2, 5, 6]), idle: sum(&[3]), iowait: sum(&[4]) };
        match id {
            "" => all = Some(times),
            id => drop(each.insert(id.parse().ok()?, times)),
        }
    }
    Some((all?, each))
}

#[cfg(test)]
mod tests;
