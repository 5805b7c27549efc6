//! Secrets: what unlocks volumes, and what proves to servers who we are.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use tokio::sync::broadcast;
use uuid::Uuid;
use virtbus_schema::Secret;

use crate::{
    error::Result,
    event::SecretEvent,
    flags::{SecretDefineFlags, SecretFilter},
    refs::SecretRef,
};

/// A secret's value. It is never shown, and overwritten when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(zeroize::Zeroizing<Vec<u8>>);

impl SecretValue {
    /// Takes the value over.
    pub fn new(value: Vec<u8>) -> Self {
        Self(zeroize::Zeroizing::new(value))
    }

    /// The value itself; for its use alone.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(hidden)")
    }
}

/// Defining, setting, reading and removing secrets. An unknown secret is `NO_SECRET`.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The secrets that pass the filter; an empty filter passes all.
    fn secrets(&self, filter: SecretFilter) -> Vec<SecretRef>;

    /// The secret with this UUID.
    fn lookup_secret(&self, uuid: Uuid) -> Result<SecretRef>;

    /// The secret for this use; `usage_type` as in [`SecretRef::usage_type`].
    fn lookup_secret_by_usage(&self, usage_type: i32, usage_id: &str) -> Result<SecretRef>;

    /// The document.
    fn secret_xml(&self, secret: &SecretRef) -> Result<Arc<Secret>>;

    /// The value. `INVALID_SECRET` for a private one, `NO_SECRET` where none is set.
    fn secret_value(&self, secret: &SecretRef) -> Result<SecretValue>;

    /// The value for a daemon of ours that hands it to QEMU or qemu-img: a private one as well.
    fn secret_value_for_use(&self, secret: &SecretRef) -> Result<SecretValue>;

    /// Takes a definition; replaces one of the same UUID and usage. On success it is on disk, unless ephemeral.
    async fn define_secret(&self, secret: Box<Secret>, flags: SecretDefineFlags) -> Result<SecretRef>;

    /// Sets the value.
    async fn set_secret_value(&self, secret: &SecretRef, value: SecretValue) -> Result<()>;

    /// Removes definition and value.
    async fn undefine_secret(&self, secret: &SecretRef) -> Result<()>;

    /// What happens to secrets from now on.
    fn secret_events(&self) -> broadcast::Receiver<SecretEvent>;
}
