//! Who listens to which events, and the tasks that tell them.
//!
//! One subscription to the engine serves all clients: an event is encoded once and copied into the queues of those who
//! listen. A client whose queue is full is disconnected by [`Client::send_message`]; a front that lags behind its
//! engine disconnects all who listen, because nothing may be left out silently.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicI32, Ordering},
};

use tokio::sync::broadcast::{Receiver, error::RecvError};
use uuid::Uuid;
use virtbus_api::{DomainEvent, MonitorEvent, NetworkEvent, PoolEvent, SecretEvent};
use virtbus_proto::EncodeError;
use virtbus_rpc::peer::Client;

use crate::{
    error::{Fault, Result},
    frames::{self, EVENT_IDS, Frame},
    listeners::{Listeners, already_tracked, remove},
    monitor::EventFilter,
};

/// Events up to here can be registered for in the old way (`DEVICE_REMOVED`).
const LAST_OLD_EVENT: i32 = 15;

/// Everybody who listens.
#[derive(Debug)]
pub(crate) struct Hub {
    /// By `virDomainEventID`.
    pub(crate) domains: Listeners,
    /// By `virNetworkEventID`.
    pub(crate) networks: Listeners,
    /// By `virStoragePoolEventID`.
    pub(crate) pools: Listeners,
    /// By `virSecretEventID`.
    pub(crate) secrets: Listeners,
    monitor: RwLock<Vec<MonitorListener>>,
    next_id: AtomicI32,
}

/// A client that listens to the monitors.
#[derive(Debug)]
struct MonitorListener {
    client: Client,
    callback: i32,
    domain: Option<Uuid>,
    filter: EventFilter,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            domains: Listeners::new("domain", EVENT_IDS),
            networks: Listeners::new("network", frames::network::EVENT_IDS),
            pools: Listeners::new("storage pool", frames::storage::POOL_EVENT_IDS),
            secrets: Listeners::new("secret", frames::storage::SECRET_EVENT_IDS),
            monitor: RwLock::default(),
            next_id: AtomicI32::new(0),
        }
    }
}

impl Hub {
    /// Registers for domain events in the old way.
    pub(crate) fn register_old(&self, client: &Client, event: i32) -> Result<()> {
        self.domains.register_old(client, old(event)?)
    }

    /// Ends what [`Hub::register_old`] began.
    pub(crate) fn deregister_old(&self, client: &Client, event: i32) -> Result<()> {
        self.domains.deregister_old(client, old(event)?)
    }

    /// Registers for the events of QEMU monitors and returns the callback's id.
    pub(crate) fn register_monitor(&self, client: &Client, domain: Option<Uuid>, filter: EventFilter) -> Result<i32> {
        let callback = self.next_id.fetch_add(1, Ordering::Relaxed);
        let it = MonitorListener { client: client.clone(), callback, domain, filter };
        let same = |other: &MonitorListener| {
            other.client.id() == it.client.id() && other.domain == it.domain && other.filter == it.filter
        };
        let mut listeners = self.monitor.write().unwrap_or_else(PoisonError::into_inner);
        if listeners.iter().any(same) {
            return Err(already_tracked());
        }
        listeners.push(it);
        Ok(callback)
    }

    /// Ends what [`Hub::register_monitor`] began.
    pub(crate) fn deregister_monitor(&self, client: &Client, id: i32) -> Result<()> {
        if remove(&self.monitor, |it| it.client.id() == client.id() && it.callback == id) {
            return Ok(());
        }
        Err(Fault::session(format!("qemu monitor event callback {id} not registered")))
    }

    /// Forgets a client.
    pub(crate) fn forget(&self, client: &Client) {
        for listeners in [&self.domains, &self.networks, &self.pools, &self.secrets] {
            listeners.forget(client);
        }
        remove(&self.monitor, |it| it.client.id() == client.id());
    }

    fn tell_monitor(&self, event: &MonitorEvent) {
        let listeners = self.monitor.read().unwrap_or_else(PoisonError::into_inner);
        let wanted = |it: &&MonitorListener| {
            it.domain.is_none_or(|uuid| uuid == event.domain.uuid) && it.filter.matches(&event.name)
        };
        let mut wanted = listeners.iter().filter(wanted).peekable();
        if wanted.peek().is_none() {
            return;
        }
        match frames::monitor_frame(event) {
            Ok(payload) => wanted.for_each(|it| {
                let (header, payload) = frames::monitor_frame_for(&payload, it.callback);
                let _ = it.client.send_message(header, payload);
            }),
            Err(error) => {
                tracing::error!(domain = event.domain.name, "a monitor event does not fit on the wire: {error}");
                wanted.for_each(|it| it.client.disconnect("an event could not be sent"));
            }
        }
    }

    fn disconnect_monitor_listeners(&self, reason: &str) {
        for it in &*self.monitor.read().unwrap_or_else(PoisonError::into_inner) {
            it.client.disconnect(reason);
        }
    }
}

/// An event that the old calls know.
fn old(event: i32) -> Result<i32> {
    if event <= LAST_OLD_EVENT { Ok(event) } else { Err(Fault::session(format!("unsupported event ID {event}"))) }
}

/// Sends the frames of one event to those who listen to its object.
fn tell(listeners: &Listeners, object: Uuid, name: &str, frames: std::result::Result<Vec<Frame>, EncodeError>) {
    match frames {
        Ok(frames) => frames.iter().for_each(|frame| listeners.tell(frame, object)),
        Err(error) => {
            tracing::error!(object = name, "an event does not fit on the wire: {error}");
            listeners.disconnect("an event could not be sent");
        }
    }
}

/// Tells clients what happens to domains, until the engine ends.
pub(crate) async fn tell_domain_events(hub: Arc<Hub>, events: Receiver<Arc<DomainEvent>>) {
    let heard = |it: Arc<DomainEvent>| tell(&hub.domains, it.domain.uuid, &it.domain.name, frames::frames(&it));
    carry("domain", events, heard, |reason| hub.domains.disconnect(reason)).await;
}

/// Tells clients what QEMU monitors say, until the engine ends.
pub(crate) async fn tell_monitor_events(hub: Arc<Hub>, events: Receiver<Arc<MonitorEvent>>) {
    let heard = |it: Arc<MonitorEvent>| hub.tell_monitor(&it);
    carry("monitor", events, heard, |reason| hub.disconnect_monitor_listeners(reason)).await;
}

/// Tells clients what happens to networks, until the engine ends.
pub(crate) async fn tell_network_events(hub: Arc<Hub>, events: Receiver<NetworkEvent>) {
    let heard = |it: NetworkEvent| {
        let frame = frames::network::frame(&it).map(Vec::from_iter);
        tell(&hub.networks, it.network.uuid, &it.network.name, frame);
    };
    carry("network", events, heard, |reason| hub.networks.disconnect(reason)).await;
}

/// Tells clients what happens to pools, until the engine ends.
pub(crate) async fn tell_pool_events(hub: Arc<Hub>, events: Receiver<PoolEvent>) {
    let heard = |it: PoolEvent| {
        let frame = frames::storage::pool_frame(&it).map(Vec::from_iter);
        tell(&hub.pools, it.pool.uuid, &it.pool.name, frame);
    };
    carry("pool", events, heard, |reason| hub.pools.disconnect(reason)).await;
}

/// Tells clients what happens to secrets, until the engine ends.
pub(crate) async fn tell_secret_events(hub: Arc<Hub>, events: Receiver<SecretEvent>) {
    let heard = |it: SecretEvent| {
        let frame = frames::storage::secret_frame(&it).map(|it| vec![it]);
        tell(&hub.secrets, it.secret.uuid, &it.secret.usage_id, frame);
    };
    carry("secret", events, heard, |reason| hub.secrets.disconnect(reason)).await;
}

/// Hands each event to `heard`. When some were missed, all who listen are disconnected, since they have missed them too.
async fn carry<E: Clone>(kind: &str, mut events: Receiver<E>, heard: impl Fn(E), disconnect: impl Fn(&str)) {
    loop {
        match events.recv().await {
            Ok(event) => heard(event),
            Err(RecvError::Lagged(missed)) => {
                tracing::error!("{missed} {kind} events were missed: disconnecting all clients that listen");
                disconnect("events were missed");
            }
            Err(RecvError::Closed) => return,
        }
    }
}
