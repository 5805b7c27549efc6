//! Finding networks: lists in every form, lookups.

use uuid::Uuid;
use virtbus_api::flags::NetworkFilter;
use virtbus_proto::table::{
    ConnectListAllNetworks, ConnectListAllNetworksReply, ConnectListDefinedNetworks, ConnectListDefinedNetworksReply,
    ConnectListNetworks, ConnectListNetworksReply, ConnectNumOfDefinedNetworks, ConnectNumOfDefinedNetworksReply,
    ConnectNumOfNetworks, ConnectNumOfNetworksReply, NetworkLookupByName, NetworkLookupByNameReply,
    NetworkLookupByUuid, NetworkLookupByUuidReply,
};

use crate::{Network, client::Context, error::Result, from_wire, routes::Routes, to_wire};

/// Networks in one answer (`REMOTE_NETWORK_LIST_MAX`).
const LIST_MAX: usize = 16_384;

pub(crate) fn routes() -> Routes<Network> {
    Routes::<Network>::default()
        .on_view(|cx, a: ConnectListAllNetworks| {
            let found = cx.driver.list(from_wire::flags(&a, a.flags)?);
            let (nets, ret) = to_wire::list(a.need_results, &found, LIST_MAX, "networks", to_wire::network)?;
            Ok(ConnectListAllNetworksReply { nets, ret })
        })
        // The old forms: first the number, then as many as there is room for.
        .on_view(|cx, ConnectNumOfNetworks {}| {
            Ok(ConnectNumOfNetworksReply { num: to_wire::count(cx.driver.list(NetworkFilter::ACTIVE).len()) })
        })
        .on_view(|cx, ConnectNumOfDefinedNetworks {}| {
            Ok(ConnectNumOfDefinedNetworksReply { num: to_wire::count(cx.driver.list(NetworkFilter::INACTIVE).len()) })
        })
        .on_view(|cx, a: ConnectListNetworks| {
            Ok(ConnectListNetworksReply { names: names(cx, a.maxnames, NetworkFilter::ACTIVE)? })
        })
        .on_view(|cx, a: ConnectListDefinedNetworks| {
            Ok(ConnectListDefinedNetworksReply { names: names(cx, a.maxnames, NetworkFilter::INACTIVE)? })
        })
        .on_view(|cx, a: NetworkLookupByUuid| {
            let found = cx.driver.lookup_by_uuid(Uuid::from_bytes(a.uuid))?;
            Ok(NetworkLookupByUuidReply { net: to_wire::network(&found) })
        })
        .on_view(|cx, a: NetworkLookupByName| {
            Ok(NetworkLookupByNameReply { net: to_wire::network(&cx.driver.lookup_by_name(&a.name)?) })
        })
}

fn names(cx: &Context<Network>, claimed: i32, filter: NetworkFilter) -> Result<Vec<String>> {
    let room = from_wire::room(claimed, "maxnames", LIST_MAX, "REMOTE_NETWORK_LIST_MAX")?;
    Ok(cx.driver.list(filter).into_iter().map(|it| it.name).take(room).collect())
}
