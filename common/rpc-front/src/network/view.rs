//! What is known of a network: its document, its state, its bridge, its leases.

use virtbus_api::{Error, ErrorCode, ErrorDomain, document};
use virtbus_proto::table::{
    NetworkGetAutostart, NetworkGetAutostartReply, NetworkGetBridgeName, NetworkGetBridgeNameReply,
    NetworkGetDhcpLeases, NetworkGetDhcpLeasesReply, NetworkGetXmlDesc, NetworkGetXmlDescReply, NetworkIsActive,
    NetworkIsActiveReply, NetworkIsPersistent, NetworkIsPersistentReply,
};
use virtbus_schema::xml::Mac;

use crate::{
    Network,
    error::Result,
    from_wire::{self, network},
    routes::Routes,
    to_wire,
};

/// Leases in one answer (`REMOTE_NETWORK_DHCP_LEASES_MAX`).
const LEASES_MAX: usize = 65_536;

pub(crate) fn routes() -> Routes<Network> {
    Routes::<Network>::default()
        .on_view(|cx, a: NetworkGetXmlDesc| {
            let flags = from_wire::flags(&a, a.flags)?;
            let document = cx.driver.xml(&network(&a.net), flags)?;
            Ok(NetworkGetXmlDescReply { xml: document::format_network(&document, flags) })
        })
        .on_view(|cx, a: NetworkIsActive| {
            Ok(NetworkIsActiveReply { active: to_wire::boolean(cx.driver.is_active(&network(&a.net))?) })
        })
        .on_view(|cx, a: NetworkIsPersistent| {
            let persistent = to_wire::boolean(cx.driver.is_persistent(&network(&a.net))?);
            Ok(NetworkIsPersistentReply { persistent })
        })
        .on_view(|cx, a: NetworkGetAutostart| {
            Ok(NetworkGetAutostartReply { autostart: to_wire::boolean(cx.driver.autostart(&network(&a.net))?) })
        })
        .on_view(|cx, a: NetworkGetBridgeName| {
            Ok(NetworkGetBridgeNameReply { name: cx.driver.bridge_name(&network(&a.net))? })
        })
        .on(|cx, a: NetworkGetDhcpLeases| async move {
            from_wire::no_flags(&a, a.flags)?;
            a.mac.as_deref().map_or(Ok(()), check_mac)?;
            let found = cx.driver.leases(&network(&a.net), a.mac.as_deref()).await?;
            let (leases, ret) = to_wire::list(a.need_results, &found, LEASES_MAX, "leases", to_wire::lease)?;
            Ok(NetworkGetDhcpLeasesReply { leases, ret })
        })
}

/// The address is checked before the network is looked for (observed).
fn check_mac(text: &str) -> Result<()> {
    let wrong = |_| Error::new(ErrorCode::InvalidMac, text).in_domain(ErrorDomain::Network);
    Ok(text.parse::<Mac>().map(drop).map_err(wrong)?)
}
