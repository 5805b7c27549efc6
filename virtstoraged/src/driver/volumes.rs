//! Finding, making, reading, writing and deleting volumes.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::{
    Error, PoolRef, Result, VolumeRef,
    flags::{TransferFlags, VolumeCreateFlags, VolumeDeleteFlags, VolumeResizeFlags},
    storage::{VolumeInfo, VolumeReader, VolumeWriter, Volumes, WipeAlgorithm},
};
use virtbus_schema::StorageVolume;
use virtbus_schema::storage_pool::{PoolKind, tidy_path};
use virtbus_schema::storage_vol::CapacityNeed;

use super::Storage;
use crate::backend::{self, Cx};
use crate::blocking;
use crate::fault::Faults as _;
use crate::pool::{
    Handle,
    admission::Refusal,
    command::Command,
    hold::Hold,
    view::{Live, View},
};
use crate::registry::no_pool;
use crate::volume::{
    Volume, no_volume_at, no_volume_named, no_volume_with_key,
    transfer::{self, Reader, Span, Writer},
};

fn live(view: &View) -> Result<&Live> {
    view.live.as_ref().ok_or_else(|| Refusal::NotActive.into_error(&view.name))
}

impl Storage {
    /// The pool and the volume that a caller means. One who knows the key alone is answered too.
    fn find_volume(&self, volume: &VolumeRef) -> Result<(Handle, Arc<Volume>)> {
        if volume.name.is_empty() {
            return self.search(|it| it.key() == volume.key).ok_or_else(|| no_volume_with_key(&volume.key));
        }
        let handle = self.shared.registry.by_name(&volume.pool)?;
        let view = handle.view();
        let found = live(&view)?.volumes.get(&volume.name).cloned();
        Ok((handle, found.ok_or_else(|| no_volume_named(&volume.name))?))
    }

    /// The first volume of an active pool that `wanted` says is meant.
    fn search(&self, wanted: impl Fn(&Volume) -> bool) -> Option<(Handle, Arc<Volume>)> {
        self.shared.registry.all().into_iter().find_map(|handle| {
            let view = handle.view();
            let found = view.live.as_ref()?.volumes.values().find(|it| wanted(it)).cloned()?;
            Some((handle, found))
        })
    }

    fn cx(&self, handle: &Handle) -> Result<Cx> {
        let pool = Arc::clone(&live(&handle.view())?.document);
        Ok(Cx { pool, secrets: Arc::clone(&self.shared.secrets) })
    }

    /// The volume as it is now. Looked at beside the owner: a file system that does not answer holds only this up.
    async fn current(&self, volume: &VolumeRef) -> Result<Arc<Volume>> {
        let (handle, known) = self.find_volume(volume)?;
        let cx = self.cx(&handle)?;
        let now = backend::of(cx.pool.kind)?.look(&cx, &known, None).await?;
        if !Arc::ptr_eq(&now, &known) {
            handle.note(&self.shared, Command::Noticed(Arc::clone(&now)));
        }
        Ok(now)
    }

    async fn make(
        &self,
        pool: &PoolRef,
        mut document: Box<StorageVolume>,
        source: Option<Hold>,
        flags: VolumeCreateFlags,
    ) -> Result<VolumeRef> {
        let handle = self.find(pool)?;
        let kind = live(&handle.view())?.document.kind;
        let need = match source {
            Some(_) => CapacityNeed::Optional,
            None if kind == PoolKind::Logical => CapacityNeed::Required,
            None => CapacityNeed::UnlessBacked,
        };
        document.complete(kind, need).map_err(|fault| Error::from(&fault).of_storage())?;
        let made = handle.volume(&self.shared, Command::CreateVolume(document, source, flags)).await?;
        Ok(handle.view().volume_ref(&made))
    }
}

/// Opens the content of a volume.
async fn open(volume: &Volume, write: bool) -> Result<std::fs::File> {
    let path = volume.path().to_owned();
    let name = format!("volume '{}'", path.display());
    blocking::look(name, move || transfer::open(&path, write)).await
}

#[async_trait]
impl Volumes for Storage {
    fn volumes(&self, pool: &PoolRef) -> Result<Vec<VolumeRef>> {
        let view = self.view(pool)?;
        Ok(live(&view)?.volumes.values().map(|it| view.volume_ref(it)).collect())
    }

    fn lookup_volume(&self, pool: &PoolRef, name: &str) -> Result<VolumeRef> {
        let view = self.view(pool)?;
        let found = live(&view)?.volumes.get(name).ok_or_else(|| no_volume_named(name))?;
        Ok(view.volume_ref(found))
    }

    fn lookup_volume_by_key(&self, key: &str) -> Result<VolumeRef> {
        let (handle, found) = self.search(|it| it.key() == key).ok_or_else(|| no_volume_with_key(key))?;
        Ok(handle.view().volume_ref(&found))
    }

    fn lookup_volume_by_path(&self, path: &str) -> Result<VolumeRef> {
        let wanted = tidy_path(path);
        let found = self.search(|it| it.path() == Path::new(&wanted));
        let (handle, found) = found.ok_or_else(|| no_volume_at(path))?;
        Ok(handle.view().volume_ref(&found))
    }

    fn pool_of(&self, volume: &VolumeRef) -> Result<PoolRef> {
        if volume.name.is_empty() {
            return Ok(self.find_volume(volume)?.0.view().pool_ref());
        }
        let missing = |_| no_pool(format!("no storage pool with matching name '{}'", volume.pool));
        Ok(self.shared.registry.by_name(&volume.pool).map_err(missing)?.view().pool_ref())
    }

    fn volume_path(&self, volume: &VolumeRef) -> Result<String> {
        let (_, found) = self.find_volume(volume)?;
        Ok(found.path().to_string_lossy().into_owned())
    }

    async fn volume_xml(&self, volume: &VolumeRef) -> Result<Arc<StorageVolume>> {
        Ok(Arc::clone(&self.current(volume).await?.document))
    }

    async fn volume_info(&self, volume: &VolumeRef) -> Result<VolumeInfo> {
        Ok(self.current(volume).await?.info())
    }

    async fn create_volume(
        &self,
        pool: &PoolRef,
        volume: Box<StorageVolume>,
        flags: VolumeCreateFlags,
    ) -> Result<VolumeRef> {
        self.make(pool, volume, None, flags).await
    }

    async fn create_volume_from(
        &self,
        pool: &PoolRef,
        volume: Box<StorageVolume>,
        source: &VolumeRef,
        flags: VolumeCreateFlags,
    ) -> Result<VolumeRef> {
        let (handle, found) = self.find_volume(source)?;
        let hold = handle.hold(&self.shared, found.name()).await?;
        self.make(pool, volume, Some(hold), flags).await
    }

    async fn delete_volume(&self, volume: &VolumeRef, flags: VolumeDeleteFlags) -> Result<()> {
        let (handle, found) = self.find_volume(volume)?;
        handle.tell(&self.shared, Command::DeleteVolume(found.name().to_owned(), flags)).await
    }

    async fn resize_volume(&self, volume: &VolumeRef, capacity: u64, flags: VolumeResizeFlags) -> Result<()> {
        let (handle, found) = self.find_volume(volume)?;
        handle.tell(&self.shared, Command::ResizeVolume(found.name().to_owned(), capacity, flags)).await
    }

    async fn wipe_volume(&self, volume: &VolumeRef, algorithm: WipeAlgorithm) -> Result<()> {
        let (handle, found) = self.find_volume(volume)?;
        handle.tell(&self.shared, Command::WipeVolume(found.name().to_owned(), algorithm)).await
    }

    async fn download(
        &self,
        volume: &VolumeRef,
        offset: u64,
        length: u64,
        flags: TransferFlags,
    ) -> Result<Box<dyn VolumeReader>> {
        let (_, found) = self.find_volume(volume)?;
        let content = open(&found, false).await?;
        let span = Span { offset, length, sparse: flags.contains(TransferFlags::SPARSE) };
        Ok(Box::new(Reader::new(content, found.path().to_owned(), span)?))
    }

    async fn upload(
        &self,
        volume: &VolumeRef,
        offset: u64,
        length: u64,
        flags: TransferFlags,
    ) -> Result<Box<dyn VolumeWriter>> {
        let (handle, found) = self.find_volume(volume)?;
        let hold = handle.hold(&self.shared, found.name()).await?;
        let content = open(&hold.volume, true).await?;
        let span = Span { offset, length, sparse: flags.contains(TransferFlags::SPARSE) };
        let (path, name) = (hold.volume.path().to_owned(), hold.volume.name().to_owned());
        let shared = Arc::clone(&self.shared);
        let finished = async move { handle.tell(&shared, Command::Reread(name)).await };
        Ok(Box::new(Writer::new(content, path, span, hold, finished)?))
    }
}
