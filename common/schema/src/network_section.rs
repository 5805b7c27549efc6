//! A part of a network that is changed by itself (`virNetworkUpdate`): which part, and its document.

use virtbus_xml::XmlEnum;

/// Which part of a network an update is about; the numbers are `virNetworkUpdateSection`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
#[repr(i32)]
pub enum SectionKind {
    Bridge = 1,
    Domain = 2,
    Ip = 3,
    #[xml(name = "ip-dhcp-host")]
    IpDhcpHost = 4,
    #[xml(name = "ip-dhcp-range")]
    IpDhcpRange = 5,
    Forward = 6,
    #[xml(name = "forward-interface")]
    ForwardInterface = 7,
    #[xml(name = "forward-pf")]
    ForwardPf = 8,
    Portgroup = 9,
    #[xml(name = "dns-host")]
    DnsHost = 10,
    #[xml(name = "dns-txt")]
    DnsTxt = 11,
    #[xml(name = "dns-srv")]
    DnsSrv = 12,
}

/// A part of a network as it was sent: the schema alone reads the text, into the element that the kind asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSection {
    /// Which part.
    pub kind: SectionKind,
    /// Its element.
    pub text: String,
}

impl SectionKind {
    /// The kind with this number; `None` for 0 (none) and for what libvirt 11.3 does not know.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        use SectionKind::*;
        [
            Bridge,
            Domain,
            Ip,
            IpDhcpHost,
            IpDhcpRange,
            Forward,
            ForwardInterface,
            ForwardPf,
            Portgroup,
            DnsHost,
            DnsTxt,
            DnsSrv,
        ]
        .into_iter()
        .find(|it| *it as i32 == number)
    }
}
