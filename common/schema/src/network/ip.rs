//! `<ip>` and `<route>`: the addresses of the host's side of a network, and what lies behind it.

use std::net::{IpAddr, Ipv4Addr};

use virtbus_xml::{Error, ErrorKind, Node, Xml, YesNo};

use super::{dhcp::Dhcp, forms};
pub use crate::domain::device::interface::IpFamily;

/// `<ip address='192.168.122.1' netmask='255.255.255.0'>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(open, before = NetworkIp::check_said, check = NetworkIp::check, form = forms::ip)]
pub struct NetworkIp {
    #[xml(attr, blank)]
    pub family: Option<IpFamily>,
    #[xml(attr, default = IpAddr::V4(Ipv4Addr::UNSPECIFIED), form = forms::address)]
    pub address: IpAddr,
    #[xml(attr, blank, form = forms::address4)]
    pub netmask: Option<IpAddr>,
    #[xml(attr, form = crate::forms::prefix)]
    pub prefix: Option<u32>,
    /// Whether the reverse zone is answered here alone.
    #[xml(attr = "localPtr")]
    pub local_ptr: Option<YesNo>,
    /// The directory served by TFTP.
    #[xml(attr = "tftp/@root")]
    pub tftp_root: Option<String>,
    #[xml(child, omit_empty)]
    pub dhcp: Option<Dhcp>,
}

/// `<route family='ipv4' address='10.1.0.0' prefix='16' gateway='192.168.122.2' metric='2'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(check = NetworkRoute::check, form = forms::ip)]
pub struct NetworkRoute {
    #[xml(attr, blank)]
    pub family: Option<IpFamily>,
    #[xml(attr, form = forms::address)]
    pub address: IpAddr,
    #[xml(attr, blank, form = forms::address4)]
    pub netmask: Option<IpAddr>,
    #[xml(attr)]
    pub prefix: Option<u32>,
    #[xml(attr, form = forms::address)]
    pub gateway: IpAddr,
    #[xml(attr)]
    pub metric: Option<u32>,
}

type Checked = Result<(), Error>;

impl NetworkIp {
    /// How long the network's part of the address is: said, by the netmask, or by the address' old class. `None`: the netmask
    /// has holes.
    #[must_use]
    pub fn prefix_length(&self) -> Option<u8> {
        if let Some(prefix) = self.prefix {
            return u8::try_from(prefix).ok();
        }
        match (self.netmask, self.address) {
            (Some(IpAddr::V4(netmask)), _) => length_of(netmask),
            (_, IpAddr::V4(address)) => Some(match address.octets() {
                [0..=127, ..] => 8,
                [128..=191, ..] => 16,
                [192..=223, ..] => 24,
                _ => 32,
            }),
            (_, IpAddr::V6(_)) => Some(64),
        }
    }

    /// The netmask of an IPv4 network.
    #[must_use]
    pub fn netmask(&self) -> Option<Ipv4Addr> {
        Some(mask_of(self.prefix_length()?))
    }

    /// Whether an address lies in this network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.prefix_length().is_some_and(|length| network_of(self.address, length) == network_of(address, length))
    }

    /// The address of the network itself.
    #[must_use]
    pub fn network(&self) -> Option<IpAddr> {
        Some(network_of(self.address, self.prefix_length()?))
    }

    /// An address is no matter of the schema, but there is none without it.
    fn check_said(node: Node<'_>) -> Checked {
        match node.attr("address") {
            Some(_) => Ok(()),
            None => Err(node.error(ErrorKind::BadValue, "missing required attribute address")),
        }
    }

    fn check(&mut self, node: Node<'_>) -> Checked {
        let bad = |message: String| Err(node.error(ErrorKind::Unsupported, message));
        let is_v6 = self.address.is_ipv6();
        if is_v6 != (self.family == Some(IpFamily::Ipv6)) {
            let family = self.family.map_or("no family", IpFamily::as_str);
            return bad(format!("{} has {family}", self.address));
        }
        self.prefix = self.prefix.filter(|it| *it > 0);
        self.tftp_root = self.tftp_root.take().filter(|it| !it.is_empty());
        match (self.prefix, self.netmask) {
            (Some(_), Some(_)) => return bad("both a prefix and a netmask".to_owned()),
            (Some(prefix), _) if prefix > longest(self.address) => {
                return bad(format!("prefix {prefix} is beyond {}", longest(self.address)));
            }
            (_, Some(netmask)) if is_v6 || netmask.is_ipv6() => return bad("a netmask is for IPv4".to_owned()),
            _ => {}
        }
        if is_v6 && self.tftp_root.is_some() {
            return bad("TFTP is served on IPv4 only".to_owned());
        }
        let Some(mut dhcp) = self.dhcp.take() else { return Ok(()) };
        if is_v6 {
            dhcp.bootp = None;
        }
        let at = node.child("dhcp").unwrap_or(node);
        for (range, at) in dhcp.ranges.iter().zip(at.children("range")) {
            range.check_in(self).map_err(|message| at.error(ErrorKind::Internal, message))?;
        }
        for (host, at) in dhcp.hosts.iter().zip(at.children("host")) {
            host.check_in(is_v6, true).map_err(|message| at.error(ErrorKind::BadValue, message))?;
        }
        // A file to boot is nothing without addresses to give.
        self.dhcp = Some(dhcp).filter(|it| !it.ranges.is_empty() || !it.hosts.is_empty());
        Ok(())
    }
}

impl NetworkRoute {
    /// How long the network's part of the address is; without a word of it, all is meant.
    #[must_use]
    pub fn prefix_length(&self) -> Option<u8> {
        match (self.prefix, self.netmask) {
            (Some(prefix), _) => u8::try_from(prefix).ok(),
            (None, Some(IpAddr::V4(netmask))) => length_of(netmask),
            _ => Some(0),
        }
    }

    fn check(&mut self, node: Node<'_>) -> Checked {
        let bad = |message: String| Err(node.error(ErrorKind::BadValue, message));
        let is_v6 = self.address.is_ipv6();
        if is_v6 != (self.family == Some(IpFamily::Ipv6)) {
            let family = self.family.map_or("no family", IpFamily::as_str);
            return bad(format!("{} has {family}", self.address));
        }
        if self.gateway.is_ipv6() != is_v6 {
            return bad(format!("gateway {} is of another family", self.gateway));
        }
        match (self.prefix, self.netmask) {
            (Some(_), Some(_)) => return bad("both a prefix and a netmask".to_owned()),
            (Some(prefix), _) if prefix > longest(self.address) => {
                return bad(format!("prefix {prefix} is beyond {}", longest(self.address)));
            }
            (_, Some(netmask)) if is_v6 || netmask.is_ipv6() => return bad("a netmask is for IPv4".to_owned()),
            _ => {}
        }
        if self.metric == Some(0) {
            return bad("a metric of zero".to_owned());
        }
        match self.prefix_length() {
            Some(length) if network_of(self.address, length) == self.address => Ok(()),
            _ => bad(format!("{} is not the address of a network", self.address)),
        }
    }
}

fn longest(address: IpAddr) -> u32 {
    if address.is_ipv6() { 128 } else { 32 }
}

/// The length of a netmask without holes.
fn length_of(netmask: Ipv4Addr) -> Option<u8> {
    let bits = u32::from(netmask);
    let length = bits.leading_ones();
    (bits.count_ones() == length).then(|| u8::try_from(length).unwrap_or(32))
}

/// The netmask of a length.
fn mask_of(length: u8) -> Ipv4Addr {
    Ipv4Addr::from(u32::MAX.checked_shl(32_u32.saturating_sub(length.into())).unwrap_or(0))
}

/// The address of the network that an address lies in.
fn network_of(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(it) => IpAddr::V4(it & mask_of(length)),
        IpAddr::V6(it) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length.into())).unwrap_or(0);
            IpAddr::V6((u128::from(it) & mask).into())
        }
    }
}
