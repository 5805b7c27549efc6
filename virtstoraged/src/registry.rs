//! Which pools there are: by UUID and by name.
//!
//! One lock around them, held for look-ups only and never across an await. It decides what is unique (names, UUIDs,
//! sources) and nothing else; what a pool is doing stands in its view.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use uuid::Uuid;
use virtbus_api::{Error, ErrorCode, PoolRef, Result};
use virtbus_host::names::Names;
use virtbus_schema::StoragePool;

use crate::fault::Faults as _;
use crate::pool::{Handle, document};

/// All pools.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    names: RwLock<Names<Handle>>,
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
    fn read(&self) -> RwLockReadGuard<'_, Names<Handle>> {
        // The maps are changed by single inserts and removes; a panic between two leaves nothing that misleads.
        self.names.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Names<Handle>> {
        self.names.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pool a caller means.
    pub(crate) fn find(&self, pool: &PoolRef) -> Result<Handle> {
        self.read().by_uuid(pool.uuid).ok_or_else(|| no_pool_of(pool.uuid, &pool.name))
    }

    /// The pool of this name.
    pub(crate) fn by_name(&self, name: &str) -> Result<Handle> {
        self.read().by_name(name).ok_or_else(|| no_pool(format!("no storage pool with matching name '{name}'")))
    }

    /// All pools in order of name.
    pub(crate) fn all(&self) -> Vec<Handle> {
        self.read().all()
    }

    /// The pool of this name and UUID, to be defined or started: the one there is, or a new one that only shows once it
    /// is defined or runs.
    ///
    /// # Errors
    /// When the name belongs to another UUID, the UUID to another name, or the source to another pool.
    pub(crate) fn claim(&self, pool: &StoragePool, uuid: Uuid, make: impl FnOnce() -> Handle) -> Result<Handle> {
        let name = pool.name.as_str();
        let mut names = self.write();
        for other in names.all().iter().map(Handle::view) {
            let theirs = other.live.as_ref().map(|it| &it.document).or(other.definition.as_ref());
            // One that is defined anew conflicts with itself only under another name.
            if *other.name != *name && theirs.is_some_and(|it| document::same_source(it, pool)) {
                return Err(Error::failed(format!("Storage source conflict with pool: '{}'", other.name)).of_storage());
            }
        }
        match names.claim(name, uuid, make) {
            Ok((handle, _)) => Ok(handle),
            Err(taken) => Err(Error::failed(format!("pool {taken}")).of_storage()),
        }
    }

    /// Removes a pool that is neither defined nor active, if `unused` (asked under the lock) agrees.
    pub(crate) fn remove(&self, uuid: Uuid, name: &str, unused: impl FnOnce() -> bool) -> bool {
        self.write().remove(uuid, name, unused)
    }
}
