//! What can be asked of a pool's owner, and how it answers.
//!
//! A command says what is wanted, in the user's words; whether it may be done now is [`super::admission`]'s, how it is
//! done the owner's.

use std::sync::Arc;

use tokio::sync::oneshot;
use virtbus_api::{
    Result,
    flags::{
        PoolBuildFlags, PoolCreateFlags, PoolDeleteFlags, VolumeCreateFlags, VolumeDeleteFlags, VolumeResizeFlags,
    },
    storage::WipeAlgorithm,
};
use virtbus_schema::{StoragePool, StorageVolume};

use super::admission::Verb;
use super::hold::Hold;
use crate::volume::Volume;

/// What is asked.
#[derive(Debug)]
pub(crate) enum Command {
    /// Take a definition, which is complete.
    Define(Box<StoragePool>),
    /// Start from the definition.
    Start(PoolCreateFlags),
    /// Start from a document.
    Create(Box<StoragePool>, PoolCreateFlags),
    /// It was active before the daemon started: go on with this document.
    Adopt(Box<StoragePool>),
    /// Make the underlying storage.
    Build(PoolBuildFlags),
    /// Stop it.
    Destroy,
    /// Delete the underlying storage.
    Delete(PoolDeleteFlags),
    /// Remove the definition.
    Undefine,
    /// Look again at what is in it.
    Refresh,
    /// Start with the host, or not.
    SetAutostart(bool),
    /// Make a volume, from another's content if there is one.
    CreateVolume(Box<StorageVolume>, Option<Hold>, VolumeCreateFlags),
    /// Delete a volume.
    DeleteVolume(String, VolumeDeleteFlags),
    /// Give a volume another capacity.
    ResizeVolume(String, u64, VolumeResizeFlags),
    /// Overwrite a volume.
    WipeVolume(String, WipeAlgorithm),
    /// Keep a volume as it is while its content is read or written.
    HoldVolume(String),
    /// Somebody has looked at a volume and found it changed.
    Noticed(Arc<Volume>),
    /// A volume's content has been replaced from outside: read its header anew.
    Reread(String),
}

/// An answer that is more than success.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It is done.
    Done,
    /// This volume.
    Volume(Arc<Volume>),
    /// A volume that stays as it is.
    Held(Hold),
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
            Command::Start(_) => Verb::Start,
            Command::Create(..) | Command::Adopt(_) => Verb::Create,
            Command::Build(_) => Verb::Build,
            Command::Destroy => Verb::Destroy,
            Command::Delete(_) => Verb::Delete,
            Command::Undefine => Verb::Undefine,
            Command::Refresh => Verb::Refresh,
            Command::SetAutostart(_) => Verb::SetAutostart,
            Command::CreateVolume(..)
            | Command::DeleteVolume(..)
            | Command::ResizeVolume(..)
            | Command::WipeVolume(..)
            | Command::HoldVolume(_)
            | Command::Reread(_) => Verb::Volume,
            Command::Noticed(_) => Verb::Notice,
        }
    }
}
