//! Volumes: documents and bytes.

use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::{
    Error, ErrorCode, ErrorDomain, PoolEventKind, PoolRef, Result, Turnover, VolumeRef,
    flags::{TransferFlags, VolumeCreateFlags, VolumeDeleteFlags, VolumeResizeFlags},
    storage::{VolumeInfo, VolumeKind, VolumeReader, VolumeWriter, Volumes, WipeAlgorithm},
};
use virtbus_schema::{StorageVolume, storage_vol::VolumeSize};

use super::{
    SimStorage, Volume, no_volume, refer, refer_to_volume,
    transfer::{Reader, Writer},
};

/// The greatest volume, in bytes: they are held in memory.
const LARGEST: u64 = 64 << 20;

impl SimStorage {
    fn find(&self, what: &str, which: impl Fn(&StorageVolume) -> bool) -> Result<VolumeRef> {
        let table = self.table();
        let mut active = table.pools.iter().filter(|(_, it)| it.active);
        let found = active.find_map(|(name, it)| {
            let volume = it.volumes.values().find(|it| which(&it.document))?;
            Some(refer_to_volume(name, &volume.document))
        });
        found.ok_or_else(|| no_volume(what))
    }

    fn turnover(&self, pool: &PoolRef, come: &[VolumeRef], gone: &[VolumeRef]) {
        let turnover = Turnover { come: come.to_vec(), gone: gone.to_vec() };
        self.tell(pool, PoolEventKind::Volumes(Arc::new(turnover)));
    }

    fn add(&self, pool: &PoolRef, mut volume: Box<StorageVolume>, content: Vec<u8>) -> Result<VolumeRef> {
        let mut table = self.table();
        let (pool, it) = table.pool_in_state(pool, true)?;
        if it.volumes.contains_key(&volume.name) {
            let detail = format!("'{}'", volume.name);
            return Err(Error::new(ErrorCode::StorageVolExist, detail).in_domain(ErrorDomain::Storage));
        }
        let path = format!("{}/{}", it.document.target_path().unwrap_or_default(), volume.name);
        volume.key = Some(path.clone());
        volume.target.path = Some(path);
        volume.allocation = volume.allocation.or(volume.capacity);
        let refer = refer_to_volume(&pool.name, &volume);
        it.volumes.insert(volume.name.clone(), Volume { document: Arc::from(volume), content });
        self.turnover(&pool, std::slice::from_ref(&refer), &[]);
        Ok(refer)
    }
}

#[async_trait]
impl Volumes for SimStorage {
    fn volumes(&self, pool: &PoolRef) -> Result<Vec<VolumeRef>> {
        let mut table = self.table();
        let (pool, it) = table.pool_in_state(pool, true)?;
        Ok(it.volumes.values().map(|it| refer_to_volume(&pool.name, &it.document)).collect())
    }

    fn lookup_volume(&self, pool: &PoolRef, name: &str) -> Result<VolumeRef> {
        let mut table = self.table();
        let (pool, it) = table.pool_in_state(pool, true)?;
        let found = it.volumes.get(name).ok_or_else(|| no_volume(&format!("name '{name}'")))?;
        Ok(refer_to_volume(&pool.name, &found.document))
    }

    fn lookup_volume_by_key(&self, key: &str) -> Result<VolumeRef> {
        self.find(&format!("key {key}"), |it| it.key.as_deref() == Some(key))
    }

    fn lookup_volume_by_path(&self, path: &str) -> Result<VolumeRef> {
        self.find(&format!("path '{path}'"), |it| it.target.path.as_deref() == Some(path))
    }

    fn pool_of(&self, volume: &VolumeRef) -> Result<PoolRef> {
        Ok(refer(&volume.pool, self.table().pool_of(volume)?))
    }

    fn volume_path(&self, volume: &VolumeRef) -> Result<String> {
        Ok(self.table().volume(volume)?.document.target.path.clone().unwrap_or_default())
    }

    async fn volume_xml(&self, volume: &VolumeRef) -> Result<Arc<StorageVolume>> {
        Ok(self.table().volume(volume)?.document.clone())
    }

    async fn volume_info(&self, volume: &VolumeRef) -> Result<VolumeInfo> {
        let table = self.table();
        let it = table.volume(volume)?;
        let physical = u64::try_from(it.content.len()).unwrap_or(u64::MAX);
        let capacity = it.document.capacity_bytes();
        Ok(VolumeInfo { kind: VolumeKind::File, capacity, allocation: capacity, physical })
    }

    async fn create_volume(
        &self,
        pool: &PoolRef,
        volume: Box<StorageVolume>,
        _flags: VolumeCreateFlags,
    ) -> Result<VolumeRef> {
        let content = zeroes(volume.capacity_bytes())?;
        self.add(pool, volume, content)
    }

    async fn create_volume_from(
        &self,
        pool: &PoolRef,
        volume: Box<StorageVolume>,
        source: &VolumeRef,
        _flags: VolumeCreateFlags,
    ) -> Result<VolumeRef> {
        let content = self.table().volume(source)?.content.clone();
        self.add(pool, volume, content)
    }

    async fn delete_volume(&self, volume: &VolumeRef, _flags: VolumeDeleteFlags) -> Result<()> {
        let mut table = self.table();
        table.volume(volume)?;
        if let Some(it) = table.pools.get_mut(&volume.pool) {
            it.volumes.remove(&volume.name);
            self.turnover(&refer(&volume.pool, it), &[], std::slice::from_ref(volume));
        }
        Ok(())
    }

    async fn resize_volume(&self, volume: &VolumeRef, capacity: u64, flags: VolumeResizeFlags) -> Result<()> {
        let mut table = self.table();
        let it = table.volume_mut(volume)?;
        let old = it.document.capacity_bytes();
        let capacity = match (flags.contains(VolumeResizeFlags::DELTA), flags.contains(VolumeResizeFlags::SHRINK)) {
            (true, true) => old.saturating_sub(capacity),
            (true, false) => old.saturating_add(capacity),
            (false, _) => capacity,
        };
        let length = zeroes(capacity)?.len();
        it.content.resize(length, 0);
        it.document = Arc::new(StorageVolume { capacity: Some(VolumeSize::of(capacity)), ..(*it.document).clone() });
        Ok(())
    }

    async fn wipe_volume(&self, volume: &VolumeRef, _algorithm: WipeAlgorithm) -> Result<()> {
        self.table().volume_mut(volume)?.content.fill(0);
        Ok(())
    }

    async fn download(
        &self,
        volume: &VolumeRef,
        offset: u64,
        length: u64,
        flags: TransferFlags,
    ) -> Result<Box<dyn VolumeReader>> {
        let content = self.table().volume(volume)?.content.clone();
        Ok(Box::new(Reader::new(&content, offset, length, flags.contains(TransferFlags::SPARSE))))
    }

    async fn upload(
        &self,
        volume: &VolumeRef,
        offset: u64,
        length: u64,
        _flags: TransferFlags,
    ) -> Result<Box<dyn VolumeWriter>> {
        self.table().volume(volume)?;
        Ok(Box::new(Writer::new(self.clone(), volume.clone(), offset, length)))
    }
}

impl SimStorage {
    /// Puts bytes into a volume.
    pub(super) fn write(&self, volume: &VolumeRef, offset: u64, data: &[u8]) -> Result<()> {
        let mut table = self.table();
        let it = table.volume_mut(volume)?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(data.len());
        let full = || Error::system(format!("cannot write to volume '{}' at {offset}", volume.name), &no_space());
        it.content.get_mut(start..end).ok_or_else(full)?.copy_from_slice(data);
        Ok(())
    }
}

fn zeroes(length: u64) -> Result<Vec<u8>> {
    match usize::try_from(length) {
        Ok(size) if length <= LARGEST => Ok(vec![0; size]),
        _ => Err(Error::system("cannot make a volume", &no_space()).in_domain(ErrorDomain::Storage)),
    }
}

fn no_space() -> std::io::Error {
    std::io::ErrorKind::StorageFull.into()
}
