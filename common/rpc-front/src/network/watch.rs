//! Registering for events of networks.

use virtbus_proto::table::{
    ConnectNetworkEventDeregisterAny, ConnectNetworkEventRegisterAny, ConnectNetworkEventRegisterAnyReply,
};

use crate::{Network, from_wire, routes::Routes};

pub(crate) fn routes() -> Routes<Network> {
    Routes::<Network>::default()
        .on_view(|cx, a: ConnectNetworkEventRegisterAny| {
            let network = a.net.as_ref().map(|it| from_wire::network(it).uuid);
            let callback_id = cx.hub.networks.register(&cx.client, a.event_id, network)?;
            Ok(ConnectNetworkEventRegisterAnyReply { callback_id })
        })
        .on_view(|cx, a: ConnectNetworkEventDeregisterAny| cx.hub.networks.deregister(&cx.client, a.callback_id))
}
