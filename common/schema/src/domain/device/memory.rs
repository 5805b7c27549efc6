//! `<memory>` among the devices: DIMMs, NVDIMMs, virtio memory and enclave memory.

use virtbus_xml::{CpuSet, Error, ErrorKind, Hex, Node, Size, Xml, XmlEnum, YesNo};

use super::address::Info;
use crate::domain::cpu::MemAccess;

/// `<memory model='dimm'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(check = MemoryDevice::check)]
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

/// The least label area, in KiB.
const LEAST_LABEL: u64 = 128;

impl MemoryDevice {
    /// Keeps what belongs to the model; the rest is read over, as the reference does.
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        let file = matches!(self.model, MemoryModel::Nvdimm | MemoryModel::VirtioPmem);
        let nvdimm = self.model == MemoryModel::Nvdimm;
        let virtio_mem = self.model == MemoryModel::VirtioMem;
        if let Some(it) = &mut self.source {
            if file {
                (it.pagesize, it.nodemask) = (None, None);
            } else {
                it.path = None;
            }
            if self.model == MemoryModel::SgxEpc {
                it.pagesize = None;
            }
            it.pagesize = it.pagesize.filter(|it| it.kib > 0);
            it.alignsize = it.alignsize.filter(|_| nvdimm);
            it.pmem &= nvdimm;
        }
        let target = &mut self.target;
        target.label = target.label.filter(|_| nvdimm);
        target.readonly &= nvdimm;
        if !virtio_mem {
            (target.block, target.requested, target.current, target.dynamic_memslots) = (None, None, None, None);
        }
        if !virtio_mem && self.model != MemoryModel::VirtioPmem {
            target.base = None;
        }
        if !file {
            self.uuid = None;
        }
        match self.target.label {
            Some(label) if label.kib < LEAST_LABEL => {
                Err(node.error(ErrorKind::BadValue, format!("a label of less than {LEAST_LABEL} KiB")))
            }
            Some(label) if label.kib >= self.target.size.kib => {
                Err(node.error(ErrorKind::BadValue, "the label is as large as the memory"))
            }
            _ => Ok(()),
        }
    }

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
    #[xml(child, form = crate::forms::absolute)]
    pub path: Option<String>,
    #[xml(child)]
    pub alignsize: Option<Size>,
    #[xml(flag)]
    pub pmem: bool,
}

/// `<target>`: what the guest sees.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(form = MemoryDeviceTarget::form)]
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

impl MemoryDeviceTarget {
    /// A label has a size.
    fn form(node: Node<'_>) -> Result<(), Error> {
        match node.child("label").filter(|it| it.child("size").is_none()) {
            Some(label) => Err(label.missing("size")),
            None => Ok(()),
        }
    }
}
