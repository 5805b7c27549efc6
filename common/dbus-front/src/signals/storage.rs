//! What the events of pools and secrets mean on D-Bus.

use virtbus_api::{PoolEvent, PoolEventKind, PoolLifecycle, SecretEvent, SecretEventKind, StorageDriver};
use zbus::Variant;

use super::Signals;
use crate::{connect::storage::Connect, paths, secret::Secret, storage_pool::StoragePool};

impl Signals {
    /// Sends what a pool's event means: the objects' coming and going, changed properties, the signal itself.
    pub(super) async fn pool(&mut self, driver: &dyn StorageDriver, event: &PoolEvent) -> zbus::Result<()> {
        let path = paths::pool(event.pool.uuid);
        self.appear(&path).await?;
        match &event.kind {
            PoolEventKind::Lifecycle(it) => {
                self.changed(&path, "org.libvirt.StoragePool", || properties(driver, event)).await?;
                // What is not defined is not started with the host either.
                if *it == PoolLifecycle::Undefined {
                    self.invalid(&path, "org.libvirt.StoragePool", "Autostart").await?;
                }
                Connect::storage_pool_event(&self.root()?, path.as_ref(), *it as i32, 0).await?;
            }
            PoolEventKind::Refresh => StoragePool::refreshed(&self.emitter(path.clone())?).await?,
            PoolEventKind::AutostartChange => self.invalid(&path, "org.libvirt.StoragePool", "Autostart").await?,
            PoolEventKind::Volumes(turnover) => self.turnover(turnover, paths::volume).await?,
        }
        self.vanish(&path).await
    }

    /// Sends what a secret's event means.
    pub(super) async fn secret(&mut self, event: &SecretEvent) -> zbus::Result<()> {
        const DEFINED: i32 = 0;
        const UNDEFINED: i32 = 1;
        let path = paths::secret(event.secret.uuid);
        self.appear(&path).await?;
        match event.kind {
            SecretEventKind::Defined => Connect::secret_event(&self.root()?, path.as_ref(), DEFINED, 0).await?,
            SecretEventKind::Undefined => Connect::secret_event(&self.root()?, path.as_ref(), UNDEFINED, 0).await?,
            SecretEventKind::ValueChanged => Secret::value_changed(&self.emitter(path.clone())?).await?,
        }
        self.vanish(&path).await
    }
}

/// What a pool's event may have changed.
fn properties(
    driver: &dyn StorageDriver,
    event: &PoolEvent,
) -> virtbus_api::Result<Vec<(&'static str, Variant<'static>)>> {
    let pool = &event.pool;
    Ok(vec![
        ("Active", Variant::from(driver.is_active(pool)?)),
        ("Persistent", Variant::from(driver.is_persistent(pool)?)),
    ])
}
