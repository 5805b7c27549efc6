//! `<host>` of the capabilities: identity, CPU, memory cells, caches, security models.

use uuid::Uuid;
use virtbus_xml::{CpuSet, Xml, XmlEnum, YesNo};

use crate::domain::cpu::{CpuTopology, MaxPhysAddr};

/// `<host>`.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
pub struct Host {
    /// The machine's own UUID.
    #[xml(child)]
    pub uuid: Option<Uuid>,
    #[xml(child)]
    pub cpu: HostCpu,
    /// How the host can be suspended; absent where that is unknown.
    #[xml(child)]
    pub power_management: Option<PowerManagement>,
    /// Whether devices can be given to guests.
    #[xml(attr = "iommu/@support")]
    pub iommu: Option<YesNo>,
    #[xml(child)]
    pub migration_features: Option<MigrationFeatures>,
    /// The memory cells.
    #[xml(child = "topology/cells")]
    pub cells: Option<Cells>,
    /// The shared caches of the CPUs, smallest level first.
    #[xml(children = "cache/bank")]
    pub caches: Vec<CacheBank>,
    /// Security models, the one in charge first.
    #[xml(children = "secmodel")]
    pub security: Vec<SecurityModel>,
}

/// `<cpu>` of the host.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
pub struct HostCpu {
    /// Architecture, as `x86_64`.
    #[xml(child)]
    pub arch: String,
    /// The model of the CPU map that is nearest to it from below.
    #[xml(child)]
    pub model: Option<String>,
    #[xml(child)]
    pub vendor: Option<String>,
    #[xml(attr = "microcode/@version")]
    pub microcode: Option<u32>,
    #[xml(child)]
    pub signature: Option<Signature>,
    #[xml(child)]
    pub counter: Option<Counter>,
    #[xml(child)]
    pub topology: Option<CpuTopology>,
    #[xml(child)]
    pub maxphysaddr: Option<MaxPhysAddr>,
    /// What it has beyond the model.
    #[xml(children = "feature")]
    pub features: Vec<HostCpuFeature>,
    /// The page sizes it can map.
    #[xml(children = "pages")]
    pub pages: Vec<PageSize>,
}

/// `<signature family='6' model='94' stepping='3'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct Signature {
    #[xml(attr)]
    pub family: u32,
    #[xml(attr)]
    pub model: u32,
    #[xml(attr)]
    pub stepping: u32,
}

/// `<counter name='tsc' frequency='2592000000' scaling='no'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct Counter {
    #[xml(attr)]
    pub name: String,
    /// In Hz.
    #[xml(attr)]
    pub frequency: u64,
    /// Whether a guest can be shown another frequency.
    #[xml(attr)]
    pub scaling: Option<YesNo>,
}

/// `<feature name='aes'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct HostCpuFeature {
    #[xml(attr)]
    pub name: String,
}

/// `<pages unit='KiB' size='2048'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct PageSize {
    #[xml(attr)]
    pub unit: String,
    #[xml(attr)]
    pub size: u64,
}

/// `<power_management>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct PowerManagement {
    #[xml(flag)]
    pub suspend_mem: bool,
    #[xml(flag)]
    pub suspend_disk: bool,
    #[xml(flag)]
    pub suspend_hybrid: bool,
}

/// `<migration_features>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct MigrationFeatures {
    #[xml(flag)]
    pub live: bool,
    #[xml(children = "uri_transports/uri_transport")]
    pub uri_transports: Vec<String>,
}

/// `<cells num='1'>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Cells {
    #[xml(attr)]
    pub num: u32,
    #[xml(children = "cell")]
    pub cells: Vec<Cell>,
}

/// `<cell id='0'>`: memory and the CPUs near it.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct Cell {
    #[xml(attr)]
    pub id: u32,
    #[xml(child)]
    pub memory: Option<CellMemory>,
    #[xml(children = "pages")]
    pub pages: Vec<PageCount>,
    #[xml(children = "distances/sibling")]
    pub distances: Vec<Distance>,
    #[xml(child)]
    pub cpus: CellCpus,
}

/// `<memory unit='KiB'>7825612</memory>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct CellMemory {
    #[xml(attr)]
    pub unit: String,
    #[xml(text)]
    pub amount: u64,
}

/// `<pages unit='KiB' size='4'>1956403</pages>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct PageCount {
    #[xml(attr)]
    pub unit: String,
    #[xml(attr)]
    pub size: u64,
    #[xml(text)]
    pub count: u64,
}

/// `<sibling id='1' value='21'/>`: how far another cell's memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct Distance {
    #[xml(attr)]
    pub id: u32,
    #[xml(attr)]
    pub value: u32,
}

/// `<cpus num='2'>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct CellCpus {
    #[xml(attr)]
    pub num: u32,
    #[xml(children = "cpu")]
    pub cpus: Vec<CellCpu>,
}

/// `<cpu id='0' socket_id='0' .../>`; a CPU that is off line has its id alone.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct CellCpu {
    #[xml(attr)]
    pub id: u32,
    #[xml(attr = "socket_id")]
    pub socket_id: Option<u32>,
    #[xml(attr = "die_id")]
    pub die_id: Option<u32>,
    #[xml(attr = "cluster_id")]
    pub cluster_id: Option<u32>,
    #[xml(attr = "core_id")]
    pub core_id: Option<u32>,
    /// The threads of its core.
    #[xml(attr)]
    pub siblings: Option<CpuSet>,
}

/// `<bank id='0' level='3' type='both' size='32' unit='MiB' cpus='0-1'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct CacheBank {
    #[xml(attr)]
    pub id: u32,
    #[xml(attr)]
    pub level: u32,
    #[xml(attr = "type")]
    pub kind: CacheKind,
    #[xml(attr)]
    pub size: u64,
    #[xml(attr)]
    pub unit: String,
    #[xml(attr)]
    pub cpus: CpuSet,
}

/// What a cache holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum CacheKind {
    Both,
    Code,
    Data,
}

/// `<secmodel>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct SecurityModel {
    #[xml(child)]
    pub model: String,
    #[xml(child)]
    pub doi: String,
    #[xml(children = "baselabel")]
    pub baselabels: Vec<BaseLabel>,
}

/// `<baselabel type='kvm'>+64055:+64055</baselabel>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct BaseLabel {
    #[xml(attr = "type")]
    pub kind: String,
    #[xml(text)]
    pub label: String,
}
