//! The engine as the fronts see it: which network is meant, and what is asked of its owner.

mod load;
mod networks;
mod ports;

use std::sync::Arc;

use tokio::sync::{broadcast, watch};
use uuid::Uuid;
use virtbus_api::{NetworkEvent, NetworkRef, Result};
use virtbus_schema::{Network, xml::Mac};
use virtbus_store::Definitions;

pub use load::StartOfHost;

use crate::config::Config;
use crate::firewall::Firewall;
use crate::network::{Handle, command::Command, files::StatusFiles, view::View};
use crate::pool;
use crate::registry::{Claim, Registry, Reservation, Wanted};

/// Events that a slow front may be behind by. Beyond it the front is told that it lags.
const EVENTS: usize = 1024;

/// The network engine.
#[derive(Debug, Clone)]
pub struct Networkd {
    shared: Arc<Shared>,
}

/// What all networks share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) firewall: Arc<dyn Firewall>,
    pub(crate) definitions: Definitions,
    pub(crate) status: StatusFiles,
    pub(crate) registry: Registry,
    pub(crate) events: broadcast::Sender<NetworkEvent>,
    active: watch::Sender<usize>,
}

impl Shared {
    /// Counts the active networks anew.
    pub(crate) fn count_active(&self) {
        let active = self.registry.all().iter().filter(|it| it.view().live.is_some()).count();
        self.active.send_if_modified(|it| std::mem::replace(it, active) != active);
    }
}

impl Networkd {
    /// An engine without networks; [`Networkd::load`] finds them.
    pub fn new(config: Config, firewall: Arc<dyn Firewall>) -> Self {
        let shared = Shared {
            definitions: Definitions::new(&config.definitions, "virsh net-edit"),
            status: StatusFiles::new(&config.run),
            firewall,
            registry: Registry::default(),
            events: broadcast::Sender::new(EVENTS),
            active: watch::Sender::new(0),
            config,
        };
        Self { shared: Arc::new(shared) }
    }

    /// How many networks are active; for the daemon's idle time-out.
    pub fn active(&self) -> watch::Receiver<usize> {
        self.shared.active.subscribe()
    }

    fn find(&self, network: &NetworkRef) -> Result<Handle> {
        self.shared.registry.find(network)
    }

    fn view(&self, network: &NetworkRef) -> Result<Arc<View>> {
        self.find(network).map(|it| it.view())
    }

    /// Has the owner of `network` do something.
    async fn tell(&self, network: &NetworkRef, command: Command) -> Result<()> {
        self.find(network)?.tell(&self.shared, command).await
    }

    /// The network a document speaks of, and the document with what it leaves open made up: UUID, MAC address, the name of
    /// the bridge.
    fn claim(&self, mut document: Box<Network>) -> Result<(Handle, Box<Network>, Reservation)> {
        pool::check_functions(&document)?;
        let uuid = *document.uuid.get_or_insert_with(Uuid::new_v4);
        let has_bridge = document.mode().has_own_bridge();
        if has_bridge {
            document.mac.get_or_insert_with(made_up_mac);
        }
        let wanted = match document.bridge_name() {
            _ if !has_bridge => Wanted::None,
            Some(name) => Wanted::Name(name),
            None => Wanted::Any,
        };
        let name = document.name.clone();
        let make = || Handle::new(View::off(&name, uuid, None, false));
        let Claim { handle, bridge, reservation } = self.shared.registry.claim(&name, uuid, wanted, make)?;
        if let Some(bridge) = bridge {
            document.bridge.get_or_insert_default().name = Some(bridge);
        }
        Ok((handle, document, reservation))
    }
}

/// An address of the range that QEMU's guests and libvirt's bridges are known by.
fn made_up_mac() -> Mac {
    let [a, b, c, ..] = Uuid::new_v4().into_bytes();
    Mac([0x52, 0x54, 0, a, b, c])
}
