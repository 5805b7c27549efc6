//! What a route knows of its call: the engine, the client, and what the client has open with this front.

use std::sync::{Arc, Mutex, PoisonError};

use virtbus_api::{ClientLease, Error, LeaseGuard};
use virtbus_proto::Entry;
use virtbus_rpc::peer::Client;

use crate::{error::Result, events::Hub, session};

/// A call's surroundings; cheap to clone.
pub(crate) struct Context<D: ?Sized> {
    /// The engine.
    pub(crate) driver: Arc<D>,
    /// Who calls.
    pub(crate) client: Client,
    /// Who is told of events.
    pub(crate) hub: Arc<Hub>,
}

impl<D: ?Sized> Clone for Context<D> {
    fn clone(&self) -> Self {
        Self { driver: self.driver.clone(), client: self.client.clone(), hub: self.hub.clone() }
    }
}

/// What is kept for a client while it is connected.
#[derive(Debug)]
pub(crate) struct Presence {
    lease: Mutex<Option<LeaseGuard>>,
    opened: Mutex<Option<Opened>>,
}

/// What a client has opened.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    /// The URI, in full.
    pub(crate) uri: String,
    /// Whether the client named it, and so wants that driver alone.
    pub(crate) is_named: bool,
}

impl Presence {
    /// Of a client that has just connected.
    pub(crate) fn new(client: &Client) -> Self {
        Self { lease: Mutex::new(Some(LeaseGuard::new(client.id()))), opened: Mutex::default() }
    }

    /// Ends what hangs on the client's presence.
    pub(crate) fn end(&self) {
        // Handles of the client can outlive the connection, so dropping them would come too late.
        drop(self.lease.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl<D: ?Sized> Context<D> {
    /// Notes what the client has opened.
    pub(crate) fn set_opened(&self, opened: Opened) {
        if let Some(it) = self.client.state(|| Presence::new(&self.client)) {
            *it.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened);
        }
    }

    /// The URI that the client has opened: empty before.
    pub(crate) fn opened(&self) -> String {
        self.seen_opened(|it| it.uri.clone()).unwrap_or_default()
    }

    /// Whether what the client has opened has this procedure, which the daemon has.
    pub(crate) fn reaches(&self, entry: &Entry) -> bool {
        let allowed = self.seen_opened(|it| !it.is_named || session::has(&it.uri, entry));
        allowed.unwrap_or(true)
    }

    fn seen_opened<T>(&self, look: impl FnOnce(&Opened) -> T) -> Option<T> {
        let presence = self.client.state(|| Presence::new(&self.client))?;
        let opened = presence.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.as_ref().map(look)
    }

    /// A lease on the client's presence; an error once it has gone.
    pub(crate) fn lease(&self) -> Result<ClientLease> {
        let presence = self.client.state(|| Presence::new(&self.client));
        let lease = presence.and_then(|it| {
            let guard = it.lease.lock().unwrap_or_else(PoisonError::into_inner);
            guard.as_ref().map(LeaseGuard::lease)
        });
        Ok(lease.ok_or_else(|| Error::invalid_operation("the client has disconnected"))?)
    }
}
