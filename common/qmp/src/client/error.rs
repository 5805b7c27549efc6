//! What can come of a command.

use std::fmt;
use std::time::Duration;

use crate::codec::QmpError;

/// A command that QEMU owes a reply for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its name.
    pub command: String,
    /// Since when.
    pub age: Duration,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' for {} s", self.command, self.age.as_secs())
    }
}

/// Why a command has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// QEMU refused or failed.
    #[error("'{command}' failed")]
    Qmp {
        /// The command.
        command: String,
        /// QEMU's words.
        #[source]
        error: QmpError,
    },
    /// QEMU has not answered in time. It may still carry the command out.
    #[error("monitor of {subject} has not answered {}", unanswered(.command, *.age, .behind.as_ref()))]
    Timeout {
        /// Whose monitor.
        subject: String,
        /// The command.
        command: String,
        /// How long it was waited for.
        age: Duration,
        /// An earlier command that QEMU is stuck in, if that is the reason.
        behind: Option<Waiting>,
    },
    /// The connection is closed, by QEMU's end or because of what QEMU sent.
    #[error("monitor of {subject} is gone ({reason}), '{command}' has no answer")]
    Disconnected {
        /// Whose monitor.
        subject: String,
        /// The command.
        command: String,
        /// Why.
        reason: String,
    },
    /// Too many commands wait already.
    #[error("monitor of {subject} owes too many answers to take '{command}'")]
    Busy {
        /// Whose monitor.
        subject: String,
        /// The command.
        command: String,
    },
    /// The reply is not of the form the command has.
    #[error("QEMU's answer to '{command}' is not of the expected form")]
    Reply {
        /// The command.
        command: String,
        /// What was expected.
        source: serde_json::Error,
    },
    /// The arguments cannot be written as JSON.
    #[error("the arguments of '{command}' cannot be written")]
    Arguments {
        /// The command.
        command: String,
        /// Why.
        source: serde_json::Error,
    },
}

fn unanswered(command: &str, age: Duration, behind: Option<&Waiting>) -> String {
    match behind {
        None => Waiting { command: command.to_owned(), age }.to_string(),
        Some(oldest) => format!("{oldest} ('{command}' waits behind it)"),
    }
}

impl Error {
    /// QEMU's own error, if that is what it is.
    pub fn qmp(&self) -> Option<&QmpError> {
        match self {
            Self::Qmp { error, .. } => Some(error),
            _ => None,
        }
    }
}
