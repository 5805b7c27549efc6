//! Small devices: leases, hubs, panic notifiers, shared memory, IOMMUs, vsock, crypto, pstore, NVRAM.

use virtbus_xml::{Describe, Error, ErrorKind, Node, OnOff, Size, Xml, XmlEnum, YesNo};

use super::address::{Info, VirtioOptions};

/// `<lease>`: a lock held while the guest runs.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(before = Lease::check_space)]
pub struct Lease {
    #[xml(child, must)]
    pub lockspace: Option<String>,
    #[xml(child)]
    pub key: String,
    #[xml(child)]
    pub target: LeaseTarget,
}

impl Lease {
    fn check_space(node: Node<'_>) -> Result<(), Error> {
        match node.child("lockspace") {
            Some(_) => Ok(()),
            None => Err(node.error(ErrorKind::Internal, "the lease has no lock space")),
        }
    }
}

/// `<target path='/path' offset='1024'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct LeaseTarget {
    #[xml(attr)]
    pub path: String,
    #[xml(attr, when = is_somewhere)]
    pub offset: Option<u64>,
}

/// The start of a file goes without saying.
fn is_somewhere(offset: &Option<u64>, _: &virtbus_xml::FormatOptions) -> bool {
    offset.is_some_and(|it| it > 0)
}

/// `<hub type='usb'/>`.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(before = Hub::check_type)]
pub struct Hub {
    #[xml(attr = "type", fault = Unsupported)]
    pub kind: HubKind,
    #[xml(flatten)]
    pub info: Info,
}

impl Hub {
    fn check_type(node: Node<'_>) -> Result<(), Error> {
        if node.attr("type").is_none() {
            return Err(node.error(ErrorKind::Internal, "the hub has no type"));
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum HubKind {
    Usb,
}

/// `<panic model='isa'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
pub struct Panic {
    #[xml(attr, fault = Unsupported)]
    pub model: Option<PanicModel>,
    #[xml(flatten)]
    pub info: Info,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum PanicModel {
    Isa,
    Pseries,
    Hyperv,
    S390,
    Pvpanic,
}

/// `<shmem name='my_shmem0' role='peer'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(check = Shmem::check)]
pub struct Shmem {
    #[xml(attr, form = crate::forms::slashless)]
    pub name: String,
    #[xml(attr)]
    pub role: Option<ShmemRole>,
    #[xml(attr = "model/@type", required)]
    pub model: Option<ShmemModel>,
    #[xml(child)]
    pub size: Option<MegaSize>,
    #[xml(child)]
    pub server: Option<ShmemServer>,
    #[xml(child)]
    pub msi: Option<ShmemMsi>,
    #[xml(flatten)]
    pub info: Info,
}

impl Shmem {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.name.contains('/') {
            return Err(node.error(ErrorKind::Unsupported, "the name of shared memory contains '/'"));
        }
        if let Some(size) = node.child("size") {
            let bytes = virtbus_xml::ByteSize::read(size)?.bytes;
            if bytes > 0 && (bytes < 1 << 20 || !bytes.is_power_of_two()) {
                return Err(size.error(ErrorKind::BadValue, "the size is a power of 2 and at least 1 MiB"));
            }
        }
        self.size = self.size.filter(|it| it.mib > 0);
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum ShmemRole {
    Master,
    Peer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum ShmemModel {
    Ivshmem,
    IvshmemPlain,
    IvshmemDoorbell,
}

/// `<server path='/tmp/socket'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct ShmemServer {
    #[xml(attr, form = crate::forms::absolute_path)]
    pub path: Option<String>,
}

/// `<msi vectors='32' ioeventfd='on'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct ShmemMsi {
    #[xml(attr)]
    pub vectors: Option<u32>,
    #[xml(attr)]
    pub ioeventfd: Option<OnOff>,
}

/// A size that is written in MiB: `<size unit='M'>4</size>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MegaSize {
    pub mib: u64,
}

impl Xml for MegaSize {
    fn read(node: Node<'_>) -> Result<Self, Error> {
        let bytes = virtbus_xml::ByteSize::read(node)?.bytes;
        Ok(Self { mib: bytes.div_ceil(1 << 20) })
    }

    fn write_attrs(&self, w: &mut virtbus_xml::Writer) {
        w.attr_str("unit", "M");
    }

    fn write_content(&self, w: &mut virtbus_xml::Writer) {
        w.text(&self.mib);
    }

    fn describe(to: &mut dyn Describe) {
        to.attr("unit", virtbus_xml::Texts::UNITS);
        to.text(virtbus_xml::Texts::of::<u64>());
    }
}

/// `<iommu model='intel'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
pub struct Iommu {
    #[xml(attr, form = crate::forms::iommu)]
    pub model: IommuModel,
    #[xml(child, omit_empty)]
    pub driver: Option<IommuDriver>,
    #[xml(flatten)]
    pub info: Info,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum IommuModel {
    Intel,
    Smmuv3,
    Virtio,
}

/// `<driver intremap='on' caching_mode='on'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct IommuDriver {
    #[xml(attr)]
    pub intremap: Option<OnOff>,
    #[xml(attr)]
    pub caching_mode: Option<OnOff>,
    #[xml(attr)]
    pub eim: Option<OnOff>,
    #[xml(attr)]
    pub iotlb: Option<OnOff>,
    #[xml(attr, free, form = crate::forms::uint8)]
    pub aw_bits: Option<u32>,
    #[xml(attr)]
    pub dma_translation: Option<OnOff>,
    #[xml(attr)]
    pub xtsup: Option<OnOff>,
    #[xml(attr)]
    pub passthrough: Option<OnOff>,
}

/// `<vsock model='virtio'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
pub struct Vsock {
    #[xml(attr)]
    pub model: Option<super::disk::DiskModel>,
    #[xml(child)]
    pub cid: Option<VsockCid>,
    #[xml(flatten)]
    pub info: Info,
    #[xml(child, omit_empty)]
    pub driver: Option<VirtioOptions>,
}

/// `<cid auto='no' address='3'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct VsockCid {
    #[xml(attr)]
    pub auto: Option<YesNo>,
    #[xml(attr)]
    pub address: Option<u32>,
}

/// `<crypto model='virtio' type='qemu'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
pub struct Crypto {
    #[xml(attr)]
    pub model: CryptoModel,
    #[xml(attr = "type")]
    pub kind: CryptoKind,
    #[xml(child)]
    pub backend: CryptoBackend,
    #[xml(child, omit_empty)]
    pub driver: Option<VirtioOptions>,
    #[xml(flatten)]
    pub info: Info,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum CryptoModel {
    Virtio,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum CryptoKind {
    Qemu,
}

/// `<backend model='builtin' queues='1'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct CryptoBackend {
    #[xml(attr)]
    pub model: CryptoBackendModel,
    #[xml(attr, form = crate::forms::positive)]
    pub queues: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum CryptoBackendModel {
    Builtin,
    Lkcf,
}

/// `<pstore backend='acpi-erst'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
pub struct Pstore {
    #[xml(attr)]
    pub backend: PstoreBackend,
    #[xml(child, form = crate::forms::absolute_path)]
    pub path: Option<String>,
    #[xml(child, must)]
    pub size: Option<Size>,
    #[xml(flatten)]
    pub info: Info,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum PstoreBackend {
    AcpiErst,
}

/// `<nvram>` of pSeries.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
pub struct SpaprNvram {
    #[xml(flatten)]
    pub info: Info,
}
