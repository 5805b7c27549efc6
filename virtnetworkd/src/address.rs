//! The host's own addresses in a network: whether they are free, and giving them to the bridge.
//!
//! What is told of them by DHCP and DNS is [`crate::dhcp`]'s, what may pass is [`crate::firewall`]'s.

mod subnet;

use std::collections::HashMap;
use std::io;
use std::path::Path;

use virtbus_api::{Error, ErrorDomain, Result};
use virtbus_host::netlink::{self, Netlink};
use virtbus_schema::Network;

pub use subnet::{Route, Subnet, routes, subnets};

/// A refusal of the kernel, as clients see it.
pub(crate) fn refused(error: &netlink::Error) -> Error {
    Error::system(error, &error.source).in_domain(ErrorDomain::Network)
}

/// Refuses addresses and routes of a network that the host reaches in another way already.
///
/// Only an equal network is in the way: one that merely contains ours, or lies within it, is how many hosts are set up, and
/// the kernel takes the narrower route.
///
/// # Errors
/// `INTERNAL_ERROR` naming the device; `SYSTEM_ERROR` when the kernel does not tell.
pub fn check_free(network: &Network, bridge: &str) -> Result<()> {
    let (subnets, routes) = (subnets(network), routes(network));
    if subnets.is_empty() && routes.is_empty() {
        return Ok(());
    }
    let failed = |error: netlink::Error| refused(&error);
    let mut netlink = Netlink::open().map_err(failed)?;
    let links = netlink.links().map_err(failed)?;
    let names: HashMap<u32, String> = links.into_iter().map(|link| (link.index, link.name)).collect();
    let other = |index: u32| names.get(&index).filter(|name| *name != bridge);
    let in_use = |text: String| Err(Error::internal(text).in_domain(ErrorDomain::Network));
    for route in netlink.routes().map_err(failed)?.iter().filter(|route| route.prefix > 0) {
        let Some(name) = route.index.and_then(other) else { continue };
        // On every device, for itself alone.
        if route.destination.is_ipv6() && route.destination.to_string().starts_with("fe80:") {
            continue;
        }
        if subnets.iter().any(|it| (it.network, it.prefix) == (route.destination, route.prefix)) {
            return in_use(format!("Network is already in use by interface {name}"));
        }
        if let Some(ours) = routes.iter().find(|it| (it.destination, it.prefix) == (route.destination, route.prefix)) {
            let Route { destination, prefix, .. } = ours;
            return in_use(format!("Route address '{destination}/{prefix}' conflicts with interface {name}"));
        }
    }
    // A device that is down has no route yet.
    for address in netlink.addresses().map_err(failed)? {
        let Some(name) = other(address.index) else { continue };
        if subnets.iter().any(|it| it.address == address.address) {
            return in_use(format!("Network is already in use by interface {name}"));
        }
    }
    Ok(())
}

/// Gives `bridge` the network's addresses, takes it up and adds the network's routes. What is there already stays.
///
/// # Errors
/// `SYSTEM_ERROR` as the kernel refuses.
pub fn assign(network: &Network, bridge: &str) -> Result<()> {
    let subnets = subnets(network);
    tune_ipv6(bridge, subnets.iter().any(|subnet| subnet.address.is_ipv6()))?;
    let mut netlink = Netlink::open().map_err(|error| refused(&error))?;
    let unless_there = |done: netlink::Result<()>| match done {
        Err(error) if !error.exists() => Err(refused(&error)),
        _ => Ok(()),
    };
    for subnet in subnets {
        unless_there(netlink.add_address(bridge, subnet.address, subnet.prefix, true))?;
    }
    netlink.set_up(bridge, true).map_err(|error| refused(&error))?;
    for Route { destination, prefix, gateway, metric } in routes(network) {
        unless_there(netlink.add_route(bridge, destination, prefix, gateway, metric))?;
    }
    Ok(())
}

/// Without an IPv6 address of ours the host speaks no IPv6 there; and it never takes one that a guest announces.
fn tune_ipv6(bridge: &str, has_ipv6: bool) -> Result<()> {
    let folder = Path::new("/proc/sys/net/ipv6/conf").join(bridge);
    if !folder.is_dir() {
        if has_ipv6 {
            let absent = io::Error::from(io::ErrorKind::NotFound);
            let text = format!("cannot use IPv6 on bridge '{bridge}': the kernel has none");
            return Err(Error::system(text, &absent).in_domain(ErrorDomain::Network));
        }
        return Ok(());
    }
    let switches = [("disable_ipv6", if has_ipv6 { "0" } else { "1" }), ("accept_ra", "0"), ("autoconf", "0")];
    for (switch, value) in switches {
        std::fs::write(folder.join(switch), value).map_err(|error| {
            Error::system(format!("cannot set {switch} of bridge '{bridge}'"), &error).in_domain(ErrorDomain::Network)
        })?;
    }
    Ok(())
}
