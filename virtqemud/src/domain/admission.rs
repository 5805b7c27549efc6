//! What may be done to a domain now: a pure function of its state, the job that runs, and what is asked.
//!
//! It holds no state and no lock; the owner task asks it before every command. Texts of refusals are those that
//! clients of libvirt know.
//!
//! ```text
//!            start, create                       resume
//!   off ──────────────────► starting ──► paused ◄──────► running
//!    ▲                         │            │   suspend     │
//!    └──────── stopping ◄──────┴────────────┴───────────────┘   destroy, guest shut down, QEMU ended
//! ```
//!
//! Two kinds of jobs exclude commands. A *guest* job (start, stop, a change made through QEMU) excludes other guest
//! commands, but never `destroy`: whatever QEMU is stuck in, it can be ended. A *definition* job writes a
//! file and excludes only what reads or writes that definition.

use virtbus_api::{Error, hypervisor::State};

/// What is asked of a domain, as far as admission cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    /// Take a definition.
    Define,
    /// Start from the definition.
    Start,
    /// Start from a document.
    Create,
    /// Pause.
    Suspend,
    /// Run on.
    Resume,
    /// End, by force if `force`.
    Destroy {
        /// Whether SIGKILL may follow.
        force: bool,
    },
    /// Remove the definition.
    Undefine,
    /// Set or clear autostart.
    SetAutostart,
    /// Another name.
    Rename,
    /// Change the definition.
    ChangeDefinition,
    /// Any other request to QEMU: shutdown, reset, keys, raw monitor commands.
    Guest,
    /// Change the live document without QEMU.
    ChangeLive,
}

/// What the guest side of a domain is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Busy {
    /// It is being started.
    Start,
    /// It is being ended.
    Stop {
        /// Whether SIGKILL may follow.
        force: bool,
    },
    /// A request to QEMU is under way.
    Guest(&'static str),
}

/// What admission looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Situation {
    /// State and reason.
    pub(crate) state: State,
    /// Whether there is a definition.
    pub(crate) persistent: bool,
    /// What the guest side is busy with.
    pub(crate) guest: Option<Busy>,
    /// Whether the definition is being written.
    pub(crate) writing: bool,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Do it now.
    Accept,
    /// It is so already: success without doing anything.
    AlreadyDone,
    /// It cannot be done, or not now.
    Refuse(Refusal),
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Ask again when what runs has ended. The owner lets the command wait for that, up to a deadline.
    Busy(&'static str),
    /// There is no guest.
    NotRunning,
    /// There is a guest already (`start`).
    AlreadyRunning,
    /// There is a guest already (`create`).
    AlreadyActive,
    /// The guest sleeps.
    Asleep,
    /// Not with a transient domain.
    Transient(&'static str),
    /// Not with an active domain.
    Active(&'static str),
}

impl Refusal {
    /// The error a client sees; `name` is the domain's.
    pub(crate) fn into_error(self, name: &str) -> Error {
        match self {
            Refusal::Busy(what) => {
                Error::timeout(format!("cannot acquire state change lock (domain '{name}' is busy: {what})"))
            }
            Refusal::NotRunning => Error::invalid_operation("domain is not running"),
            Refusal::AlreadyRunning => Error::invalid_operation("domain is already running"),
            Refusal::AlreadyActive => Error::invalid_operation(format!("domain '{name}' is already active")),
            Refusal::Asleep => Error::invalid_operation("domain is pmsuspended"),
            Refusal::Transient(what) => Error::invalid_operation(format!("cannot {what} transient domain")),
            Refusal::Active(what) => Error::invalid_operation(format!("cannot {what} active domain")),
        }
    }
}

/// May `verb` be done in `situation`?
pub(crate) fn admit(situation: Situation, verb: Verb) -> Verdict {
    use Verdict::{Accept, AlreadyDone, Refuse};
    let Situation { state, persistent, guest, writing } = situation;
    let active = state.is_active();
    match verb {
        Verb::Destroy { force } => match guest {
            Some(Busy::Stop { force: already }) if already || !force => Refuse(Refusal::Busy("it is being ended")),
            // The start is abandoned, a request to QEMU is cut short, a gentle end becomes a forced one.
            Some(_) => Accept,
            None if active => Accept,
            None => Refuse(Refusal::NotRunning),
        },
        Verb::Define | Verb::ChangeDefinition | Verb::SetAutostart | Verb::Undefine if writing => {
            Refuse(Refusal::Busy("its definition is being written"))
        }
        Verb::Define => Accept,
        Verb::ChangeDefinition if persistent => Accept,
        Verb::ChangeDefinition => Refuse(Refusal::Transient("change persistent config of a")),
        Verb::SetAutostart if persistent => Accept,
        Verb::SetAutostart => Refuse(Refusal::Transient("set autostart for")),
        Verb::Undefine if persistent => Accept,
        Verb::Undefine => Refuse(Refusal::Transient("undefine")),
        Verb::Rename if active => Refuse(Refusal::Active("rename")),
        Verb::Rename if !persistent => Refuse(Refusal::Transient("rename a")),
        Verb::Start | Verb::Create | Verb::Rename => {
            if let (Verb::Start, true, None) = (verb, active, guest) {
                Refuse(Refusal::AlreadyRunning)
            } else if let (Verb::Create, true, None) = (verb, active, guest) {
                Refuse(Refusal::AlreadyActive)
            } else if let Some(busy) = guest {
                Refuse(Refusal::Busy(busy.what()))
            } else if writing {
                Refuse(Refusal::Busy("its definition is being written"))
            } else if verb == Verb::Start && !persistent {
                Refuse(Refusal::NotRunning)
            } else {
                Accept
            }
        }
        Verb::Suspend | Verb::Resume | Verb::Guest | Verb::ChangeLive => {
            if let Some(busy) = guest {
                return Refuse(Refusal::Busy(busy.what()));
            }
            if !active {
                return Refuse(Refusal::NotRunning);
            }
            match verb {
                Verb::Suspend | Verb::Resume if state == State::PmSuspended => Refuse(Refusal::Asleep),
                Verb::Suspend if state.is_paused() => AlreadyDone,
                Verb::Resume if state.is_running() => Refuse(Refusal::AlreadyRunning),
                _ => Accept,
            }
        }
    }
}

impl Busy {
    /// In words, for messages.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Busy::Start => "it is being started",
            Busy::Stop { .. } => "it is being ended",
            Busy::Guest(what) => what,
        }
    }
}

#[cfg(test)]
mod tests;
