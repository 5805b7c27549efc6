//! Ports of networks.

use uuid::Uuid;
use virtbus_api::{document, flags::PortCreateFlags};
use virtbus_proto::table::{
    NetworkListAllPorts, NetworkListAllPortsReply, NetworkPortCreateXml, NetworkPortCreateXmlReply, NetworkPortDelete,
    NetworkPortGetParameters, NetworkPortGetParametersReply, NetworkPortGetXmlDesc, NetworkPortGetXmlDescReply,
    NetworkPortLookupByUuid, NetworkPortLookupByUuidReply, NetworkPortSetParameters,
};

use crate::{
    Network,
    from_wire::{self, network, port},
    routes::Routes,
    to_wire,
};

/// Ports in one answer (`REMOTE_NETWORK_PORT_LIST_MAX`).
const LIST_MAX: usize = 16_384;

pub(crate) fn routes() -> Routes<Network> {
    Routes::<Network>::default()
        .on_view(|cx, a: NetworkListAllPorts| {
            from_wire::no_flags(&a, a.flags)?;
            let found = cx.driver.ports(&network(&a.network))?;
            let (ports, ret) = to_wire::list(a.need_results, &found, LIST_MAX, "network ports", to_wire::port)?;
            Ok(NetworkListAllPortsReply { ports, ret })
        })
        .on_view(|cx, a: NetworkPortLookupByUuid| {
            let found = cx.driver.lookup_port(&network(&a.network), Uuid::from_bytes(a.uuid))?;
            Ok(NetworkPortLookupByUuidReply { port: to_wire::port(&found) })
        })
        .on_view(|cx, a: NetworkPortGetXmlDesc| {
            from_wire::no_flags(&a, a.flags)?;
            let document = cx.driver.port_xml(&port(&a.port))?;
            Ok(NetworkPortGetXmlDescReply { xml: document::format_network_port(&document) })
        })
        // All of them, whatever room the client claims to have (observed).
        .on_view(|cx, a: NetworkPortGetParameters| {
            from_wire::no_flags(&a, a.flags)?;
            let params = to_wire::params(&cx.driver.port_parameters(&port(&a.port))?);
            let nparams = to_wire::count(params.len());
            Ok(NetworkPortGetParametersReply { params, nparams })
        })
        .on(|cx, a: NetworkPortCreateXml| async move {
            let flags: PortCreateFlags = from_wire::flags(&a, a.flags)?;
            let net = network(&a.network);
            // An unknown network counts before a document that makes no sense.
            cx.driver.is_active(&net)?;
            let document = document::parse_network_port(&a.xml, flags.contains(PortCreateFlags::VALIDATE))?;
            let created = cx.driver.create_port(&net, document, flags).await?;
            Ok(NetworkPortCreateXmlReply { port: to_wire::port(&created) })
        })
        .on(|cx, a: NetworkPortSetParameters| async move {
            from_wire::no_flags(&a, a.flags)?;
            Ok(cx.driver.set_port_parameters(&port(&a.port), from_wire::params(a.params)).await?)
        })
        .on(|cx, a: NetworkPortDelete| async move {
            from_wire::no_flags(&a, a.flags)?;
            Ok(cx.driver.delete_port(&port(&a.port)).await?)
        })
}
