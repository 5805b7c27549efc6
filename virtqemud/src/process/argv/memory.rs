//! `-m`, the objects behind the guest's memory, and its NUMA nodes.

use std::fmt::Write as _;
use std::path::PathBuf;

use virtbus_api::{Error, Result};
use virtbus_host::memory::HugeMount;
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::cpu::{CacheAssociativity, CachePolicy, GuestNuma, InterconnectKind, MemAccess, NumaCell};
use virtbus_schema::domain::device::memory::{MemoryDevice, MemoryModel};
use virtbus_schema::domain::memory::{AllocationMode, MemoryAccess, MemorySource, NumaMode, Placement};

use super::CommandLine;
use crate::device::Part;
use crate::device::props::props;
use crate::process::capabilities::QemuCaps;

/// Where memory comes from on this host.
#[derive(Debug, Clone, Default)]
pub struct Backing {
    /// The guest's directory for files that are its memory.
    pub files: PathBuf,
    /// The guest's name below a hugetlbfs.
    pub name: String,
    /// Mounted hugetlbfs.
    pub huge: Vec<HugeMount>,
    /// Bytes of the page that is meant by huge pages without a size.
    pub huge_page: Option<u64>,
    /// Bytes of an ordinary page.
    pub page: u64,
    /// NUMA nodes of the host; empty where they are not known.
    pub nodes: Vec<u32>,
}

impl Backing {
    /// Asks the host.
    #[must_use]
    pub fn of_host(files: PathBuf, name: &str) -> Self {
        let nodes = virtbus_host::memory::cells().unwrap_or_default();
        let default = virtbus_host::memory::default_huge_page();
        Self {
            files,
            name: name.to_owned(),
            huge: virtbus_host::memory::huge_mounts(),
            huge_page: default,
            page: virtbus_host::memory::page_size(),
            nodes: nodes.iter().map(|it| it.id).collect(),
        }
    }

    /// Bytes of the huge pages that memory on a node of the guest is made of; `None` for ordinary ones.
    ///
    /// # Errors
    /// Huge pages of the usual size are asked for, and there is no hugetlbfs.
    pub(crate) fn huge_pages(&self, domain: &Domain, node: Option<u32>) -> Result<Option<u64>> {
        let cell = cells(domain).iter().find(|it| it.id == node);
        huge_page(domain, cell, self)
    }

    /// The guest's directory on the hugetlbfs for pages of `size` bytes.
    pub(crate) fn huge_directory(&self, size: u64) -> Result<PathBuf> {
        if self.huge.is_empty() {
            return Err(Error::internal("hugetlbfs filesystem is not mounted or disabled by administrator config"));
        }
        let fits = |it: &&HugeMount| it.page_size.or(self.huge_page) == Some(size);
        let mount = self.huge.iter().find(fits).ok_or_else(|| {
            Error::internal(format!("Unable to find any usable hugetlbfs mount for {} KiB", size / 1024))
        })?;
        Ok(mount.path.join("libvirt/qemu").join(&self.name))
    }
}

/// Directories that hold the guest's memory: they have to be there before QEMU is.
///
/// # Errors
/// There is no hugetlbfs for pages the document asks for.
pub fn directories(domain: &Domain, backing: &Backing) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let cells = cells(domain);
    let whole = std::iter::once(None).filter(|_| cells.is_empty());
    for cell in whole.chain(cells.iter().map(Some)) {
        match Source::of(domain, cell, backing)? {
            Source::Huge { directory, .. } => found.push(directory),
            Source::File => found.push(backing.files.clone()),
            Source::Anonymous | Source::Memfd { .. } => {}
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

props! {
    struct Backend {
        qom_type: &'static str,
        id: String,
        mem_path: Option<String>,
        hugetlb: Option<bool>,
        hugetlbsize: Option<u64>,
        discard_data: Option<bool>,
        share: Option<bool>,
        #[serde(rename = "x-use-canonical-path-for-ramblock-id")]
        canonical_path: Option<bool>,
        prealloc: Option<bool>,
        prealloc_threads: Option<u32>,
        size: u64,
        host_nodes: Vec<u32>,
        policy: Option<&'static str>,
    }
}

/// What some of the memory is made of.
enum Source {
    Anonymous,
    /// A file of the guest's own.
    File,
    Huge {
        directory: PathBuf,
    },
    Memfd {
        pages: Option<u64>,
    },
}

impl Source {
    fn of(domain: &Domain, cell: Option<&NumaCell>, backing: &Backing) -> Result<Self> {
        let asked = domain.memory_backing.as_ref();
        let pages = huge_page(domain, cell, backing)?;
        if asked.and_then(|it| it.source) == Some(MemorySource::Memfd) {
            if let Some(size) = pages {
                backing.huge_directory(size)?;
            }
            return Ok(Self::Memfd { pages });
        }
        if let Some(size) = pages {
            return Ok(Self::Huge { directory: backing.huge_directory(size)? });
        }
        if shared(domain, cell).is_some() || asked.and_then(|it| it.source) == Some(MemorySource::File) {
            return Ok(Self::File);
        }
        Ok(Self::Anonymous)
    }
}

/// Bytes of the huge pages some memory is to be made of.
fn huge_page(domain: &Domain, cell: Option<&NumaCell>, backing: &Backing) -> Result<Option<u64>> {
    let Some(huge) = domain.memory_backing.as_ref().and_then(|it| it.hugepages.as_ref()) else { return Ok(None) };
    let default = || {
        let missing = || Error::internal("hugetlbfs filesystem is not mounted or disabled by administrator config");
        backing.huge_page.filter(|_| !backing.huge.is_empty()).ok_or_else(missing)
    };
    if huge.pages.is_empty() {
        return default().map(Some);
    }
    let id = cell.and_then(|it| it.id).unwrap_or(0);
    let own = huge.pages.iter().find(|it| it.nodeset.as_ref().is_some_and(|it| it.contains(id)));
    let Some(page) = own.or_else(|| huge.pages.iter().find(|it| it.nodeset.is_none())) else { return Ok(None) };
    match page.size.bytes() {
        0 => default().map(Some),
        // Pages of the usual size are not huge.
        size if size == backing.page => Ok(None),
        size => Ok(Some(size)),
    }
}

/// Whether others may map the memory, where the document says so.
fn shared(domain: &Domain, cell: Option<&NumaCell>) -> Option<bool> {
    let own = cell.and_then(|it| it.mem_access).map(|it| it == MemAccess::Shared);
    let all = || domain.memory_backing.as_ref().and_then(|it| it.access).map(|it| it == MemoryAccess::Shared);
    own.or_else(all)
}

fn cells(domain: &Domain) -> &[NumaCell] {
    domain.cpu.as_ref().and_then(|it| it.numa.as_ref()).map(|it| it.cells.as_slice()).unwrap_or_default()
}

/// Whether a memory device is an NVDIMM, which the machine must be told of.
pub(super) fn is_nvdimm(it: &MemoryDevice) -> bool {
    it.model == MemoryModel::Nvdimm
}

fn has_numa(domain: &Domain) -> bool {
    !cells(domain).is_empty()
}

/// Whether the guest is told how far and how fast its memory is.
pub(super) fn has_hmat(domain: &Domain) -> bool {
    let numa = domain.cpu.as_ref().and_then(|it| it.numa.as_ref());
    numa.is_some_and(|it| it.interconnects.is_some() || it.cells.iter().any(|it| !it.caches.is_empty()))
}

/// More memory has no size in bytes that fits QEMU's numbers, which have a sign.
const MOST_KIB: u64 = (1 << 53) - 1;

/// The memory there is at the start, in KiB, rounded up to what QEMU takes.
fn initial_kib(domain: &Domain) -> u64 {
    let plugged: u64 = domain.devices.memories.iter().map(|it| it.size().kib).sum();
    let whole = |kib: u64| kib.div_ceil(1024).saturating_mul(1024);
    if has_numa(domain) {
        // Each node has whole MiB of its own.
        return cells(domain).iter().map(|it| whole(it.memory.size.kib)).fold(0, u64::saturating_add);
    }
    whole(domain.memory.size.kib.saturating_sub(plugged))
}

/// The object that is all of the guest's memory; none where NUMA nodes have theirs.
pub(super) fn main_memory<'a>(domain: &Domain, caps: &'a QemuCaps) -> Option<&'a str> {
    let machine = domain.os.kind.machine.as_deref().unwrap_or_default();
    let id = caps.machine(machine).and_then(|it| it.default_ram_id.as_deref())?;
    (!has_numa(domain)).then_some(id)
}

/// `-m`, the main memory, and whether it is locked.
pub(super) fn write(domain: &Domain, caps: &QemuCaps, backing: &Backing, line: &mut CommandLine) -> Result<()> {
    nodes_are_there(domain, backing)?;
    let kib = initial_kib(domain);
    let mut out = format!("size={kib}k");
    if let Some(most) = domain.max_memory {
        if most.slots > 0 {
            let _ = write!(out, ",slots={}", most.slots);
        }
        let _ = write!(out, ",maxmem={}k", most.size.kib.div_ceil(1024).saturating_mul(1024));
    }
    line.option("-m", out);
    if let Some(id) = main_memory(domain, caps) {
        line.part(&backend(domain, id, kib.saturating_mul(1024), None, backing)?);
    }
    let locked = domain.memory_backing.as_ref().is_some_and(|it| it.locked);
    line.option("-overcommit", format!("mem-lock={}", if locked { "on" } else { "off" }));
    Ok(())
}

/// Nodes of the host that memory is to come from are nodes it has.
fn nodes_are_there(domain: &Domain, backing: &Backing) -> Result<()> {
    let tune = domain.numatune.as_ref();
    let by_advice = tune.and_then(|it| it.memory.as_ref()).is_some_and(|it| it.placement == Some(Placement::Auto));
    if by_advice {
        return Err(Error::internal("Advice from numad is needed in case of automatic numa placement"));
    }
    let all = tune.iter().filter_map(|it| it.memory.as_ref()).filter_map(|it| it.nodeset.as_ref());
    let own = tune.iter().flat_map(|it| &it.memnodes).map(|it| &it.nodeset);
    for module in domain.devices.memories.iter().filter_map(|it| it.source.as_ref()) {
        // Pages there are none of are told of before nodes.
        if let Some(pages) = module.pagesize.map(|it| it.kib.saturating_mul(1024)).filter(|it| *it != backing.page) {
            backing.huge_directory(pages)?;
        }
    }
    let modules = domain.devices.memories.iter().filter_map(|it| it.source.as_ref()?.nodemask.as_ref());
    let mut asked = all.chain(own).chain(modules).flat_map(|it| &it.0);
    match asked.find(|it| !backing.nodes.is_empty() && !backing.nodes.contains(it)) {
        Some(stray) => Err(Error::unsupported_config(format!("NUMA node {stray} is unavailable"))),
        None => Ok(()),
    }
}

/// The object behind some of the memory; `cell` is the NUMA node whose it is.
fn backend(domain: &Domain, id: &str, size: u64, cell: Option<&NumaCell>, backing: &Backing) -> Result<Part> {
    let mut it = Backend { qom_type: "memory-backend-ram", id: id.to_owned(), size, ..Backend::default() };
    let asked = domain.memory_backing.as_ref();
    let source = Source::of(domain, cell, backing)?;
    match &source {
        Source::Anonymous => {}
        Source::File => it.mem_path = Some(backing.files.join(id).to_string_lossy().into_owned()),
        Source::Huge { directory } => it.mem_path = Some(directory.to_string_lossy().into_owned()),
        Source::Memfd { pages } => (it.hugetlb, it.hugetlbsize) = (pages.map(|_| true), *pages),
    }
    if it.mem_path.is_some() {
        it.qom_type = "memory-backend-file";
        let own = cell.and_then(|it| it.discard).map(|it| it.is_on());
        it.discard_data = own.or_else(|| asked.map(|it| it.discard)).filter(|it| *it);
        it.share = shared(domain, cell);
    }
    if matches!(source, Source::Memfd { .. }) {
        it.qom_type = "memory-backend-memfd";
        it.share = shared(domain, cell);
    }
    if !matches!(source, Source::Anonymous) && cell.is_none() {
        // The name of the block of memory is part of the migration stream.
        it.canonical_path = Some(false);
    }
    let allocation = asked.and_then(|it| it.allocation);
    let at_once = allocation.is_some_and(|it| it.mode == Some(AllocationMode::Immediate));
    let huge = matches!(source, Source::Huge { .. } | Source::Memfd { pages: Some(_) });
    it.prealloc = (at_once || huge).then_some(true);
    it.prealloc_threads = allocation.and_then(|it| it.threads);
    (it.host_nodes, it.policy) = host_nodes(domain, cell.and_then(|it| it.id));
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
pub(super) fn numa(domain: &Domain, caps: &QemuCaps, backing: &Backing, line: &mut CommandLine) -> Result<()> {
    let Some(numa) = domain.cpu.as_ref().and_then(|it| it.numa.as_ref()) else { return Ok(()) };
    let hmat = has_hmat(domain);
    let by_size = by_size(domain, caps, &numa.cells, backing)?;
    let allocation = domain.memory_backing.as_ref().and_then(|it| it.allocation);
    if by_size && allocation.is_some_and(|it| it.mode == Some(AllocationMode::Immediate)) {
        line.flag("-mem-prealloc");
    }
    for (at, cell) in (0_u32..).zip(&numa.cells) {
        let id = cell.id.unwrap_or(at);
        let object = format!("ram-node{id}");
        let kib = cell.memory.size.kib.div_ceil(1024).saturating_mul(1024);
        if kib > MOST_KIB {
            return Err(Error::unsupported_config(format!(
                "memory size of NUMA node '{id}' overflowed after alignment"
            )));
        }
        if !by_size {
            line.part(&backend(domain, &object, kib.saturating_mul(1024), Some(cell), backing)?);
        }
        let mut out = format!("node,nodeid={id}");
        if let Some(cpus) = &cell.cpus {
            for range in cpus.to_string().split(',').filter(|it| !it.is_empty()) {
                let _ = write!(out, ",cpus={range}");
            }
        }
        if let Some(initiator) = initiator(numa, cell, id).filter(|_| hmat) {
            let _ = write!(out, ",initiator={initiator}");
        }
        let _ = if by_size { write!(out, ",mem={}", kib / 1024) } else { write!(out, ",memdev={object}") };
        line.option("-numa", out);
    }
    distances(numa, line);
    links(numa, line);
    Ok(())
}

/// Whether nodes have their memory by its size alone. Old machines can, and their guests are then moved to and from hosts that
/// did so; memory of a kind of its own needs an object in any case.
fn by_size(domain: &Domain, caps: &QemuCaps, cells: &[NumaCell], backing: &Backing) -> Result<bool> {
    let machine = domain.os.kind.machine.as_deref().unwrap_or_default();
    if !caps.machine(machine).is_some_and(|it| it.numa_mem) {
        return Ok(false);
    }
    for (at, cell) in (0_u32..).zip(cells) {
        let id = cell.id.unwrap_or(at);
        let tuned = domain.numatune.as_ref().is_some_and(|it| it.memnodes.iter().any(|it| it.cellid == id));
        if tuned || !matches!(Source::of(domain, Some(cell), backing)?, Source::Anonymous) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The node whose CPUs reach a node's memory best: its own, if it has any.
fn initiator(numa: &GuestNuma, cell: &NumaCell, id: u32) -> Option<u32> {
    if cell.cpus.as_ref().is_some_and(|it| !it.0.is_empty()) {
        return Some(id);
    }
    let first = || {
        let mut all = (0_u32..).zip(&numa.cells);
        let with_cpus = all.find(|(_, it)| it.cpus.as_ref().is_some_and(|it| !it.0.is_empty()));
        with_cpus.map(|(at, it)| it.id.unwrap_or(at))
    };
    let Some(links) = numa.interconnects.as_ref() else { return first() };
    let reads = |kind: InterconnectKind| matches!(kind, InterconnectKind::Access | InterconnectKind::Read);
    let latencies = links.latencies.iter().filter(|it| it.target == id && it.cache.is_none() && reads(it.kind));
    let bandwidths = links.bandwidths.iter().filter(|it| it.target == id && it.cache.is_none() && reads(it.kind));
    let nearest = latencies.min_by_key(|it| it.value).map(|it| it.initiator);
    nearest.or_else(|| bandwidths.max_by_key(|it| it.value).map(|it| it.initiator)).or_else(first)
}

/// Latencies, bandwidths, and caches between CPUs and memory.
fn links(numa: &GuestNuma, line: &mut CommandLine) {
    let level = |it: Option<u32>| match it {
        None | Some(0) => "memory",
        Some(1) => "first-level",
        Some(2) => "second-level",
        Some(_) => "third-level",
    };
    if let Some(links) = &numa.interconnects {
        for it in &links.latencies {
            line.option(
                "-numa",
                format!(
                    "hmat-lb,initiator={},target={},hierarchy={},data-type={}-latency,latency={}",
                    it.initiator,
                    it.target,
                    level(it.cache),
                    it.kind,
                    it.value
                ),
            );
        }
        for it in &links.bandwidths {
            line.option(
                "-numa",
                format!(
                    "hmat-lb,initiator={},target={},hierarchy={},data-type={}-bandwidth,bandwidth={}K",
                    it.initiator,
                    it.target,
                    level(it.cache),
                    it.kind,
                    it.value
                ),
            );
        }
    }
    for (at, cell) in (0_u32..).zip(&numa.cells) {
        for cache in &cell.caches {
            let associativity = match cache.associativity {
                CacheAssociativity::None => "none",
                CacheAssociativity::Direct => "direct",
                CacheAssociativity::Full => "complex",
            };
            let policy = match cache.policy {
                CachePolicy::None => "none",
                CachePolicy::Writeback => "write-back",
                CachePolicy::Writethrough => "write-through",
            };
            line.option(
                "-numa",
                format!(
                    "hmat-cache,node-id={},size={}K,level={},associativity={associativity},policy={policy},line={}",
                    cell.id.unwrap_or(at),
                    cache.size.value,
                    cache.level,
                    cache.line.value
                ),
            );
        }
    }
}

/// How far nodes are from each other.
fn distances(numa: &GuestNuma, line: &mut CommandLine) {
    let known: Vec<u32> = (0_u32..).zip(&numa.cells).map(|(at, cell)| cell.id.unwrap_or(at)).collect();
    if numa.cells.iter().all(|it| it.distances.is_empty()) {
        return;
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
}
