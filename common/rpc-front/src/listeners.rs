//! Clients that are registered for the events of one kind of object, by the event's number.
//!
//! What an event says is not known here; it comes as a frame.

use std::sync::{
    PoisonError, RwLock,
    atomic::{AtomicI32, Ordering},
};

use uuid::Uuid;
use virtbus_api::{Error, ErrorDomain};
use virtbus_rpc::peer::Client;

use crate::{
    error::{Fault, Result},
    frames::Frame,
};

/// Everybody who listens to one kind of object. Callback ids count from 0 for each kind, as the reference's do.
#[derive(Debug)]
pub(crate) struct Listeners {
    /// What the refusals say that the events are about.
    subject: &'static str,
    by_event: Vec<RwLock<Vec<Listener>>>,
    next_id: AtomicI32,
}

/// A client that listens to one kind of event.
#[derive(Debug)]
struct Listener {
    client: Client,
    /// `None` for the old form of domain events, which has no id.
    callback: Option<i32>,
    /// `None` for all objects.
    object: Option<Uuid>,
}

impl Listeners {
    /// Nobody listens yet. `subject` is what refusals name; events count from 0 up to `events`.
    pub(crate) fn new(subject: &'static str, events: usize) -> Self {
        let by_event = std::iter::repeat_with(RwLock::default).take(events).collect();
        Self { subject, by_event, next_id: AtomicI32::new(0) }
    }

    /// Registers a callback and returns its id.
    pub(crate) fn register(&self, client: &Client, event: i32, object: Option<Uuid>) -> Result<i32> {
        let listeners = self.of(event).ok_or_else(|| {
            // Domains came first: the reference's text for them names no kind.
            let kind = if self.subject == "domain" { String::new() } else { format!("{} ", self.subject) };
            Fault::session(format!("unsupported {kind}event ID {event}"))
        })?;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        add(listeners, Listener { client: client.clone(), callback: Some(id), object })?;
        Ok(id)
    }

    /// Registers in the old way: all objects, no id.
    pub(crate) fn register_old(&self, client: &Client, event: i32) -> Result<()> {
        let listeners = self.of(event).ok_or_else(|| Fault::session(format!("unsupported event ID {event}")))?;
        add(listeners, Listener { client: client.clone(), callback: None, object: None })
    }

    /// Ends a callback of this client's.
    pub(crate) fn deregister(&self, client: &Client, id: i32) -> Result<()> {
        let mine = |it: &Listener| it.client.id() == client.id() && it.callback == Some(id);
        if self.by_event.iter().any(|listeners| remove(listeners, mine)) {
            return Ok(());
        }
        Err(Fault::session(format!("{} event callback {id} not registered", self.subject)))
    }

    /// Ends what [`Listeners::register_old`] began.
    pub(crate) fn deregister_old(&self, client: &Client, event: i32) -> Result<()> {
        let listeners = self.of(event).ok_or_else(|| Fault::session(format!("unsupported event ID {event}")))?;
        if remove(listeners, |it| it.client.id() == client.id() && it.callback.is_none()) {
            return Ok(());
        }
        Err(Fault::session(format!("{} event {event} not registered", self.subject)))
    }

    /// Forgets a client.
    pub(crate) fn forget(&self, client: &Client) {
        for listeners in &self.by_event {
            remove(listeners, |it| it.client.id() == client.id());
        }
    }

    /// Sends what happened to `object` to all who listen.
    pub(crate) fn tell(&self, frame: &Frame, object: Uuid) {
        let Some(listeners) = self.by_event.get(frame.event) else { return };
        for it in &*listeners.read().unwrap_or_else(PoisonError::into_inner) {
            if it.object.is_some_and(|uuid| uuid != object) {
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

    /// Disconnects all who listen: they would miss something.
    pub(crate) fn disconnect(&self, reason: &str) {
        for listeners in &self.by_event {
            for it in &*listeners.read().unwrap_or_else(PoisonError::into_inner) {
                it.client.disconnect(reason);
            }
        }
    }

    fn of(&self, event: i32) -> Option<&RwLock<Vec<Listener>>> {
        usize::try_from(event).ok().and_then(|it| self.by_event.get(it))
    }
}

/// One registration per client, event and object, whatever its form.
fn add(listeners: &RwLock<Vec<Listener>>, it: Listener) -> Result<()> {
    let mut listeners = listeners.write().unwrap_or_else(PoisonError::into_inner);
    if listeners.iter().any(|other| other.client.id() == it.client.id() && other.object == it.object) {
        return Err(already_tracked());
    }
    listeners.push(it);
    Ok(())
}

/// Takes out those that `which` says; whether there was any.
pub(crate) fn remove<T>(listeners: &RwLock<Vec<T>>, which: impl Fn(&T) -> bool) -> bool {
    // Most of the lists do not have the client: look before locking all others out.
    if !listeners.read().unwrap_or_else(PoisonError::into_inner).iter().any(&which) {
        return false;
    }
    let mut listeners = listeners.write().unwrap_or_else(PoisonError::into_inner);
    let before = listeners.len();
    listeners.retain(|it| !which(it));
    listeners.len() < before
}

/// The refusal of a registration that is there already.
pub(crate) fn already_tracked() -> Fault {
    Error::invalid_arg("event callback already tracked").in_domain(ErrorDomain::Nowhere).into()
}
