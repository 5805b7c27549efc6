//! `<memory>` among the devices: memory that was plugged in, kept in a file, or is the guest's to take and give back.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::cpu::MemAccess;
use virtbus_schema::domain::device::memory::{MemoryDevice, MemoryDeviceSource, MemoryDeviceTarget, MemoryModel};
use virtbus_schema::domain::device::{Address, address::DimmAddress};
use virtbus_schema::domain::memory::{AllocationMode, MemoryAccess, MemorySource};
use virtbus_schema::xml::YesNo;

use super::address::{Place, place, virtio_device};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, Resource, alias};

props! {
    struct Backend {
        qom_type: &'static str,
        id: String,
        mem_path: Option<String>,
        hugetlb: Option<bool>,
        hugetlbsize: Option<u64>,
        discard_data: Option<bool>,
        share: Option<bool>,
        prealloc: Option<bool>,
        prealloc_threads: Option<u32>,
        reserve: Option<bool>,
        size: u64,
        align: Option<u64>,
        pmem: Option<bool>,
        host_nodes: Vec<u32>,
        policy: Option<&'static str>,
    }

    struct Device<'a> {
        driver: String,
        node: Option<u32>,
        label_size: Option<u64>,
        uuid: Option<String>,
        unarmed: Option<bool>,
        block_size: Option<u64>,
        requested_size: Option<u64>,
        memdev: String,
        memaddr: Option<u64>,
        prealloc: Option<bool>,
        dynamic_memslots: Option<bool>,
        id: &'a str,
        slot: Option<u32>,
        addr: Option<u64>,
        #[serde(flatten)]
        place: Place,
    }
}

impl QemuDevice for MemoryDevice {
    fn resources(&self, _: &Cx<'_>) -> Vec<Resource> {
        let path = self.source.as_ref().and_then(|it| it.path.clone());
        path.map(|path| Resource::File { path, write: !self.target.readonly }).into_iter().collect()
    }

    fn address(&self) -> AddressKind {
        match self.model {
            MemoryModel::VirtioMem | MemoryModel::VirtioPmem => AddressKind::Pci,
            MemoryModel::Dimm | MemoryModel::Nvdimm | MemoryModel::SgxEpc => AddressKind::None,
        }
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        let MemoryDevice { model, access: _, discard: _, uuid, source: _, target, info } = self;
        let MemoryDeviceTarget {
            dynamic_memslots,
            size: _,
            node,
            label,
            block,
            requested,
            // What the guest has made of it.
            current: _,
            readonly,
            base,
        } = target;
        let id = alias::of(self)?;
        let memdev = format!("mem{id}");
        let (backend, prealloc) = backend(self, &memdev, cx)?;
        let (driver, qom) = match model {
            MemoryModel::Dimm => ("pc-dimm".to_owned(), "pc-dimm"),
            MemoryModel::Nvdimm => ("nvdimm".to_owned(), "nvdimm"),
            MemoryModel::VirtioMem => (virtio_device("virtio-mem", "virtio", info.address.as_ref())?, "virtio-mem-pci"),
            MemoryModel::VirtioPmem => {
                (virtio_device("virtio-pmem", "virtio", info.address.as_ref())?, "virtio-pmem-pci")
            }
            MemoryModel::SgxEpc => {
                return Err(Error::unsupported_config("sgx epc isn't supported by this QEMU binary"));
            }
        };
        cx.needs(qom, "<memory>")?;
        let (slot, addr) = match info.address {
            Some(Address::Dimm(DimmAddress { slot, base })) => (slot, base),
            _ => (None, None),
        };
        let bytes = |kib: u64| kib.saturating_mul(1024);
        // A guest whose nodes are not described has one.
        let on_node = *model != MemoryModel::VirtioPmem;
        let device = Device {
            driver,
            node: node.or(on_node.then_some(0)),
            label_size: label.map(|it| bytes(it.kib)),
            uuid: uuid.map(|it| it.hyphenated().to_string()),
            unarmed: readonly.then_some(true),
            block_size: block.map(|it| bytes(it.kib)),
            requested_size: requested.map(|it| bytes(it.kib)).filter(|it| *it > 0),
            memdev: memdev.clone(),
            memaddr: base.map(|it| it.0),
            prealloc,
            dynamic_memslots: dynamic_memslots.map(YesNo::is_on),
            id,
            slot,
            addr,
            place: place(info.address.as_ref(), info.acpi_index, cx)?,
        };
        Ok(vec![Part::object(memdev, &backend)?, Part::device(id, &device)?])
    }
}

/// What is behind it, and whether the device itself takes all of it at once.
fn backend(it: &MemoryDevice, object: &str, cx: &Cx<'_>) -> Result<(Backend, Option<bool>)> {
    let MemoryDevice { model, access: _, discard, uuid: _, source, target, info: _ } = it;
    let none = MemoryDeviceSource::default();
    let MemoryDeviceSource { nodemask, pagesize, path, alignsize, pmem } = source.as_ref().unwrap_or(&none);
    let pages = match pagesize.map(|it| it.kib.saturating_mul(1024)) {
        _ if path.is_some() => None,
        Some(size) => Some(size).filter(|it| *it != cx.backing.page),
        None => cx.backing.huge_pages(cx.domain, target.node)?,
    };
    let huge = pages.map(|it| cx.backing.huge_directory(it)).transpose()?;
    let backing = cx.domain.memory_backing.clone().unwrap_or_default();
    let shared = shared(it, cx.domain);
    let kind = match kind(it, shared, cx.domain) {
        "memory-backend-ram" if huge.is_some() => "memory-backend-file",
        other => other,
    };
    let is_virtio_mem = *model == MemoryModel::VirtioMem;
    let immediate = backing.allocation.is_some_and(|it| it.mode == Some(AllocationMode::Immediate));
    let threads = backing.allocation.and_then(|it| it.threads);
    // Where writes reach a real persistent memory, touching all of it in advance would wear it.
    let at_once = immediate || huge.is_some();
    let prealloc = (at_once && !is_virtio_mem) || (*model == MemoryModel::Nvdimm && !pmem);
    let is_plain_file = kind == "memory-backend-file" && path.is_none();
    let discard = discard.map_or(backing.discard, YesNo::is_on);
    let backend = Backend {
        qom_type: kind,
        id: object.to_owned(),
        mem_path: (kind == "memory-backend-file").then(|| {
            let own = || cx.backing.files.join(object.strip_prefix("mem").unwrap_or(object));
            let file = huge.clone().unwrap_or_else(own);
            path.clone().unwrap_or_else(|| file.to_string_lossy().into_owned())
        }),
        hugetlb: pages.filter(|_| kind == "memory-backend-memfd").map(|_| true),
        hugetlbsize: pages.filter(|_| kind == "memory-backend-memfd"),
        discard_data: (is_plain_file && discard).then_some(true),
        share: shared.filter(|_| kind != "memory-backend-ram"),
        prealloc: prealloc.then_some(true),
        prealloc_threads: threads.filter(|_| prealloc && immediate),
        reserve: is_virtio_mem.then_some(false),
        size: rounded(target.size.kib),
        align: alignsize.map(|it| it.kib.saturating_mul(1024)),
        pmem: pmem.then_some(true),
        host_nodes: nodemask.iter().flat_map(|it| it.0.iter().copied()).collect(),
        policy: nodemask.is_some().then_some("bind"),
    };
    Ok((backend, (is_virtio_mem && at_once).then_some(true)))
}

/// Whether its memory is in a file that is the guest's own and goes with it.
pub(crate) fn has_own_file(it: &MemoryDevice, domain: &Domain) -> bool {
    let named = it.source.as_ref().is_some_and(|it| it.path.is_some());
    !named && kind(it, shared(it, domain), domain) == "memory-backend-file"
}

/// Whether others may map it, where the document says so.
fn shared(it: &MemoryDevice, domain: &Domain) -> Option<bool> {
    match it.access {
        Some(MemAccess::Shared) => Some(true),
        Some(MemAccess::Private) => Some(false),
        None => domain.memory_backing.as_ref()?.access.map(|it| it == MemoryAccess::Shared),
    }
}

fn kind(it: &MemoryDevice, shared: Option<bool>, domain: &Domain) -> &'static str {
    let named = it.source.as_ref().is_some_and(|it| it.path.is_some());
    match domain.memory_backing.as_ref().and_then(|it| it.source) {
        _ if named => "memory-backend-file",
        Some(MemorySource::Memfd) => "memory-backend-memfd",
        Some(MemorySource::File) => "memory-backend-file",
        _ if shared.is_some() => "memory-backend-file",
        Some(MemorySource::Anonymous) | None => "memory-backend-ram",
    }
}

/// KiB as bytes, rounded up to two MiB, which is what a module of memory comes in.
fn rounded(kib: u64) -> u64 {
    kib.div_ceil(2048).saturating_mul(2 << 20)
}
