//! Changes of DHCP hosts and ranges, and which `<ip>` they are about.

use virtbus_api::{
    error::{Error, ErrorDomain, Result},
    network::UpdateCommand,
};
use virtbus_schema::{
    Network,
    network::{DhcpHost, DhcpRange, NetworkIp},
    xml::Mac,
};

use super::{Entry, both, invalid, wanted};

pub(super) fn host(network: &mut Network, command: UpdateCommand, host: DhcpHost, parent: Option<u32>) -> Result<()> {
    let name = network.name.clone();
    let ip = parent_of(network, parent, "dhcp host")?;
    let is_v6 = ip.address.is_ipv6();
    host.check_in(is_v6, command != UpdateCommand::Delete)
        .map_err(|why| Error::xml(why).in_domain(ErrorDomain::Network))?;
    if host.ip.is_some_and(|it| it.is_ipv6() != is_v6) {
        return Err(invalid("the address of a dhcp host is of another family than its <ip>".to_owned()));
    }
    let entry = Entry { what: "dhcp host", network: &name, shown: shown(&host), can_modify: true };
    let meant = host.clone();
    let is_same = |it: &DhcpHost| match command {
        UpdateCommand::Modify => alike(&meant, it),
        _ => {
            (meant.mac.is_none() || same_mac(&meant, it))
                && wanted(&meant.id, &it.id)
                && wanted(&meant.name, &it.name)
                && wanted(&meant.ip, &it.ip)
        }
    };
    let clashes = |it: &DhcpHost| alike(&meant, it);
    let dhcp = ip.dhcp.get_or_insert_default();
    // The reference takes the first that fits where several do.
    if command == UpdateCommand::Delete && dhcp.hosts.iter().filter(|it| is_same(it)).count() > 1 {
        let first = dhcp.hosts.iter().position(is_same);
        first.map(|at| dhcp.hosts.remove(at));
        return Ok(());
    }
    entry.change(&mut dhcp.hosts, command, host, is_same, clashes)
}

pub(super) fn range(
    network: &mut Network,
    command: UpdateCommand,
    range: DhcpRange,
    parent: Option<u32>,
) -> Result<()> {
    let name = network.name.clone();
    let ip = parent_of(network, parent, "dhcp range")?;
    range.check_in(ip).map_err(|why| Error::internal(why).in_domain(ErrorDomain::Network))?;
    let shown = format!("{} - {}", range.start, range.end);
    let entry = Entry { what: "dhcp range", network: &name, shown, can_modify: false };
    let is_same = |it: &DhcpRange| (it.start, it.end) == (range.start, range.end);
    entry.change(&mut ip.dhcp.get_or_insert_default().ranges, command, range, is_same, is_same)
}

/// The `<ip>` of a number; without one the first that has DHCP, or else the first of IPv4, or else the first.
fn parent_of<'a>(network: &'a mut Network, parent: Option<u32>, what: &str) -> Result<&'a mut NetworkIp> {
    let first = |is_it: fn(&NetworkIp) -> bool| network.ips.iter().position(is_it);
    let at = match parent {
        Some(at) => usize::try_from(at).ok(),
        None => first(|it| it.dhcp.is_some()).or_else(|| first(|it| it.address.is_ipv4())).or_else(|| first(|_| true)),
    };
    let served = |at: usize| {
        let family = network.ips.get(at).map(|it| it.address.is_ipv6());
        let is_other =
            |(other, it): (usize, &NetworkIp)| other != at && it.dhcp.is_some() && Some(it.address.is_ipv6()) == family;
        network.ips.iter().enumerate().any(is_other)
    };
    if at.is_some_and(served) {
        let text = format!("only one address of each family can have DHCP in network {}", network.name);
        return Err(invalid(text));
    }
    let name = &network.name;
    let place = parent.map_or(String::new(), |it| format!(" with the number {it}"));
    let missing = invalid(format!("no <ip>{place} for a {what} in network {name}"));
    at.and_then(|at| network.ips.get_mut(at)).ok_or(missing)
}

/// Whether two hosts share anything that only one may have.
fn alike(a: &DhcpHost, b: &DhcpHost) -> bool {
    same_mac(a, b) || both(&a.id, &b.id) || both(&a.name, &b.name) || both(&a.ip, &b.ip)
}

fn same_mac(a: &DhcpHost, b: &DhcpHost) -> bool {
    let number = |host: &DhcpHost| host.mac.as_ref().and_then(|it| it.parse::<Mac>().ok());
    both(&number(a), &number(b))
}

fn shown(host: &DhcpHost) -> String {
    let said = [
        ("mac", host.mac.clone()),
        ("id", host.id.clone()),
        ("name", host.name.clone()),
        ("ip", host.ip.map(|it| it.to_string())),
    ];
    let said = said.into_iter().filter_map(|(name, value)| Some(format!("{name}='{}'", value?)));
    said.collect::<Vec<_>>().join(" ")
}
