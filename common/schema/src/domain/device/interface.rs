//! `<interface>`: network cards and what they are connected to. It refuses to know how a port is made on the host.

use uuid::Uuid;
use virtbus_xml::{Error, ErrorKind, Mac, Node, RawElement, Value, Xml, XmlEnum, YesNo};

mod driver;
mod port;

pub use driver::{InterfaceBackend, InterfaceBackendKind, InterfaceDriver, InterfaceDriverName, Offloads, TxMode};
pub use port::{
    Bandwidth, BandwidthLimit, FilterParameter, FilterRef, GuestIp, GuestRoute, IpFamily, PortForward,
    PortForwardProtocol, PortForwardRange, VirtualPort, VirtualPortKind, VirtualPortParameters, Vlan, VlanNativeMode,
    VlanTag,
};

use super::address::RomInfo;

/// `<interface type='network'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(check = Interface::check)]
pub struct Interface {
    #[xml(attr = "type")]
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
    #[xml(child)]
    pub guest: Option<InterfaceGuest>,
    #[xml(attr = "model/@type")]
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
    #[xml(child)]
    pub coalesce: Option<RawElement>,
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
        if let Some(filterref) = &mut self.filterref {
            filterref.parameters.sort_by(|a, b| a.name.cmp(&b.name));
        }
        if let Some(mac) = self.mac.filter(|it| it.address.is_multicast()) {
            return Err(node.error(ErrorKind::BadValue, format!("{} is a multicast address", mac.address)));
        }
        let needs_source = self.needs_source();
        match &mut self.source {
            Some(source) => source.complete(self.kind, node.child("source").unwrap_or(node))?,
            None if needs_source => return Err(node.missing("source")),
            None => {}
        }
        self.check_source(node)?;
        self.check_addresses(node)
    }

    fn needs_source(&self) -> bool {
        let is_passt = self.backend.as_ref().is_some_and(|it| it.kind == Some(InterfaceBackendKind::Passt));
        match self.kind {
            InterfaceKind::User | InterfaceKind::Ethernet | InterfaceKind::Null | InterfaceKind::Hostdev => false,
            InterfaceKind::VhostUser => !is_passt,
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
            InterfaceKind::Direct => one_of(mode, &["vepa", "private", "bridge", "passthrough"]),
            InterfaceKind::VhostUser if source.is_some() => {
                one_of(mode, &["server", "client"])?;
                let is_socket = source.is_some_and(|it| it.path.is_some() || it.dev.is_some());
                if is_socket { Ok(()) } else { Err(node.missing("source/@path")) }
            }
            InterfaceKind::Hostdev if source.is_none_or(|it| it.device.is_none()) => {
                Err(node.error(ErrorKind::Unsupported, "the host device has no address"))
            }
            _ => Ok(()),
        }
    }

    fn check_addresses(&self, node: Node<'_>) -> Result<(), Error> {
        for ip in &self.ips {
            let limit = if ip.address.contains(':') { 128 } else { 32 };
            if let Some(prefix) = ip.prefix.filter(|it| *it > limit) {
                return Err(
                    node.error(ErrorKind::BadValue, format!("prefix {prefix} of an IP address is beyond {limit}"))
                );
            }
        }
        Ok(())
    }
}

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
    #[xml(attr)]
    pub portgroup: Option<String>,
    /// The bridge behind a network, while running; the bridge itself for `type='bridge'`.
    #[xml(attr)]
    pub bridge: Option<String>,
    #[xml(attr)]
    pub switchid: Option<Uuid>,
    /// The port of a network while running, or of a switch.
    #[xml(attr, when = is_port_shown)]
    pub portid: Option<String>,
    #[xml(attr)]
    pub portgroupid: Option<String>,
    #[xml(attr)]
    pub connectionid: Option<i64>,
    #[xml(attr)]
    pub name: Option<String>,
    #[xml(attr = "type")]
    pub kind: Option<String>,
    #[xml(attr)]
    pub path: Option<String>,
    #[xml(attr)]
    pub dev: Option<String>,
    #[xml(attr)]
    pub mode: Option<String>,
    #[xml(attr)]
    pub address: Option<String>,
    #[xml(attr)]
    pub port: Option<u32>,
    #[xml(child)]
    pub local: Option<SourceLocal>,
    #[xml(child)]
    pub reconnect: Option<super::chardev::Reconnect>,
    /// Of `type='hostdev'`.
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
    fn complete(&mut self, kind: InterfaceKind, node: Node<'_>) -> Result<(), Error> {
        use InterfaceKind as K;
        self.keep_only(kind);
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
            return Err(node.missing(what));
        }
        match kind {
            K::Udp => match &self.local {
                None => return Err(node.missing("local")),
                Some(SourceLocal { address: None, .. }) => return Err(node.missing("local/@address")),
                Some(SourceLocal { port: None, .. }) => return Err(node.missing("local/@port")),
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
            self.device = None;
        }
    }
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
        #[xml(attr)]
        bus: u32,
        #[xml(attr)]
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
    #[xml(attr)]
    pub address: Option<String>,
    #[xml(attr)]
    pub port: Option<u32>,
}

/// `<script path='/etc/qemu-ifup'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct Script {
    #[xml(attr)]
    pub path: String,
}

/// `<target dev='vnet0' managed='no'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct InterfaceTarget {
    #[xml(attr)]
    pub dev: Option<String>,
    #[xml(attr)]
    pub managed: Option<YesNo>,
}

/// `<guest dev='eth0' actual='veth1'/>` of containers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct InterfaceGuest {
    #[xml(attr)]
    pub dev: Option<String>,
    #[xml(attr, live)]
    pub actual: Option<String>,
}

/// `<teaming type='transient' persistent='ua-backup'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct Teaming {
    #[xml(attr = "type", fault = Unsupported)]
    pub kind: TeamingKind,
    #[xml(attr)]
    pub persistent: Option<String>,
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
