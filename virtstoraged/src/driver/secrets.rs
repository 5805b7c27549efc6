//! Secrets are kept elsewhere; the engine passes on what is asked about them.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast;
use uuid::Uuid;
use virtbus_api::{
    Result, SecretEvent, SecretRef,
    flags::{SecretDefineFlags, SecretFilter},
    storage::{SecretValue, Secrets},
};
use virtbus_schema::Secret;

use super::Storage;

#[async_trait]
impl Secrets for Storage {
    fn secrets(&self, filter: SecretFilter) -> Vec<SecretRef> {
        self.shared.secrets.secrets(filter)
    }

    fn lookup_secret(&self, uuid: Uuid) -> Result<SecretRef> {
        self.shared.secrets.lookup_secret(uuid)
    }

    fn lookup_secret_by_usage(&self, usage_type: i32, usage_id: &str) -> Result<SecretRef> {
        self.shared.secrets.lookup_secret_by_usage(usage_type, usage_id)
    }

    fn secret_xml(&self, secret: &SecretRef) -> Result<Arc<Secret>> {
        self.shared.secrets.secret_xml(secret)
    }

    fn secret_value(&self, secret: &SecretRef) -> Result<SecretValue> {
        self.shared.secrets.secret_value(secret)
    }

    fn secret_value_for_use(&self, secret: &SecretRef) -> Result<SecretValue> {
        self.shared.secrets.secret_value_for_use(secret)
    }

    async fn define_secret(&self, secret: Box<Secret>, flags: SecretDefineFlags) -> Result<SecretRef> {
        self.shared.secrets.define_secret(secret, flags).await
    }

    async fn set_secret_value(&self, secret: &SecretRef, value: SecretValue) -> Result<()> {
        self.shared.secrets.set_secret_value(secret, value).await
    }

    async fn undefine_secret(&self, secret: &SecretRef) -> Result<()> {
        self.shared.secrets.undefine_secret(secret).await
    }

    fn secret_events(&self) -> broadcast::Receiver<SecretEvent> {
        self.shared.secrets.secret_events()
    }
}
