//! Registering for events of pools and secrets.

use virtbus_proto::table::{
    ConnectSecretEventDeregisterAny, ConnectSecretEventRegisterAny, ConnectSecretEventRegisterAnyReply,
    ConnectStoragePoolEventDeregisterAny, ConnectStoragePoolEventRegisterAny, ConnectStoragePoolEventRegisterAnyReply,
};

use crate::{Storage, from_wire, routes::Routes};

pub(crate) fn routes() -> Routes<Storage> {
    Routes::<Storage>::default()
        .on_view(|cx, a: ConnectStoragePoolEventRegisterAny| {
            let pool = a.pool.as_ref().map(|it| from_wire::pool(it).uuid);
            let callback_id = cx.hub.pools.register(&cx.client, a.event_id, pool)?;
            Ok(ConnectStoragePoolEventRegisterAnyReply { callback_id })
        })
        .on_view(|cx, a: ConnectStoragePoolEventDeregisterAny| cx.hub.pools.deregister(&cx.client, a.callback_id))
        .on_view(|cx, a: ConnectSecretEventRegisterAny| {
            let secret = a.secret.as_ref().map(|it| from_wire::secret(it).uuid);
            let callback_id = cx.hub.secrets.register(&cx.client, a.event_id, secret)?;
            Ok(ConnectSecretEventRegisterAnyReply { callback_id })
        })
        .on_view(|cx, a: ConnectSecretEventDeregisterAny| cx.hub.secrets.deregister(&cx.client, a.callback_id))
}
