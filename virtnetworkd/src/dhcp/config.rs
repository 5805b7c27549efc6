//! dnsmasq's configuration, from a network's document: pure text, in the reference's order.
//!
//! What the words mean is dnsmasq(8)'s.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use virtbus_schema::Network;
use virtbus_schema::network::{Dhcp, DhcpHost, DhcpRange, DnsSrv, ForwardMode, Lease, LeaseUnit, NetworkIp};
use virtbus_schema::xml::YesNo;

use super::Places;

/// The files of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// `NAME.conf`.
    pub config: String,
    /// `NAME.hostsfile`.
    pub hosts: String,
    /// `NAME.addnhosts`.
    pub names: String,
}

/// Whether a network has a server at all: with an address, and DNS or DHCP to serve.
pub fn is_served(network: &Network) -> bool {
    let dns = network.dns.as_ref().is_none_or(|dns| dns.is_enabled());
    network.mode().has_own_bridge()
        && !network.ips.is_empty()
        && (dns || network.ips.iter().any(|ip| ip.dhcp.as_ref().is_some_and(gives)))
}

/// Whether there is anything to give away.
fn gives(dhcp: &Dhcp) -> bool {
    !dhcp.ranges.is_empty() || !dhcp.hosts.is_empty()
}

/// The files for `network` on `bridge`.
pub fn files(network: &Network, bridge: &str, places: &Places) -> Files {
    Files { config: config(network, bridge, places), hosts: hosts(network), names: names(network) }
}

fn config(network: &Network, bridge: &str, places: &Places) -> String {
    let mut out = Text::default();
    let _ = write!(
        out.0,
        "## WARNING: THIS IS AN AUTO-GENERATED FILE. It is written anew whenever the network\n\
         ## starts or changes, so edits made here are lost. Use instead:\n##    virsh net-edit {}\n",
        one_line(&network.name)
    );
    out.line("strict-order");
    dns(&mut out, network);
    out.path("pid-file", &places.pid(&network.name));
    out.line("except-interface=lo");
    // Only on this device, and on addresses as they come and go.
    out.line("bind-dynamic");
    out.set("interface", &bridge);
    if network.mode() == ForwardMode::None {
        // No way out: no default route is announced, and nobody outside is asked for names.
        out.line("dhcp-option=3");
        out.line("no-resolv");
        out.line("ra-param=*,0,0");
    }
    records(&mut out, network);
    if let Some(root) = network.ips.iter().find_map(|ip| ip.tftp_root.as_ref()) {
        out.line("enable-tftp");
        out.set("tftp-root", root);
    }
    dhcp(&mut out, network, places);
    if let Some(mtu) = network.mtu {
        out.set("dhcp-option=option:mtu,", &mtu);
    }
    advertisements(&mut out, network);
    for option in &network.dnsmasq.options {
        out.line(&option.value);
    }
    out.0
}

/// Lines; what comes from the document cannot begin another one.
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, text: &str) {
        self.0.push_str(&one_line(text));
        self.0.push('\n');
    }

    /// `name=value`, or where `name` ends with a separator `namevalue`.
    fn set(&mut self, name: &str, value: &dyn std::fmt::Display) {
        let separator = if name.ends_with(',') { "" } else { "=" };
        self.line(&format!("{name}{separator}{value}"));
    }

    /// A path; quotes in it would end at the next one.
    fn path(&mut self, name: &str, path: &Path) {
        let shown = path.display().to_string();
        if shown.contains('"') {
            let escaped = shown.replace('\\', "\\\\").replace('"', "\\\"");
            self.line(&format!("{name}=\"{escaped}\""));
        } else {
            self.set(name, &shown);
        }
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// Whom the DNS server asks, and what it answers alone.
fn dns(out: &mut Text, network: &Network) {
    let said = network.dns.clone().unwrap_or_default();
    if !said.is_enabled() {
        out.line("port=0");
    }
    for forwarder in &said.forwarders {
        let address = forwarder.addr.map_or_else(|| "#".to_owned(), |it| it.to_string());
        match &forwarder.domain {
            Some(domain) => out.line(&format!("server=/{domain}/{address}")),
            None => out.line(&format!("server={address}")),
        }
    }
    if said.forwarders.iter().any(|it| it.domain.is_none()) {
        out.line("no-resolv");
    }
    if let Some(domain) = &network.domain {
        if domain.local_only == Some(YesNo::Yes) {
            out.line(&format!("local=/{}/", domain.name));
        }
        out.set("domain", &domain.name);
        out.line("expand-hosts");
    }
    for zone in network.ips.iter().filter(|ip| ip.local_ptr == Some(YesNo::Yes)).filter_map(reverse_zone) {
        out.line(&format!("local=/{zone}/"));
    }
    if said.forward_plain_names == Some(YesNo::No) {
        out.line("domain-needed");
        out.line("local=//");
    }
}

/// The zone of names for the addresses of a network; only where it ends with a part of the address.
fn reverse_zone(ip: &NetworkIp) -> Option<String> {
    let prefix = usize::from(ip.prefix_length()?);
    let mut zone = String::new();
    match ip.network()? {
        IpAddr::V4(address) => {
            for part in address.octets().iter().take(prefix / 8).rev() {
                let _ = write!(zone, "{part}.");
            }
            zone.push_str("in-addr.arpa");
        }
        IpAddr::V6(address) => {
            let digits = address.octets().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
            let digits: Vec<u8> = digits.take(prefix / 4).collect();
            for digit in digits.iter().rev() {
                let _ = write!(zone, "{digit:x}.");
            }
            zone.push_str("ip6.arpa");
        }
    }
    Some(zone)
}

fn records(out: &mut Text, network: &Network) {
    let Some(dns) = &network.dns else { return };
    for txt in &dns.txts {
        out.line(&format!("txt-record={},{}", txt.name, txt.value.as_deref().unwrap_or_default()));
    }
    for srv in &dns.srvs {
        out.line(&srv_line(srv));
    }
}

fn srv_line(srv: &DnsSrv) -> String {
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut line = format!("srv-host=_{}._{}", word(&srv.service), word(&srv.protocol));
    if let Some(domain) = srv.domain.as_ref().filter(|it| !it.is_empty()) {
        let _ = write!(line, ".{domain}");
    }
    // A dot: the service is not to be had here.
    if let Some(target) = srv.target.as_ref().filter(|it| it.as_str() != ".") {
        let _ = write!(line, ",{target}");
        let (priority, weight) = (srv.priority.unwrap_or(0), srv.weight.unwrap_or(0));
        if srv.port.is_some() || priority > 0 || weight > 0 {
            let _ = write!(line, ",{}", srv.port.unwrap_or(1));
        }
        if priority > 0 || weight > 0 {
            let _ = write!(line, ",{priority},{weight}");
        }
    }
    line
}

fn dhcp(out: &mut Text, network: &Network, places: &Places) {
    let served =
        |dhcp: Option<(&NetworkIp, &Dhcp)>| dhcp.filter(|(_, dhcp)| gives(dhcp)).map(|(ip, d)| (ip.clone(), d.clone()));
    let (four, six) = (served(network.dhcp4()), served(network.dhcp6()));
    if let Some((ip, dhcp)) = &four {
        let netmask = ip.netmask().unwrap_or(Ipv4Addr::BROADCAST);
        for range in &dhcp.ranges {
            out.line(&format!("dhcp-range={},{},{netmask}{}", range.start, range.end, lease(range.lease.as_ref())));
        }
        if dhcp.ranges.is_empty() {
            out.line(&format!("dhcp-range={},static", ip.address));
        }
        // Without it the names of guests' boot files stand in the way of those set here.
        out.line("dhcp-no-override");
        out.line("dhcp-authoritative");
        if let Some(bootp) = &dhcp.bootp {
            match bootp.server {
                Some(server) => out.line(&format!("dhcp-boot={},,{server}", bootp.file)),
                None => out.set("dhcp-boot", &bootp.file),
            }
        }
    }
    if let Some((ip, dhcp)) = &six {
        let prefix = ip.prefix_length().unwrap_or(64);
        for range in &dhcp.ranges {
            out.line(&format!("dhcp-range={},{},{prefix}{}", range.start, range.end, lease(range.lease.as_ref())));
        }
        if dhcp.ranges.is_empty() {
            out.line(&format!("dhcp-range={},static,{prefix}", ip.address));
        }
    }
    let all = four.iter().chain(&six);
    let most = all.flat_map(|(_, dhcp)| &dhcp.ranges).map(size).fold(0, u128::saturating_add);
    if most > 0 {
        out.set("dhcp-lease-max", &most);
    }
    if four.is_some() || six.is_some() {
        out.path("dhcp-hostsfile", &places.hosts(&network.name));
    }
    if network.dns.as_ref().is_none_or(|dns| dns.is_enabled()) {
        out.path("addn-hosts", &places.names(&network.name));
    }
}

/// How many addresses a range has.
fn size(range: &DhcpRange) -> u128 {
    let number = |address: IpAddr| match address {
        IpAddr::V4(it) => u128::from(it.to_bits()),
        IpAddr::V6(it) => it.to_bits(),
    };
    number(range.end).saturating_sub(number(range.start)).saturating_add(1)
}

/// `,30m`, or nothing where dnsmasq is to choose.
fn lease(lease: Option<&Lease>) -> String {
    let Some(lease) = lease else { return String::new() };
    if lease.expiry == 0 {
        return ",infinite".to_owned();
    }
    let unit = match lease.unit {
        Some(LeaseUnit::Seconds) => 's',
        None | Some(LeaseUnit::Minutes) => 'm',
        Some(LeaseUnit::Hours) => 'h',
    };
    format!(",{}{unit}", lease.expiry)
}

/// Routers of IPv6 networks announce themselves: with DHCP where there is some, else for addresses made up by guests.
fn advertisements(out: &mut Text, network: &Network) {
    if network.dhcp6().is_some_and(|(_, dhcp)| gives(dhcp)) {
        out.line("enable-ra");
        return;
    }
    for ip in network.ips.iter().filter(|ip| ip.address.is_ipv6()) {
        out.line(&format!("dhcp-range={},ra-only", ip.address));
    }
}

fn hosts(network: &Network) -> String {
    let mut out = Text::default();
    for host in network.ips.iter().filter_map(|ip| ip.dhcp.as_ref()).flat_map(|dhcp| &dhcp.hosts) {
        out.line(&host_line(host));
    }
    out.0
}

fn host_line(host: &DhcpHost) -> String {
    let mut words = Vec::new();
    let name = host.name.clone();
    match host.ip {
        Some(IpAddr::V6(address)) => {
            words.extend(host.id.as_ref().map(|id| format!("id:{id}")));
            words.extend(name);
            words.push(bracketed(address));
        }
        address => {
            let id = host.id.as_ref().map(|id| format!("id:{id}"));
            words.extend(host.mac.clone().or(id));
            // Without another mark of the guest, its name is it, and comes first.
            let first = words.is_empty();
            let address = address.map(|it| it.to_string());
            if first {
                words.extend(name);
                words.extend(address);
            } else {
                words.extend(address);
                words.extend(name);
            }
        }
    }
    format!("{}{}", words.join(","), lease(host.lease.as_ref()))
}

fn bracketed(address: Ipv6Addr) -> String {
    format!("[{address}]")
}

fn names(network: &Network) -> String {
    let mut out = String::new();
    for host in network.dns.iter().flat_map(|dns| &dns.hosts) {
        let Some(address) = host.ip else { continue };
        let _ = write!(out, "{address}\t");
        for name in &host.hostnames {
            let _ = write!(out, "{}\t", one_line(name));
        }
        out.push('\n');
    }
    out
}
