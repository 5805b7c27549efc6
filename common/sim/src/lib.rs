//! Daemons without a host: the engine traits over domains, pools and networks that exist in memory alone.
//!
//! It serves `test:///default` and the tests of the fronts. States, errors and events are those of a real engine; no
//! process, file or device is behind them, and nothing survives it.

mod document;
mod domains;
mod guest;
mod network;
mod node;
mod storage;
mod table;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::broadcast;
use virtbus_api::{
    DomainEvent, DomainEventKind, DomainRef, MonitorEvent,
    hypervisor::{Devices, Migration, Snapshots, Stats},
};

pub use network::{SimNetwork, Update};
pub use storage::SimStorage;
use table::Table;

/// Events that a front may lag behind by.
const EVENTS: usize = 4096;

/// The simulated hypervisor; cheap to clone.
#[derive(Debug, Clone)]
pub struct Sim(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uri: String,
    began: Instant,
    table: Mutex<Table>,
    events: broadcast::Sender<Arc<DomainEvent>>,
    monitor_events: broadcast::Sender<Arc<MonitorEvent>>,
}

impl Sim {
    /// A hypervisor without domains that says it is at `uri` (`test:///default`, `qemu:///system`).
    pub fn new(uri: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            uri: uri.into(),
            began: Instant::now(),
            table: Mutex::default(),
            events: broadcast::channel(EVENTS).0,
            monitor_events: broadcast::channel(EVENTS).0,
        }))
    }

    /// Reports `kind` as if `domain` had raised it, so that tests can see every event.
    pub fn raise(&self, domain: &DomainRef, kind: DomainEventKind) {
        // Nobody listening is no fault.
        let _ = self.0.events.send(Arc::new(DomainEvent { domain: domain.clone(), kind }));
    }

    /// Reports a monitor event as if `domain`'s QEMU had sent it.
    pub fn raise_monitor(&self, domain: &DomainRef, name: &str, details: Option<String>) {
        let (domain, name) = (domain.clone(), name.to_owned());
        let _ = self.0.monitor_events.send(Arc::new(MonitorEvent { domain, name, timestamp: (0, 0), details }));
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Devices for Sim {}
impl Migration for Sim {}
impl Snapshots for Sim {}
impl Stats for Sim {}

/// Whether an object is listed: in each group of bits of which any is asked for, one must hold.
fn passes<F: Copy>(groups: &[&[(F, bool)]], is_asked: impl Fn(F) -> bool) -> bool {
    groups.iter().all(|group| {
        let mut asked = group.iter().filter(|(bit, _)| is_asked(*bit)).peekable();
        asked.peek().is_none() || asked.any(|(_, holds)| *holds)
    })
}
