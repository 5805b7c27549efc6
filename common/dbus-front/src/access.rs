//! Who sent a message, and whether it may do what it asks for.
//!
//! The bus vouches for the sender (`GetConnectionCredentials`); unique names are never used twice, so an answer is
//! kept. The bus is asked on a connection of its own: the one that serves calls can be full of them. A call that the
//! proxy relays counts as its original sender's: the proxy announces it ([`crate::relay`]), and only root and the
//! daemon's own user are believed.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use virtbus_api::{
    Error as ApiError, ErrorCode,
    access::{self, Caller},
};
use virtbus_polkit::{MANAGE, Polkit, Refusal, Whom};
use zbus::{
    Connection,
    fdo::DBusProxy,
    message::{Flags, Header},
    names::UniqueName,
};

use crate::error::Result;

/// Kept callers before the table is emptied: each is two words and a short name.
const KEPT_CALLERS: usize = 4096;

/// The right that speaking for others takes.
const SPEAK_FOR_OTHERS: &str = "connect:write";

/// A call: its sender and serial number.
type Key = (String, u32);

/// Resolves senders and checks rights.
#[derive(Debug)]
pub struct Access {
    own_uid: u32,
    bus: Vouch,
    callers: RwLock<HashMap<String, Caller>>,
    /// The latest announcement of each relay; it is about the relay's next call.
    announced: RwLock<HashMap<String, (u32, Caller)>>,
    /// Relayed calls under way.
    relayed: Arc<RwLock<HashMap<Key, Caller>>>,
    /// Who may let in those who are neither root nor the daemon's own user.
    polkit: Option<Polkit>,
}

/// Who vouches for senders.
#[derive(Debug)]
enum Vouch {
    /// The bus.
    Bus(DBusProxy<'static>),
    /// The kernel, which named the peer of a connection without a bus.
    Peer(Caller),
}

/// A call under way; what was announced for it is forgotten with it.
#[derive(Debug)]
pub(crate) struct UnderWay {
    key: Option<Key>,
    relayed: Arc<RwLock<HashMap<Key, Caller>>>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.relayed.write().unwrap_or_else(PoisonError::into_inner).remove(&key);
        }
    }
}

impl Access {
    /// For a daemon that runs as this user; `asking` is a bus connection that serves nothing, `polkit` is on that bus.
    pub async fn new(own_uid: u32, asking: &Connection, polkit: Option<Polkit>) -> zbus::Result<Self> {
        Ok(Self { polkit, ..Self::vouched(own_uid, Vouch::Bus(DBusProxy::new(asking).await?)) })
    }

    /// For a connection without a bus, whose peer is this one.
    pub fn of_peer(own_uid: u32, peer: Caller) -> Self {
        Self::vouched(own_uid, Vouch::Peer(peer))
    }

    fn vouched(own_uid: u32, bus: Vouch) -> Self {
        let (callers, announced) = (RwLock::default(), RwLock::default());
        Self { own_uid, bus, callers, announced, relayed: Arc::default(), polkit: None }
    }

    /// Refuses with `ACCESS_DENIED` unless the caller has all these rights.
    pub async fn check_all(&self, header: &Header<'_>, rights: &[&str]) -> Result<()> {
        // Whoever may manage has every right, so one question is enough.
        match rights.iter().find(|it| !access::is_open_to_all(it)) {
            Some(right) => self.check(header, right).await,
            None => Ok(()),
        }
    }

    /// Refuses with `ACCESS_DENIED` unless the caller has the right: as one of those who always have it, or because polkit
    /// lets it manage. The call waits for polkit, and none but it. Without anybody to ask for the password that the policy
    /// wants it is `AUTH_UNAVAILABLE`.
    pub async fn check(&self, header: &Header<'_>, right: &str) -> Result<()> {
        if access::is_open_to_all(right) {
            return Ok(());
        }
        let (caller, is_relayed) = self.caller(header).await?;
        let Err(refused) = access::check(&caller, self.own_uid, right) else { return Ok(()) };
        let Some(polkit) = &self.polkit else { return Err(refused.into()) };
        let whom = match (is_relayed, caller.pid) {
            (false, _) => Whom::Sender(header),
            (true, Some(pid)) => Whom::Process { uid: caller.uid, pid, start_time: None },
            (true, None) => return Err(refused.into()),
        };
        let interactive = header.primary().flags().contains(Flags::ALLOW_INTERACTIVE_AUTH);
        let refusal = match polkit.check(whom, MANAGE, interactive).await {
            Ok(()) => return Ok(()),
            Err(refusal) => refusal,
        };
        tracing::info!(uid = caller.uid, right, "a caller is refused: {refusal}");
        Err(match refusal {
            Refusal::NoAgent(_) => ApiError::new(ErrorCode::AuthUnavailable, refusal.to_string()),
            Refusal::Cancelled => ApiError::new(ErrorCode::AuthCancelled, refusal.to_string()),
            _ => ApiError { detail: format!("{}: {refusal}", refused.detail), ..refused },
        }
        .into())
    }

    /// Refuses with `ACCESS_DENIED` unless the sender may speak for others.
    pub async fn check_relay(&self, header: &Header<'_>) -> Result<()> {
        let peer = self.peer(header).await?;
        Ok(access::check(&peer, self.own_uid, SPEAK_FOR_OTHERS)?)
    }

    /// Who makes this call, and whether somebody else brings it.
    async fn caller(&self, header: &Header<'_>) -> Result<(Caller, bool)> {
        if let Some(sender) = header.sender() {
            let key = (sender.as_str().to_owned(), header.primary().serial_num().get());
            if let Some(caller) = self.relayed.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
                return Ok((*caller, true));
            }
        }
        Ok((self.peer(header).await?, false))
    }

    /// The sender says for whom its next message, with this serial number, is.
    pub(crate) async fn announce(&self, header: &Header<'_>, serial: u32, caller: Caller) -> Result<()> {
        self.check_relay(header).await?;
        let sender = sender_of(header)?.as_str().to_owned();
        self.announced.write().unwrap_or_else(PoisonError::into_inner).insert(sender, (serial, caller));
        Ok(())
    }

    /// Notes that the call begins, and for whom it is.
    pub(crate) fn begin(&self, header: &Header<'_>) -> UnderWay {
        let key = header.sender().and_then(|sender| {
            let serial = header.primary().serial_num().get();
            let announced = self.announced.read().unwrap_or_else(PoisonError::into_inner).get(sender.as_str()).copied();
            let (_, caller) = announced.filter(|(it, _)| *it == serial)?;
            let key = (sender.as_str().to_owned(), serial);
            self.relayed.write().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), caller);
            Some(key)
        });
        UnderWay { key, relayed: self.relayed.clone() }
    }

    async fn peer(&self, header: &Header<'_>) -> Result<Caller> {
        let bus = match &self.bus {
            Vouch::Bus(bus) => bus,
            Vouch::Peer(caller) => return Ok(*caller),
        };
        let sender = sender_of(header)?;
        if let Some(caller) = self.callers.read().unwrap_or_else(PoisonError::into_inner).get(sender.as_str()) {
            return Ok(*caller);
        }
        let credentials = bus
            .get_connection_credentials(sender.clone().into())
            .await
            .map_err(|it| unknown(&format!("sender {sender}: {it}")))?;
        let uid = credentials.unix_user_id().ok_or_else(|| unknown(&format!("sender {sender} has no user")))?;
        let caller = Caller { uid, pid: credentials.process_id() };
        let mut callers = self.callers.write().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= KEPT_CALLERS {
            callers.clear();
        }
        callers.insert(sender.as_str().to_owned(), caller);
        Ok(caller)
    }
}

fn sender_of<'m>(header: &'m Header<'_>) -> Result<&'m UniqueName<'m>> {
    Ok(header.sender().ok_or_else(|| unknown("a message without a sender"))?)
}

fn unknown(what: &str) -> ApiError {
    ApiError::new(ErrorCode::AccessDenied, format!("the caller cannot be identified: {what}"))
}
