//! Which pools there are: by UUID and by name.
//!
//! One lock around two maps, held for look-ups only and never across an await. It decides what is unique (names, UUIDs,
//! sources) and nothing else; what a pool is doing stands in its view.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use uuid::Uuid;
use virtbus_api::{Error, ErrorCode, PoolRef, Result};
use virtbus_schema::StoragePool;

use crate::fault::Faults as _;
use crate::pool::{Handle, document};

/// All pools.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    maps: RwLock<Maps>,
}

#[derive(Debug, Default)]
struct Maps {
    by_uuid: HashMap<Uuid, Handle>,
    by_name: BTreeMap<Arc<str>, Handle>,
}

/// The error for a pool that is not there.
pub(crate) fn no_pool(detail: String) -> Error {
    Error::new(ErrorCode::NoStoragePool, detail).of_storage()
}

/// The error for a pool known by its UUID.
pub(crate) fn no_pool_of(uuid: Uuid, name: &str) -> Error {
    no_pool(if name.is_empty() {
        format!("no storage pool with matching uuid '{uuid}'")
    } else {
        format!("no storage pool with matching uuid '{uuid}' ({name})")
    })
}

impl Registry {
    fn read(&self) -> RwLockReadGuard<'_, Maps> {
        // The maps are changed by single inserts and removes; a panic between two leaves nothing that misleads.
        self.maps.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Maps> {
        self.maps.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pool a caller means.
    pub(crate) fn find(&self, pool: &PoolRef) -> Result<Handle> {
        let found = self.read().by_uuid.get(&pool.uuid).cloned();
        found.filter(|it| it.view().exists()).ok_or_else(|| no_pool_of(pool.uuid, &pool.name))
    }

    /// The pool of this name.
    pub(crate) fn by_name(&self, name: &str) -> Result<Handle> {
        let found = self.read().by_name.get(name).cloned();
        found
            .filter(|it| it.view().exists())
            .ok_or_else(|| no_pool(format!("no storage pool with matching name '{name}'")))
    }

    /// All pools in order of name.
    pub(crate) fn all(&self) -> Vec<Handle> {
        let all: Vec<Handle> = self.read().by_name.values().cloned().collect();
        all.into_iter().filter(|it| it.view().exists()).collect()
    }

    /// The pool of this name and UUID, to be defined or started: the one there is, or a new one that only shows once it
    /// is defined or runs.
    ///
    /// # Errors
    /// When the name belongs to another UUID, the UUID to another name, or the source to another pool.
    pub(crate) fn claim(&self, pool: &StoragePool, uuid: Uuid, make: impl FnOnce() -> Handle) -> Result<Handle> {
        let name = pool.name.as_str();
        let mut maps = self.write();
        for other in maps.by_name.values().map(Handle::view).filter(|it| it.exists()) {
            let theirs = other.live.as_ref().map(|it| &it.document).or(other.definition.as_ref());
            // One that is defined anew conflicts with itself only under another name.
            if *other.name != *name && theirs.is_some_and(|it| document::same_source(it, pool)) {
                return Err(Error::failed(format!("Storage source conflict with pool: '{}'", other.name)).of_storage());
            }
        }
        if let Some(there) = maps.by_uuid.get(&uuid) {
            let view = there.view();
            if *view.name == *name {
                return Ok(there.clone());
            }
            let other = &view.name;
            return Err(Error::failed(format!("pool '{other}' is already defined with uuid {uuid}")).of_storage());
        }
        if let Some(there) = maps.by_name.get(name) {
            let uuid = there.view().uuid;
            return Err(Error::failed(format!("pool '{name}' already exists with uuid {uuid}")).of_storage());
        }
        let made = make();
        maps.by_uuid.insert(uuid, made.clone());
        maps.by_name.insert(name.into(), made.clone());
        Ok(made)
    }

    /// Removes a pool that is neither defined nor active, if `unused` (asked under the lock) agrees.
    pub(crate) fn remove(&self, uuid: Uuid, name: &str, unused: impl FnOnce() -> bool) -> bool {
        let mut maps = self.write();
        if !unused() {
            return false;
        }
        maps.by_uuid.remove(&uuid);
        maps.by_name.remove(name);
        true
    }
}
