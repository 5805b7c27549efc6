//! The domains there are.

use std::{collections::BTreeMap, sync::Arc, sync::Weak, time::Instant};

use uuid::Uuid;
use virtbus_api::{DomainRef, Error, ErrorCode, Result, flags::ListFilter, hypervisor::State};
use virtbus_schema::Domain;

/// All domains, by name, so that lists are in order.
#[derive(Debug, Default)]
pub(crate) struct Table {
    guests: BTreeMap<String, Guest>,
    last_id: u32,
}

/// One domain.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) uuid: Uuid,
    pub(crate) state: State,
    /// The definition; none for a transient domain.
    pub(crate) defined: Option<Arc<Domain>>,
    /// What runs; none when off.
    pub(crate) live: Option<Live>,
    /// The definition has changed since the guest started.
    pub(crate) updated: bool,
    pub(crate) autostart: bool,
    pub(crate) autostart_once: bool,
}

/// A guest that runs.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) id: u32,
    pub(crate) document: Arc<Domain>,
    pub(crate) began: Instant,
    /// Somebody has the console for as long as this can be upgraded.
    pub(crate) console: Weak<()>,
}

impl Guest {
    /// The document that is meant when nothing else is said: what runs, or what is defined.
    pub(crate) fn document(&self) -> Result<&Arc<Domain>> {
        let live = self.live.as_ref().map(|it| &it.document);
        live.or(self.defined.as_ref()).ok_or_else(|| Error::internal("a domain without a document"))
    }

    fn passes(&self, filter: ListFilter) -> bool {
        use ListFilter as F;
        let (active, persistent) = (self.live.is_some(), self.defined.is_some());
        let other = active && !self.state.is_running() && !self.state.is_paused();
        let groups: [&[(F, bool)]; 7] = [
            &[(F::ACTIVE, active), (F::INACTIVE, !active)],
            &[(F::PERSISTENT, persistent), (F::TRANSIENT, !persistent)],
            &[
                (F::RUNNING, self.state.is_running()),
                (F::PAUSED, self.state.is_paused()),
                (F::SHUTOFF, !active),
                (F::OTHER, other),
            ],
            &[(F::MANAGEDSAVE, false), (F::NO_MANAGEDSAVE, true)],
            &[(F::AUTOSTART, self.autostart), (F::NO_AUTOSTART, !self.autostart)],
            &[(F::HAS_SNAPSHOT, false), (F::NO_SNAPSHOT, true)],
            &[(F::HAS_CHECKPOINT, false), (F::NO_CHECKPOINT, true)],
        ];
        crate::passes(&groups, |bit| filter.contains(bit))
    }
}

impl Table {
    /// The domains that pass, in order of name.
    pub(crate) fn list(&self, filter: ListFilter) -> Vec<DomainRef> {
        self.guests.iter().filter(|(_, it)| it.passes(filter)).map(|(name, it)| refer(name, it)).collect()
    }

    /// The domain that satisfies `which`; `what` completes "no domain with matching ".
    pub(crate) fn lookup(&self, what: &str, which: impl Fn(&str, &Guest) -> bool) -> Result<DomainRef> {
        let found = self.guests.iter().find(|(name, it)| which(name, it));
        found.map(|(name, it)| refer(name, it)).ok_or_else(|| unknown(what))
    }

    /// The domain that is meant.
    pub(crate) fn guest(&self, domain: &DomainRef) -> Result<&Guest> {
        self.guests.values().find(|it| it.uuid == domain.uuid).ok_or_else(|| gone(domain))
    }

    /// The domain that is meant, with its present name and id.
    pub(crate) fn guest_mut(&mut self, domain: &DomainRef) -> Result<(DomainRef, &mut Guest)> {
        let found = self.guests.iter_mut().find(|(_, it)| it.uuid == domain.uuid);
        found.map(|(name, it)| (refer(name, it), it)).ok_or_else(|| gone(domain))
    }

    /// The domain that is meant, which must be active.
    pub(crate) fn active_mut(&mut self, domain: &DomainRef) -> Result<(DomainRef, &mut Guest)> {
        let it = self.guest_mut(domain)?;
        if it.1.live.is_some() { Ok(it) } else { Err(not_running()) }
    }

    /// The domain of this name.
    pub(crate) fn named(&self, name: &str) -> Option<&Guest> {
        self.guests.get(name)
    }

    /// Refuses a name and UUID that belong to different domains.
    pub(crate) fn check_unique(&self, name: &str, uuid: Uuid) -> Result<()> {
        let clash = |text| Err(Error::new(ErrorCode::OperationFailed, text));
        match self.named(name) {
            Some(it) if it.uuid != uuid => {
                return clash(format!("domain '{name}' already exists with uuid {}", it.uuid));
            }
            _ => {}
        }
        match self.guests.iter().find(|(other, it)| it.uuid == uuid && *other != name) {
            Some((other, _)) => clash(format!("domain '{other}' is already defined with uuid {uuid}")),
            None => Ok(()),
        }
    }

    /// The domain of this name, made when there is none.
    pub(crate) fn entry(&mut self, name: &str, uuid: Uuid) -> (bool, &mut Guest) {
        let new = !self.guests.contains_key(name);
        let guest = self.guests.entry(name.to_owned()).or_insert_with(|| Guest {
            uuid,
            state: State::ShutoffUnknown,
            defined: None,
            live: None,
            updated: false,
            autostart: false,
            autostart_once: false,
        });
        (new, guest)
    }

    /// Takes a domain out.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Guest> {
        self.guests.remove(name)
    }

    /// Puts a domain in under a name.
    pub(crate) fn put(&mut self, name: String, guest: Guest) {
        self.guests.insert(name, guest);
    }

    /// An id that no domain has had.
    pub(crate) fn next_id(&mut self) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        self.last_id
    }
}

/// How callers name a domain.
pub(crate) fn refer(name: &str, it: &Guest) -> DomainRef {
    DomainRef { name: name.to_owned(), uuid: it.uuid, id: it.live.as_ref().map(|it| it.id) }
}

/// What is done to an active domain alone.
pub(crate) fn not_running() -> Error {
    Error::invalid_operation("domain is not running")
}

fn unknown(what: &str) -> Error {
    Error::new(ErrorCode::NoDomain, format!("no domain with matching {what}"))
}

fn gone(domain: &DomainRef) -> Error {
    unknown(&format!("uuid '{}' ({})", domain.uuid, domain.name))
}
