//! A volume that somebody reads or writes: as long as a hold lives, nobody deletes, resizes or wipes the volume.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use crate::volume::Volume;

/// A volume that stays as it is until this is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    /// The volume when it was taken hold of.
    pub(crate) volume: Arc<Volume>,
    _alive: Arc<()>,
}

/// The holds of a pool's volumes.
#[derive(Debug, Default)]
pub(super) struct Holds(HashMap<String, Weak<()>>);

impl Holds {
    /// Whether somebody holds the volume of this name.
    pub(super) fn is_held(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|it| it.strong_count() > 0)
    }

    /// One more hold of `volume`.
    pub(super) fn take(&mut self, volume: &Arc<Volume>) -> Hold {
        self.0.retain(|_, it| it.strong_count() > 0);
        let slot = self.0.entry(volume.name().to_owned()).or_default();
        let alive = slot.upgrade().unwrap_or_default();
        *slot = Arc::downgrade(&alive);
        Hold { volume: Arc::clone(volume), _alive: alive }
    }

    /// Whether nobody holds anything.
    pub(super) fn is_empty(&self) -> bool {
        self.0.values().all(|it| it.strong_count() == 0)
    }
}
