//! Which networks there are: by UUID and by name, and whose each bridge is.
//!
//! One lock around the maps, held for look-ups only and never across an await. It decides what is unique (names, UUIDs,
//! bridges) and nothing else; what a network is doing stands in its view.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use uuid::Uuid;
use virtbus_api::{Error, NetworkRef, Result};
use virtbus_host::names::{Names, Taken};

use crate::bridge;
use crate::fault::{self, Faults as _};
use crate::network::Handle;

/// All networks. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry {
    maps: Arc<RwLock<Maps>>,
}

#[derive(Debug, Default)]
struct Maps {
    names: Names<Handle>,
    bridges: BTreeMap<String, Holder>,
}

/// Who has the name of a bridge.
#[derive(Debug)]
struct Holder {
    network: Uuid,
    /// Commands under way that will need it.
    pending: usize,
    /// Whether a definition or what runs says it.
    said: bool,
}

/// The name of a bridge, kept for a command that is under way.
#[derive(Debug)]
pub(crate) struct Reservation {
    registry: Registry,
    bridge: Option<String>,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Some(name) = self.bridge.take() else { return };
        let mut maps = self.registry.write();
        if let Some(holder) = maps.bridges.get_mut(&name) {
            holder.pending = holder.pending.saturating_sub(1);
            if holder.pending == 0 && !holder.said {
                maps.bridges.remove(&name);
            }
        }
    }
}

/// What a bridge's name is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// No bridge of ours.
    None,
    /// Any free name.
    Any,
    /// This one, with a number for `%d`.
    Name(&'a str),
}

/// A network that was claimed: its handle, and the bridge that is its own.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) handle: Handle,
    pub(crate) bridge: Option<String>,
    pub(crate) reservation: Reservation,
}

impl Registry {
    fn read(&self) -> RwLockReadGuard<'_, Maps> {
        // The maps are changed by single inserts and removes; a panic between two leaves nothing that misleads.
        self.maps.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Maps> {
        self.maps.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The network a caller means.
    pub(crate) fn find(&self, network: &NetworkRef) -> Result<Handle> {
        self.read().names.by_uuid(network.uuid).ok_or_else(|| fault::no_network_of(network.uuid, &network.name))
    }

    /// The network of this name.
    pub(crate) fn by_name(&self, name: &str) -> Result<Handle> {
        let missing = || fault::no_network(format!("no network with matching name '{name}'"));
        self.read().names.by_name(name).ok_or_else(missing)
    }

    /// All networks in order of name.
    pub(crate) fn all(&self) -> Vec<Handle> {
        self.read().names.all()
    }

    /// The network of this name and UUID, to be defined or started: the one there is, or a new one that only shows once it
    /// is defined or runs; and its bridge, kept for as long as the reservation lives.
    ///
    /// # Errors
    /// When the name belongs to another UUID, the UUID to another name, or the bridge to another network.
    pub(crate) fn claim(
        &self,
        name: &str,
        uuid: Uuid,
        wanted: Wanted<'_>,
        make: impl FnOnce() -> Handle,
    ) -> Result<Claim> {
        let mut maps = self.write();
        let taken = |by: Taken| Error::failed(format!("network {by}")).of_networks();
        let there = maps.names.reserved(name, uuid).map_err(taken)?;
        let bridge = choose(&maps, there.as_ref(), wanted)?;
        if let Some(bridge) = &bridge {
            let holder = maps.bridges.entry(bridge.clone());
            let holder = holder.or_insert(Holder { network: uuid, pending: 0, said: false });
            if holder.network != uuid {
                return Err(fault::internal(format!("bridge name '{bridge}' already in use.")));
            }
            holder.pending += 1;
        }
        let (handle, _) = maps.names.claim(name, uuid, make).map_err(taken)?;
        drop(maps);
        Ok(Claim { handle, bridge: bridge.clone(), reservation: Reservation { registry: self.clone(), bridge } })
    }

    /// Notes which bridges a network says now; the others it had are free.
    pub(crate) fn note_bridges(&self, network: Uuid, said: &[String]) {
        let mut maps = self.write();
        for bridge in said {
            let new = Holder { network, pending: 0, said: true };
            maps.bridges.entry(bridge.clone()).or_insert(new);
        }
        maps.bridges.retain(|name, holder| {
            if holder.network == network {
                holder.said = said.contains(name);
            }
            holder.said || holder.pending > 0
        });
    }

    /// Removes a network that is neither defined nor active, if `unused` (asked under the lock) agrees.
    pub(crate) fn remove(&self, uuid: Uuid, name: &str, unused: impl FnOnce() -> bool) -> bool {
        self.write().names.remove(uuid, name, unused)
    }
}

/// The bridge's name; a network that has one and asks for any keeps its own.
fn choose(maps: &Maps, there: Option<&Handle>, wanted: Wanted<'_>) -> Result<Option<String>> {
    match wanted {
        Wanted::None => Ok(None),
        Wanted::Name(name) if name.contains('%') => {
            // A number is put in one place; what has none or more is no name at all.
            let parts = name.split_once("%d").filter(|(before, after)| !before.contains('%') && !after.contains('%'));
            let taken: BTreeSet<String> = maps.bridges.keys().cloned().collect();
            match parts {
                Some((before, after)) => bridge::free_name_like(before, after, &taken).map(Some),
                None => bridge::free_name(&taken).map(Some),
            }
        }
        Wanted::Name(name) => Ok(Some(name.to_owned())),
        Wanted::Any => {
            if let Some(own) = there.and_then(|it| it.view().bridges().into_iter().next()) {
                return Ok(Some(own));
            }
            let taken: BTreeSet<String> = maps.bridges.keys().cloned().collect();
            bridge::free_name(&taken).map(Some)
        }
    }
}
