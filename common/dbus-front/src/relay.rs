//! The trusted way in for the proxy: it announces for whom its next call is.
//!
//! D-Bus keeps the order of one sender's messages, and an announcement is noted before any later message is looked at,
//! so it is known before the call that it is about.

use std::sync::Arc;

use virtbus_api::access::Caller;
use zbus::{Message, message::Header};

use crate::{access::Access, error::Result, objects::Served};

/// `org.libvirt.virtbus.Relay`.
#[derive(Debug)]
pub struct Relay {
    access: Arc<Access>,
}

impl Relay {
    pub(crate) fn served(access: &Arc<Access>) -> Served {
        Served::of(Self { access: access.clone() })
    }

    /// Notes the announcement, if this is one.
    pub(crate) async fn note(access: &Access, message: &Message) {
        let header = message.header();
        let is_announcement = header.member().is_some_and(|it| it == "Announce")
            && header.interface().is_some_and(|it| it == "org.libvirt.virtbus.Relay");
        if !is_announcement {
            return;
        }
        let Ok((serial, uid, pid)) = message.body().deserialize::<(u32, u32, u32)>() else { return };
        let caller = Caller { uid, pid: (pid != 0).then_some(pid) };
        if let Err(error) = access.announce(&header, serial, caller).await {
            tracing::warn!(%error, "an announcement does not count");
        }
    }
}

#[zbus::interface(name = "org.libvirt.virtbus.Relay")]
impl Relay {
    /// My message with this serial number comes from this user (and process, 0 where unknown). Only root and the
    /// daemon's own user are believed.
    #[expect(unused_variables, reason = "noted when the message came in; the answer says whether it counts")]
    async fn announce(&self, serial: u32, uid: u32, pid: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.access.check_relay(&header).await
    }
}
