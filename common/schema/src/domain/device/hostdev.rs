//! `<hostdev>`: devices of the host handed to the guest. It refuses to know which of them are there.

use virtbus_xml::describe::optional_child;
use virtbus_xml::{Error, ErrorKind, Node, OnOff, Xml, XmlEnum, YesNo};

use super::{
    address::{PciAddress, RomInfo},
    disk::{Auth, Host, StartupPolicy},
    interface::{HostdevDriver, Teaming},
};

/// `<hostdev mode='subsystem' type='pci' managed='yes'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
pub struct Hostdev {
    #[xml(attr, default = HostdevMode::Subsystem)]
    pub mode: HostdevMode,
    #[xml(flatten)]
    pub device: HostDevice,
    #[xml(attr, lenient)]
    pub managed: Option<YesNo>,
    #[xml(attr)]
    pub sgio: Option<super::disk::DiskSgio>,
    #[xml(attr)]
    pub rawio: Option<YesNo>,
    /// Of mediated and SCSI host devices.
    #[xml(attr)]
    pub model: Option<HostdevModel>,
    #[xml(attr)]
    pub display: Option<OnOff>,
    #[xml(attr)]
    pub ramfb: Option<OnOff>,
    #[xml(child)]
    pub driver: Option<HostdevDriver>,
    #[xml(flatten)]
    pub source: HostSource,
    #[xml(child)]
    pub teaming: Option<Teaming>,
    #[xml(flag)]
    pub readonly: bool,
    #[xml(flag)]
    pub shareable: bool,
    #[xml(flatten)]
    pub info: RomInfo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum HostdevMode {
    Subsystem,
    Capabilities,
}

/// `type=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Xml)]
pub struct HostDevice {
    #[xml(attr = "type")]
    pub kind: HostdevKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum HostdevKind {
    Usb,
    Pci,
    Scsi,
    #[xml(name = "scsi_host")]
    ScsiHost,
    Mdev,
    Storage,
    Misc,
    Net,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum HostdevModel {
    VfioPci,
    VfioCcw,
    VfioAp,
    Virtio,
    VirtioTransitional,
    VirtioNonTransitional,
}

/// The `<source>` of each kind.
#[derive(Debug, Clone, PartialEq)]
pub enum HostSource {
    Usb(UsbSource),
    Pci(PciSource),
    Scsi(ScsiSource),
    ScsiHost(ScsiHostSource),
    Mdev(MdevSource),
    /// Of a container.
    Capability(CapabilitySource),
    /// The document has none; starting the guest will fail.
    Absent,
}

/// The kind stands on the device's element and the content in its `<source>`, so this choice is made by hand.
impl Xml for HostSource {
    fn read(node: Node<'_>) -> Result<Self, Error> {
        let kind: HostdevKind = virtbus_xml::decode::attr(node, &[], "type", ErrorKind::BadValue)?;
        let Some(source) = node.child("source") else { return Ok(Self::Absent) };
        Ok(match kind {
            HostdevKind::Usb => Self::Usb(Xml::read(source)?),
            HostdevKind::Pci => Self::Pci(Xml::read(source)?),
            HostdevKind::Scsi => Self::Scsi(Xml::read(source)?),
            HostdevKind::ScsiHost => Self::ScsiHost(Xml::read(source)?),
            HostdevKind::Mdev => Self::Mdev(Xml::read(source)?),
            HostdevKind::Storage | HostdevKind::Misc | HostdevKind::Net => Self::Capability(Xml::read(source)?),
        })
    }

    fn write_attrs(&self, _: &mut virtbus_xml::Writer) {}

    fn write_content(&self, w: &mut virtbus_xml::Writer) {
        match self {
            Self::Usb(it) => it.write("source", w),
            Self::Pci(it) => it.write("source", w),
            Self::Scsi(it) => it.write("source", w),
            Self::ScsiHost(it) => it.write("source", w),
            Self::Mdev(it) => it.write("source", w),
            Self::Capability(it) => it.write("source", w),
            Self::Absent => {}
        }
    }

    fn describe(to: &mut dyn virtbus_xml::Describe) {
        to.choose("type", <HostdevKind as virtbus_xml::Value>::VALUES);
        for (number, kind) in HostdevKind::ALL.iter().enumerate() {
            if to.form(number) {
                match kind {
                    HostdevKind::Usb => optional_child::<UsbSource>(to, "source"),
                    HostdevKind::Pci => optional_child::<PciSource>(to, "source"),
                    HostdevKind::Scsi => optional_child::<ScsiSource>(to, "source"),
                    HostdevKind::ScsiHost => optional_child::<ScsiHostSource>(to, "source"),
                    HostdevKind::Mdev => optional_child::<MdevSource>(to, "source"),
                    HostdevKind::Storage | HostdevKind::Misc | HostdevKind::Net => {
                        optional_child::<CapabilitySource>(to, "source");
                    }
                }
            }
        }
        to.chosen();
    }
}

/// `<source startupPolicy='optional'><vendor id='0x1234'/><product id='0xbeef'/></source>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = UsbSource::check)]
pub struct UsbSource {
    #[xml(attr = "startupPolicy")]
    pub startup_policy: Option<StartupPolicy>,
    #[xml(attr = "guestReset")]
    pub guest_reset: Option<GuestReset>,
    #[xml(attr, live)]
    pub missing: Option<YesNo>,
    #[xml(child)]
    pub vendor: Option<UsbId>,
    #[xml(child)]
    pub product: Option<UsbId>,
    #[xml(child)]
    pub address: Option<UsbHostAddress>,
}

impl UsbSource {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        match (self.vendor, self.product) {
            (Some(_), None) => Err(node.error(ErrorKind::Internal, "a USB vendor needs a product")),
            (None, Some(_)) => Err(node.error(ErrorKind::Internal, "a USB product needs a vendor")),
            _ => Ok(()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum GuestReset {
    Off,
    Uninitialized,
    On,
}

/// `<vendor id='0x1234'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Xml)]
pub struct UsbId {
    #[xml(attr, hex = 4)]
    pub id: u16,
}

/// `<address bus='1' device='2'/>`; old documents have a port instead of a device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct UsbHostAddress {
    #[xml(attr)]
    pub bus: Option<u32>,
    #[xml(attr)]
    pub device: Option<u32>,
    #[xml(attr)]
    pub port: Option<String>,
}

/// `<source><address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source>`.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
pub struct PciSource {
    #[xml(attr = "writeFiltering")]
    pub write_filtering: Option<YesNo>,
    #[xml(child, default)]
    pub address: PciAddress,
}

/// A SCSI device behind a host adapter, or an iSCSI one.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
pub struct ScsiSource {
    #[xml(attr)]
    pub protocol: Option<String>,
    #[xml(attr)]
    pub name: Option<String>,
    #[xml(children = "host")]
    pub hosts: Vec<Host>,
    #[xml(child)]
    pub auth: Option<Auth>,
    #[xml(attr = "initiator/iqn/@name")]
    pub initiator: Option<String>,
    #[xml(attr = "adapter/@name")]
    pub adapter: Option<String>,
    #[xml(child)]
    pub address: Option<ScsiHostAddress>,
}

/// `<address bus='0' target='0' unit='0'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Xml)]
pub struct ScsiHostAddress {
    #[xml(attr)]
    pub bus: u32,
    #[xml(attr)]
    pub target: u32,
    #[xml(attr)]
    pub unit: u64,
}

/// `<source protocol='vhost' wwpn='naa.5001405df3e54061'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct ScsiHostSource {
    #[xml(attr)]
    pub protocol: Option<String>,
    #[xml(attr)]
    pub wwpn: Option<String>,
}

/// `<source><address uuid='...'/></source>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct MdevSource {
    #[xml(attr = "address/@uuid", fault = Internal)]
    pub uuid: uuid::Uuid,
}

/// What a container gets: a block device, a character device or a network interface.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct CapabilitySource {
    #[xml(child)]
    pub block: Option<String>,
    #[xml(child = "char")]
    pub character: Option<String>,
    #[xml(child)]
    pub interface: Option<String>,
}
