//! Changes of DNS records.

use virtbus_api::{error::Result, network::UpdateCommand};
use virtbus_schema::{
    Network,
    network::{Dns, DnsHost, DnsSrv, DnsTxt},
};

use super::{Entry, both, invalid, wanted};

pub(super) fn host(network: &mut Network, command: UpdateCommand, host: DnsHost) -> Result<()> {
    let shown = host.ip.map_or_else(|| host.hostnames.join(", "), |it| it.to_string());
    let meant = host.clone();
    // A name may have several addresses, so only who deletes can mean a record by its names.
    let by_name = command == UpdateCommand::Delete;
    let is_same = |it: &DnsHost| {
        both(&meant.ip, &it.ip) || by_name && meant.hostnames.iter().any(|name| it.hostnames.contains(name))
    };
    change(network, "DNS host", shown, true, |entry, dns| entry.change(&mut dns.hosts, command, host, is_same, is_same))
}

pub(super) fn txt(network: &mut Network, command: UpdateCommand, txt: DnsTxt) -> Result<()> {
    let name = txt.name.clone();
    if command == UpdateCommand::Modify && txt.value.is_none() {
        return Err(invalid(format!("DNS text {name} of network {} is to have no value", network.name)));
    }
    let is_same = |it: &DnsTxt| it.name == name;
    let shown = txt.name.clone();
    change(network, "DNS text", shown, true, |entry, dns| entry.change(&mut dns.txts, command, txt, is_same, is_same))
}

pub(super) fn srv(network: &mut Network, command: UpdateCommand, srv: DnsSrv) -> Result<()> {
    let meant = srv.clone();
    let is_same = |it: &DnsSrv| {
        let DnsSrv { service, protocol, domain, target, port, priority, weight } = &meant;
        wanted(service, &it.service)
            && wanted(protocol, &it.protocol)
            && wanted(domain, &it.domain)
            && wanted(target, &it.target)
            && wanted(port, &it.port)
            && wanted(priority, &it.priority)
            && wanted(weight, &it.weight)
    };
    let shown = srv.service.clone().unwrap_or_default();
    change(network, "DNS service", shown, false, |entry, dns| {
        entry.change(&mut dns.srvs, command, srv, is_same, is_same)
    })
}

fn change(
    network: &mut Network,
    what: &str,
    shown: String,
    can_modify: bool,
    change: impl FnOnce(&Entry<'_>, &mut Dns) -> Result<()>,
) -> Result<()> {
    let entry = Entry { what, network: &network.name, shown, can_modify };
    change(&entry, network.dns.get_or_insert_default())
}
