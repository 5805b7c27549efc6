//! The port an interface is plugged into: VLANs, virtual ports, bandwidth, filters, addresses inside the guest.

use virtbus_xml::{Error, ErrorKind, Node, Xml, XmlEnum, YesNo};

/// `<vlan trunk='yes'>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Vlan {
    #[xml(attr)]
    pub trunk: Option<YesNo>,
    #[xml(children = "tag")]
    pub tags: Vec<VlanTag>,
}

/// `<tag id='42' nativeMode='untagged'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
#[xml(check = VlanTag::check)]
pub struct VlanTag {
    #[xml(attr)]
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
pub struct VirtualPort {
    #[xml(attr = "type", fault = Unsupported)]
    pub kind: Option<VirtualPortKind>,
    #[xml(child, omit_empty)]
    pub parameters: Option<VirtualPortParameters>,
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
    #[xml(attr)]
    pub managerid: Option<u32>,
    #[xml(attr)]
    pub typeid: Option<u32>,
    #[xml(attr)]
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
    #[xml(attr)]
    pub average: Option<u64>,
    #[xml(attr)]
    pub peak: Option<u64>,
    #[xml(attr)]
    pub floor: Option<u64>,
    #[xml(attr)]
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
    #[xml(attr)]
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
    #[xml(attr)]
    pub address: String,
    #[xml(attr)]
    pub family: Option<IpFamily>,
    #[xml(attr)]
    pub prefix: Option<u32>,
    #[xml(attr)]
    pub peer: Option<String>,
}

impl GuestIp {
    fn check(&mut self, _: Node<'_>) -> Result<(), Error> {
        let own = if self.address.contains(':') { IpFamily::Ipv6 } else { IpFamily::Ipv4 };
        self.family = self.family.or(Some(own));
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum IpFamily {
    Ipv4,
    Ipv6,
}

/// `<route family='ipv4' address='0.0.0.0' gateway='10.0.0.1'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct GuestRoute {
    #[xml(attr)]
    pub family: Option<IpFamily>,
    #[xml(attr)]
    pub address: Option<String>,
    #[xml(attr)]
    pub netmask: Option<String>,
    #[xml(attr)]
    pub prefix: Option<u32>,
    #[xml(attr)]
    pub gateway: Option<String>,
    #[xml(attr)]
    pub metric: Option<u32>,
}

/// `<portForward proto='tcp' address='10.0.0.1' dev='eth0'>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct PortForward {
    #[xml(attr)]
    pub proto: PortForwardProtocol,
    #[xml(attr)]
    pub address: Option<String>,
    #[xml(attr)]
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
pub struct PortForwardRange {
    #[xml(attr)]
    pub start: u16,
    #[xml(attr)]
    pub end: Option<u16>,
    #[xml(attr)]
    pub to: Option<u16>,
    #[xml(attr)]
    pub exclude: Option<YesNo>,
}
