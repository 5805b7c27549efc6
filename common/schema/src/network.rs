//! `<network>`: the document of a virtual network. What depends on the host (free bridge names, made-up MAC addresses, the
//! devices of a pool) is filled in by virtnetworkd.

use uuid::Uuid;
use virtbus_xml::{Error, ErrorKind, FormatOptions, Mac, RawContent, Xml, XmlEnum, YesNo};

pub use crate::domain::device::interface::{
    Bandwidth, BandwidthLimit, HostdevDriver, HostdevDriverName, VirtualPort, VirtualPortKind, VirtualPortParameters,
    Vlan, VlanNativeMode, VlanTag,
};

pub mod bridge;
mod checks;
pub mod dhcp;
pub mod dns;
mod forms;
pub mod forward;
pub mod ip;
pub mod part;
pub mod portgroup;
mod qos;

pub use bridge::{Bridge, MacTableManager, NetworkDomain};
pub use dhcp::{Bootp, Dhcp, DhcpHost, DhcpRange, Lease, LeaseUnit};
pub use dns::{Dns, DnsForwarder, DnsHost, DnsSrv, DnsTxt};
pub use forward::{Forward, ForwardAddress, ForwardDevice, ForwardInterface, ForwardPf, Nat, NatAddress, NatPort};
pub use ip::{IpFamily, NetworkIp, NetworkRoute};
pub use part::Part;
pub use portgroup::Portgroup;
pub(crate) use qos::{check_bandwidth, check_virtual_port, complete_vlan};

/// The document of a virtual network.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(before = Network::check_identity, check = Network::check, form = Network::check_root)]
pub struct Network {
    #[xml(child, default, must)]
    pub name: String,
    /// Absent until one is made up.
    #[xml(child, fault = Internal)]
    pub uuid: Option<Uuid>,
    #[xml(child, form = forms::line)]
    pub title: Option<String>,
    #[xml(child)]
    pub description: Option<String>,
    #[xml(child, omit_empty)]
    pub metadata: Option<RawContent>,
    /// How packets leave; absent: they do not, the network is isolated.
    #[xml(child)]
    pub forward: Option<Forward>,
    /// Our own bridge, or with `mode='bridge'` the host's; a network with a bridge of its own always has the element.
    #[xml(child, omit_empty)]
    pub bridge: Option<Bridge>,
    #[xml(attr = "mtu/@size", form = forms::short)]
    pub mtu: Option<u32>,
    /// Of our bridge; absent until one is made up.
    #[xml(attr = "mac/@address", blank, form = forms::unicast)]
    pub mac: Option<Mac>,
    #[xml(child)]
    pub domain: Option<NetworkDomain>,
    #[xml(child, omit_empty)]
    pub dns: Option<Dns>,
    #[xml(child)]
    pub vlan: Option<Vlan>,
    #[xml(child)]
    pub bandwidth: Option<Bandwidth>,
    /// Whether guests may not reach each other.
    #[xml(attr = "port/@isolated")]
    pub isolated: Option<YesNo>,
    #[xml(children = "ip")]
    pub ips: Vec<NetworkIp>,
    #[xml(children = "route")]
    pub routes: Vec<NetworkRoute>,
    #[xml(child = "virtualport")]
    pub virtual_port: Option<VirtualPort>,
    #[xml(children = "portgroup")]
    pub portgroups: Vec<Portgroup>,
    /// What is handed through to dnsmasq.
    #[xml(flatten)]
    pub dnsmasq: DnsmasqNamespace,
    // Attributes stand last here: the namespace is declared before them, and its content is the last of all.
    /// How many ports are in use, of an active network.
    #[xml(attr, live, lenient, when = forward::is_counted)]
    pub connections: Option<u32>,
    /// Whether guests may speak IPv6 to each other on a network without an IPv6 address.
    #[xml(attr, blank, when = is_on)]
    pub ipv6: Option<YesNo>,
    #[xml(attr = "trustGuestRxFilters")]
    pub trust_guest_rx_filters: Option<YesNo>,
}

/// Options in the name space of dnsmasq.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(xmlns = "dnsmasq")]
pub struct DnsmasqNamespace {
    #[xml(children = "dnsmasq:options/dnsmasq:option")]
    pub options: Vec<DnsmasqOption>,
}

/// `<dnsmasq:option value='log-queries'/>`: a line of dnsmasq's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(before = DnsmasqOption::check)]
pub struct DnsmasqOption {
    #[xml(attr)]
    pub value: String,
}

/// `mode=` of `<forward>`: how guests reach what is outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, XmlEnum)]
pub enum ForwardMode {
    /// Not at all; written by leaving `<forward>` out.
    None,
    #[default]
    Nat,
    Route,
    Open,
    Bridge,
    Private,
    Vepa,
    Passthrough,
    Hostdev,
}

impl ForwardMode {
    /// Whether the network has a bridge that we make.
    #[must_use]
    pub const fn has_own_bridge(self) -> bool {
        matches!(self, Self::None | Self::Nat | Self::Route | Self::Open)
    }
}

fn is_on(switch: &Option<YesNo>, _: &FormatOptions) -> bool {
    *switch == Some(YesNo::Yes)
}

impl Network {
    /// The root element's name.
    pub const ROOT: &'static str = "network";

    /// Reads a document; elements nobody knows are ignored, as the reference does.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(text: &str) -> Result<Self, Error> {
        virtbus_xml::from_str(text, Self::ROOT)
    }

    /// Reads a document and refuses what nobody knows.
    ///
    /// # Errors
    /// The first fault or unknown part, with its place.
    pub fn parse_strict(text: &str) -> Result<Self, Error> {
        let named = |error: Error| match error.message.as_str() {
            // An empty name is a matter of its own, not of the schema.
            checks::NAMELESS if error.kind == ErrorKind::Unknown => Error { kind: ErrorKind::NoName, ..error },
            _ => error,
        };
        virtbus_xml::from_str_strict(text, Self::ROOT).map_err(named)
    }

    /// Writes the document.
    #[must_use]
    pub fn format(&self, options: FormatOptions) -> String {
        virtbus_xml::to_string(self, Self::ROOT, options)
    }

    /// How packets leave the network.
    #[must_use]
    pub fn mode(&self) -> ForwardMode {
        self.forward.as_ref().map_or(ForwardMode::None, |it| it.mode)
    }

    /// The name of the bridge, ours or the host's.
    #[must_use]
    pub fn bridge_name(&self) -> Option<&str> {
        self.bridge.as_ref()?.name.as_deref()
    }

    /// The IPv4 address whose network is served by DHCP, and what is served there.
    #[must_use]
    pub fn dhcp4(&self) -> Option<(&NetworkIp, &Dhcp)> {
        self.ips.iter().filter(|it| it.address.is_ipv4()).find_map(|it| Some((it, it.dhcp.as_ref()?)))
    }

    /// The same for IPv6.
    #[must_use]
    pub fn dhcp6(&self) -> Option<(&NetworkIp, &Dhcp)> {
        self.ips.iter().filter(|it| it.address.is_ipv6()).find_map(|it| Some((it, it.dhcp.as_ref()?)))
    }

    /// The port group of a name; without one the group that is the default.
    #[must_use]
    pub fn portgroup(&self, name: Option<&str>) -> Option<&Portgroup> {
        self.portgroups.iter().find(|it| match name {
            Some(name) => it.name == name,
            None => it.is_default == Some(YesNo::Yes),
        })
    }
}
