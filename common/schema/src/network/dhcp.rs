//! `<dhcp>`: the addresses a network gives to its guests.

use std::net::IpAddr;

use virtbus_xml::{Error, ErrorKind, Mac, Node, Xml, XmlEnum};

use super::{forms, ip::NetworkIp};

/// `<dhcp>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Dhcp {
    #[xml(children = "range")]
    pub ranges: Vec<DhcpRange>,
    #[xml(children = "host")]
    pub hosts: Vec<DhcpHost>,
    #[xml(child)]
    pub bootp: Option<Bootp>,
}

/// `<range start='192.168.122.2' end='192.168.122.254'>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct DhcpRange {
    #[xml(attr, fault = Unresolved, form = forms::address)]
    pub start: IpAddr,
    #[xml(attr, fault = Unresolved, form = forms::address)]
    pub end: IpAddr,
    #[xml(child)]
    pub lease: Option<Lease>,
}

/// `<host mac='52:54:00:00:00:01' name='a' ip='192.168.122.10'>`: an address kept for one guest.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(form = forms::dhcp_host)]
pub struct DhcpHost {
    /// As it was written; IPv4 only.
    #[xml(attr, form = forms::unicast)]
    pub mac: Option<String>,
    /// The DUID of an IPv6 guest, or the client id.
    #[xml(attr, form = crate::forms::duid)]
    pub id: Option<String>,
    #[xml(attr)]
    pub name: Option<String>,
    /// Absent only where a host is named to be deleted.
    #[xml(attr, must, form = forms::address)]
    pub ip: Option<IpAddr>,
    #[xml(child)]
    pub lease: Option<Lease>,
}

/// `<lease expiry='60' unit='minutes'/>`; 0 never ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
#[xml(absent = is_unsaid, check = Lease::check)]
pub struct Lease {
    #[xml(attr)]
    pub expiry: u64,
    /// Absent exactly where the lease never ends.
    #[xml(attr)]
    pub unit: Option<LeaseUnit>,
}

/// In what lease times are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum LeaseUnit {
    Seconds,
    Minutes,
    Hours,
}

/// `<bootp file='pxeboot.img' server='1.2.3.4'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct Bootp {
    #[xml(attr, form = forms::said)]
    pub file: String,
    #[xml(attr, fault = Unresolved, free, form = crate::forms::dns_name)]
    pub server: Option<IpAddr>,
}

fn is_unsaid(node: Node<'_>) -> bool {
    node.attr("expiry").is_none()
}

impl Lease {
    /// How long it is in seconds; 0 never ends.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        self.expiry.saturating_mul(match self.unit {
            Some(LeaseUnit::Seconds) => 1,
            None | Some(LeaseUnit::Minutes) => 60,
            Some(LeaseUnit::Hours) => 3600,
        })
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.expiry == 0 {
            self.unit = None;
            return Ok(());
        }
        self.unit.get_or_insert(LeaseUnit::Minutes);
        if self.seconds() < 120 {
            return Err(node.error(ErrorKind::Unsupported, "a lease is at least two minutes long"));
        }
        Ok(())
    }
}

impl DhcpRange {
    /// Whether the range fits the network it is given away from; the error says why not.
    ///
    /// # Errors
    /// One clause.
    pub fn check_in(&self, ip: &NetworkIp) -> Result<(), String> {
        let Self { start, end, .. } = self;
        let bad = |why: &str| Err(format!("range {start} - {end} {why}"));
        if start.is_ipv4() != end.is_ipv4() || start.is_ipv4() != ip.address.is_ipv4() {
            return bad("mixes families of addresses");
        }
        if ip.prefix_length().is_none() {
            return bad("is in a network whose netmask has holes");
        }
        if !ip.contains(*start) || !ip.contains(*end) {
            return bad("is not within the network");
        }
        if start > end {
            return bad("is reversed");
        }
        match (start, end) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                if ip.network() == Some(*start) {
                    return bad("starts with the address of the network");
                }
                let hosts = ip.netmask().map_or(0, |it| !u32::from(it));
                if u32::from(*last) & hosts == hosts {
                    return bad("ends with the broadcast address");
                }
                if u32::from(*last) - u32::from(*first) > 0xffff {
                    return bad("has more than 65535 addresses");
                }
            }
            (IpAddr::V6(first), IpAddr::V6(last)) if first.segments()[..7] != last.segments()[..7] => {
                return bad("has more than 65535 addresses");
            }
            _ => {}
        }
        Ok(())
    }
}

impl DhcpHost {
    /// Whether the host names itself as its family of addresses asks; `whole` unless it is named to be deleted.
    ///
    /// # Errors
    /// One clause.
    pub fn check_in(&self, is_v6: bool, whole: bool) -> Result<(), String> {
        if let Some(mac) = &self.mac {
            match mac.parse::<Mac>() {
                Err(_) => return Err(format!("\"{mac}\" is not a MAC address")),
                Ok(it) if it.is_multicast() => return Err(format!("{mac} is a multicast address")),
                Ok(_) if is_v6 => return Err("an IPv6 host is known by id or name, not by mac".to_owned()),
                Ok(_) => {}
            }
        }
        if let Some(name) = self.name.as_ref().filter(|it| !it.starts_with(|first: char| first.is_ascii_alphanumeric()))
        {
            return Err(format!("Cannot use host name '{name}': it begins with no letter or digit"));
        }
        let is_foreign = |it: &char| !it.is_ascii_hexdigit() && *it != ':';
        if let Some(bad) = self.id.as_ref().and_then(|it| it.chars().find(is_foreign)) {
            return Err(format!("'{bad}' in an id"));
        }
        if !whole {
            let names_it = self.mac.is_some() || self.id.is_some() || self.name.is_some() || self.ip.is_some();
            return if names_it { Ok(()) } else { Err("needs mac, id, name or ip".to_owned()) };
        }
        match (is_v6, &self.mac, &self.id, &self.name) {
            (false, None, _, None) => Err("needs mac or name".to_owned()),
            (true, _, None, None) => Err("needs id or name".to_owned()),
            _ if self.ip.is_none() => Err("needs an ip".to_owned()),
            _ => Ok(()),
        }
    }
}
