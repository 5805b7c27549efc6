//! A connected client as its calls see it: who it is, what its connection may do, and how to send it events.
//!
//! What a client may do with an object is decided by the front; what it has opened is kept by the front in the state
//! slot. Only the connection's own facts are kept here.

mod identity;

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::SystemTime;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use virtbus_host::fd;
use virtbus_proto::{EncodeError, Event, Header};

pub use identity::{Identity, IdentityError};

/// Which socket a client came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SocketKind {
    /// `-sock`: everything, as far as the caller is permitted.
    ReadWrite,
    /// `-sock-ro`: nothing that changes anything.
    ReadOnly,
    /// `-admin-sock`: the daemon about itself.
    Admin,
}

impl SocketKind {
    /// All of them, in the order that daemons have them in.
    pub const ALL: [Self; 3] = [Self::ReadWrite, Self::ReadOnly, Self::Admin];
}

/// A frame for a client that did not ask for it.
#[derive(Debug, Clone)]
pub(crate) struct Unasked {
    pub(crate) header: Header,
    pub(crate) body: Bytes,
}

/// The client is not there any more, or is being disconnected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("client is gone")]
pub struct Gone;

/// Handle of a connected client; cheap to clone, usable from any task, also after the client is gone.
#[derive(Debug, Clone)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: u64,
    peer: fd::Peer,
    socket: SocketKind,
    since: SystemTime,
    read_only: AtomicBool,
    open: AtomicBool,
    identity: RwLock<Arc<Identity>>,
    state: OnceLock<Box<dyn Any + Send + Sync>>,
    events: mpsc::Sender<Unasked>,
    kicked: CancellationToken,
    closed: CancellationToken,
}

impl Client {
    pub(crate) fn new(id: u64, peer: fd::Peer, socket: SocketKind, events: mpsc::Sender<Unasked>) -> Self {
        Self(Arc::new(Inner {
            id,
            peer,
            socket,
            since: SystemTime::now(),
            read_only: AtomicBool::new(socket == SocketKind::ReadOnly),
            open: AtomicBool::new(false),
            identity: RwLock::new(Arc::new(Identity::of_peer(&peer))),
            state: OnceLock::new(),
            events,
            kicked: CancellationToken::new(),
            closed: CancellationToken::new(),
        }))
    }

    /// Number of the connection, from 1, never used twice by one server.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// The process at the other end of the socket. Through a relay that is the relay: see [`Client::identity`].
    pub fn peer(&self) -> &fd::Peer {
        &self.0.peer
    }

    /// Which socket the client came in by.
    pub fn socket(&self) -> SocketKind {
        self.0.socket
    }

    /// When it connected.
    pub fn since(&self) -> SystemTime {
        self.0.since
    }

    /// Whether nothing may be changed over this connection.
    pub fn is_read_only(&self) -> bool {
        self.0.read_only.load(Ordering::Acquire)
    }

    /// Makes the connection read-only, for good: what `CONNECT_OPEN` with flag 1 asks for.
    pub fn set_read_only(&self) {
        self.0.read_only.store(true, Ordering::Release);
    }

    /// Whether `CONNECT_OPEN` has succeeded on this connection (and no second one has failed since).
    pub fn is_open(&self) -> bool {
        self.0.open.load(Ordering::Acquire)
    }

    pub(crate) fn set_open(&self, open: bool) {
        self.0.open.store(open, Ordering::Release);
    }

    /// On whose behalf the calls are made: the peer, until a trusted peer has said otherwise by `CONNECT_SET_IDENTITY`.
    pub fn identity(&self) -> Arc<Identity> {
        self.0.identity.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_identity(&self, identity: Identity) {
        *self.0.identity.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(identity);
    }

    /// Whether the peer may speak for others: the daemon's own user, or root.
    pub fn is_trusted(&self) -> bool {
        let uid = self.0.peer.uid;
        uid == 0 || uid == fd::own_uid()
    }

    /// What the front keeps about this connection: made by `init` on first use. `None` when it was made as another type.
    pub fn state<T: Any + Send + Sync>(&self, init: impl FnOnce() -> T) -> Option<&T> {
        self.0.state.get_or_init(|| Box::new(init())).downcast_ref()
    }

    /// Sends `event`, behind everything sent before. It never waits: a client that does not read its events is
    /// disconnected once the queue is full, with a log line, so that none is ever left out.
    ///
    /// # Errors
    /// [`EventError::Gone`], or the event does not fit on the wire.
    pub fn send_event<E: Event>(&self, event: &E) -> Result<(), EventError> {
        self.send_message(Header::message(E::PROGRAM, E::NUMBER), event.to_bytes()?.into()).map_err(EventError::Gone)
    }

    /// As [`Client::send_event`], with the payload already encoded.
    ///
    /// # Errors
    /// The client is gone, or is being disconnected because it does not read.
    pub fn send_message(&self, header: Header, body: Bytes) -> Result<(), Gone> {
        match self.0.events.try_send(Unasked { header, body }) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Gone),
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.disconnect("it does not read its events");
                Err(Gone)
            }
        }
    }

    /// Closes the connection. `reason` goes to the log.
    pub fn disconnect(&self, reason: &str) {
        if !self.0.kicked.is_cancelled() && !self.0.closed.is_cancelled() {
            tracing::warn!(client = self.0.id, pid = self.0.peer.pid, "disconnecting client: {reason}");
            self.0.kicked.cancel();
        }
    }

    /// Waits until the connection has ended, however that came.
    pub async fn closed(&self) {
        self.0.closed.cancelled().await;
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.0.closed.is_cancelled()
    }

    pub(crate) fn kicked(&self) -> &CancellationToken {
        &self.0.kicked
    }

    pub(crate) fn set_closed(&self) {
        self.0.closed.cancel();
    }
}

/// Why an event was not sent.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Nobody is there to read it.
    #[error(transparent)]
    Gone(Gone),
    /// It does not fit on the wire.
    #[error("event cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
}
