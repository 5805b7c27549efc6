//! The engine as callers see it: the API's traits over the registry of pools.
//!
//! A read takes the pool's view and answers; a command goes to the owner's mailbox. Nothing is decided here that
//! concerns one pool alone: that is [`crate::pool`]'s.

mod load;
mod pools;
mod secrets;
mod volumes;

use std::fmt;
use std::sync::Arc;

use tokio::sync::broadcast;
use virtbus_api::{PoolEvent, PoolRef, Result, storage::Secrets};
use virtbus_store::Definitions;

use crate::config::Config;
use crate::pool::{Handle, view::View};
use crate::registry::Registry;

pub use load::StartOfHost;

/// Events that a slow front may be behind by. Beyond it the front is told that it lags.
const EVENTS: usize = 4096;

/// The storage engine: pools and volumes. Secrets are kept by whoever it is given.
#[derive(Debug, Clone)]
pub struct Storage {
    shared: Arc<Shared>,
}

/// What all pools share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) definitions: Definitions,
    pub(crate) status: Definitions,
    pub(crate) registry: Registry,
    pub(crate) events: broadcast::Sender<PoolEvent>,
    pub(crate) secrets: Arc<dyn Secrets>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("config", &self.config).field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl Storage {
    /// An engine without pools; [`Storage::load`] finds them. `secrets` answers what is asked about secrets, and gives
    /// passphrases of volumes.
    pub fn new(config: Config, secrets: Arc<dyn Secrets>) -> Self {
        let shared = Shared {
            definitions: Definitions::new(&config.layout.definitions, "virsh pool-edit"),
            status: Definitions::of_this_boot(&config.layout.run, "virsh pool-edit"),
            registry: Registry::default(),
            events: broadcast::Sender::new(EVENTS),
            secrets,
            config,
        };
        Self { shared: Arc::new(shared) }
    }

    fn find(&self, pool: &PoolRef) -> Result<Handle> {
        self.shared.registry.find(pool)
    }

    fn view(&self, pool: &PoolRef) -> Result<Arc<View>> {
        self.find(pool).map(|it| it.view())
    }
}
