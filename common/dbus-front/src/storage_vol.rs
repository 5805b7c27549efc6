//! `org.libvirt.StorageVol`: one volume.
//!
//! Method names and types are libvirt-dbus 1.4.1's, where it has them; upload and download, which it lacks, stand beside
//! them. The object's path is made of the volume's key.

use std::sync::Arc;

use virtbus_api::{
    Error as ApiError, StorageDriver, VolumeRef, document,
    flags::{PoolFilter, TransferFlags, VolumeDeleteFlags, VolumeInfoFlags, VolumeResizeFlags},
    storage::WipeAlgorithm,
};
use zbus::{OwnedFd, OwnedObjectPath, message::Header};

use crate::{
    error::Result,
    front::Cx,
    objects::{Folder, Kind, One, Served},
    params::{no_flags, word},
    paths, transfer,
};

/// One volume.
pub type StorageVol = One<dyn StorageDriver, VolumeRef>;

/// The volumes of all active pools.
pub(crate) fn kind(cx: &Arc<Cx<dyn StorageDriver>>) -> Box<dyn Kind> {
    Box::new(Folder {
        cx: cx.clone(),
        folder: paths::VOLUMES,
        // A pool that stops meanwhile has no volumes.
        list: |driver| {
            let pools = driver.list(PoolFilter::ACTIVE);
            pools.iter().filter_map(|it| driver.volumes(it).ok()).flatten().collect()
        },
        name: |it: &VolumeRef| paths::key_name(&it.key),
        find: |driver, name| Some(driver.lookup_volume_by_key(&paths::key_of(name)?)),
        served: Served::of,
    })
}

#[zbus::interface(name = "org.libvirt.StorageVol")]
impl StorageVol {
    #[zbus(property(emits_changed_signal = "const"))]
    async fn key(&self) -> String {
        self.it.key.clone()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn name(&self) -> String {
        self.it.name.clone()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn path(&self) -> Result<String> {
        Ok(self.cx.driver.volume_path(&self.it)?)
    }

    /// The pool that it is in.
    #[zbus(property(emits_changed_signal = "const"))]
    async fn pool(&self) -> Result<OwnedObjectPath> {
        Ok(paths::pool(self.cx.driver.pool_of(&self.it)?.uuid))
    }

    async fn delete(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "storage_vol:delete").await?;
        let flags: VolumeDeleteFlags = word(flags, "virStorageVolDelete")?;
        Ok(self.cx.driver.delete_volume(&self.it, flags).await?)
    }

    /// Kind, capacity and allocation in bytes; with flag 1 the physical size in place of the allocation.
    #[zbus(out_args("info"))]
    async fn get_info(&self, flags: u32) -> Result<((i32, u64, u64),)> {
        let flags: VolumeInfoFlags = word(flags, "virStorageVolGetInfoFlags")?;
        let it = self.cx.driver.volume_info(&self.it).await?;
        let used = if flags.contains(VolumeInfoFlags::PHYSICAL) { it.physical } else { it.allocation };
        Ok(((it.kind as i32, it.capacity, used),))
    }

    #[zbus(name = "GetXMLDesc", out_args("xml"))]
    async fn get_xml_desc(&self, flags: u32) -> Result<String> {
        no_flags(flags, "virStorageVolGetXMLDesc")?;
        Ok(document::format_volume(&*self.cx.driver.volume_xml(&self.it).await?))
    }

    async fn resize(&self, capacity: u64, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "storage_vol:resize").await?;
        let flags: VolumeResizeFlags = word(flags, "virStorageVolResize")?;
        Ok(self.cx.driver.resize_volume(&self.it, capacity, flags).await?)
    }

    async fn wipe(&self, pattern: u32, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "storage_vol:format").await?;
        no_flags(flags, "virStorageVolWipePattern")?;
        let algorithm = WipeAlgorithm::from_number(pattern)
            .ok_or_else(|| ApiError::invalid_arg(format!("wipe algorithm {pattern} is not one of 0 to 9")))?;
        Ok(self.cx.driver.wipe_volume(&self.it, algorithm).await?)
    }

    // What libvirt-dbus lacks.
    /// Writes the content from `offset` on, `length` bytes of it (0: up to the end), to a pipe or socket that the caller
    /// gives away. It answers when all is written; a hole comes as zeroes.
    async fn download(
        &self,
        target: OwnedFd,
        offset: u64,
        length: u64,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        self.check(&header, "storage_vol:data_read").await?;
        no_flags(flags, "virStorageVolDownload")?;
        let target = transfer::Target::new(target.into())?;
        let content = self.cx.driver.download(&self.it, offset, length, TransferFlags::empty()).await?;
        transfer::download(content, target).await
    }

    /// Takes new content from `offset` on, at most `length` bytes of it (0: as much as comes), from a pipe or socket that
    /// the caller gives away. It answers when all is on disk.
    async fn upload(
        &self,
        source: OwnedFd,
        offset: u64,
        length: u64,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        self.check(&header, "storage_vol:data_write").await?;
        no_flags(flags, "virStorageVolUpload")?;
        let source = transfer::Source::new(source.into())?;
        let content = self.cx.driver.upload(&self.it, offset, length, TransferFlags::empty()).await?;
        transfer::upload(source, length, content).await
    }
}
