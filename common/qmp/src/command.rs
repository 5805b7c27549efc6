//! What a QMP command is: a name, arguments, the type of its reply.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A QMP command with its arguments; `Self` serialises to the `arguments` object. Replies are read tolerantly: fields that
/// a type does not name are ignored, so that another QEMU may say more.
pub trait Command: Serialize {
    /// The command's name.
    const NAME: &'static str;
    /// What its `return` holds.
    type Reply: DeserializeOwned;
}

/// The reply of commands that answer `{}`: whatever they say is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done;

impl<'de> serde::Deserialize<'de> for Done {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// Declares commands: a unit struct for one without arguments, `impl Command` for one whose struct stands beside it.
macro_rules! commands {
    ($($(#[$doc:meta])* $kind:ident $type:ident = $name:literal -> $reply:ty;)*) => {
        $(crate::command::one_command! { $(#[$doc])* $kind $type = $name -> $reply })*
    };
}

macro_rules! one_command {
    ($(#[$doc:meta])* plain $type:ident = $name:literal -> $reply:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
        pub struct $type;

        impl crate::Command for $type {
            const NAME: &'static str = $name;
            type Reply = $reply;
        }
    };
    (with $type:ident = $name:literal -> $reply:ty) => {
        impl crate::Command for $type {
            const NAME: &'static str = $name;
            type Reply = $reply;
        }
    };
}

pub(crate) use {commands, one_command};
