//! The engine as callers see it: the API's traits over the registry of domains.
//!
//! A read takes the domain's view and answers; a command goes to the owner's mailbox. Nothing is decided here that
//! concerns one domain alone: that is [`crate::domain`]'s.

mod addresses;
mod consoles;
mod domains;
mod guest;
mod jobs;
mod keycodes;
mod load;
mod metadata;
mod monitor;
mod node;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{broadcast, watch};
use virtbus_api::{
    DomainEvent, DomainRef, MonitorEvent, Result,
    hypervisor::{Devices, Migration, Snapshots, Stats},
};
use virtbus_store::{Definitions, StatusFiles};

use crate::capabilities::{Documents, host::HostSettings};
use crate::config::Config;
use crate::domain::{Handle, command::Command, view::View};
use crate::neighbours::Neighbours;
use crate::process::capabilities::Cache;
use crate::registry::Registry;

/// Events that a slow front may be behind by. Beyond it the front is told that it lags.
const EVENTS: usize = 4096;

/// The QEMU engine.
#[derive(Debug, Clone)]
pub struct Qemu {
    shared: Arc<Shared>,
}

/// What all domains share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) neighbours: Neighbours,
    pub(crate) definitions: Definitions,
    pub(crate) status: StatusFiles,
    pub(crate) registry: Registry,
    pub(crate) events: broadcast::Sender<Arc<DomainEvent>>,
    pub(crate) monitor_events: broadcast::Sender<Arc<MonitorEvent>>,
    pub(crate) capabilities: Cache,
    pub(crate) documents: Documents,
    /// How many domains are active.
    pub(crate) active: watch::Sender<usize>,
    /// Ports of displays that guests have.
    pub(crate) ports: crate::process::ports::Ports,
    /// Names of the host's ends of network cards.
    pub(crate) names: crate::process::names::Names,
    /// The host's PCI functions that guests have.
    pub(crate) functions: crate::process::passthrough::InUse,
    /// Who has which console.
    consoles: Mutex<HashMap<PathBuf, consoles::Holder>>,
    last_id: AtomicU32,
}

impl Shared {
    /// The next runtime id. Ids count up from 1 and go on after the highest that runs when the daemon starts.
    pub(crate) fn next_id(&self) -> u32 {
        self.last_id.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// Ids up to `id` have been given out.
    pub(crate) fn note_id(&self, id: u32) {
        self.last_id.fetch_max(id, Ordering::Relaxed);
    }
}

impl Qemu {
    /// An engine without domains and without neighbours; [`Qemu::load`] finds its domains.
    pub fn new(config: Config) -> Self {
        Self::beside(config, Neighbours::absent())
    }

    /// An engine without domains; guests that need a network, a volume or a secret get it from its neighbours.
    pub fn beside(config: Config, neighbours: Neighbours) -> Self {
        let user = config.settings.user.as_ref().map(|user| (user.uid, user.gid));
        let host = HostSettings { uuid: config.host_uuid, owner: user };
        let shared = Shared {
            definitions: Definitions::new(&config.layout.definitions, "virsh edit"),
            status: StatusFiles::new(&config.layout.run),
            registry: Registry::default(),
            events: broadcast::Sender::new(EVENTS),
            monitor_events: broadcast::Sender::new(EVENTS),
            documents: Documents::new(host),
            capabilities: Cache::new(config.layout.cache.join("capabilities"), user),
            active: watch::Sender::new(0),
            ports: crate::process::ports::Ports::new(&config.settings),
            names: crate::process::names::Names::default(),
            functions: crate::process::passthrough::InUse::default(),
            consoles: Mutex::default(),
            last_id: AtomicU32::new(0),
            neighbours,
            config,
        };
        Self { shared: Arc::new(shared) }
    }

    /// How many domains are active; for the daemon's idle time-out.
    pub fn active(&self) -> watch::Receiver<usize> {
        self.shared.active.subscribe()
    }

    fn find(&self, domain: &DomainRef) -> Result<Handle> {
        self.shared.registry.find(domain)
    }

    fn view(&self, domain: &DomainRef) -> Result<Arc<View>> {
        self.find(domain).map(|it| it.view())
    }

    /// Has the owner of `domain` do something whose answer is success.
    async fn tell(&self, domain: &DomainRef, command: Command) -> Result<()> {
        self.find(domain)?.tell(&self.shared, command).await
    }
}

/// The parts of the API that come with later releases; every call answers that it is not supported.
impl Devices for Qemu {}
impl Stats for Qemu {}
impl Snapshots for Qemu {}
impl Migration for Qemu {}
