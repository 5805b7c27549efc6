//! Secrets: what unlocks volumes, and what proves to servers who we are.
//!
//! [`SecretStore`] is the owner of all of them. A change is made on disk first and in memory then, one at a time and to its
//! end even when the caller goes away; reads never wait for it. A value is never part of a text: not of a document, an
//! error, a log line or a `Debug`, and it is overwritten in memory when nobody holds it any more.

mod files;
mod registry;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use tokio::sync::broadcast;
use uuid::Uuid;
use virtbus_api::{
    Error, ErrorCode, ErrorDomain, Result, SecretEvent, SecretEventKind, SecretRef,
    flags::{SecretDefineFlags, SecretFilter},
    storage::{SecretValue, Secrets},
};
use virtbus_schema::Secret;
use virtbus_schema::xml::YesNo;

use files::Files;
use registry::{Kept, Registry};

/// Events that a slow front may be behind by. Beyond it the front is told that it lags.
const EVENTS: usize = 1024;

/// The longest value, in bytes; what the wire takes as well (`REMOTE_SECRET_VALUE_MAX`).
const LONGEST_VALUE: usize = 65536;

/// All secrets of the daemon.
#[derive(Debug, Clone)]
pub struct SecretStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    files: Files,
    registry: RwLock<Registry>,
    /// Held by the one change that is under way.
    changing: Mutex<()>,
    events: broadcast::Sender<SecretEvent>,
}

impl SecretStore {
    /// The secrets kept in `directory` (`/etc/libvirt/secrets`). Files that cannot be understood are reported in the log and
    /// left as they are. Blocks.
    ///
    /// # Errors
    /// When the directory exists and cannot be listed.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self> {
        let files = Files::new(directory.into());
        let mut registry = Registry::default();
        for kept in files.load()? {
            let uuid = kept.uuid;
            if let Err(error) = registry.may_define(&kept.document, uuid) {
                tracing::error!(secret = %uuid, "a secret is left out: {error}");
                continue;
            }
            registry.put(kept);
        }
        let (registry, changing) = (RwLock::new(registry), Mutex::new(()));
        let events = broadcast::Sender::new(EVENTS);
        Ok(Self { shared: Arc::new(Shared { files, registry, changing, events }) })
    }

    fn read<T>(&self, look: impl FnOnce(&Registry) -> T) -> T {
        self.shared.read(look)
    }

    /// Runs a change to its end, whether or not anybody still waits for it.
    async fn change<T: Send + 'static>(&self, change: impl FnOnce(&Shared) -> Result<T> + Send + 'static) -> Result<T> {
        let shared = Arc::clone(&self.shared);
        let changed = tokio::task::spawn_blocking(move || {
            // Whatever a panic left behind is whole: each step replaces one entry or one file.
            let _one = shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
            change(&shared)
        });
        changed.await.unwrap_or_else(|_| Err(fault(ErrorCode::InternalError, "changing a secret ended unexpectedly")))
    }
}

impl Shared {
    fn read<T>(&self, look: impl FnOnce(&Registry) -> T) -> T {
        look(&self.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, kept: Kept) {
        self.registry.write().unwrap_or_else(PoisonError::into_inner).put(kept);
    }

    fn tell(&self, secret: SecretRef, kind: SecretEventKind) {
        // Nobody may be listening.
        let _ = self.events.send(SecretEvent { secret, kind });
    }

    fn define(&self, mut document: Secret) -> Result<SecretRef> {
        let uuid = *document.uuid.get_or_insert_with(Uuid::new_v4);
        let old = self.read(|it| it.may_define(&document, uuid).map(|()| it.get(uuid)))?;
        let value = old.as_ref().and_then(|it| it.value.clone());
        if document.ephemeral == YesNo::Yes {
            self.files.remove(uuid)?;
        } else {
            self.files.save(uuid, &document)?;
            // So far it was kept in memory alone.
            let was_ephemeral = old.as_ref().is_some_and(|it| it.document.ephemeral == YesNo::Yes);
            if let Some(value) = value.as_ref().filter(|_| was_ephemeral) {
                self.files.save_value(uuid, value)?;
            }
        }
        let kept = Kept { uuid, document: Arc::new(document), value };
        let secret = kept.reference();
        self.put(kept);
        self.tell(secret.clone(), SecretEventKind::Defined);
        Ok(secret)
    }

    fn set_value(&self, uuid: Uuid, value: SecretValue) -> Result<()> {
        let kept = self.read(|it| it.find(uuid))?;
        if kept.document.ephemeral == YesNo::No {
            self.files.save_value(uuid, &value)?;
        }
        let secret = kept.reference();
        self.put(Kept { value: Some(value), ..kept });
        self.tell(secret, SecretEventKind::ValueChanged);
        Ok(())
    }

    fn undefine(&self, uuid: Uuid) -> Result<()> {
        let kept = self.read(|it| it.find(uuid))?;
        if kept.document.ephemeral == YesNo::No {
            self.files.remove(uuid)?;
        }
        self.registry.write().unwrap_or_else(PoisonError::into_inner).remove(uuid);
        self.tell(kept.reference(), SecretEventKind::Undefined);
        Ok(())
    }
}

#[async_trait]
impl Secrets for SecretStore {
    fn secrets(&self, filter: SecretFilter) -> Vec<SecretRef> {
        self.read(|it| it.list(filter))
    }

    fn lookup_secret(&self, uuid: Uuid) -> Result<SecretRef> {
        self.read(|it| it.find(uuid)).map(|it| it.reference())
    }

    fn lookup_secret_by_usage(&self, usage_type: i32, usage_id: &str) -> Result<SecretRef> {
        let found = self.read(|it| it.by_usage(usage_type, usage_id).map(Kept::reference));
        found.ok_or_else(|| fault(ErrorCode::NoSecret, format!("no secret with matching usage '{usage_id}'")))
    }

    fn secret_xml(&self, secret: &SecretRef) -> Result<Arc<Secret>> {
        self.read(|it| it.find(secret.uuid)).map(|it| it.document)
    }

    fn secret_value(&self, secret: &SecretRef) -> Result<SecretValue> {
        let kept = self.read(|it| it.find(secret.uuid))?;
        if kept.document.private == YesNo::Yes {
            return Err(fault(ErrorCode::InvalidSecret, "secret is private"));
        }
        kept.into_value()
    }

    fn secret_value_for_use(&self, secret: &SecretRef) -> Result<SecretValue> {
        self.read(|it| it.find(secret.uuid))?.into_value()
    }

    async fn define_secret(&self, secret: Box<Secret>, _: SecretDefineFlags) -> Result<SecretRef> {
        // Whether the document was to be validated, the front has seen to.
        self.change(move |it| it.define(*secret)).await
    }

    async fn set_secret_value(&self, secret: &SecretRef, value: SecretValue) -> Result<()> {
        if value.expose().len() > LONGEST_VALUE {
            let detail = format!("a secret's value is longer than {LONGEST_VALUE} bytes");
            return Err(fault(ErrorCode::InvalidArg, detail));
        }
        let uuid = secret.uuid;
        self.change(move |it| it.set_value(uuid, value)).await
    }

    async fn undefine_secret(&self, secret: &SecretRef) -> Result<()> {
        let uuid = secret.uuid;
        self.change(move |it| it.undefine(uuid)).await
    }

    fn secret_events(&self) -> broadcast::Receiver<SecretEvent> {
        self.shared.events.subscribe()
    }
}

/// An error of the secret driver, as the reference has one of its own.
fn fault(code: ErrorCode, detail: impl Into<String>) -> Error {
    Error::new(code, detail).in_domain(ErrorDomain::Secret)
}
