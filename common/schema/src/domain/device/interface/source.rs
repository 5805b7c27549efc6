//! What a card is connected to: `<source>` and the host devices it names.

use uuid::Uuid;
use virtbus_xml::{Error, ErrorKind, Node, Value, Xml, XmlEnum, YesNo};

use super::{GuestIp, GuestRoute, InterfaceKind, SOCKET_MODES};

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
    pub reconnect: Option<crate::domain::device::chardev::Reconnect>,
    /// Of `type='hostdev'`, a USB device by its make.
    #[xml(child)]
    pub vendor: Option<crate::domain::device::hostdev::UsbId>,
    #[xml(child)]
    pub product: Option<crate::domain::device::hostdev::UsbId>,
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
    pub(super) fn complete(&mut self, kind: InterfaceKind, is_passt: bool, node: Node<'_>) -> Result<(), Error> {
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
    pub(super) fn form(node: Node<'_>, kind: InterfaceKind) -> Result<(), Error> {
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
            K::Direct => &[("mode", super::BRIDGE_MODES)],
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
        if let Some(stray) = source.child("reconnect").filter(|_| kind != K::VhostUser) {
            return Err(stray.error(ErrorKind::Unknown, "only an interface of type vhostuser connects anew"));
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
    Pci(crate::domain::device::address::PciAddress),
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
