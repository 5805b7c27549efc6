//! A storage daemon without storage: pools and volumes whose bytes are in memory, and secrets.

mod pools;
mod secrets;
mod transfer;
mod volumes;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::broadcast;
use uuid::Uuid;
use virtbus_api::{
    Error, ErrorCode, ErrorDomain, PoolEvent, PoolEventKind, PoolRef, Result, SecretEvent, SecretEventKind, SecretRef,
    VolumeRef, storage::SecretValue,
};
use virtbus_schema::{Secret, StoragePool, StorageVolume};

use crate::EVENTS;

/// How much a simulated pool holds, in bytes.
pub(crate) const CAPACITY: u64 = 1 << 30;

/// The simulated storage daemon; cheap to clone.
#[derive(Debug, Clone)]
pub struct SimStorage(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uri: String,
    table: Mutex<Table>,
    pool_events: broadcast::Sender<PoolEvent>,
    secret_events: broadcast::Sender<SecretEvent>,
}

/// All pools by name, so that lists are in order, and all secrets.
#[derive(Debug, Default)]
struct Table {
    pools: BTreeMap<String, Pool>,
    secrets: BTreeMap<Uuid, Keeping>,
}

#[derive(Debug)]
struct Pool {
    uuid: Uuid,
    document: Arc<StoragePool>,
    persistent: bool,
    active: bool,
    autostart: bool,
    volumes: BTreeMap<String, Volume>,
}

#[derive(Debug)]
struct Volume {
    document: Arc<StorageVolume>,
    content: Vec<u8>,
}

#[derive(Debug)]
struct Keeping {
    document: Arc<Secret>,
    value: Option<SecretValue>,
}

impl SimStorage {
    /// A daemon without pools and secrets that says it is at `uri` (`storage:///system`).
    pub fn new(uri: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            uri: uri.into(),
            table: Mutex::default(),
            pool_events: broadcast::channel(EVENTS).0,
            secret_events: broadcast::channel(EVENTS).0,
        }))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, pool: &PoolRef, kind: PoolEventKind) {
        // Nobody listening is no fault.
        let _ = self.0.pool_events.send(PoolEvent { pool: pool.clone(), kind });
    }

    fn tell_of_secret(&self, secret: SecretRef, kind: SecretEventKind) {
        let _ = self.0.secret_events.send(SecretEvent { secret, kind });
    }
}

impl Table {
    fn pool(&self, pool: &PoolRef) -> Result<&Pool> {
        self.pools.values().find(|it| it.uuid == pool.uuid).ok_or_else(|| unknown_pool(pool))
    }

    /// The pool that is meant, with its present name.
    fn pool_mut(&mut self, pool: &PoolRef) -> Result<(PoolRef, &mut Pool)> {
        let found = self.pools.iter_mut().find(|(_, it)| it.uuid == pool.uuid);
        found.map(|(name, it)| (refer(name, it), it)).ok_or_else(|| unknown_pool(pool))
    }

    /// The pool that is meant, which must be active or not.
    fn pool_in_state(&mut self, pool: &PoolRef, active: bool) -> Result<(PoolRef, &mut Pool)> {
        let (pool, it) = self.pool_mut(pool)?;
        match (it.active, active) {
            (false, true) => Err(inactive(&pool.name)),
            (true, false) => Err(invalid(format!("storage pool '{}' is still active", pool.name))),
            _ => Ok((pool, it)),
        }
    }

    /// The active pool that a volume is in.
    fn pool_of(&self, volume: &VolumeRef) -> Result<&Pool> {
        let found = self.pools.get(&volume.pool).ok_or_else(|| no_pool(&format!("name '{}'", volume.pool)))?;
        if found.active { Ok(found) } else { Err(inactive(&volume.pool)) }
    }

    fn volume(&self, volume: &VolumeRef) -> Result<&Volume> {
        self.pool_of(volume)?.volumes.get(&volume.name).ok_or_else(|| no_volume(&format!("name '{}'", volume.name)))
    }

    fn volume_mut(&mut self, volume: &VolumeRef) -> Result<&mut Volume> {
        self.volume(volume)?;
        let pool = self.pools.get_mut(&volume.pool);
        let found = pool.and_then(|it| it.volumes.get_mut(&volume.name));
        found.ok_or_else(|| no_volume(&format!("name '{}'", volume.name)))
    }

    fn secret(&self, uuid: Uuid) -> Result<&Keeping> {
        self.secrets.get(&uuid).ok_or_else(|| no_secret(&format!("uuid '{uuid}'")))
    }
}

impl Pool {
    /// The bytes that volumes take up.
    fn allocation(&self) -> u64 {
        self.volumes.values().map(|it| u64::try_from(it.content.len()).unwrap_or(u64::MAX)).sum()
    }
}

fn refer(name: &str, it: &Pool) -> PoolRef {
    PoolRef { name: name.to_owned(), uuid: it.uuid }
}

fn refer_to_volume(pool: &str, it: &StorageVolume) -> VolumeRef {
    VolumeRef { pool: pool.to_owned(), name: it.name.clone(), key: it.key.clone().unwrap_or_default() }
}

fn invalid(text: String) -> Error {
    Error::invalid_operation(text).in_domain(ErrorDomain::Storage)
}

fn inactive(name: &str) -> Error {
    invalid(format!("storage pool '{name}' is not active"))
}

fn unknown_pool(pool: &PoolRef) -> Error {
    no_pool(&format!("uuid '{}' ({})", pool.uuid, pool.name))
}

fn no_pool(what: &str) -> Error {
    let detail = format!("no storage pool with matching {what}");
    Error::new(ErrorCode::NoStoragePool, detail).in_domain(ErrorDomain::Storage)
}

fn no_volume(what: &str) -> Error {
    let detail = format!("no storage vol with matching {what}");
    Error::new(ErrorCode::NoStorageVol, detail).in_domain(ErrorDomain::Storage)
}

fn no_secret(what: &str) -> Error {
    Error::new(ErrorCode::NoSecret, format!("no secret with matching {what}")).in_domain(ErrorDomain::Secret)
}
