//! What can be asked of a network's owner.

use tokio::sync::oneshot;
use uuid::Uuid;
use virtbus_api::{
    Result,
    flags::{NetworkUpdateFlags, PortCreateFlags},
    metadata::Change,
    network::UpdateCommand,
};
use virtbus_schema::{Network, NetworkPort, NetworkSection, network::Bandwidth};

use crate::registry::Reservation;

/// What is asked, in the user's words.
#[derive(Debug)]
pub(crate) enum Command {
    /// Take a definition, which is complete.
    Define(Box<Network>, Reservation),
    /// Start from a document.
    Create(Box<Network>, Reservation),
    /// Start from the definition.
    Start,
    /// Stop.
    Destroy,
    /// Remove the definition.
    Undefine,
    /// Start with the host, or not.
    SetAutostart(bool),
    /// Change a part.
    Update { command: UpdateCommand, section: NetworkSection, parent: Option<u32>, flags: NetworkUpdateFlags },
    /// Title, description or metadata.
    SetMetadata(Change, NetworkUpdateFlags),
    /// Plug in.
    CreatePort(Box<NetworkPort>, PortCreateFlags),
    /// Another bandwidth for a port.
    SetPort(Uuid, Option<Bandwidth>),
    /// Unplug.
    DeletePort(Uuid),
    /// See that all is as it should be: after a restart of the daemon.
    Recover,
}

/// A command with the way back.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) command: Command,
    pub(crate) reply: oneshot::Sender<Result<()>>,
}
