//! What everyone may know of a pool: published by its owner once per turn, never changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;
use virtbus_api::{
    PoolRef, Turnover, VolumeRef,
    storage::{PoolInfo, PoolState},
};
use virtbus_schema::StoragePool;

use crate::volume::Volume;

/// The volumes of a pool, by name.
pub(crate) type Volumes = Arc<BTreeMap<String, Arc<Volume>>>;

/// What is known of a pool.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// Its UUID.
    pub(crate) uuid: Uuid,
    /// The definition that outlives its run.
    pub(crate) definition: Option<Arc<StoragePool>>,
    /// What there is while it is active.
    pub(crate) live: Option<Live>,
    /// Whether it starts with the host.
    pub(crate) autostart: bool,
    /// Whether it is being built.
    pub(crate) building: bool,
}

/// The part of a view that only an active pool has.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    /// The document it was started from.
    pub(crate) origin: Arc<StoragePool>,
    /// The same with what has been found since.
    pub(crate) document: Arc<StoragePool>,
    /// Whether all of it answers.
    pub(crate) state: PoolState,
    /// Sizes as of the last refresh, and changes since.
    pub(crate) figures: Figures,
    /// What is in it.
    pub(crate) volumes: Volumes,
}

/// Sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Figures {
    /// How much it holds.
    pub(crate) capacity: u64,
    /// How much is used.
    pub(crate) allocation: u64,
    /// How much is free.
    pub(crate) available: u64,
}

impl Live {
    /// The document with the figures of now.
    pub(crate) fn shown(&self) -> StoragePool {
        let mut document = StoragePool::clone(&self.document);
        document.capacity.bytes = self.figures.capacity;
        document.allocation.bytes = self.figures.allocation;
        document.available.bytes = self.figures.available;
        document
    }
}

impl View {
    /// A pool that is not started.
    pub(crate) fn off(name: &str, uuid: Uuid, definition: Option<Arc<StoragePool>>, autostart: bool) -> Self {
        Self { name: name.into(), uuid, definition, live: None, autostart, building: false }
    }

    /// Whether callers find it: it is defined or active. One that is neither has been reserved for a call under way.
    pub(crate) fn exists(&self) -> bool {
        self.definition.is_some() || self.live.is_some()
    }

    /// The pool's name and UUID.
    pub(crate) fn pool_ref(&self) -> PoolRef {
        PoolRef { name: self.name.to_string(), uuid: self.uuid }
    }

    /// State and figures.
    pub(crate) fn info(&self) -> PoolInfo {
        let Figures { capacity, allocation, available } = self.live.as_ref().map(|it| it.figures).unwrap_or_default();
        let state = match &self.live {
            Some(live) => live.state,
            None if self.building => PoolState::Building,
            None => PoolState::Inactive,
        };
        PoolInfo { state, capacity, allocation, available }
    }

    /// What runs, else what is defined.
    pub(crate) fn document(&self) -> Option<&Arc<StoragePool>> {
        self.live.as_ref().map(|it| &it.document).or(self.definition.as_ref())
    }

    /// Which volumes have come and gone since the view was `before`.
    pub(crate) fn turnover_since(&self, before: &Self) -> Option<Arc<Turnover<VolumeRef>>> {
        let none = Volumes::default();
        let [old, new] = [before, self].map(|it| it.live.as_ref().map_or(&none, |it| &it.volumes));
        if Arc::ptr_eq(old, new) {
            return None;
        }
        Turnover::between(old, new, |one, other| one.key() == other.key(), |it| self.volume_ref(it))
    }

    /// How callers name a volume of it.
    pub(crate) fn volume_ref(&self, volume: &Volume) -> VolumeRef {
        VolumeRef { pool: self.name.to_string(), name: volume.name().to_owned(), key: volume.key().to_owned() }
    }
}
