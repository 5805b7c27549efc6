//! Pools and their life, as far as memory goes.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use tokio::sync::broadcast;
use uuid::Uuid;
use virtbus_api::{
    Error, ErrorDomain, PoolEvent, PoolEventKind, PoolLifecycle, PoolRef, Result, Turnover,
    flags::{PoolBuildFlags, PoolCreateFlags, PoolDefineFlags, PoolDeleteFlags, PoolFilter, PoolXmlFlags},
    storage::{PoolInfo, PoolState, Pools},
};
use virtbus_schema::{
    StoragePool, StoragePoolCapabilities,
    storage_pool::{PoolKind, PoolSource, SourceList},
};

use super::{CAPACITY, Pool, SimStorage, Table, no_pool, refer, refer_to_volume};
use crate::{document, passes};

impl SimStorage {
    fn put(&self, table: &mut Table, mut pool: Box<StoragePool>, change: impl FnOnce(&mut Pool)) -> PoolRef {
        let uuid = *pool.uuid.get_or_insert_with(document::new_uuid);
        let name = pool.name.clone();
        let new = |document| Pool {
            uuid,
            document,
            persistent: false,
            active: false,
            autostart: false,
            volumes: BTreeMap::new(),
        };
        let document = Arc::<StoragePool>::from(pool);
        let it = table.pools.entry(name.clone()).or_insert_with(|| new(document.clone()));
        it.document = document;
        change(it);
        PoolRef { name, uuid: it.uuid }
    }

    fn life(&self, pool: &PoolRef, event: PoolLifecycle) {
        self.tell(pool, PoolEventKind::Lifecycle(event));
    }
}

#[async_trait]
impl Pools for SimStorage {
    fn uri(&self) -> String {
        self.0.uri.clone()
    }

    fn list(&self, filter: PoolFilter) -> Vec<PoolRef> {
        use PoolFilter as F;
        let is_listed = |it: &Pool| {
            let dir = it.document.kind == PoolKind::Dir;
            let groups: [&[(F, bool)]; 4] = [
                &[(F::ACTIVE, it.active), (F::INACTIVE, !it.active)],
                &[(F::PERSISTENT, it.persistent), (F::TRANSIENT, !it.persistent)],
                &[(F::AUTOSTART, it.autostart), (F::NO_AUTOSTART, !it.autostart)],
                &[(F::DIR, dir), (F::all().difference(F::DIR).difference(F::from_bits_retain(0x3f)), !dir)],
            ];
            passes(&groups, |bit| filter.intersects(bit))
        };
        self.table().pools.iter().filter(|(_, it)| is_listed(it)).map(|(name, it)| refer(name, it)).collect()
    }

    fn lookup_by_uuid(&self, uuid: Uuid) -> Result<PoolRef> {
        let table = self.table();
        let found = table.pools.iter().find(|(_, it)| it.uuid == uuid);
        found.map(|(name, it)| refer(name, it)).ok_or_else(|| no_pool(&format!("uuid '{uuid}'")))
    }

    fn lookup_by_name(&self, name: &str) -> Result<PoolRef> {
        let table = self.table();
        table.pools.get(name).map(|it| refer(name, it)).ok_or_else(|| no_pool(&format!("name '{name}'")))
    }

    fn lookup_by_target_path(&self, path: &str) -> Result<PoolRef> {
        let table = self.table();
        let found = table.pools.iter().find(|(_, it)| it.active && it.document.target_path() == Some(path));
        found.map(|(name, it)| refer(name, it)).ok_or_else(|| no_pool(&format!("target path '{path}'")))
    }

    fn xml(&self, pool: &PoolRef, _flags: PoolXmlFlags) -> Result<Arc<StoragePool>> {
        Ok(self.table().pool(pool)?.document.clone())
    }

    fn info(&self, pool: &PoolRef) -> Result<PoolInfo> {
        let table = self.table();
        let it = table.pool(pool)?;
        if !it.active {
            return Ok(PoolInfo { state: PoolState::Inactive, capacity: 0, allocation: 0, available: 0 });
        }
        let allocation = it.allocation();
        let available = CAPACITY.saturating_sub(allocation);
        Ok(PoolInfo { state: PoolState::Running, capacity: CAPACITY, allocation, available })
    }

    fn is_active(&self, pool: &PoolRef) -> Result<bool> {
        Ok(self.table().pool(pool)?.active)
    }

    fn is_persistent(&self, pool: &PoolRef) -> Result<bool> {
        Ok(self.table().pool(pool)?.persistent)
    }

    fn autostart(&self, pool: &PoolRef) -> Result<bool> {
        Ok(self.table().pool(pool)?.autostart)
    }

    fn capabilities(&self) -> StoragePoolCapabilities {
        StoragePoolCapabilities::of(|it| it == PoolKind::Dir)
    }

    async fn find_sources(&self, kind: PoolKind, _spec: Option<PoolSource>) -> Result<SourceList> {
        let text = format!("pool type '{}' does not support source discovery", kind.as_str());
        Err(Error::no_support(text).in_domain(ErrorDomain::Storage))
    }

    async fn define(&self, pool: Box<StoragePool>, _flags: PoolDefineFlags) -> Result<PoolRef> {
        let defined = self.put(&mut self.table(), pool, |it| it.persistent = true);
        self.life(&defined, PoolLifecycle::Defined);
        Ok(defined)
    }

    async fn create(&self, pool: Box<StoragePool>, _flags: PoolCreateFlags) -> Result<PoolRef> {
        let created = self.put(&mut self.table(), pool, |it| it.active = true);
        self.life(&created, PoolLifecycle::Started);
        Ok(created)
    }

    async fn start(&self, pool: &PoolRef, _flags: PoolCreateFlags) -> Result<()> {
        let mut table = self.table();
        let (pool, it) = table.pool_in_state(pool, false)?;
        it.active = true;
        let come = it.volumes.values().map(|it| refer_to_volume(&pool.name, &it.document)).collect();
        self.tell(&pool, PoolEventKind::Volumes(Arc::new(Turnover { come, gone: Vec::new() })));
        self.life(&pool, PoolLifecycle::Started);
        Ok(())
    }

    async fn build(&self, pool: &PoolRef, _flags: PoolBuildFlags) -> Result<()> {
        let (pool, _) = self.table().pool_in_state(pool, false).map(|(pool, _)| (pool, ()))?;
        self.life(&pool, PoolLifecycle::Created);
        Ok(())
    }

    async fn destroy(&self, pool: &PoolRef) -> Result<()> {
        let mut table = self.table();
        let (pool, it) = table.pool_in_state(pool, true)?;
        it.active = false;
        let gone = it.volumes.values().map(|it| refer_to_volume(&pool.name, &it.document)).collect();
        self.tell(&pool, PoolEventKind::Volumes(Arc::new(Turnover { come: Vec::new(), gone })));
        if !it.persistent {
            table.pools.remove(&pool.name);
        }
        self.life(&pool, PoolLifecycle::Stopped);
        Ok(())
    }

    async fn delete(&self, pool: &PoolRef, _flags: PoolDeleteFlags) -> Result<()> {
        let mut table = self.table();
        let (pool, it) = table.pool_in_state(pool, false)?;
        it.volumes.clear();
        self.life(&pool, PoolLifecycle::Deleted);
        Ok(())
    }

    async fn undefine(&self, pool: &PoolRef) -> Result<()> {
        let mut table = self.table();
        let (pool, _) = table.pool_in_state(pool, false)?;
        table.pools.remove(&pool.name);
        self.life(&pool, PoolLifecycle::Undefined);
        Ok(())
    }

    async fn refresh(&self, pool: &PoolRef) -> Result<()> {
        let (pool, _) = self.table().pool_in_state(pool, true).map(|(pool, _)| (pool, ()))?;
        self.tell(&pool, PoolEventKind::Refresh);
        Ok(())
    }

    async fn set_autostart(&self, pool: &PoolRef, autostart: bool) -> Result<()> {
        let mut table = self.table();
        let (pool, it) = table.pool_mut(pool)?;
        if !it.persistent {
            return Err(Error::internal("pool has no config file").in_domain(ErrorDomain::Storage));
        }
        it.autostart = autostart;
        self.tell(&pool, PoolEventKind::AutostartChange);
        Ok(())
    }

    fn pool_events(&self) -> broadcast::Receiver<PoolEvent> {
        self.0.pool_events.subscribe()
    }
}
