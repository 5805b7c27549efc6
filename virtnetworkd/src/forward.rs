//! Forwarding between a network and what lies outside, as far as the kernel is concerned: the host is made a router.
//!
//! The switches are never turned back: something else may rely on them by then. What may pass is [`crate::firewall`]'s.

use std::path::Path;

use virtbus_api::{Error, ErrorDomain, Result};
use virtbus_host::netlink::Netlink;
use virtbus_host::sysfs;
use virtbus_schema::Network;
use virtbus_schema::network::ForwardMode;

use crate::address::refused;

/// The host forwards IPv4.
const IPV4: &str = "/proc/sys/net/ipv4/ip_forward";
/// The host forwards IPv6; it then ignores router advertisements on devices that do not insist.
const IPV6: &str = "/proc/sys/net/ipv6/conf/all/forwarding";

/// Makes the host a router for the families that a network with a way out has addresses of.
///
/// # Errors
/// `SYSTEM_ERROR` when a switch cannot be turned; `INTERNAL_ERROR` when the host would lose its own IPv6 routes by it.
pub fn enable(network: &Network) -> Result<()> {
    if !matches!(network.mode(), ForwardMode::Nat | ForwardMode::Route | ForwardMode::Open) {
        return Ok(());
    }
    if network.ips.iter().any(|ip| ip.address.is_ipv4()) {
        turn_on(IPV4, "cannot enable IPv4 forwarding")?;
    }
    if network.ips.iter().any(|ip| ip.address.is_ipv6()) {
        check_advertised()?;
        turn_on(IPV6, "cannot enable IPv6 forwarding")?;
    }
    Ok(())
}

/// A router takes no routes from advertisements, unless the device has `accept_ra` 2: those the host has would run out.
fn check_advertised() -> Result<()> {
    let mut netlink = Netlink::open().map_err(|error| refused(&error))?;
    let routes = netlink.routes().map_err(|error| refused(&error))?;
    let links = netlink.links().map_err(|error| refused(&error))?;
    let is_at_risk = |name: &str| {
        let file = Path::new("/proc/sys/net/ipv6/conf").join(name).join("accept_ra");
        sysfs::number::<u32>(&file) != Some(2)
    };
    let mut at_risk: Vec<&str> = routes
        .iter()
        .filter(|route| route.advertised)
        .filter_map(|route| links.iter().find(|link| Some(link.index) == route.index))
        .map(|link| link.name.as_str())
        .filter(|name| is_at_risk(name))
        .collect();
    at_risk.sort_unstable();
    at_risk.dedup();
    if at_risk.is_empty() {
        return Ok(());
    }
    let text = format!(
        "IPv6 forwarding would take this host's advertised routes away: set accept_ra to 2 for {}",
        at_risk.join(", ")
    );
    Err(Error::internal(text).in_domain(ErrorDomain::Network))
}

fn turn_on(file: &str, failed: &str) -> Result<()> {
    let file = Path::new(file);
    // Left alone when on already: turning it resets other switches, and the folder may be read-only.
    if sysfs::text(file).as_deref() == Some("1") {
        return Ok(());
    }
    std::fs::write(file, "1\n").map_err(|error| Error::system(failed, &error).in_domain(ErrorDomain::Network))
}
