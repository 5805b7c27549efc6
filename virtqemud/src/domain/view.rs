//! What everyone may see of a domain, published by its owner after every turn.
//!
//! A view is a value: reading one never waits for the owner, for QEMU or for a disk.

use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;
use virtbus_api::{DomainRef, Error, Result, hypervisor::State};
use virtbus_host::process::Stat;
use virtbus_schema::domain::Domain;

use super::{definition::Definition, taint::Taint};

/// A domain as it was at the end of its owner's last turn.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// The name; `rename` changes it.
    pub(crate) name: Arc<str>,
    /// What identifies it.
    pub(crate) uuid: Uuid,
    /// State and reason.
    pub(crate) state: State,
    /// What outlives the guest.
    pub(crate) definition: Option<Arc<Definition>>,
    /// What runs.
    pub(crate) live: Option<Live>,
    /// Whether it starts with the host.
    pub(crate) autostart: bool,
    /// Whether it starts with the host the next time, and only then.
    pub(crate) autostart_once: bool,
    /// What the guest side is busy with, and since when.
    pub(crate) busy: Option<(&'static str, Instant)>,
}

/// The part of a view that only an active domain has.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    /// The runtime id.
    pub(crate) id: u32,
    /// The document of what runs.
    pub(crate) document: Arc<Domain>,
    /// Pid and start time of QEMU; none before it has been spawned.
    pub(crate) process: Option<(i32, u64)>,
    /// The guest's memory in KiB as the balloon last said.
    pub(crate) balloon_kib: Option<u64>,
    /// Whether the definition was changed since the start.
    pub(crate) updated: bool,
    /// What taints it.
    pub(crate) taints: Vec<Taint>,
    /// What went wrong beside QEMU, for whoever asks for the domain's messages.
    pub(crate) notes: Vec<String>,
    /// Whether QEMU's monitor is lost; only `destroy` is left then.
    pub(crate) monitor_lost: bool,
}

impl View {
    /// A domain that is off.
    pub(crate) fn off(name: &str, uuid: Uuid, definition: Option<Arc<Definition>>, autostart: bool) -> Self {
        Self {
            name: name.into(),
            uuid,
            state: State::ShutoffUnknown,
            definition,
            live: None,
            autostart,
            autostart_once: false,
            busy: None,
        }
    }

    /// Whether callers find it: it is defined or runs. One that is neither has been reserved for a call under way.
    pub(crate) fn exists(&self) -> bool {
        self.definition.is_some() || self.live.is_some()
    }

    /// The domain's name, UUID and id.
    pub(crate) fn domain_ref(&self) -> DomainRef {
        DomainRef { name: self.name.to_string(), uuid: self.uuid, id: self.live.as_ref().map(|it| it.id) }
    }

    /// The document of what runs, else the definition.
    ///
    /// # Errors
    /// When the definition is broken.
    pub(crate) fn document(&self) -> Result<Arc<Domain>> {
        match &self.live {
            Some(live) => Ok(Arc::clone(&live.document)),
            None => self.defined(),
        }
    }

    /// The definition.
    ///
    /// # Errors
    /// When there is none, or it is broken.
    pub(crate) fn defined(&self) -> Result<Arc<Domain>> {
        match &self.definition {
            Some(definition) => definition.document(),
            None => Err(Error::invalid_operation("transient domains do not have any persistent config")),
        }
    }

    /// CPU time QEMU has used, in nanoseconds; 0 when off.
    pub(crate) fn cpu_time_ns(&self) -> u64 {
        let Some((pid, start_time)) = self.live.as_ref().and_then(|it| it.process) else { return 0 };
        match Stat::read(pid) {
            Ok(stat) if stat.start_time == start_time => {
                u64::try_from((stat.cpu.user + stat.cpu.system).as_nanos()).unwrap_or(u64::MAX)
            }
            _ => 0,
        }
    }
}
