//! Who sent a message, and whether it may do what it asks for.
//!
//! The bus vouches for the sender (`GetConnectionCredentials`); unique names are never used twice, so an answer is
//! kept. A call that the proxy relays counts as its original sender's: the proxy announces it ([`crate::relay`]).

use std::{collections::HashMap, sync::RwLock};

use virtbus_api::{
    Error as ApiError, ErrorCode,
    access::{self, Caller},
};
use zbus::{Connection, fdo::DBusProxy, message::Header, names::UniqueName};

use crate::error::Result;

/// Kept callers before the table is emptied: each is two words and a short name.
const KEPT_CALLERS: usize = 4096;

/// Announced calls that have not come yet; a proxy that announces and never calls cannot grow the table further.
const KEPT_ANNOUNCEMENTS: usize = 4096;

/// Resolves senders and checks rights.
#[derive(Debug)]
pub struct Access {
    own_uid: u32,
    callers: RwLock<HashMap<String, Caller>>,
    announced: RwLock<HashMap<(String, u32), Caller>>,
}

impl Access {
    /// For a daemon that runs as this user.
    pub fn new(own_uid: u32) -> Self {
        Self { own_uid, callers: RwLock::default(), announced: RwLock::default() }
    }

    /// Refuses with `ACCESS_DENIED` unless the sender has the right.
    pub async fn check(&self, connection: &Connection, header: &Header<'_>, right: &str) -> Result<()> {
        if access::is_open_to_all(right) {
            return Ok(());
        }
        let caller = self.caller(connection, header).await?;
        Ok(access::check(&caller, self.own_uid, right)?)
    }

    /// Who makes this call.
    pub async fn caller(&self, connection: &Connection, header: &Header<'_>) -> Result<Caller> {
        let sender = header.sender().ok_or_else(|| unknown("a message without a sender"))?;
        let serial = header.primary().serial_num().get();
        if let Some(caller) = self.take_announced(sender.as_str(), serial) {
            return Ok(caller);
        }
        self.peer(connection, sender).await
    }

    /// The caller says for whom its message with this serial number is; only root and the daemon's own user may.
    pub async fn announce(
        &self,
        connection: &Connection,
        sender: &UniqueName<'_>,
        serial: u32,
        caller: Caller,
    ) -> Result<()> {
        let peer = self.peer(connection, sender).await?;
        access::check(&peer, self.own_uid, "connect:write")?;
        let mut announced = self.announced.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if announced.len() >= KEPT_ANNOUNCEMENTS {
            announced.clear();
        }
        announced.insert((sender.as_str().to_owned(), serial), caller);
        Ok(())
    }

    fn take_announced(&self, sender: &str, serial: u32) -> Option<Caller> {
        let key = (sender.to_owned(), serial);
        let known = self.announced.read().unwrap_or_else(std::sync::PoisonError::into_inner).contains_key(&key);
        if !known {
            return None;
        }
        self.announced.write().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&key)
    }

    async fn peer(&self, connection: &Connection, sender: &UniqueName<'_>) -> Result<Caller> {
        if let Some(caller) =
            self.callers.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(sender.as_str())
        {
            return Ok(*caller);
        }
        let bus = DBusProxy::new(connection).await?;
        let credentials = bus
            .get_connection_credentials(sender.clone().into())
            .await
            .map_err(|it| unknown(&format!("sender {sender}: {it}")))?;
        let uid = credentials.unix_user_id().ok_or_else(|| unknown(&format!("sender {sender} has no user")))?;
        let caller = Caller { uid, pid: credentials.process_id() };
        let mut callers = self.callers.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if callers.len() >= KEPT_CALLERS {
            callers.clear();
        }
        callers.insert(sender.as_str().to_owned(), caller);
        Ok(caller)
    }
}

fn unknown(what: &str) -> ApiError {
    ApiError::new(ErrorCode::AccessDenied, format!("the caller cannot be identified: {what}"))
}
