//! Who listens to which events, and the two tasks that tell them.
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
use virtbus_api::{DomainEvent, Error, ErrorDomain, MonitorEvent};
use virtbus_rpc::peer::Client;

use crate::{
    error::{Fault, Result},
    frames::{self, EVENT_IDS},
    monitor::EventFilter,
};

/// Events up to here can be registered for in the old way (`DEVICE_REMOVED`).
const LAST_OLD_EVENT: i32 = 15;

/// Everybody who listens.
#[derive(Debug)]
pub(crate) struct Hub {
    /// By `virDomainEventID`.
    domain: [RwLock<Vec<Listener>>; EVENT_IDS],
    monitor: RwLock<Vec<MonitorListener>>,
    next_id: AtomicI32,
}

/// A client that listens to one kind of domain events.
#[derive(Debug)]
struct Listener {
    client: Client,
    /// `None` for the old form, which has no id.
    callback: Option<i32>,
    /// `None` for all domains.
    domain: Option<Uuid>,
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
            domain: std::array::from_fn(|_| RwLock::default()),
            monitor: RwLock::default(),
            next_id: AtomicI32::new(0),
        }
    }
}

impl Hub {
    /// Registers a callback and returns its id.
    pub(crate) fn register(&self, client: &Client, event: i32, domain: Option<Uuid>) -> Result<i32> {
        let listeners = self.listeners(event, false)?;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        add(listeners, Listener { client: client.clone(), callback: Some(id), domain })?;
        Ok(id)
    }

    /// Registers in the old way: all domains, no id.
    pub(crate) fn register_old(&self, client: &Client, event: i32) -> Result<()> {
        let listeners = self.listeners(event, true)?;
        add(listeners, Listener { client: client.clone(), callback: None, domain: None })
    }

    /// Ends a callback of this client's.
    pub(crate) fn deregister(&self, client: &Client, id: i32) -> Result<()> {
        let mine = |it: &Listener| it.client.id() == client.id() && it.callback == Some(id);
        if self.domain.iter().any(|listeners| remove(listeners, mine)) {
            return Ok(());
        }
        Err(Fault::session(format!("domain event callback {id} not registered")))
    }

    /// Ends what [`Hub::register_old`] began.
    pub(crate) fn deregister_old(&self, client: &Client, event: i32) -> Result<()> {
        let mine = |it: &Listener| it.client.id() == client.id() && it.callback.is_none();
        if remove(self.listeners(event, true)?, mine) {
            return Ok(());
        }
        Err(Fault::session(format!("domain event {event} not registered")))
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
        for listeners in &self.domain {
            remove(listeners, |it| it.client.id() == client.id());
        }
        remove(&self.monitor, |it| it.client.id() == client.id());
    }

    fn listeners(&self, event: i32, old: bool) -> Result<&RwLock<Vec<Listener>>> {
        let listeners = usize::try_from(event).ok().and_then(|it| self.domain.get(it));
        listeners
            .filter(|_| !old || event <= LAST_OLD_EVENT)
            .ok_or_else(|| Fault::session(format!("unsupported event ID {event}")))
    }

    fn tell(&self, event: &DomainEvent) {
        let frames = match frames::frames(event) {
            Ok(frames) => frames,
            Err(error) => {
                tracing::error!(domain = event.domain.name, "an event does not fit on the wire: {error}");
                return self.disconnect_listeners("an event could not be sent");
            }
        };
        for frame in frames {
            let Some(listeners) = self.domain.get(frame.event) else { continue };
            for it in &*listeners.read().unwrap_or_else(PoisonError::into_inner) {
                if it.domain.is_some_and(|uuid| uuid != event.domain.uuid) {
                    continue;
                }
                let message = match it.callback {
                    Some(id) => Some(frame.for_callback(id)),
                    None => frame.for_old_client(),
                };
                if let Some((header, payload)) = message {
                    // A client that is gone, or that has just been disconnected, needs no event.
                    let _ = it.client.send_message(header, payload);
                }
            }
        }
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

    fn disconnect_listeners(&self, reason: &str) {
        for listeners in &self.domain {
            for it in &*listeners.read().unwrap_or_else(PoisonError::into_inner) {
                it.client.disconnect(reason);
            }
        }
    }

    fn disconnect_monitor_listeners(&self, reason: &str) {
        for it in &*self.monitor.read().unwrap_or_else(PoisonError::into_inner) {
            it.client.disconnect(reason);
        }
    }
}

/// Tells clients what happens to domains, until the engine ends.
pub(crate) async fn tell_domain_events(hub: Arc<Hub>, mut events: Receiver<Arc<DomainEvent>>) {
    loop {
        match events.recv().await {
            Ok(event) => hub.tell(&event),
            Err(RecvError::Lagged(missed)) => {
                tracing::error!("{missed} domain events were missed: disconnecting all clients that listen");
                hub.disconnect_listeners("events were missed");
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// Tells clients what QEMU monitors say, until the engine ends.
pub(crate) async fn tell_monitor_events(hub: Arc<Hub>, mut events: Receiver<Arc<MonitorEvent>>) {
    loop {
        match events.recv().await {
            Ok(event) => hub.tell_monitor(&event),
            Err(RecvError::Lagged(missed)) => {
                tracing::error!("{missed} monitor events were missed: disconnecting all clients that listen");
                hub.disconnect_monitor_listeners("monitor events were missed");
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// One registration per client, event and domain, whatever its form.
fn add(listeners: &RwLock<Vec<Listener>>, it: Listener) -> Result<()> {
    let mut listeners = listeners.write().unwrap_or_else(PoisonError::into_inner);
    if listeners.iter().any(|other| other.client.id() == it.client.id() && other.domain == it.domain) {
        return Err(already_tracked());
    }
    listeners.push(it);
    Ok(())
}

fn remove<T>(listeners: &RwLock<Vec<T>>, which: impl Fn(&T) -> bool) -> bool {
    // Most of the lists do not have the client: look before locking all others out.
    if !listeners.read().unwrap_or_else(PoisonError::into_inner).iter().any(&which) {
        return false;
    }
    let mut listeners = listeners.write().unwrap_or_else(PoisonError::into_inner);
    let before = listeners.len();
    listeners.retain(|it| !which(it));
    listeners.len() < before
}

fn already_tracked() -> Fault {
    Error::invalid_arg("event callback already tracked").in_domain(ErrorDomain::Nowhere).into()
}
