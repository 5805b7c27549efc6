//! `<interface>`: network cards and what they are connected to. It refuses to know how a port is made on the host.

use uuid::Uuid;
use virtbus_xml::{Error, ErrorKind, Mac, Node, Value, Xml, XmlEnum, YesNo};

mod driver;
mod port;

pub use driver::{InterfaceBackend, InterfaceBackendKind, InterfaceDriver, InterfaceDriverName, Offloads, TxMode};
pub use port::{
    Bandwidth, BandwidthLimit, FilterParameter, FilterRef, GuestIp, GuestRoute, IpFamily, PortForward,
    PortForwardProtocol, PortForwardRange, VirtualPort, VirtualPortKind, VirtualPortParameters, Vlan, VlanNativeMode,
    VlanTag,
};

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
    #[xml(child = "driver")]
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
    #[xml(attr = "port/@isolated")]
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
    #[xml(attr = "model/@type", form = crate::forms::word)]
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
        if self.model.as_ref().is_some_and(has_odd) {
            return Err(node.error(ErrorKind::Argument, "the model's name contains invalid characters"));
        }
        self.mtu = self.mtu.filter(|it| *it > 0);
        if let Some(backend) = &mut self.backend {
            // The default goes without saying.
            backend.kind = backend.kind.filter(|it| *it != InterfaceBackendKind::Default);
        }
        if let Some(driver) = &mut self.driver {
            driver.queues = driver.queues.filter(|it| *it > 0);
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

/// `<source>`. Which fields count depends on the interface's kind; the others are empty.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
pub struct InterfaceSource {
    #[xml(attr)]
    pub network: Option<String>,
    #[xml(attr, form = crate::forms::device_name)]
    pub portgroup: Option<String>,
    /// The bridge behind a network, while running; the bridge itself for `type='bridge'`.
    #[xml(attr, form = crate::forms::bridge_name)]
    pub bridge: Option<String>,
    /// Who keeps the bridge's table of addresses.
    #[xml(attr = "macTableManager", when = never)]
    pub mac_table_manager: Option<crate::network::MacTableManager>,
    #[xml(attr)]
    pub switchid: Option<Uuid>,
    /// The port of a network while running, or of a switch.
    #[xml(attr, when = is_port_shown)]
    pub portid: Option<String>,
    #[xml(attr)]
    pub portgroupid: Option<String>,
    #[xml(attr)]
    pub connectionid: Option<i64>,
    #[xml(attr, form = crate::forms::device_name)]
    pub name: Option<String>,
    #[xml(attr = "type")]
    pub kind: Option<String>,
    #[xml(attr, form = crate::forms::absolute)]
    pub path: Option<String>,
    #[xml(attr, form = crate::forms::device_name)]
    pub dev: Option<String>,
    #[xml(attr)]
    pub mode: Option<String>,
    #[xml(attr, form = crate::forms::v4)]
    pub address: Option<String>,
    #[xml(attr, form = crate::forms::port)]
    pub port: Option<i32>,
    /// Whether the device of `type='hostdev'` was not there.
    #[xml(attr, live, lenient)]
    pub missing: Option<YesNo>,
    #[xml(child)]
    pub local: Option<SourceLocal>,
    #[xml(child)]
    pub reconnect: Option<super::chardev::Reconnect>,
    /// Of `type='hostdev'`, a USB device by its make.
    #[xml(child)]
    pub vendor: Option<super::hostdev::UsbId>,
    #[xml(child)]
    pub product: Option<super::hostdev::UsbId>,
    /// Of `type='hostdev'`, by its place.
    #[xml(child = "address")]
    pub device: Option<HostdevAddress>,
    /// Host-side addresses and routes of `type='ethernet'`.
    #[xml(children = "ip")]
    pub ips: Vec<GuestIp>,
    #[xml(children = "route")]
    pub routes: Vec<GuestRoute>,
}

impl InterfaceSource {
    /// Drops what does not belong to a kind of interface, asks for what does and fills in what it means unsaid, as the
    /// reference does: nothing that is kept may be written as a source without the attribute that it needs to be read.
    fn complete(&mut self, kind: InterfaceKind, is_passt: bool, node: Node<'_>) -> Result<(), Error> {
        use InterfaceKind as K;
        self.keep_only(kind);
        // QEMU's own NAT has no device that it goes through.
        self.dev = self.dev.take().filter(|_| kind != K::User || is_passt);
        if let Some(HostdevAddress::Pci(place)) = &mut self.device {
            place.multifunction = None;
        }
        let lacks = |what: &str| Err(node.missing(what));
        let is_said = match kind {
            K::Network => ("@network", self.network.is_some()),
            K::Bridge => ("@bridge", self.bridge.is_some()),
            K::Internal => ("@name", self.name.is_some()),
            K::Direct | K::Vdpa => ("@dev", self.dev.is_some()),
            K::Client | K::Mcast | K::Udp if self.address.is_none() => ("@address", false),
            K::Server | K::Client | K::Mcast | K::Udp => ("@port", self.port.is_some()),
            K::Vds => ("@switchid", self.switchid.is_some()),
            _ => ("", true),
        };
        if let (what, false) = is_said {
            return lacks(what);
        }
        match kind {
            K::Udp => match &self.local {
                None => return lacks("local"),
                Some(SourceLocal { address: None, .. }) => return lacks("local/@address"),
                Some(SourceLocal { port: None, .. }) => return lacks("local/@port"),
                Some(_) => {}
            },
            K::Direct => drop(self.mode.get_or_insert_with(|| "vepa".to_owned())),
            K::Network => {
                let port = self.portid.take().and_then(|it| Uuid::from_text(&it).ok());
                self.portid = port.map(|it| it.hyphenated().to_string());
            }
            K::Vds => {
                let port = self.portid.as_deref().map_or(Ok(0), i64::from_text);
                let port = port.map_err(|fault| node.fault(self.portid.as_deref().unwrap_or_default(), fault))?;
                self.portid = Some(port.to_string());
                self.connectionid.get_or_insert(0);
            }
            _ => {}
        }
        Ok(())
    }

    /// Which attributes a source of a kind has, and which it must have.
    fn form(node: Node<'_>, kind: InterfaceKind) -> Result<(), Error> {
        use InterfaceKind as K;
        let (may, must): (&[&str], &[&str]) = match kind {
            K::Bridge => (&["macTableManager", "network", "portgroup", "portid"], &["bridge"]),
            K::VhostUser => (&["type", "path", "mode", "dev"], &[]),
            K::Network => (&["portgroup", "portid", "bridge", "macTableManager"], &["network"]),
            K::Direct => (&["mode", "network", "portgroup", "portid"], &["dev"]),
            K::User | K::Vdpa => (&[], &["dev"]),
            K::Internal => (&[], &["name"]),
            K::Mcast | K::Client | K::Udp => (&[], &["address", "port"]),
            K::Server => (&["address"], &["port"]),
            K::Hostdev => (&["missing"], &[]),
            K::Vds => (&["portid", "portgroupid", "connectionid"], &["switchid"]),
            K::Ethernet | K::Null => (&[], &[]),
        };
        let Some(source) = node.child("source") else {
            let can_be_without = matches!(kind, K::Bridge | K::Ethernet | K::VhostUser | K::User | K::Null);
            return if can_be_without { Ok(()) } else { Err(node.missing("source")) };
        };
        if kind == K::Null {
            return Err(source.error(ErrorKind::Unknown, "an interface of type null has no source"));
        }
        let known = Self::KINDS.iter().filter(|it| source.attr(it).is_some());
        if let Some(stray) = known.into_iter().find(|it| !may.contains(it) && !must.contains(it)) {
            let text = format!("'{stray}' does not belong to a source of type {kind}");
            return Err(source.error(ErrorKind::Unknown, text));
        }
        if let Some(missing) = must.iter().find(|it| source.attr(it).is_none()) {
            return Err(source.missing(&format!("@{missing}")));
        }
        let listed: &[(&str, &[&str])] = match kind {
            K::Direct => &[("mode", BRIDGE_MODES)],
            K::VhostUser => &[("mode", SOCKET_MODES), ("type", &["unix"])],
            _ => &[],
        };
        for (name, allowed) in listed {
            if let Some(said) = source.attr(name).filter(|it| !allowed.contains(&it.value())) {
                return Err(source.error(ErrorKind::Unknown, format!("unknown {name} '{}'", said.value())));
            }
        }
        if let Some(stray) = source.child("ip").or(source.child("route")).filter(|_| kind != K::Ethernet) {
            return Err(stray.error(ErrorKind::Unknown, "only an interface of type ethernet has addresses on the host"));
        }
        match kind {
            K::Hostdev if source.child("address").is_none() && source.child("product").is_none() => {
                Err(source.missing("address"))
            }
            K::Udp if source.child("local").is_none() => Err(source.missing("local")),
            _ => Ok(()),
        }
    }

    /// All attributes that belong to some kinds only.
    const KINDS: &[&str] = &[
        "network",
        "portgroup",
        "bridge",
        "macTableManager",
        "switchid",
        "portid",
        "portgroupid",
        "connectionid",
        "name",
        "type",
        "path",
        "dev",
        "mode",
        "address",
        "port",
        "missing",
    ];

    fn keep_only(&mut self, kind: InterfaceKind) {
        use InterfaceKind as K;
        let is = |kinds: &[K]| kinds.contains(&kind);
        if !is(&[K::Network]) {
            (self.network, self.portgroup) = (None, None);
        }
        if !is(&[K::Network, K::Vds]) {
            self.portid = None;
        }
        if !is(&[K::Network, K::Bridge]) {
            self.bridge = None;
        }
        if !is(&[K::Vds]) {
            (self.switchid, self.portgroupid, self.connectionid) = (None, None, None);
        }
        if !is(&[K::Internal]) {
            self.name = None;
        }
        if !is(&[K::VhostUser]) {
            (self.kind, self.path, self.reconnect) = (None, None, None);
        }
        if !is(&[K::Direct, K::Vdpa, K::User, K::VhostUser]) {
            self.dev = None;
        }
        if !is(&[K::Direct, K::VhostUser]) {
            self.mode = None;
        }
        if !is(&[K::Server, K::Client, K::Mcast, K::Udp]) {
            (self.address, self.port) = (None, None);
        }
        if !is(&[K::Udp]) {
            self.local = None;
        }
        if !is(&[K::Hostdev]) {
            (self.vendor, self.product, self.device) = (None, None, None);
        }
        if !is(&[K::Ethernet]) {
            self.ips.clear();
            self.routes.clear();
        }
    }
}

/// What is read and held against its list, and not kept.
fn never<T>(_: &Option<T>, _: &virtbus_xml::FormatOptions) -> bool {
    false
}

/// The port of a network is a UUID and belongs to one run; the port of a switch is a number and stays.
fn is_port_shown(port: &Option<String>, options: &virtbus_xml::FormatOptions) -> bool {
    !options.inactive || port.as_ref().is_some_and(|it| it.len() < 32)
}

/// Which host device an interface is: `<address type='pci' .../>` or `<address type='usb' bus='1' device='2'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(tag = "type", fault = Unsupported)]
pub enum HostdevAddress {
    Pci(super::address::PciAddress),
    Usb {
        #[xml(attr, any_base, free, form = crate::forms::usb_number)]
        bus: u32,
        #[xml(attr, any_base, free, form = crate::forms::usb_number)]
        device: u32,
    },
}

/// The same for an interface, whose other kinds have drivers of other names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct VfDriver {
    #[xml(attr)]
    pub name: Option<String>,
    #[xml(attr)]
    pub model: Option<String>,
}

/// The driver on the host's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum HostdevDriverName {
    Kvm,
    Vfio,
    Xen,
}

/// `<driver name='vfio' model='vfio-pci'/>` of a host device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct HostdevDriver {
    #[xml(attr)]
    pub name: Option<HostdevDriverName>,
    #[xml(attr)]
    pub model: Option<String>,
}

/// `<local address='127.0.0.1' port='1'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct SourceLocal {
    #[xml(attr, must, form = crate::forms::v4)]
    pub address: Option<String>,
    #[xml(attr, must, form = crate::forms::port)]
    pub port: Option<i32>,
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
