//! What reaches into a guest: keys, interrupts, waking up.

use virtbus_api::{Error, hypervisor::KeyCodeSet};
use virtbus_proto::table::{DomainInjectNmi, DomainPmWakeup, DomainSendKey};

use crate::{
    Hypervisor,
    from_wire::{self, domain},
    routes::Routes,
};

pub(crate) fn routes() -> Routes<Hypervisor> {
    Routes::<Hypervisor>::default()
        .on(|cx, a: DomainSendKey| async move {
            from_wire::no_flags(&a, a.flags)?;
            let unknown = || Error::unsupported_config(format!("Unsupported codeset {}", a.codeset));
            let set = KeyCodeSet::from_number(a.codeset).ok_or_else(unknown)?;
            Ok(cx.driver.send_key(&domain(&a.dom), set, a.holdtime, &a.keycodes).await?)
        })
        .on(|cx, a: DomainInjectNmi| async move {
            from_wire::no_flags(&a, a.flags)?;
            Ok(cx.driver.inject_nmi(&domain(&a.dom)).await?)
        })
        .on(|cx, a: DomainPmWakeup| async move {
            from_wire::no_flags(&a, a.flags)?;
            Ok(cx.driver.pm_wakeup(&domain(&a.dom)).await?)
        })
}
