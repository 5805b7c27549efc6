//! Registering for domain events, in the old form and in the one with callback ids.

use virtbus_proto::table::{
    ConnectDomainEventCallbackDeregisterAny, ConnectDomainEventCallbackRegisterAny,
    ConnectDomainEventCallbackRegisterAnyReply, ConnectDomainEventDeregister, ConnectDomainEventDeregisterAny,
    ConnectDomainEventDeregisterReply, ConnectDomainEventRegister, ConnectDomainEventRegisterAny,
    ConnectDomainEventRegisterReply,
};

use crate::{Hypervisor, from_wire, routes::Routes};

/// `VIR_DOMAIN_EVENT_ID_LIFECYCLE`, the only one of the first form.
const LIFECYCLE: i32 = 0;

pub(crate) fn routes() -> Routes<Hypervisor> {
    Routes::<Hypervisor>::default()
        .on_view(|cx, a: ConnectDomainEventCallbackRegisterAny| {
            let domain = a.dom.as_ref().map(|it| from_wire::domain(it).uuid);
            let callback_id = cx.hub.domains.register(&cx.client, a.event_id, domain)?;
            Ok(ConnectDomainEventCallbackRegisterAnyReply { callback_id })
        })
        .on_view(|cx, a: ConnectDomainEventCallbackDeregisterAny| cx.hub.domains.deregister(&cx.client, a.callback_id))
        .on_view(|cx, a: ConnectDomainEventRegisterAny| cx.hub.register_old(&cx.client, a.event_id))
        .on_view(|cx, a: ConnectDomainEventDeregisterAny| cx.hub.deregister_old(&cx.client, a.event_id))
        // The reference answers 0 to both whatever there is (observed).
        .on_view(|cx, ConnectDomainEventRegister {}| {
            cx.hub.register_old(&cx.client, LIFECYCLE)?;
            Ok(ConnectDomainEventRegisterReply { cb_registered: 0 })
        })
        .on_view(|cx, ConnectDomainEventDeregister {}| {
            cx.hub.deregister_old(&cx.client, LIFECYCLE)?;
            Ok(ConnectDomainEventDeregisterReply { cb_registered: 0 })
        })
}
