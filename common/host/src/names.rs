//! Which objects of a kind there are, by UUID and by name: what is unique, and nothing else.
//!
//! A map without a lock: its owner puts it under one, beside what else has to be unique, and holds that for look-ups only.
//! What an object is doing stands in its view, and is not known here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use thiserror::Error;
use uuid::Uuid;

/// What is kept: a handle with a name and a UUID.
pub trait Named: Clone {
    /// Whether it shows. One that was claimed and is neither defined nor active keeps its name and is not found.
    fn exists(&self) -> bool;
    /// Its name now.
    fn name(&self) -> Arc<str>;
    /// Its UUID.
    fn uuid(&self) -> Uuid;
}

/// Why a name and a UUID cannot be had together. The words are those that tools know; `kind` is put before them.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Taken {
    /// The UUID belongs to an object of another name.
    #[error("'{name}' is already defined with uuid {uuid}")]
    Uuid {
        /// Who has it.
        name: Arc<str>,
        /// The UUID asked for.
        uuid: Uuid,
    },
    /// The name belongs to an object with another UUID.
    #[error("'{name}' already exists with uuid {uuid}")]
    Name {
        /// The name asked for.
        name: Arc<str>,
        /// Who has it.
        uuid: Uuid,
    },
}

/// The objects.
#[derive(Debug)]
pub struct Names<H> {
    by_uuid: HashMap<Uuid, H>,
    by_name: BTreeMap<Arc<str>, H>,
}

impl<H> Default for Names<H> {
    fn default() -> Self {
        Self { by_uuid: HashMap::new(), by_name: BTreeMap::new() }
    }
}

impl<H: Named> Names<H> {
    /// The one with this UUID.
    pub fn by_uuid(&self, uuid: Uuid) -> Option<H> {
        self.by_uuid.get(&uuid).filter(|it| it.exists()).cloned()
    }

    /// The one of this name.
    pub fn by_name(&self, name: &str) -> Option<H> {
        self.by_name.get(name).filter(|it| it.exists()).cloned()
    }

    /// All in order of name. Clones, so that whoever looks at them need not hold the lock.
    pub fn all(&self) -> Vec<H> {
        self.by_name.values().filter(|it| it.exists()).cloned().collect()
    }

    /// The one that has both this name and this UUID, whether it shows or not; `None` when both are free.
    ///
    /// # Errors
    /// When either belongs to another.
    pub fn reserved(&self, name: &str, uuid: Uuid) -> Result<Option<H>, Taken> {
        if let Some(there) = self.by_uuid.get(&uuid) {
            let theirs = there.name();
            return if *theirs == *name { Ok(Some(there.clone())) } else { Err(Taken::Uuid { name: theirs, uuid }) };
        }
        match self.by_name.get(name) {
            Some(there) => Err(Taken::Name { name: name.into(), uuid: there.uuid() }),
            None => Ok(None),
        }
    }

    /// The object of this name and UUID, to be defined or started: the one there is, or what `make` makes. `true` beside
    /// one that was made.
    ///
    /// # Errors
    /// As [`Names::reserved`].
    pub fn claim(&mut self, name: &str, uuid: Uuid, make: impl FnOnce() -> H) -> Result<(H, bool), Taken> {
        if let Some(there) = self.reserved(name, uuid)? {
            return Ok((there, false));
        }
        let made = make();
        self.by_uuid.insert(uuid, made.clone());
        self.by_name.insert(name.into(), made.clone());
        Ok((made, true))
    }

    /// Gives `object` the name `new` beside its old one, until [`Names::drop_name`] takes one of them back.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn claim_name(&mut self, object: &H, new: &str) -> Result<(), Taken> {
        if let Some(there) = self.by_name.get(new) {
            return Err(Taken::Name { name: new.into(), uuid: there.uuid() });
        }
        self.by_name.insert(new.into(), object.clone());
        Ok(())
    }

    /// Takes a name back.
    pub fn drop_name(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    /// Removes an object, if `unused` agrees: asked here, so that what holds the lock decides.
    pub fn remove(&mut self, uuid: Uuid, name: &str, unused: impl FnOnce() -> bool) -> bool {
        if !unused() {
            return false;
        }
        self.by_uuid.remove(&uuid);
        self.by_name.remove(name);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Thing(&'static str, u128, bool);

    impl Named for Thing {
        fn exists(&self) -> bool {
            self.2
        }
        fn name(&self) -> Arc<str> {
            self.0.into()
        }
        fn uuid(&self) -> Uuid {
            Uuid::from_u128(self.1)
        }
    }

    fn claim(names: &mut Names<Thing>, thing: Thing) -> Result<bool, Taken> {
        let (there, made) = names.claim(thing.0, thing.uuid(), || thing)?;
        assert_eq!((there.0, there.1), (thing.0, thing.1));
        Ok(made)
    }

    #[test]
    fn a_name_and_a_uuid_belong_together() {
        let mut names = Names::default();
        assert_eq!(claim(&mut names, Thing("a", 1, true)), Ok(true));
        assert_eq!(claim(&mut names, Thing("a", 1, true)), Ok(false));
        let uuid = Uuid::from_u128(1);
        assert_eq!(claim(&mut names, Thing("b", 1, true)), Err(Taken::Uuid { name: "a".into(), uuid }));
        let taken = claim(&mut names, Thing("a", 2, true)).expect_err("taken");
        assert_eq!(taken, Taken::Name { name: "a".into(), uuid });
        assert_eq!(taken.to_string(), format!("'a' already exists with uuid {uuid}"));
        assert_eq!(names.by_name("a"), names.by_uuid(uuid));
        assert!(!names.remove(uuid, "a", || false));
        assert!(names.remove(uuid, "a", || true));
        assert_eq!(claim(&mut names, Thing("b", 1, true)), Ok(true));
    }

    #[test]
    fn what_does_not_show_keeps_its_name() {
        let mut names = Names::default();
        claim(&mut names, Thing("hidden", 1, false)).expect("free");
        claim(&mut names, Thing("b", 2, true)).expect("free");
        assert!(names.by_name("hidden").is_none() && names.by_uuid(Uuid::from_u128(1)).is_none());
        assert_eq!(names.all(), [Thing("b", 2, true)]);
        assert!(claim(&mut names, Thing("hidden", 3, true)).is_err());
    }

    #[test]
    fn a_name_changes_over_two_steps() {
        let mut names = Names::default();
        let thing = Thing("old", 1, true);
        claim(&mut names, thing).expect("free");
        names.claim_name(&thing, "new").expect("free");
        assert!(names.claim_name(&thing, "new").is_err());
        assert!(names.by_name("old").is_some() && names.by_name("new").is_some());
        names.drop_name("old");
        assert!(names.by_name("old").is_none());
    }
}
