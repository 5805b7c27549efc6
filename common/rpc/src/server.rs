//! Serving clients: accepting them, within limits, and running one task per connection.
//!
//! What calls mean is a [`Service`]; who is admitted is a [`Policy`]. Where listening sockets come from is not known here.

mod flight;
mod session;
mod streams;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use virtbus_host::fd::Peer;
use virtbus_host::task;

use crate::auth::{Admission, OwnUser, Policy};
use crate::call::Service;
use crate::connection::Link;
use crate::keepalive::Patience;
use crate::peer::{Client, SocketKind};
use crate::relay::Backends;

/// How long accepting pauses when the process is out of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(200);

/// How much a server takes on. The names are those of the configuration files.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Clients at a time; more wait in the socket's queue.
    pub max_clients: usize,
    /// Calls of one client that run at a time; as many again of high priority. More wait.
    pub max_client_requests: usize,
    /// Calls of one client that wait; with more, nothing is read from it until one has started.
    pub max_client_waiting: usize,
    /// Bytes of calls of one client that wait, likewise.
    pub max_client_waiting_bytes: usize,
    /// Events that wait for one client; with more it is disconnected.
    pub max_client_events: usize,
    /// When silent clients are pinged and given up, once they have said that they answer.
    pub keepalive: Patience,
}

impl Limits {
    /// The limits of a configuration file's words: clients, requests of each, and the [`Patience`] with them.
    pub fn of((max_clients, max_client_requests, interval, count): (u32, u32, i32, u32)) -> Self {
        let number = |it: u32| usize::try_from(it).unwrap_or(usize::MAX);
        Self {
            max_clients: number(max_clients),
            max_client_requests: number(max_client_requests),
            keepalive: Patience::of(interval, count),
            ..Self::default()
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_clients: 5000,
            max_client_requests: 128,
            max_client_waiting: 1024,
            max_client_waiting_bytes: 32 * 1024 * 1024,
            max_client_events: 8192,
            keepalive: Patience::default(),
        }
    }
}

/// A server: a service, its limits, and the clients it has.
#[derive(Clone)]
pub struct Server(Arc<Shared>);

struct Shared {
    service: Arc<dyn Service>,
    policy: Arc<dyn Policy>,
    backends: Backends,
    limits: Limits,
    room: Arc<Semaphore>,
    next_id: AtomicU64,
    clients: Mutex<BTreeMap<u64, Client>>,
    count: watch::Sender<usize>,
    draining: CancellationToken,
    closing: CancellationToken,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("limits", &self.0.limits).field("clients", &*self.0.count.borrow()).finish()
    }
}

impl Server {
    /// A server for `service` that admits root and the daemon's own user.
    pub fn new(service: Arc<dyn Service>, limits: Limits) -> Self {
        Self::with_policy(service, Arc::new(OwnUser), limits)
    }

    /// A server for `service` that admits whom `policy` admits.
    pub fn with_policy(service: Arc<dyn Service>, policy: Arc<dyn Policy>, limits: Limits) -> Self {
        Self::relaying(service, policy, limits, Backends::new())
    }

    /// The same, which passes the calls that other daemons own on to those of them that are in `backends`.
    pub fn relaying(service: Arc<dyn Service>, policy: Arc<dyn Policy>, limits: Limits, backends: Backends) -> Self {
        Self(Arc::new(Shared {
            service,
            policy,
            backends,
            limits,
            room: Arc::new(Semaphore::new(limits.max_clients.min(Semaphore::MAX_PERMITS))),
            next_id: AtomicU64::new(1),
            clients: Mutex::new(BTreeMap::new()),
            count: watch::channel(0).0,
            draining: CancellationToken::new(),
            closing: CancellationToken::new(),
        }))
    }

    /// Accepts clients of `listener` until the server drains. May be called for several sockets at once. Running out of
    /// descriptors is waited out, with a log line.
    ///
    /// # Errors
    /// The socket itself is broken.
    pub async fn serve(&self, listener: UnixListener, kind: SocketKind) -> io::Result<()> {
        loop {
            let permit = tokio::select! {
                () = self.0.draining.cancelled() => return Ok(()),
                permit = Arc::clone(&self.0.room).acquire_owned() => permit,
            };
            // The semaphore is never closed.
            let Ok(permit) = permit else { return Ok(()) };
            let accepted = tokio::select! {
                () = self.0.draining.cancelled() => return Ok(()),
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, _)) => {
                    let server = self.clone();
                    drop(task::spawn("client", async move {
                        server.run(socket, kind).await;
                        drop(permit);
                    }));
                }
                Err(error) => match error.raw_os_error() {
                    Some(errno::EMFILE | errno::ENFILE | errno::ENOBUFS | errno::ENOMEM) => {
                        tracing::error!("cannot accept a client, pausing: {error}");
                        tokio::time::sleep(PAUSE).await;
                    }
                    Some(errno::ECONNABORTED | errno::EINTR | errno::EPROTO) => {}
                    _ => return Err(error),
                },
            }
        }
    }

    /// Serves one client that is connected already, until it is gone.
    pub async fn run(&self, socket: UnixStream, kind: SocketKind) {
        let (link, peer) = match Link::new(socket).and_then(|link| link.peer().map(|peer| (link, peer))) {
            Ok(it) => it,
            Err(error) => {
                tracing::warn!("refusing a client that cannot be identified: {error}");
                return;
            }
        };
        let shared = &*self.0;
        let id = shared.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, events) = mpsc::channel(shared.limits.max_client_events.max(1));
        let client = Client::new(id, peer, kind, sender);
        let admission = shared.policy.admission(&client);
        if let (Admission::Refused(reason), SocketKind::Admin) = (&admission, kind) {
            tracing::warn!(client = id, pid = peer.pid, "refusing client: {reason}");
            return;
        }
        let _registered = Registered::new(shared, &client);
        log_connected(&client, &peer);
        shared.service.connected(&client);
        let end = session::Session::new(shared, &client, link, events, admission).run().await;
        tracing::debug!(client = id, "client gone: {end}");
    }

    /// Number of connected clients, and its changes.
    pub fn client_count(&self) -> watch::Receiver<usize> {
        self.0.count.subscribe()
    }

    /// The connected clients, oldest first.
    pub fn clients(&self) -> Vec<Client> {
        self.0.clients.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Stops accepting, lets running calls and streams end, and disconnects clients that have none; after `deadline`
    /// disconnects the others too. Returns when no client is left.
    pub async fn drain(&self, deadline: Duration) {
        self.0.draining.cancel();
        let mut count = self.client_count();
        if tokio::time::timeout(deadline, count.wait_for(|it| *it == 0)).await.is_err() {
            tracing::warn!(clients = *count.borrow(), "clients are still busy, disconnecting them");
            self.0.closing.cancel();
            // Ends with the sender only, which lives as long as this.
            let _ = count.wait_for(|it| *it == 0).await;
        }
    }
}

/// A client's entry in the registry, for as long as its session runs, however that ends.
struct Registered<'a> {
    shared: &'a Shared,
    client: &'a Client,
}

impl<'a> Registered<'a> {
    fn new(shared: &'a Shared, client: &'a Client) -> Self {
        let mut clients = shared.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.insert(client.id(), client.clone());
        shared.count.send_replace(clients.len());
        Self { shared, client }
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.client.set_closed();
        self.shared.service.disconnected(self.client);
        let mut clients = self.shared.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.remove(&self.client.id());
        self.shared.count.send_replace(clients.len());
    }
}

fn log_connected(client: &Client, peer: &Peer) {
    tracing::debug!(client = client.id(), pid = peer.pid, uid = peer.uid, socket = ?client.socket(), "client connected");
}

/// The system's error numbers, under their names.
mod errno {
    use nix::errno::Errno;

    pub(super) const EMFILE: i32 = Errno::EMFILE as i32;
    pub(super) const ENFILE: i32 = Errno::ENFILE as i32;
    pub(super) const ENOBUFS: i32 = Errno::ENOBUFS as i32;
    pub(super) const ENOMEM: i32 = Errno::ENOMEM as i32;
    pub(super) const ECONNABORTED: i32 = Errno::ECONNABORTED as i32;
    pub(super) const EINTR: i32 = Errno::EINTR as i32;
    pub(super) const EPROTO: i32 = Errno::EPROTO as i32;
}
