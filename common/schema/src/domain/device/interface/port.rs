//! The port an interface is plugged into: VLANs, virtual ports, bandwidth, filters, addresses inside the guest.

use std::net::IpAddr;

use virtbus_xml::{Error, ErrorKind, Node, Xml, XmlEnum, YesNo};

pub use crate::network::NetworkRoute as GuestRoute;

/// `<vlan trunk='yes'>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Vlan {
    #[xml(attr, form = crate::forms::yes)]
    pub trunk: Option<YesNo>,
    #[xml(children = "tag")]
    pub tags: Vec<VlanTag>,
}

/// `<tag id='42' nativeMode='untagged'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
#[xml(check = VlanTag::check)]
pub struct VlanTag {
    #[xml(attr, form = crate::forms::vlan)]
    pub id: u32,
    #[xml(attr = "nativeMode")]
    pub native_mode: Option<VlanNativeMode>,
}

impl VlanTag {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.id > 4095 {
            return Err(node.error(ErrorKind::BadValue, format!("VLAN {} is beyond 4095", self.id)));
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum VlanNativeMode {
    Tagged,
    Untagged,
}

/// `<virtualport type='openvswitch'>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(form = VirtualPort::form)]
pub struct VirtualPort {
    #[xml(attr = "type", fault = Unsupported)]
    pub kind: Option<VirtualPortKind>,
    #[xml(child, omit_empty)]
    pub parameters: Option<VirtualPortParameters>,
}

impl VirtualPort {
    /// Which parameters a port of each type has.
    fn form(node: Node<'_>) -> Result<(), Error> {
        let known: &[&str] = match node.attr("type").map(|it| it.value()) {
            None => return Ok(()),
            Some("802.1Qbg") => &["managerid", "typeid", "typeidversion", "instanceid"],
            Some("802.1Qbh") => &["profileid"],
            Some("openvswitch") => &["profileid", "interfaceid"],
            Some("midonet") => &["interfaceid"],
            Some(other) => return Err(node.error(ErrorKind::Unknown, format!("no virtual port is of type {other}"))),
        };
        let Some(parameters) = node.child("parameters") else { return Ok(()) };
        let all = ["managerid", "typeid", "typeidversion", "instanceid", "interfaceid", "profileid"];
        match all.iter().find(|it| parameters.attr(it).is_some() && !known.contains(it)) {
            Some(stray) => Err(parameters.error(ErrorKind::Unknown, format!("{stray} does not belong to this type"))),
            None => Ok(()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum VirtualPortKind {
    None,
    #[xml(name = "802.1Qbg")]
    Qbg,
    #[xml(name = "802.1Qbh")]
    Qbh,
    Openvswitch,
    Midonet,
}

/// `<parameters>` of a virtual port.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = VirtualPortParameters::check)]
pub struct VirtualPortParameters {
    #[xml(attr, any_base, form = crate::forms::uint8)]
    pub managerid: Option<u32>,
    #[xml(attr, any_base, form = crate::forms::uint24)]
    pub typeid: Option<u32>,
    #[xml(attr, any_base, form = crate::forms::uint8)]
    pub typeidversion: Option<u32>,
    #[xml(attr)]
    pub instanceid: Option<uuid::Uuid>,
    #[xml(attr)]
    pub interfaceid: Option<uuid::Uuid>,
    #[xml(attr)]
    pub profileid: Option<String>,
}

impl VirtualPortParameters {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        let limits = [
            ("managerid", self.managerid, 0xff),
            ("typeid", self.typeid, 0xff_ffff),
            ("typeidversion", self.typeidversion, 0xff),
        ];
        for (name, value, limit) in limits {
            if value.is_some_and(|it| it > limit) {
                return Err(node.error(ErrorKind::BadValue, format!("{name} is beyond {limit}")));
            }
        }
        Ok(())
    }
}

/// `<bandwidth>`, in KiB per second and KiB.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(open)]
pub struct Bandwidth {
    #[xml(child)]
    pub inbound: Option<BandwidthLimit>,
    #[xml(child)]
    pub outbound: Option<BandwidthLimit>,
}

/// `<inbound average='1000' peak='5000' floor='200' burst='1024'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
#[xml(check = BandwidthLimit::check)]
pub struct BandwidthLimit {
    #[xml(attr, form = crate::forms::positive)]
    pub average: Option<u64>,
    #[xml(attr, form = crate::forms::positive)]
    pub peak: Option<u64>,
    #[xml(attr, form = crate::forms::positive)]
    pub floor: Option<u64>,
    #[xml(attr, form = crate::forms::positive)]
    pub burst: Option<u64>,
}

impl BandwidthLimit {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.average.is_none() && self.floor.is_none() {
            return Err(node.error(ErrorKind::Conflict, "needs average or floor"));
        }
        Ok(())
    }
}

/// `<filterref filter='clean-traffic'>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct FilterRef {
    #[xml(attr, form = crate::forms::nc_name)]
    pub filter: String,
    #[xml(children = "parameter")]
    pub parameters: Vec<FilterParameter>,
}

/// `<parameter name='IP' value='10.0.0.1'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct FilterParameter {
    #[xml(attr)]
    pub name: String,
    #[xml(attr)]
    pub value: String,
}

/// `<ip address='192.168.0.2' family='ipv4' prefix='24'/>` of the guest.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(check = GuestIp::check)]
pub struct GuestIp {
    #[xml(attr, form = crate::forms::ip)]
    pub address: IpAddr,
    #[xml(attr, lenient)]
    pub family: Option<IpFamily>,
    #[xml(attr)]
    pub prefix: Option<u32>,
    #[xml(attr, fault = Argument, form = crate::forms::ip)]
    pub peer: Option<IpAddr>,
}

impl GuestIp {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        let is_v6 = self.address.is_ipv6();
        let own = if is_v6 { IpFamily::Ipv6 } else { IpFamily::Ipv4 };
        if self.family.is_some_and(|it| it != own) {
            return Err(node.error(ErrorKind::BadValue, format!("{} is of another family", self.address)));
        }
        self.family = Some(own);
        if let Some(peer) = self.peer.filter(|it| it.is_ipv6() != is_v6) {
            return Err(node.error(ErrorKind::Argument, format!("peer {peer} is of another family")));
        }
        let most = if is_v6 { 128 } else { 32 };
        if let Some(prefix) = self.prefix.filter(|it| *it > most) {
            return Err(node.error(ErrorKind::BadValue, format!("prefix {prefix} of an IP address is beyond {most}")));
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum IpFamily {
    Ipv4,
    Ipv6,
}

/// `<portForward proto='tcp' address='10.0.0.1' dev='eth0'>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct PortForward {
    #[xml(attr)]
    pub proto: PortForwardProtocol,
    #[xml(attr, form = crate::forms::ip)]
    pub address: Option<IpAddr>,
    #[xml(attr, form = crate::forms::device_name)]
    pub dev: Option<String>,
    #[xml(children = "range")]
    pub ranges: Vec<PortForwardRange>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum PortForwardProtocol {
    Tcp,
    Udp,
}

/// `<range start='2022' end='2030' to='22' exclude='yes'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
#[xml(check = PortForwardRange::check)]
pub struct PortForwardRange {
    #[xml(attr, free, form = crate::forms::port)]
    pub start: u16,
    #[xml(attr, free, form = crate::forms::port)]
    pub end: Option<u16>,
    #[xml(attr, free, form = crate::forms::port)]
    pub to: Option<u16>,
    #[xml(attr)]
    pub exclude: Option<YesNo>,
}

impl PortForwardRange {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        let ports = [("start", Some(self.start)), ("end", self.end), ("to", self.to)];
        match ports.iter().find(|(_, port)| *port == Some(0)) {
            Some((name, _)) => Err(node.error(ErrorKind::BadValue, format!("{name} is zero"))),
            None => Ok(()),
        }
    }
}
