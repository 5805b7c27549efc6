//! `<memory>` among the devices: DIMMs, NVDIMMs, virtio memory and enclave memory.

use virtbus_xml::{CpuSet, Hex, Size, Xml, XmlEnum, YesNo};

use super::address::Info;
use crate::domain::cpu::MemAccess;

/// `<memory model='dimm'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
pub struct MemoryDevice {
    #[xml(attr)]
    pub model: MemoryModel,
    #[xml(attr)]
    pub access: Option<MemAccess>,
    #[xml(attr)]
    pub discard: Option<YesNo>,
    #[xml(child)]
    pub uuid: Option<uuid::Uuid>,
    #[xml(child, omit_empty)]
    pub source: Option<MemoryDeviceSource>,
    #[xml(child)]
    pub target: MemoryDeviceTarget,
    #[xml(flatten)]
    pub info: Info,
}

impl MemoryDevice {
    /// How much memory it brings; of virtio memory, how much it can bring.
    #[must_use]
    pub const fn size(&self) -> Size {
        self.target.size
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum MemoryModel {
    Dimm,
    Nvdimm,
    VirtioPmem,
    VirtioMem,
    SgxEpc,
}

/// `<source>`: host nodes and page size, or the file behind it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct MemoryDeviceSource {
    #[xml(child)]
    pub nodemask: Option<CpuSet>,
    #[xml(child)]
    pub pagesize: Option<Size>,
    #[xml(child)]
    pub path: Option<String>,
    #[xml(child)]
    pub alignsize: Option<Size>,
    #[xml(flag)]
    pub pmem: bool,
}

/// `<target>`: what the guest sees.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct MemoryDeviceTarget {
    #[xml(attr = "dynamicMemslots")]
    pub dynamic_memslots: Option<YesNo>,
    #[xml(child)]
    pub size: Size,
    /// The guest's NUMA cell.
    #[xml(child)]
    pub node: Option<u32>,
    /// The label area of an NVDIMM.
    #[xml(child = "label/size")]
    pub label: Option<Size>,
    /// The granularity of virtio memory.
    #[xml(child)]
    pub block: Option<Size>,
    /// How much of it the guest shall plug.
    #[xml(child)]
    pub requested: Option<Size>,
    /// How much of it the guest has plugged.
    #[xml(child, live)]
    pub current: Option<Size>,
    #[xml(flag)]
    pub readonly: bool,
    #[xml(attr = "address/@base")]
    pub base: Option<Hex<1>>,
}
