//! A network daemon without networks: documents and ports in memory.

mod networks;
mod ports;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::broadcast;
use uuid::Uuid;
use virtbus_api::{
    Error, ErrorCode, ErrorDomain, NetworkEvent, NetworkEventKind, NetworkRef, PortRef, Result, Turnover, TypedParam,
    network::{Lease, UpdateCommand},
};
use virtbus_schema::{Network, NetworkPort, NetworkSection};

use crate::EVENTS;

/// The simulated network daemon; cheap to clone.
#[derive(Debug, Clone)]
pub struct SimNetwork(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uri: String,
    /// By name, so that lists are in order.
    table: Mutex<BTreeMap<String, Known>>,
    events: broadcast::Sender<NetworkEvent>,
}

/// An update as it arrived: what it does, to which section, of which parent.
pub type Update = (UpdateCommand, NetworkSection, Option<u32>);

#[derive(Debug)]
struct Known {
    uuid: Uuid,
    document: Arc<Network>,
    persistent: bool,
    active: bool,
    autostart: bool,
    ports: BTreeMap<Uuid, Port>,
    leases: Vec<Lease>,
    updates: Vec<Update>,
}

#[derive(Debug)]
struct Port {
    document: Arc<NetworkPort>,
    params: Vec<TypedParam>,
}

impl SimNetwork {
    /// A daemon without networks that says it is at `uri` (`network:///system`).
    pub fn new(uri: impl Into<String>) -> Self {
        let events = broadcast::channel(EVENTS).0;
        Self(Arc::new(Inner { uri: uri.into(), table: Mutex::default(), events }))
    }

    /// Gives an address away, as a network's DHCP server does.
    ///
    /// # Errors
    /// There is no such network.
    pub fn give(&self, network: &NetworkRef, lease: Lease) -> Result<()> {
        known_mut(&mut self.table(), network)?.1.leases.push(lease);
        Ok(())
    }

    /// The updates that a network has had: they are noted and change nothing.
    ///
    /// # Errors
    /// There is no such network.
    pub fn updates(&self, network: &NetworkRef) -> Result<Vec<Update>> {
        Ok(known(&self.table(), network)?.updates.clone())
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turnover(&self, network: &NetworkRef, come: Vec<PortRef>, gone: Vec<PortRef>) {
        self.tell(network, NetworkEventKind::Ports(Arc::new(Turnover { come, gone })));
    }

    fn tell(&self, network: &NetworkRef, kind: NetworkEventKind) {
        // Nobody listening is no fault.
        let _ = self.0.events.send(NetworkEvent { network: network.clone(), kind });
    }
}

fn known<'a>(table: &'a BTreeMap<String, Known>, network: &NetworkRef) -> Result<&'a Known> {
    table.values().find(|it| it.uuid == network.uuid).ok_or_else(|| gone(network))
}

/// The network that is meant, with its present name.
fn known_mut<'a>(table: &'a mut BTreeMap<String, Known>, network: &NetworkRef) -> Result<(NetworkRef, &'a mut Known)> {
    let found = table.iter_mut().find(|(_, it)| it.uuid == network.uuid);
    found.map(|(name, it)| (refer(name, it), it)).ok_or_else(|| gone(network))
}

/// The network that is meant, which must be active.
fn active_mut<'a>(table: &'a mut BTreeMap<String, Known>, network: &NetworkRef) -> Result<(NetworkRef, &'a mut Known)> {
    let (network, it) = known_mut(table, network)?;
    if it.active { Ok((network, it)) } else { Err(invalid(&format!("network '{}' is not active", network.name))) }
}

fn refer(name: &str, it: &Known) -> NetworkRef {
    NetworkRef { name: name.to_owned(), uuid: it.uuid }
}

fn invalid(text: &str) -> Error {
    Error::invalid_operation(text).in_domain(ErrorDomain::Network)
}

fn unknown(what: &str) -> Error {
    Error::new(ErrorCode::NoNetwork, format!("no network with matching {what}")).in_domain(ErrorDomain::Network)
}

fn gone(network: &NetworkRef) -> Error {
    unknown(&format!("uuid '{}' ({})", network.uuid, network.name))
}
