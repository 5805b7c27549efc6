//! Routes of the main table.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};

use super::{Netlink, Result};

/// A route of the main table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where to: the network's address, unspecified for the default route.
    pub destination: IpAddr,
    /// How many bits of it count; 0 for the default route.
    pub prefix: u8,
    /// Through which host; absent where the destination is on the link itself.
    pub gateway: Option<IpAddr>,
    /// Through which device, by number.
    pub index: Option<u32>,
    /// Of several, the least is taken.
    pub metric: Option<u32>,
    /// Whether the router of the network told it (IPv6 router advertisement).
    pub advertised: bool,
}

impl Netlink {
    /// The routes of the main table, of both families.
    ///
    /// # Errors
    /// As the kernel refuses.
    pub fn routes(&mut self) -> Result<Vec<Route>> {
        let answers = self.list(&Message::GetRoute(RouteMessage::default()));
        let answers = answers.map_err(|fault| fault.named(|| "cannot list the routes of this host".to_owned()))?;
        Ok(answers.into_iter().filter_map(read).collect())
    }

    /// Adds a route to `destination`/`prefix` through `gateway` on the device `name`.
    ///
    /// # Errors
    /// [`super::Error::exists`]; as the kernel refuses: the gateway must be reachable there.
    pub fn add_route(
        &mut self,
        name: &str,
        destination: IpAddr,
        prefix: u8,
        gateway: IpAddr,
        metric: u32,
    ) -> Result<()> {
        let mut message = RouteMessage::default();
        message.header.address_family = match destination {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        message.header.destination_prefix_length = prefix;
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Boot;
        message.header.scope = RouteScope::Universe;
        message.header.kind = RouteType::Unicast;
        message.attributes = vec![
            RouteAttribute::Destination(destination.into()),
            RouteAttribute::Gateway(gateway.into()),
            RouteAttribute::Oif(self.link(name)?.index),
            RouteAttribute::Priority(metric),
        ];
        self.change(Message::NewRoute(message), NLM_F_CREATE | NLM_F_EXCL).map_err(|fault| {
            fault.named(|| format!("cannot add the route to {destination}/{prefix} through {gateway} on '{name}'"))
        })
    }
}

fn read(message: Message) -> Option<Route> {
    let Message::NewRoute(message) = message else { return None };
    let header = message.header;
    let any: IpAddr = match header.address_family {
        AddressFamily::Inet => Ipv4Addr::UNSPECIFIED.into(),
        AddressFamily::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return None,
    };
    if header.table != RouteHeader::RT_TABLE_MAIN || header.kind != RouteType::Unicast {
        return None;
    }
    let mut route = Route {
        destination: any,
        prefix: header.destination_prefix_length,
        gateway: None,
        index: None,
        metric: None,
        advertised: header.protocol == RouteProtocol::Ra,
    };
    for attribute in message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => route.destination = plain(&address)?,
            RouteAttribute::Gateway(address) => route.gateway = plain(&address),
            RouteAttribute::Oif(index) => route.index = Some(index),
            RouteAttribute::Priority(metric) => route.metric = Some(metric),
            _ => {}
        }
    }
    Some(route)
}

fn plain(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}
