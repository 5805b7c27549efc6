//! Why dnsmasq could not bind: the process that holds one of its ports on one of its addresses.

use virtbus_host::port::{Holder, Protocol, holders};
use virtbus_host::process::Process;
use virtbus_schema::Network;
use virtbus_schema::network::NetworkIp;

use super::Places;

/// `port 53/udp on 192.168.122.1 is held by process 4711 (named)`, if that is what dnsmasq complains of in `words`.
pub(super) fn holder(network: &Network, places: &Places, words: &str) -> Option<String> {
    if !words.contains("in use") {
        return None;
    }
    let of_dhcp = words.contains("DHCP");
    network.ips.iter().find_map(|ip| in_the_way(ip, places, of_dhcp))
}

fn in_the_way(ip: &NetworkIp, places: &Places, of_dhcp: bool) -> Option<String> {
    let dhcp: &[_] = if ip.address.is_ipv4() { &[(Protocol::Udp, "udp", 67)] } else { &[(Protocol::Udp, "udp", 547)] };
    let dns = [(Protocol::Udp, "udp", 53), (Protocol::Tcp, "tcp", 53)];
    let ports = if of_dhcp { dhcp } else { &dns };
    ports.iter().find_map(|(protocol, word, port)| {
        let found = holders(*protocol, ip.address, *port).into_iter().find(|holder| !is_brother(holder, places))?;
        let (pid, name) = found.process?;
        Some(format!("port {port}/{word} on {} is held by process {pid} ({name})", found.address))
    })
}

/// The servers of other networks share the DHCP ports: each hears only its own bridge.
fn is_brother(holder: &Holder, places: &Places) -> bool {
    let Some((pid, _)) = holder.process else { return true };
    let ours = format!("--conf-file={}/", places.files.display());
    let arguments = Process::open_pid(pid).and_then(|process| process.cmdline()).unwrap_or_default();
    arguments.iter().any(|argument| argument.starts_with(ours.as_bytes()))
}
