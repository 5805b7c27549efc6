//! `-m`, the objects behind the guest's memory, and its NUMA nodes.

use std::fmt::Write as _;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::memory::{MemoryDevice, MemoryModel};
use virtbus_schema::domain::memory::{AllocationMode, MemoryAccess, MemorySource, NumaMode};

use super::CommandLine;
use crate::device::Part;
use crate::device::props::props;
use crate::process::capabilities::QemuCaps;

props! {
    struct Backend {
        qom_type: &'static str,
        id: String,
        share: Option<bool>,
        prealloc: Option<bool>,
        prealloc_threads: Option<u32>,
        #[serde(rename = "x-use-canonical-path-for-ramblock-id")]
        canonical_path: Option<bool>,
        size: u64,
        host_nodes: Vec<u32>,
        policy: Option<&'static str>,
    }
}

/// Whether a memory device is an NVDIMM, which the machine must be told of.
pub(super) fn is_nvdimm(it: &MemoryDevice) -> bool {
    it.model == MemoryModel::Nvdimm
}

fn has_numa(domain: &Domain) -> bool {
    domain.cpu.as_ref().and_then(|it| it.numa.as_ref()).is_some_and(|it| !it.cells.is_empty())
}

/// The memory there is at the start, in KiB, rounded up to what QEMU takes.
fn initial_kib(domain: &Domain) -> u64 {
    let plugged: u64 = domain.devices.memories.iter().map(|it| it.size().kib).sum();
    let initial = domain.memory.size.kib.saturating_sub(plugged);
    initial.div_ceil(1024).saturating_mul(1024)
}

/// The object that is all of the guest's memory; none where NUMA nodes have theirs.
pub(super) fn main_memory<'a>(domain: &Domain, caps: &'a QemuCaps) -> Option<&'a str> {
    let machine = domain.os.kind.machine.as_deref().unwrap_or_default();
    let id = caps.machine(machine).and_then(|it| it.default_ram_id.as_deref())?;
    (!has_numa(domain)).then_some(id)
}

/// `-m`, the main memory, and whether it is locked.
pub(super) fn write(domain: &Domain, caps: &QemuCaps, line: &mut CommandLine) -> Result<()> {
    let kib = initial_kib(domain);
    let mut out = format!("size={kib}k");
    if let Some(most) = domain.max_memory {
        if most.slots > 0 {
            let _ = write!(out, ",slots={}", most.slots);
        }
        let _ = write!(out, ",maxmem={}k", most.size.kib);
    }
    line.option("-m", out);
    if let Some(id) = main_memory(domain, caps) {
        line.part(&backend(domain, id, kib.saturating_mul(1024), None)?);
    }
    let locked = domain.memory_backing.as_ref().is_some_and(|it| it.locked);
    line.option("-overcommit", format!("mem-lock={}", if locked { "on" } else { "off" }));
    Ok(())
}

/// The object behind some of the memory; `cell` is the NUMA node whose it is.
fn backend(domain: &Domain, id: &str, size: u64, cell: Option<u32>) -> Result<Part> {
    let mut it = Backend { qom_type: "memory-backend-ram", id: id.to_owned(), size, ..Backend::default() };
    if let Some(backing) = &domain.memory_backing {
        if backing.hugepages.is_some() {
            return Err(Error::unsupported_config("<hugepages> is not supported yet"));
        }
        let shared = backing.access.map(|it| it == MemoryAccess::Shared);
        match backing.source {
            Some(MemorySource::File) => {
                return Err(Error::unsupported_config("memory backing of type 'file' is not supported yet"));
            }
            Some(MemorySource::Memfd) => {
                it.qom_type = "memory-backend-memfd";
                it.share = shared;
                // The name of the block of memory is part of the migration stream.
                it.canonical_path = Some(false);
            }
            Some(MemorySource::Anonymous) | None => {}
        }
        if let Some(allocation) = backing.allocation {
            it.prealloc = (allocation.mode == Some(AllocationMode::Immediate)).then_some(true);
            it.prealloc_threads = allocation.threads.filter(|_| it.prealloc.is_some());
        }
    }
    (it.host_nodes, it.policy) = host_nodes(domain, cell);
    Part::object(id, &it)
}

/// Which nodes of the host the memory comes from.
fn host_nodes(domain: &Domain, cell: Option<u32>) -> (Vec<u32>, Option<&'static str>) {
    let Some(tune) = &domain.numatune else { return (Vec::new(), None) };
    let own = tune.memnodes.iter().find(|it| Some(it.cellid) == cell).map(|it| (it.mode, &it.nodeset));
    let all = tune.memory.as_ref().and_then(|it| Some((it.mode, it.nodeset.as_ref()?)));
    let Some((mode, nodes)) = own.or(all) else { return (Vec::new(), None) };
    let policy = match mode {
        NumaMode::Strict => "bind",
        NumaMode::Preferred => "preferred",
        NumaMode::Interleave => "interleave",
        // Enforced by the control group, not by QEMU.
        NumaMode::Restrictive => return (Vec::new(), None),
    };
    (nodes.0.iter().copied().collect(), Some(policy))
}

/// The guest's NUMA nodes.
pub(super) fn numa(domain: &Domain, line: &mut CommandLine) -> Result<()> {
    let Some(numa) = domain.cpu.as_ref().and_then(|it| it.numa.as_ref()) else { return Ok(()) };
    if numa.interconnects.is_some() {
        return Err(Error::unsupported_config("<interconnects> of <numa> is not supported yet"));
    }
    for (at, cell) in (0_u32..).zip(&numa.cells) {
        let id = cell.id.unwrap_or(at);
        let object = format!("ram-node{id}");
        let kib = cell.memory.size.kib.div_ceil(1024).saturating_mul(1024);
        line.part(&backend(domain, &object, kib.saturating_mul(1024), Some(id))?);
        let mut out = format!("node,nodeid={id}");
        if let Some(cpus) = &cell.cpus {
            for range in cpus.to_string().split(',').filter(|it| !it.is_empty()) {
                let _ = write!(out, ",cpus={range}");
            }
        }
        let _ = write!(out, ",memdev={object}");
        line.option("-numa", out);
    }
    let known: Vec<u32> = (0_u32..).zip(&numa.cells).map(|(at, cell)| cell.id.unwrap_or(at)).collect();
    if numa.cells.iter().all(|it| it.distances.is_empty()) {
        return Ok(());
    }
    for (from, cell) in known.iter().zip(&numa.cells) {
        for to in &known {
            let said = cell.distances.iter().find(|it| it.id == *to).map(|it| it.value);
            // The way back is as long as the way there; local memory is at distance 10, other memory at 20.
            let back = || {
                let other = known.iter().zip(&numa.cells).find(|(id, _)| *id == to)?.1;
                other.distances.iter().find(|it| it.id == *from).map(|it| it.value)
            };
            let value = said.or_else(back).unwrap_or(if from == to { 10 } else { 20 });
            line.option("-numa", format!("dist,src={from},dst={to},val={value}"));
        }
    }
    Ok(())
}
