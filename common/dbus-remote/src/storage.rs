//! Questions to whoever has pools and secrets.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;
use virtbus_api::{
    Result, SecretRef, document,
    neighbour::{SecretName, StorageNeighbour},
    storage::SecretValue,
};
use virtbus_schema::{StoragePool, StorageVolume};

use crate::Remote;

const STORAGE: &str = "org.libvirt.virtbus.Storage";

#[async_trait]
impl StorageNeighbour for Remote {
    async fn volume(&self, pool: &str, volume: &str) -> Result<(Arc<StoragePool>, Arc<StorageVolume>)> {
        let (pool, volume): (String, String) = self.0.ask(STORAGE, "Volume", &(pool, volume)).await?;
        let pool = self.0.read(document::parse_pool(&pool, false))?;
        let volume = self.0.read(document::parse_volume(&volume, false))?;
        Ok((pool.into(), volume.into()))
    }

    async fn secret(&self, secret: &SecretName) -> Result<(SecretRef, SecretValue)> {
        let (uuid, usage_type, usage_id) = match secret {
            SecretName::Uuid(uuid) => (uuid.to_string(), 0, ""),
            SecretName::Usage { usage_type, usage_id } => (String::new(), *usage_type, usage_id.as_str()),
        };
        let answer = self.0.ask(STORAGE, "Secret", &(uuid, usage_type, usage_id)).await?;
        let (uuid, usage_type, usage_id, value): (String, i32, String, Vec<u8>) = answer;
        let value = SecretValue::new(value);
        let uuid = Uuid::try_parse(&uuid).map_err(|_| self.0.strange(&format!("{uuid} is no UUID")))?;
        Ok((SecretRef { uuid, usage_type, usage_id }, value))
    }
}
