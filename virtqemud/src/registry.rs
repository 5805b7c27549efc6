//! Which domains there are: by UUID, by name, by id.
//!
//! One lock around the maps, held for look-ups only and never across an await. It decides what is unique (names and
//! UUIDs) and nothing else; what a domain is doing stands in its view.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use uuid::Uuid;
use virtbus_api::{DomainRef, Error, ErrorCode, Result};
use virtbus_host::names::{Names, Taken};

use crate::domain::Handle;

/// All domains.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    maps: RwLock<Maps>,
}

#[derive(Debug, Default)]
struct Maps {
    names: Names<Handle>,
    by_id: BTreeMap<u32, Handle>,
}

fn no_domain(detail: String) -> Error {
    Error::new(ErrorCode::NoDomain, detail)
}

#[allow(clippy::needless_pass_by_value, reason = "as map_err gives it")]
fn taken(by: Taken) -> Error {
    Error::failed(format!("domain {by}"))
}

impl Registry {
    fn read(&self) -> RwLockReadGuard<'_, Maps> {
        // The maps are changed by single inserts and removes; a panic between two leaves nothing that misleads.
        self.maps.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Maps> {
        self.maps.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The domain a caller means.
    pub(crate) fn find(&self, domain: &DomainRef) -> Result<Handle> {
        self.read().names.by_uuid(domain.uuid).ok_or_else(|| {
            let uuid = domain.uuid;
            no_domain(if domain.name.is_empty() {
                format!("no domain with matching uuid '{uuid}'")
            } else {
                format!("no domain with matching uuid '{uuid}' ({})", domain.name)
            })
        })
    }

    /// The domain with this UUID.
    pub(crate) fn by_uuid(&self, uuid: Uuid) -> Result<Handle> {
        self.find(&DomainRef::of_uuid(uuid))
    }

    /// The domain of this name.
    pub(crate) fn by_name(&self, name: &str) -> Result<Handle> {
        self.read().names.by_name(name).ok_or_else(|| no_domain(format!("no domain with matching name '{name}'")))
    }

    /// The active domain with this id.
    pub(crate) fn by_id(&self, id: u32) -> Result<Handle> {
        let found = self.read().by_id.get(&id).cloned();
        found.filter(|it| it.view().exists()).ok_or_else(|| no_domain(format!("no domain with matching id '{id}'")))
    }

    /// All domains in order of name.
    pub(crate) fn all(&self) -> Vec<Handle> {
        self.read().names.all()
    }

    /// The domain of this name and UUID, to be defined or started: the one there is, or a new one that only shows
    /// once it is defined or runs. `true` beside one that was made here.
    ///
    /// # Errors
    /// When the name belongs to another UUID or the UUID to another name, in the words tools know.
    pub(crate) fn claim(&self, name: &str, uuid: Uuid, make: impl FnOnce() -> Handle) -> Result<(Handle, bool)> {
        self.write().names.claim(name, uuid, make).map_err(taken)
    }

    /// Gives `handle` the name `new` beside its old one, until [`Registry::drop_name`] takes one of them back.
    ///
    /// # Errors
    /// When the name is taken.
    pub(crate) fn claim_name(&self, handle: &Handle, new: &str) -> Result<()> {
        self.write().names.claim_name(handle, new).map_err(taken)
    }

    /// Takes a name back.
    pub(crate) fn drop_name(&self, name: &str) {
        self.write().names.drop_name(name);
    }

    /// Notes the id of a domain that is being started.
    pub(crate) fn add_id(&self, id: u32, handle: Handle) {
        self.write().by_id.insert(id, handle);
    }

    /// Forgets the id of a domain that is off.
    pub(crate) fn drop_id(&self, id: u32) {
        self.write().by_id.remove(&id);
    }

    /// Removes a domain that is neither defined nor runs, if `unused` (asked under the lock) agrees.
    pub(crate) fn remove(&self, uuid: Uuid, name: &str, unused: impl FnOnce() -> bool) -> bool {
        self.write().names.remove(uuid, name, unused)
    }
}
