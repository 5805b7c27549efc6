//! Which domains there are: by UUID, by name, by id.
//!
//! One lock around three maps, held for look-ups only and never across an await. It decides what is unique (names and
//! UUIDs) and nothing else; what a domain is doing stands in its view.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use uuid::Uuid;
use virtbus_api::{DomainRef, Error, ErrorCode, Result};

use crate::domain::Handle;

/// All domains.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    maps: RwLock<Maps>,
}

#[derive(Debug, Default)]
struct Maps {
    by_uuid: HashMap<Uuid, Handle>,
    by_name: BTreeMap<Arc<str>, Handle>,
    by_id: BTreeMap<u32, Handle>,
}

fn no_domain(detail: String) -> Error {
    Error::new(ErrorCode::NoDomain, detail)
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
        let found = self.read().by_uuid.get(&domain.uuid).cloned();
        found.filter(|it| it.view().exists()).ok_or_else(|| {
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
        let found = self.read().by_name.get(name).cloned();
        found.filter(|it| it.view().exists()).ok_or_else(|| no_domain(format!("no domain with matching name '{name}'")))
    }

    /// The active domain with this id.
    pub(crate) fn by_id(&self, id: u32) -> Result<Handle> {
        let found = self.read().by_id.get(&id).cloned();
        found.filter(|it| it.view().exists()).ok_or_else(|| no_domain(format!("no domain with matching id '{id}'")))
    }

    /// All domains in order of name.
    pub(crate) fn all(&self) -> Vec<Handle> {
        let all: Vec<Handle> = self.read().by_name.values().cloned().collect();
        all.into_iter().filter(|it| it.view().exists()).collect()
    }

    /// The domain of this name and UUID, to be defined or started: the one there is, or a new one that only shows
    /// once it is defined or runs. `true` beside one that was made here.
    ///
    /// # Errors
    /// When the name belongs to another UUID or the UUID to another name, in the words tools know.
    pub(crate) fn claim(&self, name: &str, uuid: Uuid, make: impl FnOnce() -> Handle) -> Result<(Handle, bool)> {
        let mut maps = self.write();
        if let Some(there) = maps.by_uuid.get(&uuid) {
            let view = there.view();
            if *view.name == *name {
                return Ok((there.clone(), false));
            }
            let other = &view.name;
            return Err(Error::failed(format!("domain '{other}' is already defined with uuid {uuid}")));
        }
        if let Some(there) = maps.by_name.get(name) {
            let uuid = there.view().uuid;
            return Err(Error::failed(format!("domain '{name}' already exists with uuid {uuid}")));
        }
        let made = make();
        maps.by_uuid.insert(uuid, made.clone());
        maps.by_name.insert(name.into(), made.clone());
        Ok((made, true))
    }

    /// Gives `handle` the name `new` beside its old one, until [`Registry::drop_name`] takes one of them back.
    ///
    /// # Errors
    /// When the name is taken.
    pub(crate) fn claim_name(&self, handle: &Handle, new: &str) -> Result<()> {
        let mut maps = self.write();
        if let Some(there) = maps.by_name.get(new) {
            let uuid = there.view().uuid;
            return Err(Error::failed(format!("domain '{new}' already exists with uuid {uuid}")));
        }
        maps.by_name.insert(new.into(), handle.clone());
        Ok(())
    }

    /// Takes a name back.
    pub(crate) fn drop_name(&self, name: &str) {
        self.write().by_name.remove(name);
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
        let mut maps = self.write();
        if !unused() {
            return false;
        }
        maps.by_uuid.remove(&uuid);
        maps.by_name.remove(name);
        true
    }
}
