//! What can be asked of a domain's owner, and how it answers.
//!
//! A command says what is wanted, in the user's words; whether it may be done now is [`super::admission`]'s, how it is
//! done the owner's.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;
use virtbus_api::{
    ClientLease, Error, Result,
    flags::{DestroyFlags, Impact, RebootFlags, ShutdownFlags, StartFlags, UndefineFlags},
    hypervisor::MetadataKind,
};
use virtbus_schema::domain::Domain;

use super::admission::Verb;

/// What is asked.
#[derive(Debug)]
pub(crate) enum Command {
    /// Take a definition, which is complete.
    Define(Box<Domain>),
    /// Start from the definition.
    Start(StartFlags, ClientLease),
    /// Start from a document.
    Create(Box<Domain>, StartFlags, ClientLease),
    /// Pause the vCPUs.
    Suspend,
    /// Let them run.
    Resume,
    /// Ask the guest to shut down.
    Shutdown(ShutdownFlags),
    /// Ask the guest to reboot.
    Reboot(RebootFlags),
    /// Press the reset button.
    Reset,
    /// End the guest.
    Destroy(DestroyFlags),
    /// Remove the definition.
    Undefine(UndefineFlags),
    /// Start with the host, or not.
    SetAutostart(bool),
    /// Start with the host the next time.
    SetAutostartOnce(bool),
    /// Another name; the registry has reserved it.
    Rename(String),
    /// Title, description or metadata.
    SetMetadata {
        /// Which.
        kind: MetadataKind,
        /// Its value; `None` removes it.
        value: Option<String>,
        /// Prefix of a new namespace.
        key: Option<String>,
        /// Guest, definition or both; already made explicit.
        impact: Impact,
    },
    /// One request to QEMU, answered with its return value as text.
    Ask(Question),
}

/// A request to QEMU that changes nothing the owner keeps.
#[derive(Debug)]
pub(crate) struct Question {
    /// In words, for messages about a domain that is busy.
    pub(crate) what: &'static str,
    /// QMP's name of the command.
    pub(crate) execute: String,
    /// Its arguments.
    pub(crate) arguments: Value,
    /// Whether QEMU's whole reply is wanted, errors included, rather than its return value.
    pub(crate) whole: bool,
    /// Whether a user speaks to QEMU himself, which taints the domain.
    pub(crate) raw: bool,
    /// How long QEMU may take, if not the usual time.
    pub(crate) deadline: Option<Duration>,
}

impl Question {
    /// The question that a typed command puts.
    ///
    /// # Errors
    /// When the command is no plain data.
    pub(crate) fn of<C: virtbus_qmp::Command>(what: &'static str, command: &C) -> Result<Self> {
        let arguments = serde_json::to_value(command)
            .map_err(|error| Error::internal(format!("QMP command {}", C::NAME)).caused_by(error))?;
        Ok(Self { what, execute: C::NAME.to_owned(), arguments, whole: false, raw: false, deadline: None })
    }
}

/// An answer that is more than success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is done.
    Done,
    /// What QEMU said, as JSON text of its own.
    Said(String),
}

/// Where the answer goes.
pub(crate) type Reply = oneshot::Sender<Result<Answer>>;

/// A command with the way back.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) command: Command,
    pub(crate) reply: Reply,
}

impl Command {
    /// What admission is asked about.
    pub(crate) fn verb(&self) -> Verb {
        match self {
            Command::Define(_) => Verb::Define,
            Command::Start(..) => Verb::Start,
            Command::Create(..) => Verb::Create,
            Command::Suspend => Verb::Suspend,
            Command::Resume => Verb::Resume,
            Command::Shutdown(_) | Command::Reboot(_) | Command::Reset | Command::Ask(_) => Verb::Guest,
            Command::Destroy(flags) => Verb::Destroy { force: !flags.contains(DestroyFlags::GRACEFUL) },
            Command::Undefine(_) => Verb::Undefine,
            Command::SetAutostart(_) | Command::SetAutostartOnce(_) => Verb::SetAutostart,
            Command::Rename(_) => Verb::Rename,
            Command::SetMetadata { impact, .. } => {
                if impact.contains(Impact::CONFIG) {
                    Verb::ChangeDefinition
                } else {
                    Verb::ChangeLive
                }
            }
        }
    }
}
