//! `<hostdev>`: devices of the host handed to the guest. It refuses to know which of them are there.

use virtbus_xml::describe::optional_child;
use virtbus_xml::{Error, ErrorKind, Node, OnOff, Xml, XmlEnum, YesNo};

use super::{
    address::{PciAddress, RomInfo},
    disk::{Auth, AuthSecretKind, Host, StartupPolicy},
    interface::{HostdevDriver, Teaming},
};

/// `<hostdev mode='subsystem' type='pci' managed='yes'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(check = Hostdev::check, form = Hostdev::form)]
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
    #[xml(child, omit_empty)]
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

impl Hostdev {
    /// What each kind has, and must have.
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        let bad = |kind, text: String| Err(node.error(kind, text));
        let kind = self.device.kind;
        if matches!(kind, HostdevKind::Storage | HostdevKind::Misc | HostdevKind::Net)
            != (self.mode == HostdevMode::Capabilities)
        {
            return bad(ErrorKind::BadValue, format!("no host device of mode {} is of type {kind}", self.mode));
        }
        for (name, said) in [("sgio", self.sgio.is_some()), ("rawio", self.rawio.is_some())] {
            if said && kind != HostdevKind::Scsi {
                return bad(ErrorKind::BadValue, format!("{name} is only supported for SCSI host devices"));
            }
        }
        if node.child("source").is_some_and(|it| it.attr("startupPolicy").is_some()) && kind != HostdevKind::Usb {
            return bad(ErrorKind::Unsupported, "startupPolicy is only for USB devices".to_owned());
        }
        if kind != HostdevKind::Scsi {
            (self.readonly, self.shareable) = (false, false);
        }
        if !matches!(kind, HostdevKind::Mdev | HostdevKind::Pci) {
            (self.display, self.ramfb) = (None, None);
        }
        let models: &[HostdevModel] = match kind {
            HostdevKind::Mdev => &[HostdevModel::VfioPci, HostdevModel::VfioCcw, HostdevModel::VfioAp],
            HostdevKind::ScsiHost => {
                &[HostdevModel::Virtio, HostdevModel::VirtioTransitional, HostdevModel::VirtioNonTransitional]
            }
            _ => &[],
        };
        match self.model.filter(|it| !models.contains(it)) {
            Some(model) if !models.is_empty() => {
                bad(ErrorKind::BadValue, format!("a host device of type {kind} has no model {model}"))
            }
            Some(_) => {
                self.model = None;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Which parts each kind has in strict reading.
    fn form(node: Node<'_>) -> Result<(), Error> {
        let kind = node.attr("type").map(|it| it.value()).unwrap_or_default();
        if node.child("source").is_none() {
            return Err(node.missing("source"));
        }
        let of_containers = node.attr("mode").is_some_and(|it| it.value() == "capabilities");
        if of_containers != matches!(kind, "storage" | "misc" | "net") {
            return Err(node.error(ErrorKind::Unknown, format!("no host device of this mode is of type {kind}")));
        }
        let parts: &[(&str, &[&str])] = &[
            ("sgio", &["scsi"]),
            ("rawio", &["scsi"]),
            ("model", &["scsi_host", "mdev"]),
            ("ramfb", &["pci", "mdev"]),
            ("display", &["pci", "mdev"]),
            ("managed", &["pci", "usb", "scsi", "scsi_host", "mdev"]),
            ("driver", &["pci"]),
            ("teaming", &["pci"]),
        ];
        let said = |name: &str| node.attr(name).is_some() || node.child(name).is_some();
        if let Some((stray, _)) = parts.iter().find(|(name, kinds)| said(name) && !kinds.contains(&kind)) {
            return Err(node.error(ErrorKind::Unknown, format!("'{stray}' does not belong to type {kind}")));
        }
        if kind == "mdev" && node.attr("model").is_none() {
            return Err(node.missing("@model"));
        }
        Ok(())
    }
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

    fn examine(node: Node<'_>) -> Result<(), Error> {
        let kind: HostdevKind = virtbus_xml::decode::attr(node, &[], "type", ErrorKind::BadValue)?;
        let Some(source) = node.child("source") else { return Ok(()) };
        match kind {
            HostdevKind::Usb => UsbSource::examine(source),
            HostdevKind::Pci => PciSource::examine(source),
            HostdevKind::Scsi => ScsiSource::examine(source),
            HostdevKind::ScsiHost => ScsiHostSource::examine(source),
            HostdevKind::Mdev => MdevSource::examine(source),
            HostdevKind::Storage | HostdevKind::Misc | HostdevKind::Net => CapabilitySource::examine(source),
        }
    }

    fn write_attrs(&self, _: &mut virtbus_xml::Writer) {}

    fn write_content(&self, w: &mut virtbus_xml::Writer) {
        match self {
            Self::Usb(it) => it.write_unless_empty("source", w),
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
#[xml(check = UsbSource::check, form = UsbSource::form)]
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

    /// By its make, its place or both.
    fn form(node: Node<'_>) -> Result<(), Error> {
        let both = node.child("vendor").is_some() && node.child("product").is_some();
        if both || node.child("address").is_some() { Ok(()) } else { Err(node.missing("address")) }
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
    #[xml(attr, hex = 4, free, form = crate::forms::usb_id)]
    pub id: u16,
}

/// `<address bus='1' device='2'/>`; old documents have a port instead of a device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct UsbHostAddress {
    #[xml(attr, any_base, must, free, form = crate::forms::usb_number)]
    pub bus: Option<u32>,
    #[xml(attr, any_base, must, free, form = crate::forms::usb_number)]
    pub device: Option<u32>,
    #[xml(attr)]
    pub port: Option<String>,
}

/// `<source><address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source>`.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
#[xml(check = PciSource::check)]
pub struct PciSource {
    /// Of USB devices alone: refused here, under a code of its own.
    #[xml(attr = "startupPolicy", lenient, when = never)]
    pub startup_policy: Option<StartupPolicy>,
    #[xml(attr = "writeFiltering")]
    pub write_filtering: Option<YesNo>,
    #[xml(child, default, must)]
    pub address: PciAddress,
}

impl PciSource {
    #[allow(clippy::unnecessary_wraps, reason = "the shape of a check")]
    fn check(&mut self, _: Node<'_>) -> Result<(), Error> {
        // Where a device is on the host is one function.
        (self.startup_policy, self.address.multifunction, self.address.zpci) = (None, None, None);
        Ok(())
    }
}

/// What is read and held against its list, and not kept.
fn never<T>(_: &Option<T>, _: &virtbus_xml::FormatOptions) -> bool {
    false
}

/// A SCSI device behind a host adapter, or an iSCSI one.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
#[xml(check = ScsiSource::check, form = ScsiSource::form)]
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
    #[xml(attr = "adapter/@type", when = never, may)]
    pub adapter_kind: Option<String>,
    #[xml(attr = "adapter/@name", may)]
    pub adapter: Option<String>,
    #[xml(child)]
    pub address: Option<ScsiHostAddress>,
}

impl ScsiSource {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        self.adapter_kind = None;
        let bad = |kind, text: String| Err(node.error(kind, text));
        match self.protocol.as_deref() {
            Some("iscsi") => {
                if self.hosts.is_empty() {
                    return bad(ErrorKind::BadValue, "an iSCSI device has no host".to_owned());
                }
                for host in &mut self.hosts {
                    host.port = host.port.filter(|it| *it > 0);
                }
                (self.adapter, self.address) = (None, None);
                let kind = self.auth.as_ref().and_then(|it| it.secret.kind);
                match kind.filter(|it| *it != AuthSecretKind::Iscsi) {
                    Some(kind) => bad(ErrorKind::Internal, format!("a secret of type {kind} does not open iSCSI")),
                    None => Ok(()),
                }
            }
            None | Some("adapter") => {
                (self.protocol, self.name, self.auth, self.initiator) = (None, None, None, None);
                self.hosts.clear();
                if self.address.is_none() {
                    return bad(ErrorKind::BadValue, "a SCSI device needs an address".to_owned());
                }
                if self.adapter.is_none() {
                    return bad(ErrorKind::BadValue, "a SCSI device needs the name of its adapter".to_owned());
                }
                Ok(())
            }
            Some(other) => bad(ErrorKind::BadValue, format!("unknown protocol {other} of a SCSI device")),
        }
    }

    /// By its adapter, or over iSCSI.
    fn form(node: Node<'_>) -> Result<(), Error> {
        let needed: &[&str] = match node.attr("protocol").map(|it| it.value()) {
            Some("iscsi") if node.attr("name").is_none() => return Err(node.missing("@name")),
            Some("iscsi") => &["host"],
            _ => &["adapter", "address"],
        };
        match needed.iter().find(|it| node.child(it).is_none()) {
            Some(missing) => Err(node.missing(missing)),
            None => Ok(()),
        }
    }
}

/// `<address bus='0' target='0' unit='0'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Xml)]
pub struct ScsiHostAddress {
    #[xml(attr, any_base, form = crate::forms::two_digits)]
    pub bus: u32,
    #[xml(attr, any_base, form = crate::forms::scsi_target)]
    pub target: u32,
    #[xml(attr, any_base, form = crate::forms::scsi_unit)]
    pub unit: u64,
}

/// `<source protocol='vhost' wwpn='naa.5001405df3e54061'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = ScsiHostSource::check)]
pub struct ScsiHostSource {
    #[xml(attr, must, form = crate::forms::vhost)]
    pub protocol: Option<String>,
    #[xml(attr, must, form = crate::forms::naa)]
    pub wwpn: Option<String>,
}

impl ScsiHostSource {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        match self.protocol.as_deref() {
            Some("vhost") => Ok(()),
            Some(other) => Err(node.error(ErrorKind::BadValue, format!("unknown protocol {other} of a SCSI host"))),
            None => Err(node.error(ErrorKind::BadValue, "a SCSI host device has no protocol")),
        }
    }
}

/// `<source><address uuid='...'/></source>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(before = MdevSource::check_address)]
pub struct MdevSource {
    #[xml(attr = "address/@uuid", fault = Internal)]
    pub uuid: uuid::Uuid,
}

impl MdevSource {
    fn check_address(node: Node<'_>) -> Result<(), Error> {
        match node.child("address").map(|it| it.attr("uuid")) {
            Some(Some(_)) => Ok(()),
            _ => Err(node.error(ErrorKind::Unsupported, "a mediated device needs an address with its UUID")),
        }
    }
}

/// What a container gets: a block device, a character device or a network interface.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(before = CapabilitySource::check_kind)]
pub struct CapabilitySource {
    #[xml(child, form = crate::forms::absolute_path)]
    pub block: Option<String>,
    #[xml(child = "char", form = crate::forms::absolute_path)]
    pub character: Option<String>,
    #[xml(child, form = crate::forms::device_name)]
    pub interface: Option<String>,
}

impl CapabilitySource {
    fn check_kind(node: Node<'_>) -> Result<(), Error> {
        let kind = node.parent().and_then(|it| it.attr("type")).map(|it| it.value());
        let needed = match kind {
            Some("storage") => "block",
            Some("misc") => "char",
            _ => "interface",
        };
        match node.child(needed).filter(|it| !it.text().is_empty()) {
            Some(_) => Ok(()),
            None => Err(node.missing(needed)),
        }
    }
}
