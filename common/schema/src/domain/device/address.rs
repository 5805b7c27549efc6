//! Where a device sits: the addresses of all buses, and the parts every device has.

use virtbus_xml::{Error, ErrorKind, FormatOptions, Node, OnOff, Xml};

/// `<address type='...'>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Xml)]
#[xml(tag = "type", check = Address::check, form = Address::form)]
pub enum Address {
    Pci(PciAddress),
    Drive(DriveAddress),
    VirtioSerial(VirtioSerialAddress),
    Ccid(CcidAddress),
    Usb(UsbAddress),
    SpaprVio(SpaprVioAddress),
    VirtioS390,
    Ccw(CcwAddress),
    VirtioMmio,
    Isa(IsaAddress),
    Dimm(DimmAddress),
    Unassigned,
}

impl Address {
    fn form(node: Node<'_>) -> Result<(), Error> {
        if node.attr("type").is_some_and(|it| it.value() == "virtio-s390") {
            return Err(node.error(ErrorKind::Unknown, "nobody says where on virtio-s390 a device is"));
        }
        Ok(())
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        match self {
            Self::VirtioS390 => Err(node.error(ErrorKind::BadValue, "the bus virtio-s390 has no addresses")),
            Self::Ccw(it) => it.check(node),
            _ => Ok(()),
        }
    }

    /// Its type, as documents write it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pci(_) => "pci",
            Self::Drive(_) => "drive",
            Self::VirtioSerial(_) => "virtio-serial",
            Self::Ccid(_) => "ccid",
            Self::Usb(_) => "usb",
            Self::SpaprVio(_) => "spapr-vio",
            Self::VirtioS390 => "virtio-s390",
            Self::Ccw(_) => "ccw",
            Self::VirtioMmio => "virtio-mmio",
            Self::Isa(_) => "isa",
            Self::Dimm(_) => "dimm",
            Self::Unassigned => "unassigned",
        }
    }
}

/// `type='pci' domain='0x0000' bus='0x00' slot='0x1f' function='0x2' multifunction='on'`.
///
/// All zero means: of this kind, but not assigned yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Xml)]
#[xml(check = PciAddress::check)]
pub struct PciAddress {
    #[xml(attr, hex = 4, default, free, form = crate::forms::uint32)]
    pub domain: u32,
    #[xml(attr, hex = 2, default, form = crate::forms::uint8)]
    pub bus: u32,
    #[xml(attr, hex = 2, default, free, form = crate::forms::slot)]
    pub slot: u32,
    #[xml(attr, hex = 1, default, form = crate::forms::function)]
    pub function: u32,
    #[xml(attr)]
    pub multifunction: Option<Multifunction>,
    #[xml(child)]
    pub zpci: Option<ZpciAddress>,
}

/// `multifunction=`, ordered so that addresses can be sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, virtbus_xml::XmlEnum)]
pub enum Multifunction {
    On,
    Off,
}

/// `<zpci uid='0x0001' fid='0x00000000'/>` of s390.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Xml)]
pub struct ZpciAddress {
    #[xml(attr, hex = 4, free, form = crate::forms::uint16)]
    pub uid: Option<u32>,
    #[xml(attr, hex = 8, free, form = crate::forms::uint32)]
    pub fid: Option<u32>,
}

impl PciAddress {
    /// An address on a bus.
    #[must_use]
    pub const fn new(bus: u32, slot: u32, function: u32) -> Self {
        Self { domain: 0, bus, slot, function, multifunction: None, zpci: None }
    }

    /// Whether it still has to be assigned.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.domain == 0 && self.bus == 0 && self.slot == 0
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        self.zpci = self.zpci.filter(|it| it.uid.is_some() || it.fid.is_some());
        let limits = [
            ("domain", self.domain, 0xffff),
            ("bus", self.bus, 0xff),
            ("slot", self.slot, 0x1f),
            ("function", self.function, 7),
        ];
        for (name, value, limit) in limits {
            if value > limit {
                let message = format!("PCI {name} {value:#x} is beyond {limit:#x}");
                return Err(node.error(ErrorKind::BadValue, message));
            }
        }
        Ok(())
    }
}

/// `type='drive' controller='0' bus='0' target='0' unit='0'`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Xml)]
pub struct DriveAddress {
    #[xml(attr, default, form = crate::forms::two_digits)]
    pub controller: u32,
    #[xml(attr, default, form = crate::forms::two_digits)]
    pub bus: u32,
    #[xml(attr, default, form = crate::forms::two_digits)]
    pub target: u32,
    #[xml(attr, default, form = crate::forms::drive_unit)]
    pub unit: u32,
}

/// `type='virtio-serial' controller='0' bus='0' port='1'`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Xml)]
pub struct VirtioSerialAddress {
    #[xml(attr, default, must, form = crate::forms::two_digits)]
    pub controller: u32,
    #[xml(attr, default, form = crate::forms::two_digits)]
    pub bus: u32,
    #[xml(attr, default, form = crate::forms::two_digits)]
    pub port: u32,
}

/// `type='ccid' controller='0' slot='0'`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Xml)]
pub struct CcidAddress {
    #[xml(attr, default, must, form = crate::forms::two_digits)]
    pub controller: u32,
    #[xml(attr, default, form = crate::forms::two_digits)]
    pub slot: u32,
}

/// `type='usb' bus='0' port='1.2'`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Xml)]
#[xml(check = UsbAddress::check)]
pub struct UsbAddress {
    #[xml(attr, default, must, free, form = crate::forms::usb_number)]
    pub bus: u32,
    /// Port numbers from the root hub down, with dots; at most four.
    #[xml(attr, form = crate::forms::usb_port)]
    pub port: Option<String>,
}

impl UsbAddress {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        let Some(port) = &self.port else { return Ok(()) };
        let steps: Vec<_> = port.split('.').map(|it| it.parse::<u32>().ok().filter(|_| !it.starts_with('+'))).collect();
        if steps.len() > 4 || steps.contains(&None) {
            return Err(
                node.error(ErrorKind::Internal, format!("USB port \"{port}\" is not up to four numbers with dots"))
            );
        }
        Ok(())
    }

    /// The port numbers from the root hub down.
    pub fn ports(&self) -> impl Iterator<Item = u32> {
        self.port.as_deref().unwrap_or("").split('.').filter_map(|it| it.parse().ok())
    }
}

/// `type='spapr-vio' reg='0x1000'`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Xml)]
pub struct SpaprVioAddress {
    #[xml(attr, hex = 8, free, form = crate::forms::register)]
    pub reg: Option<u64>,
}

/// `type='ccw' cssid='0xfe' ssid='0x0' devno='0x0000'`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Xml)]
#[xml(form = CcwAddress::form)]
pub struct CcwAddress {
    #[xml(attr, hex = 1, form = crate::forms::cssid)]
    pub cssid: Option<u32>,
    #[xml(attr, hex = 1, form = crate::forms::ssid)]
    pub ssid: Option<u32>,
    #[xml(attr, hex = 4, form = crate::forms::devno)]
    pub devno: Option<u32>,
}

impl CcwAddress {
    /// The channel subsystem of virtual devices is 0xfe, and there are none above.
    fn check(self, node: Node<'_>) -> Result<(), Error> {
        let fault = |text: String| Err(node.error(ErrorKind::Internal, text));
        match (self.cssid, self.ssid, self.devno) {
            (None, None, None) => Ok(()),
            (Some(cssid), Some(ssid), Some(devno)) if cssid > 0xfe || ssid > 3 || devno > 0xffff => {
                fault(format!("no ccw address is {cssid:#x}.{ssid:#x}.{devno:#06x}"))
            }
            (Some(_), Some(_), Some(_)) => Ok(()),
            _ => fault("a ccw address has cssid, ssid and devno, or none of them".to_owned()),
        }
    }

    /// All of it is said or nothing.
    fn form(node: Node<'_>) -> Result<(), Error> {
        let said = ["cssid", "ssid", "devno"].iter().filter(|it| node.attr(it).is_some()).count();
        if said == 0 || said == 3 {
            return Ok(());
        }
        Err(node.error(ErrorKind::Unknown, "an address has cssid, ssid and devno, or none of them"))
    }
}

/// `type='isa' iobase='0x505' irq='0x1'`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Xml)]
pub struct IsaAddress {
    #[xml(attr, hex = 1, form = crate::forms::io_base)]
    pub iobase: Option<u32>,
    #[xml(attr, hex = 1, form = crate::forms::irq)]
    pub irq: Option<u32>,
}

/// `type='dimm' slot='0' base='0x100000000'`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Xml)]
#[xml(before = DimmAddress::check_slot)]
pub struct DimmAddress {
    #[xml(attr)]
    pub slot: Option<u32>,
    #[xml(attr, hex = 1, free, form = crate::forms::memory_base)]
    pub base: Option<u64>,
}

impl DimmAddress {
    fn check_slot(node: Node<'_>) -> Result<(), Error> {
        match node.attr("slot") {
            Some(_) => Ok(()),
            None => Err(node.error(ErrorKind::BadValue, "the address of a memory module has no slot")),
        }
    }
}

/// `<alias name='ua-disk'/>`: the name a device has in QEMU. Users may choose names that start with `ua-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Xml)]
#[xml(absent = Alias::is_nameless)]
pub struct Alias {
    #[xml(attr, form = crate::forms::alias)]
    pub name: String,
}

impl Alias {
    /// An alias of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    fn is_nameless(node: Node<'_>) -> bool {
        node.attr("name").is_none()
    }

    /// Whether the user chose it; others belong to one run and are not in inactive documents.
    #[must_use]
    pub fn is_users(&self) -> bool {
        self.name.starts_with("ua-")
    }

    pub(crate) fn is_shown(alias: &Option<Self>, options: &FormatOptions) -> bool {
        !options.inactive || alias.as_ref().is_some_and(Self::is_users)
    }
}

/// `<boot order='1' loadparm='2'/>` of a device.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Xml)]
#[xml(check = Boot::check)]
pub struct Boot {
    /// From 1.
    #[xml(attr, free, form = crate::forms::positive)]
    pub order: u32,
    #[xml(attr, form = crate::forms::loadparm)]
    pub loadparm: Option<String>,
}

impl Boot {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if let Some(text) = &mut self.loadparm {
            text.make_ascii_uppercase();
            if !(1..=8).contains(&text.len()) {
                return Err(node.error(ErrorKind::Internal, format!("loadparm '{text}' is not of 1 to 8 characters")));
            }
            if text.chars().any(|it| !(it.is_ascii_alphanumeric() || matches!(it, '.' | ' '))) {
                return Err(
                    node.error(ErrorKind::Internal, format!("loadparm '{text}' is not of a-z, 0-9, . and blanks"))
                );
            }
        }
        if self.order == 0 { Err(node.error(ErrorKind::BadValue, "boot order starts at 1")) } else { Ok(()) }
    }
}

/// `<rom enabled='no' bar='on' file='/path'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Xml)]
pub struct Rom {
    #[xml(attr)]
    pub enabled: Option<virtbus_xml::YesNo>,
    #[xml(attr)]
    pub bar: Option<OnOff>,
    #[xml(attr, form = crate::forms::absolute_path)]
    pub file: Option<String>,
}

/// What every device has last: alias, ACPI index, address.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Info {
    #[xml(child, when = Alias::is_shown)]
    pub alias: Option<Alias>,
    #[xml(attr = "acpi/@index", nonzero)]
    pub acpi_index: Option<u32>,
    #[xml(child)]
    pub address: Option<Address>,
}

/// The same for devices with an option ROM.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct RomInfo {
    #[xml(child)]
    pub boot: Option<Boot>,
    #[xml(child, when = Alias::is_shown)]
    pub alias: Option<Alias>,
    #[xml(child, omit_empty)]
    pub rom: Option<Rom>,
    #[xml(attr = "acpi/@index", nonzero)]
    pub acpi_index: Option<u32>,
    #[xml(child)]
    pub address: Option<Address>,
}

/// Options of the virtio transport that all virtio devices share, as attributes of their `<driver>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct VirtioOptions {
    #[xml(attr)]
    pub iommu: Option<OnOff>,
    #[xml(attr)]
    pub ats: Option<OnOff>,
    #[xml(attr)]
    pub packed: Option<OnOff>,
    #[xml(attr)]
    pub page_per_vq: Option<OnOff>,
}
