//! The trusted way in for the proxy: it announces for whom its next call is.
//!
//! D-Bus keeps the order of one sender's messages and this interface is served in order, so the announcement is
//! known before the call that it is about.

use std::sync::Arc;

use virtbus_api::{Error as ApiError, access::Caller};
use zbus::{Connection, message::Header};

use crate::{error::Result, front::Cx};

/// `org.libvirt.virtbus.Relay`.
#[derive(Debug)]
pub struct Relay {
    pub(crate) cx: Arc<Cx>,
}

#[zbus::interface(name = "org.libvirt.virtbus.Relay", spawn = false)]
impl Relay {
    /// My message with this serial number comes from this user (and process, 0 where unknown).
    async fn announce(
        &self,
        serial: u32,
        uid: u32,
        pid: u32,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<()> {
        let sender = header.sender().ok_or_else(|| ApiError::invalid_arg("an announcement needs a sender"))?;
        let caller = Caller { uid, pid: (pid != 0).then_some(pid) };
        self.cx.access.announce(connection, sender, serial, caller).await
    }
}
