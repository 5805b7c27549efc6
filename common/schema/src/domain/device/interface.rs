//! `<interface>`: network cards and what they are connected to. It refuses to know how a port is made on the host.

use virtbus_xml::{Error, ErrorKind, Mac, Node, Xml, XmlEnum, YesNo};

mod driver;
mod port;
mod source;

pub use driver::{InterfaceBackend, InterfaceBackendKind, InterfaceDriver, InterfaceDriverName, Offloads, TxMode};
pub use port::{
    Bandwidth, BandwidthLimit, FilterParameter, FilterRef, GuestIp, GuestRoute, IpFamily, PortForward,
    PortForwardProtocol, PortForwardRange, VirtualPort, VirtualPortKind, VirtualPortParameters, Vlan, VlanNativeMode,
    VlanTag,
};
pub use source::{HostdevAddress, HostdevDriver, HostdevDriverName, InterfaceSource, SourceLocal, VfDriver};

use super::address::RomInfo;
use crate::network::{check_bandwidth, check_virtual_port, complete_vlan};

/// `<interface type='network'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(check = Interface::check, form = Interface::form)]
pub struct Interface {
    #[xml(attr = "type", default = InterfaceKind::User, must)]
    pub kind: InterfaceKind,
    #[xml(attr)]
    pub managed: Option<YesNo>,
    #[xml(attr = "trustGuestRxFilters")]
    pub trust_guest_rx_filters: Option<YesNo>,
    /// Absent until one is made up.
    #[xml(child)]
    pub mac: Option<InterfaceMac>,
    /// The host driver of `type='hostdev'`, which is written before the source.
    #[xml(child = "driver", omit_empty)]
    pub hostdev_driver: Option<VfDriver>,
    #[xml(child, omit_empty)]
    pub source: Option<InterfaceSource>,
    #[xml(children = "ip")]
    pub ips: Vec<GuestIp>,
    #[xml(children = "route")]
    pub routes: Vec<GuestRoute>,
    #[xml(children = "portForward")]
    pub port_forwards: Vec<PortForward>,
    #[xml(child)]
    pub vlan: Option<Vlan>,
    #[xml(child = "virtualport")]
    pub virtual_port: Option<VirtualPort>,
    #[xml(child)]
    pub bandwidth: Option<Bandwidth>,
    #[xml(attr = "port/@isolated", may)]
    pub isolated: Option<YesNo>,
    #[xml(child)]
    pub script: Option<Script>,
    #[xml(child)]
    pub downscript: Option<Script>,
    #[xml(attr = "backenddomain/@name")]
    pub backend_domain: Option<String>,
    #[xml(child)]
    pub target: Option<InterfaceTarget>,
    #[xml(child, omit_empty)]
    pub guest: Option<InterfaceGuest>,
    #[xml(attr = "model/@type", form = crate::forms::card_model)]
    pub model: Option<String>,
    #[xml(child, omit_empty)]
    pub driver: Option<InterfaceDriver>,
    #[xml(child, omit_empty)]
    pub backend: Option<InterfaceBackend>,
    #[xml(child)]
    pub filterref: Option<FilterRef>,
    #[xml(child = "tune/sndbuf")]
    pub sndbuf: Option<u32>,
    #[xml(child)]
    pub teaming: Option<Teaming>,
    #[xml(attr = "link/@state", fault = Unsupported)]
    pub link: Option<LinkState>,
    #[xml(attr = "mtu/@size")]
    pub mtu: Option<u32>,
    /// The most frames of one interrupt.
    #[xml(attr = "coalesce/rx/frames/@max")]
    pub coalesce: Option<u32>,
    #[xml(flatten)]
    pub info: RomInfo,
}

impl Interface {
    /// A network card of a kind with nothing said about it.
    #[must_use]
    pub fn new(kind: InterfaceKind) -> Self {
        Self {
            kind,
            managed: None,
            trust_guest_rx_filters: None,
            mac: None,
            hostdev_driver: None,
            source: None,
            ips: Vec::new(),
            routes: Vec::new(),
            port_forwards: Vec::new(),
            vlan: None,
            virtual_port: None,
            bandwidth: None,
            isolated: None,
            script: None,
            downscript: None,
            backend_domain: None,
            target: None,
            guest: None,
            model: None,
            driver: None,
            backend: None,
            filterref: None,
            sndbuf: None,
            teaming: None,
            link: None,
            mtu: None,
            coalesce: None,
            info: RomInfo::default(),
        }
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.kind == InterfaceKind::Hostdev {
            self.driver = None;
        } else {
            self.hostdev_driver = None;
        }
        let has_filter = matches!(self.kind, InterfaceKind::Network | InterfaceKind::Bridge | InterfaceKind::Ethernet);
        self.filterref = self.filterref.take().filter(|_| has_filter);
        if let Some(filterref) = &mut self.filterref {
            filterref.parameters.sort_by(|a, b| a.name.cmp(&b.name));
        }
        self.coalesce = self.coalesce.filter(|it| *it > 0);
        let has_odd = |it: &String| it.bytes().any(|it| !it.is_ascii_alphanumeric() && it != b'-' && it != b'_');
        if let Some(known) = self.model.as_ref().and_then(|it| known_model(it)) {
            self.model = Some(known.to_owned());
        }
        if self.model.as_ref().is_some_and(has_odd) {
            return Err(node.error(ErrorKind::Argument, "the model's name contains invalid characters"));
        }
        self.mtu = self.mtu.filter(|it| *it > 0);
        if let Some(backend) = &mut self.backend {
            // The default goes without saying.
            backend.kind = backend.kind.filter(|it| *it != InterfaceBackendKind::Default);
        }
        if let Some(driver) = &mut self.driver {
            // One queue goes without saying.
            driver.queues = driver.queues.filter(|it| *it > 1);
            driver.rx_queue_size = driver.rx_queue_size.filter(|it| *it > 0);
            driver.tx_queue_size = driver.tx_queue_size.filter(|it| *it > 0);
        }
        if let Some(mac) = self.mac.filter(|it| it.address.is_multicast()) {
            return Err(node.error(ErrorKind::BadValue, format!("{} is a multicast address", mac.address)));
        }
        let (is_passt, needs_source) = (self.is_passt(), self.needs_source());
        match &mut self.source {
            Some(source) => source.complete(self.kind, is_passt, node.child("source").unwrap_or(node))?,
            None if needs_source => return Err(node.error(ErrorKind::BadValue, "the interface has no source")),
            None => {}
        }
        self.check_source(node)?;
        self.check_port(node)
    }

    /// Whether a process of passt is its end on the host.
    #[must_use]
    pub fn is_passt(&self) -> bool {
        self.backend.as_ref().is_some_and(|it| it.kind == Some(InterfaceBackendKind::Passt))
    }

    fn needs_source(&self) -> bool {
        match self.kind {
            InterfaceKind::User | InterfaceKind::Ethernet | InterfaceKind::Null | InterfaceKind::Hostdev => false,
            InterfaceKind::VhostUser => !self.is_passt(),
            _ => true,
        }
    }

    fn check_source(&self, node: Node<'_>) -> Result<(), Error> {
        let source = self.source.as_ref();
        let one_of = |mode: Option<&String>, allowed: &'static [&'static str]| match mode {
            Some(mode) if !allowed.contains(&mode.as_str()) => {
                let at = node.child("source").unwrap_or(node);
                Err(at.fault(mode, virtbus_xml::Fault::NotOneOf(allowed)))
            }
            _ => Ok(()),
        };
        let mode = source.and_then(|it| it.mode.as_ref());
        match self.kind {
            InterfaceKind::Direct => one_of(mode, BRIDGE_MODES),
            InterfaceKind::VhostUser => {
                one_of(mode, SOCKET_MODES)?;
                let has_socket = source.is_some_and(|it| it.path.is_some()) || self.is_passt();
                if has_socket { Ok(()) } else { Err(node.error(ErrorKind::BadValue, "the source has no path")) }
            }
            InterfaceKind::Hostdev if source.is_none_or(|it| it.device.is_none() && it.product.is_none()) => {
                Err(node.error(ErrorKind::Unsupported, "the host device has no address"))
            }
            _ => Ok(()),
        }
    }

    /// What the port on the host's side says; a network may say the rest.
    fn check_port(&mut self, node: Node<'_>) -> Result<(), Error> {
        let on_network = self.kind == InterfaceKind::Network;
        complete_vlan(&mut self.vlan, node)?;
        check_bandwidth(&mut self.bandwidth, on_network, node)?;
        check_virtual_port(&mut self.virtual_port, !on_network, node)?;
        let Some(port) = self.virtual_port.as_ref().filter(|_| !on_network) else { return Ok(()) };
        let none = VirtualPortParameters::default();
        let it = port.parameters.as_ref().unwrap_or(&none);
        let needed = match port.kind {
            Some(VirtualPortKind::Qbg) if it.managerid.is_none() => "managerid",
            Some(VirtualPortKind::Qbg) if it.typeid.is_none() => "typeid",
            Some(VirtualPortKind::Qbg) if it.typeidversion.is_none() => "typeidversion",
            Some(VirtualPortKind::Qbh) if it.profileid.is_none() => "profileid",
            Some(VirtualPortKind::Midonet) if it.interfaceid.is_none() => "interfaceid",
            _ => return Ok(()),
        };
        let at = node.child("virtualport").unwrap_or(node);
        Err(at.error(ErrorKind::BadValue, format!("a virtual port of this type needs {needed}")))
    }

    /// What the source of each kind has in strict reading, and who may have a virtual port.
    fn form(node: Node<'_>) -> Result<(), Error> {
        let Some(kind) = node.attr("type").and_then(|it| InterfaceKind::from_name(it.value())) else { return Ok(()) };
        if let Some(mtu) = node.child("mtu").filter(|it| it.attr("size").is_none()) {
            return Err(mtu.missing("@size"));
        }
        if let Some(managed) = node.attr("managed").filter(|_| kind != InterfaceKind::Hostdev) {
            return Err(managed.error(ErrorKind::Unknown, "only host devices are managed"));
        }
        let is_switched = matches!(
            kind,
            InterfaceKind::Bridge | InterfaceKind::Network | InterfaceKind::Direct | InterfaceKind::Hostdev
        );
        if let Some(port) = node.child("virtualport").filter(|_| !is_switched) {
            return Err(port.error(ErrorKind::Unknown, format!("an interface of type {kind} has no virtual port")));
        }
        InterfaceSource::form(node, kind)
    }
}

/// `mode=` of a source of `type='direct'`.
const BRIDGE_MODES: &[&str] = &["vepa", "private", "bridge", "passthrough"];
/// The same of `type='vhostuser'`.
const SOCKET_MODES: &[&str] = &["server", "client"];

/// What the interface is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum InterfaceKind {
    User,
    Ethernet,
    #[xml(name = "vhostuser")]
    VhostUser,
    Server,
    Client,
    Mcast,
    Network,
    Bridge,
    Internal,
    Direct,
    Hostdev,
    Udp,
    Vdpa,
    Null,
    Vds,
}

/// `<mac address='52:54:00:00:00:01'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct InterfaceMac {
    #[xml(attr, form = crate::forms::unicast)]
    pub address: Mac,
    #[xml(attr = "type")]
    pub kind: Option<MacKind>,
    #[xml(attr)]
    pub check: Option<YesNo>,
    /// The address the guest uses, of a running one.
    #[xml(attr = "currentAddress", live)]
    pub current: Option<Mac>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum MacKind {
    Generated,
    Static,
}

/// `<script path='/etc/qemu-ifup'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct Script {
    #[xml(attr, form = crate::forms::line)]
    pub path: String,
}

/// `<target dev='vnet0' managed='no'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct InterfaceTarget {
    #[xml(attr, must, form = crate::forms::device_name)]
    pub dev: Option<String>,
    #[xml(attr)]
    pub managed: Option<YesNo>,
}

/// `<guest dev='eth0' actual='veth1'/>` of containers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct InterfaceGuest {
    #[xml(attr, form = crate::forms::device_name)]
    pub dev: Option<String>,
    #[xml(attr, form = crate::forms::device_name)]
    pub actual: Option<String>,
}

/// `<teaming type='transient' persistent='ua-backup'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(before = Teaming::check_kind, form = Teaming::form)]
pub struct Teaming {
    #[xml(attr = "type", fault = Unsupported)]
    pub kind: TeamingKind,
    #[xml(attr, form = crate::forms::alias)]
    pub persistent: Option<String>,
}

impl Teaming {
    fn check_kind(node: Node<'_>) -> Result<(), Error> {
        match node.attr("type") {
            Some(_) => Ok(()),
            None => Err(node.error(ErrorKind::Unsupported, "the teaming has no type")),
        }
    }

    fn form(node: Node<'_>) -> Result<(), Error> {
        let transient = node.attr("type").is_some_and(|it| it.value() == "transient");
        if transient == node.attr("persistent").is_some() {
            return Ok(());
        }
        Err(node.error(ErrorKind::Unknown, "a transient card, and no other, names its persistent one"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum TeamingKind {
    Persistent,
    Transient,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum LinkState {
    Up,
    Down,
}

/// Models that are known by name.
const MODELS: &[&str] = &[
    "netfront",
    "rtl8139",
    "virtio",
    "e1000",
    "e1000e",
    "igb",
    "virtio-transitional",
    "virtio-non-transitional",
    "usb-net",
    "spapr-vlan",
    "lan9118",
    "scm91c111",
    "vlance",
    "vmxnet",
    "vmxnet2",
    "vmxnet3",
    "Am79C970A",
    "Am79C973",
    "82540EM",
    "82545EM",
    "82543GC",
];

/// A known model as it is written, however the document writes it.
fn known_model(said: &str) -> Option<&'static str> {
    MODELS.iter().find(|it| it.eq_ignore_ascii_case(said)).copied()
}
