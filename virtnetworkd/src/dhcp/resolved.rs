//! systemd-resolved: the host itself asks a network's DNS server for names in the network's domain, where the document says
//! `<domain register='yes'>`. It forgets by itself when the bridge goes.

use std::net::IpAddr;
use std::time::Duration;

use virtbus_api::{Error, ErrorDomain, Result};
use virtbus_host::netlink::Netlink;
use virtbus_schema::Network;
use virtbus_schema::xml::YesNo;
use zbus::Connection;

use crate::address::refused;

const NAME: &str = "org.freedesktop.resolve1";
const PATH: &str = "/org/freedesktop/resolve1";
const MANAGER: &str = "org.freedesktop.resolve1.Manager";
/// How long it may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// Numbers of address families, in its words (sys/socket.h).
const AF_INET: i32 = 2;
const AF_INET6: i32 = 10;

/// Makes the network's DNS server known for the network's domain, if the document says so.
///
/// # Errors
/// `OPERATION_INVALID` when systemd-resolved is not there or refuses.
pub(super) async fn register(network: &Network, bridge: &str) -> Result<()> {
    let Some(domain) = network.domain.as_ref().filter(|domain| domain.register == Some(YesNo::Yes)) else {
        return Ok(());
    };
    let failed = |why: String| {
        Error::invalid_operation(format!("failed to register name server: {why}")).in_domain(ErrorDomain::Network)
    };
    let absent = || failed("systemd-resolved is not available".to_owned());
    let link = Netlink::open().and_then(|mut netlink| netlink.link(bridge)).map_err(|error| refused(&error))?;
    let index = i32::try_from(link.index).map_err(|_| absent())?;
    let servers: Vec<(i32, Vec<u8>)> = network.ips.iter().map(|ip| server(ip.address)).collect();
    let bus =
        tokio::time::timeout(DEADLINE, Connection::system()).await.ok().and_then(|bus| bus.ok()).ok_or_else(absent)?;
    call(&bus, "SetLinkDNS", &(index, servers)).await.map_err(failed)?;
    // For names in the domain only, not for all.
    call(&bus, "SetLinkDomains", &(index, vec![(domain.name.as_str(), true)])).await.map_err(failed)
}

fn server(address: IpAddr) -> (i32, Vec<u8>) {
    match address {
        IpAddr::V4(address) => (AF_INET, address.octets().to_vec()),
        IpAddr::V6(address) => (AF_INET6, address.octets().to_vec()),
    }
}

async fn call<B>(bus: &Connection, method: &str, arguments: &B) -> std::result::Result<(), String>
where
    B: serde::Serialize + zbus::zvariant::DynamicType + Sync,
{
    let reply = bus.call_method(Some(NAME), PATH, Some(MANAGER), method, arguments);
    match tokio::time::timeout(DEADLINE, reply).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", DEADLINE.as_secs())),
    }
}
