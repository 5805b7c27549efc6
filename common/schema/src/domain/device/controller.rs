//! `<controller>`: buses other devices sit on. It refuses to know which of them a machine has of its own.

use virtbus_xml::{Error, ErrorKind, Node, OnOff, Size, Xml, XmlEnum};

use super::address::{Address, Alias, VirtioOptions};
use super::disk::DiskIoThread;

/// `<controller type='pci' index='1' model='pcie-root-port'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(before = Controller::check_model, check = Controller::check, form = Controller::form)]
pub struct Controller {
    #[xml(attr = "type", default = ControllerKind::Ide)]
    pub kind: ControllerKind,
    /// Absent until it is counted within its kind.
    #[xml(attr)]
    pub index: Option<u32>,
    /// Absent until the machine's default is filled in. Values depend on the kind: see [`ControllerKind::models`].
    #[xml(attr)]
    pub model: Option<String>,
    /// Of virtio-serial, USB and Xen controllers.
    #[xml(attr)]
    pub ports: Option<u32>,
    #[xml(attr)]
    pub vectors: Option<u32>,
    #[xml(attr = "maxGrantFrames")]
    pub max_grant_frames: Option<u32>,
    #[xml(attr = "maxEventChannels")]
    pub max_event_channels: Option<u32>,
    /// `<model name='pcie-root-port'/>`: the emulated chip.
    #[xml(attr = "model/@name", fault = BadValue)]
    pub model_name: Option<PciControllerModelName>,
    #[xml(child)]
    pub target: Option<ControllerTarget>,
    #[xml(child, omit_empty)]
    pub driver: Option<ControllerDriver>,
    /// Of PCI roots.
    #[xml(child)]
    pub pcihole64: Option<Size>,
    #[xml(flatten)]
    pub info: ControllerInfo,
}

/// What every device has last, with the first port of a USB companion between.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct ControllerInfo {
    #[xml(child, when = Alias::is_shown)]
    pub alias: Option<Alias>,
    /// `<master startport='0'/>`: the first port of a USB companion.
    #[xml(attr = "master/@startport", free, form = crate::forms::usb_port)]
    pub master_startport: Option<u32>,
    #[xml(attr = "acpi/@index")]
    pub acpi_index: Option<u32>,
    #[xml(child)]
    pub address: Option<Address>,
}

impl Controller {
    /// A controller of a kind, as the daemon adds them.
    #[must_use]
    pub fn new(kind: ControllerKind, index: u32) -> Self {
        Self {
            kind,
            index: Some(index),
            model: None,
            ports: None,
            vectors: None,
            max_grant_frames: None,
            max_event_channels: None,
            model_name: None,
            target: None,
            driver: None,
            pcihole64: None,
            info: ControllerInfo::default(),
        }
    }

    /// Each kind has models, attributes and parts of its own.
    fn form(node: Node<'_>) -> Result<(), Error> {
        use ControllerKind as K;
        let kind = node.attr("type").and_then(|it| K::from_name(it.value()));
        let Some(kind) = kind else { return Err(node.error(ErrorKind::Unknown, "a controller has a type")) };
        let model = node.attr("model");
        if let Some(model) = model.as_ref().filter(|it| !kind.models().contains(&it.value())) {
            return Err(model.error(ErrorKind::Unknown, format!("{kind} controllers have no such model")));
        }
        if kind == K::Pci && model.is_none() {
            return Err(node.error(ErrorKind::Unknown, "PCI controllers have a model"));
        }
        let attributes: [(&str, &[K]); 4] = [
            ("ports", &[K::Usb, K::VirtioSerial]),
            ("vectors", &[K::VirtioSerial]),
            ("maxGrantFrames", &[K::Xenbus]),
            ("maxEventChannels", &[K::Xenbus]),
        ];
        for (name, kinds) in attributes {
            if let Some(attr) = node.attr(name).filter(|_| !kinds.contains(&kind)) {
                return Err(attr.error(ErrorKind::Unknown, format!("{kind} controllers have no {name}")));
            }
        }
        let is_root = model.is_some_and(|it| matches!(it.value(), "pci-root" | "pcie-root"));
        let parts = [
            ("master", kind == K::Usb),
            ("model", kind == K::Pci),
            ("target", kind == K::Pci),
            ("pcihole64", kind == K::Pci && is_root),
        ];
        for (name, may) in parts {
            if let Some(part) = node.child(name).filter(|_| !may) {
                return Err(part.error(ErrorKind::Unknown, format!("this {kind} controller has no <{name}>")));
            }
        }
        Ok(())
    }

    /// Whether it is the companion of another USB controller, which it shares the ports with.
    #[must_use]
    pub const fn is_companion(&self) -> bool {
        self.info.master_startport.is_some()
    }

    /// The model is one of the kind's: said before anything else of it.
    fn check_model(node: Node<'_>) -> Result<(), Error> {
        let kind = node.attr("type").map_or(Some(ControllerKind::Ide), |it| ControllerKind::from_name(it.value()));
        let Some((kind, model)) = kind.zip(node.attr("model")) else { return Ok(()) };
        if kind.models().contains(&model.value()) {
            return Ok(());
        }
        let what = format!("unknown {kind} controller model '{}'", model.value());
        let hint = format!("expected one of {}", kind.models().join(", "));
        Err(node.error(ErrorKind::Unsupported, what).with_hint(hint))
    }

    #[allow(clippy::unnecessary_wraps, reason = "the shape of a check")]
    fn check(&mut self, _: Node<'_>) -> Result<(), Error> {
        if let (ControllerKind::Usb, Some(model)) = (self.kind, self.model.as_deref()) {
            let first = match model {
                "ich9-uhci1" => Some(0),
                "ich9-uhci2" => Some(2),
                "ich9-uhci3" => Some(4),
                _ => None,
            };
            self.info.master_startport = self.info.master_startport.or(first);
        }
        if !self.is_root() {
            self.pcihole64 = None;
        }
        if self.kind == ControllerKind::Usb && self.model.as_deref() == Some("none") {
            // What is not there is nowhere.
            self.info.address = None;
        }
        Ok(())
    }

    /// Whether it is the root of PCI.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.kind == ControllerKind::Pci && matches!(self.model.as_deref(), Some("pci-root" | "pcie-root"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, XmlEnum)]
pub enum ControllerKind {
    Ide,
    Fdc,
    Scsi,
    Sata,
    VirtioSerial,
    Ccid,
    Usb,
    Pci,
    Xenbus,
    Isa,
}

impl ControllerKind {
    /// The models of this kind.
    #[must_use]
    pub const fn models(self) -> &'static [&'static str] {
        match self {
            Self::Ide => &["piix3", "piix4", "ich6"],
            Self::Scsi => &[
                "auto",
                "buslogic",
                "lsilogic",
                "lsisas1068",
                "vmpvscsi",
                "ibmvscsi",
                "virtio-scsi",
                "lsisas1078",
                "virtio-transitional",
                "virtio-non-transitional",
                "ncr53c90",
                "dc390",
                "am53c974",
            ],
            Self::VirtioSerial => &["virtio", "virtio-transitional", "virtio-non-transitional"],
            Self::Usb => &[
                "piix3-uhci",
                "piix4-uhci",
                "ehci",
                "ich9-ehci1",
                "ich9-uhci1",
                "ich9-uhci2",
                "ich9-uhci3",
                "vt82c686b-uhci",
                "pci-ohci",
                "nec-xhci",
                "qusb1",
                "qusb2",
                "qemu-xhci",
                "none",
            ],
            Self::Pci => &[
                "pci-root",
                "pcie-root",
                "pci-bridge",
                "dmi-to-pci-bridge",
                "pcie-to-pci-bridge",
                "pcie-root-port",
                "pcie-switch-upstream-port",
                "pcie-switch-downstream-port",
                "pci-expander-bus",
                "pcie-expander-bus",
            ],
            Self::Fdc | Self::Sata | Self::Ccid | Self::Xenbus | Self::Isa => &[],
        }
    }
}

/// The chips behind PCI controllers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum PciControllerModelName {
    PciBridge,
    #[xml(name = "i82801b11-bridge")]
    I82801b11Bridge,
    Ioh3420,
    #[xml(name = "x3130-upstream")]
    X3130Upstream,
    #[xml(name = "xio3130-downstream")]
    Xio3130Downstream,
    Pxb,
    PxbPcie,
    PcieRootPort,
    SpaprPciHostBridge,
    PciePciBridge,
}

/// `<target chassis='1' port='0x10'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = ControllerTarget::check)]
pub struct ControllerTarget {
    #[xml(attr = "chassisNr", any_base, form = crate::forms::uint8)]
    pub chassis_nr: Option<u32>,
    #[xml(attr, any_base, form = crate::forms::uint8)]
    pub chassis: Option<u32>,
    #[xml(attr, hex = 1, form = crate::forms::uint8)]
    pub port: Option<u32>,
    #[xml(attr = "busNr", any_base, form = crate::forms::uint8)]
    pub bus_nr: Option<u32>,
    #[xml(attr, any_base, form = crate::forms::uint8)]
    pub index: Option<u32>,
    #[xml(attr)]
    pub hotplug: Option<OnOff>,
    /// In KiB.
    #[xml(attr = "memReserve", any_base, form = crate::forms::digits)]
    pub mem_reserve: Option<u64>,
    #[xml(child)]
    pub node: Option<u32>,
}

impl ControllerTarget {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.mem_reserve == Some(0) {
            return Err(node.error(ErrorKind::BadValue, "memReserve is 0"));
        }
        let limits = [
            ("chassisNr", self.chassis_nr, 1..=255),
            ("chassis", self.chassis, 0..=255),
            ("port", self.port, 0..=255),
            ("busNr", self.bus_nr, 1..=254),
            ("index", self.index, 0..=30),
        ];
        for (name, value, range) in limits {
            if let Some(value) = value.filter(|it| !range.contains(it)) {
                let message = format!("{name} {value} is not in {} to {}", range.start(), range.end());
                return Err(node.error(ErrorKind::Unsupported, message));
            }
        }
        Ok(())
    }
}

/// `<driver queues='4' iothread='1'/>`.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
pub struct ControllerDriver {
    #[xml(attr)]
    pub queues: Option<u32>,
    #[xml(attr)]
    pub cmd_per_lun: Option<u32>,
    #[xml(attr)]
    pub max_sectors: Option<u32>,
    #[xml(attr)]
    pub ioeventfd: Option<OnOff>,
    #[xml(attr)]
    pub iothread: Option<u32>,
    #[xml(flatten)]
    pub virtio: VirtioOptions,
    #[xml(children = "iothreads/iothread")]
    pub iothreads: Vec<DiskIoThread>,
}
