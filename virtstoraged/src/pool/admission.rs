//! What may be done to a pool now: a pure function of its state, the job that runs, and what is asked.
//!
//! It holds no state and no lock; the owner task asks it before every command.
//!
//! ```text
//!              start, create                     refresh, volumes come and go
//!   inactive ────────────────► starting ──► active ◄──────────────────────────► active
//!    ▲   ▲ build, delete                      │
//!    │   └──────┘                             │ destroy
//!    └───────────────── stopping ◄────────────┘
//! ```
//!
//! Volumes are worked on while the pool is refreshed; `destroy` gives a refresh up rather than wait for it, so that a
//! pool on a dead server can be stopped.

use virtbus_api::Error;

use crate::fault;

/// What is asked of a pool, as far as admission cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    /// Take a definition.
    Define,
    /// Start from the definition.
    Start,
    /// Start from a document.
    Create,
    /// Make the underlying storage.
    Build,
    /// Stop.
    Destroy,
    /// Delete the underlying storage.
    Delete,
    /// Remove the definition.
    Undefine,
    /// Look at what is in it.
    Refresh,
    /// Set or clear autostart.
    SetAutostart,
    /// Anything about its volumes.
    Volume,
    /// News of a volume.
    Notice,
}

/// What a pool is busy with as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Busy {
    /// It is being started, with its first refresh.
    Start,
    /// It is being stopped.
    Stop,
    /// Its storage is being made.
    Build,
    /// Its storage is being deleted.
    Delete,
    /// It is being looked at.
    Refresh,
    /// Its definition is being written.
    Write,
}

/// What admission looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Situation {
    /// Whether it is active.
    pub(crate) active: bool,
    /// Whether there is a definition.
    pub(crate) persistent: bool,
    /// What it is busy with.
    pub(crate) busy: Option<Busy>,
    /// Whether volumes are being made, changed or read.
    pub(crate) volume_work: bool,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Do it now.
    Accept,
    /// It cannot be done, or not now.
    Refuse(Refusal),
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Ask again when what runs has ended. The owner lets the command wait for that, up to a deadline.
    Busy(Busy),
    /// It is not active.
    NotActive,
    /// It is active already (`start`, `build`).
    AlreadyActive,
    /// It is active already (`create`).
    ActiveAs,
    /// It is active still (`delete`, `undefine`).
    StillActive,
    /// Volumes are being worked on.
    VolumeWork,
    /// It has no definition.
    Transient,
}

impl Refusal {
    /// The error a client sees; `name` is the pool's. The texts are those that clients of libvirt know.
    pub(crate) fn into_error(self, name: &str) -> Error {
        match self {
            Refusal::Busy(busy) => {
                let what = busy.what();
                fault::Faults::of_storage(Error::timeout(format!("storage pool '{name}' is busy: {what}")))
            }
            Refusal::NotActive => fault::invalid(format!("storage pool '{name}' is not active")),
            Refusal::AlreadyActive => fault::invalid(format!("storage pool '{name}' is already active")),
            Refusal::ActiveAs => fault::invalid(format!("pool is already active as '{name}'")),
            Refusal::StillActive => fault::invalid(format!("storage pool '{name}' is still active")),
            Refusal::VolumeWork => fault::internal(format!("pool '{name}' has asynchronous jobs running.")),
            Refusal::Transient => fault::internal("pool has no config file"),
        }
    }
}

/// May `verb` be done in `situation`?
pub(crate) fn admit(situation: Situation, verb: Verb) -> Verdict {
    use Verdict::{Accept, Refuse};
    let Situation { active, persistent, busy, volume_work } = situation;
    match (verb, busy) {
        (Verb::Notice, _) | (Verb::Volume, None | Some(Busy::Refresh | Busy::Write)) => {}
        // Whatever hangs in a refresh or a start, the pool can be stopped.
        (Verb::Destroy, Some(Busy::Refresh | Busy::Start)) => {}
        (_, Some(busy)) => return Refuse(Refusal::Busy(busy)),
        (_, None) => {}
    }
    match verb {
        Verb::Define | Verb::Notice => Accept,
        Verb::Start | Verb::Build if active => Refuse(Refusal::AlreadyActive),
        Verb::Create if active => Refuse(Refusal::ActiveAs),
        Verb::Undefine | Verb::Delete if active => Refuse(Refusal::StillActive),
        Verb::Destroy if busy == Some(Busy::Start) => Accept,
        Verb::Destroy | Verb::Refresh | Verb::Volume if !active => Refuse(Refusal::NotActive),
        Verb::Destroy if volume_work => Refuse(Refusal::VolumeWork),
        Verb::SetAutostart if !persistent => Refuse(Refusal::Transient),
        _ => Accept,
    }
}

impl Busy {
    /// In words, for messages.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Busy::Start => "it is being started",
            Busy::Stop => "it is being stopped",
            Busy::Build => "it is being built",
            Busy::Delete => "it is being deleted",
            Busy::Refresh => "it is being refreshed",
            Busy::Write => "its definition is being written",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Verb; 11] = [
        Verb::Define,
        Verb::Start,
        Verb::Create,
        Verb::Build,
        Verb::Destroy,
        Verb::Delete,
        Verb::Undefine,
        Verb::Refresh,
        Verb::SetAutostart,
        Verb::Volume,
        Verb::Notice,
    ];
    const BUSY: [Option<Busy>; 7] = [
        None,
        Some(Busy::Start),
        Some(Busy::Stop),
        Some(Busy::Build),
        Some(Busy::Delete),
        Some(Busy::Refresh),
        Some(Busy::Write),
    ];

    #[test]
    fn no_two_jobs_on_a_pool_but_volumes_beside_a_refresh() {
        for busy in BUSY.into_iter().flatten() {
            for verb in ALL {
                for active in [false, true] {
                    let situation = Situation { active, persistent: true, busy: Some(busy), volume_work: false };
                    let accepted = admit(situation, verb) == Verdict::Accept;
                    let beside = match verb {
                        Verb::Notice => true,
                        Verb::Volume => active && matches!(busy, Busy::Refresh | Busy::Write),
                        Verb::Destroy => busy == Busy::Start || (active && busy == Busy::Refresh),
                        _ => false,
                    };
                    assert_eq!(accepted, beside, "{verb:?} while {busy:?}");
                }
            }
        }
    }

    #[test]
    fn an_active_pool_is_neither_built_nor_deleted() {
        let active = Situation { active: true, persistent: true, busy: None, volume_work: false };
        for verb in [Verb::Build, Verb::Delete, Verb::Undefine, Verb::Start, Verb::Create] {
            assert!(matches!(admit(active, verb), Verdict::Refuse(_)), "{verb:?}");
        }
        let off = Situation { active: false, ..active };
        for verb in [Verb::Destroy, Verb::Refresh, Verb::Volume] {
            assert_eq!(admit(off, verb), Verdict::Refuse(Refusal::NotActive), "{verb:?}");
        }
        let working = Situation { volume_work: true, ..active };
        assert_eq!(admit(working, Verb::Destroy), Verdict::Refuse(Refusal::VolumeWork));
        assert_eq!(admit(working, Verb::Refresh), Verdict::Accept);
    }
}
