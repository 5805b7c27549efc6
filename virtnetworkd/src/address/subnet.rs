//! What a network's document says of addresses, as plain numbers.

use std::net::IpAddr;

use virtbus_schema::Network;

/// A network that guests are in, and the host's address in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    /// The host's own address.
    pub address: IpAddr,
    /// The network's address.
    pub network: IpAddr,
    /// How many bits of it name the network.
    pub prefix: u8,
}

/// A network behind a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The network's address.
    pub destination: IpAddr,
    /// How many bits of it name the network.
    pub prefix: u8,
    /// The guest.
    pub gateway: IpAddr,
    /// Of several routes, the least is taken.
    pub metric: u32,
}

/// The networks of all `<ip>`, in order. One whose netmask has holes is none.
pub fn subnets(network: &Network) -> Vec<Subnet> {
    let subnet = |ip: &virtbus_schema::network::NetworkIp| {
        Some(Subnet { address: ip.address, network: ip.network()?, prefix: ip.prefix_length()? })
    };
    network.ips.iter().filter_map(subnet).collect()
}

/// The networks of all `<route>`, in order. Without a metric it is 1.
pub fn routes(network: &Network) -> Vec<Route> {
    let route = |route: &virtbus_schema::network::NetworkRoute| {
        Some(Route {
            destination: route.address,
            prefix: route.prefix_length()?,
            gateway: route.gateway,
            metric: route.metric.unwrap_or(1),
        })
    };
    network.routes.iter().filter_map(route).collect()
}
