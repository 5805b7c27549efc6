//! `org.libvirt.StoragePool`: one pool. Method names and types are libvirt-dbus 1.4.1's.

use std::sync::Arc;

use virtbus_api::{
    Error as ApiError, PoolRef, StorageDriver, VolumeRef, document,
    flags::{PoolBuildFlags, PoolCreateFlags, PoolDeleteFlags, PoolFilter, PoolXmlFlags, VolumeCreateFlags},
};
use zbus::{OwnedObjectPath, message::Header, object_server::SignalEmitter};

use crate::{
    error::Result,
    front::Cx,
    objects::{Folder, Kind, One, Served},
    params::{no_flags, word},
    paths,
};

/// One pool.
pub type StoragePool = One<dyn StorageDriver, PoolRef>;

/// All pools.
pub(crate) fn kind(cx: &Arc<Cx<dyn StorageDriver>>) -> Box<dyn Kind> {
    Box::new(Folder {
        cx: cx.clone(),
        folder: paths::POOLS,
        list: |driver| driver.list(PoolFilter::empty()),
        name: |it: &PoolRef| paths::uuid_name(it.uuid),
        find: |driver, name| Some(driver.lookup_by_uuid(paths::uuid_of(name)?)),
        served: Served::of,
    })
}

fn made(volume: virtbus_api::Result<VolumeRef>) -> Result<OwnedObjectPath> {
    Ok(paths::volume(&volume?))
}

#[zbus::interface(name = "org.libvirt.StoragePool")]
impl StoragePool {
    #[zbus(property)]
    async fn active(&self) -> Result<bool> {
        Ok(self.cx.driver.is_active(&self.it)?)
    }

    // Invalidated and not sent along: for the new value zbus would start an object server of its own on our connection.
    #[zbus(property(emits_changed_signal = "invalidates"))]
    async fn autostart(&self) -> Result<bool> {
        Ok(self.cx.driver.autostart(&self.it)?)
    }

    #[zbus(property)]
    async fn set_autostart(&self, autostart: bool, #[zbus(header)] header: Option<Header<'_>>) -> Result<()> {
        let header = header.ok_or_else(|| ApiError::internal("a property was set without a message"))?;
        self.check(&header, "storage_pool:write").await?;
        Ok(self.cx.driver.set_autostart(&self.it, autostart).await?)
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn name(&self) -> String {
        self.it.name.clone()
    }

    #[zbus(property)]
    async fn persistent(&self) -> Result<bool> {
        Ok(self.cx.driver.is_persistent(&self.it)?)
    }

    #[zbus(property(emits_changed_signal = "const"), name = "UUID")]
    async fn uuid(&self) -> String {
        self.it.uuid.hyphenated().to_string()
    }

    async fn build(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "storage_pool:format").await?;
        let flags: PoolBuildFlags = word(flags, "virStoragePoolBuild")?;
        Ok(self.cx.driver.build(&self.it, flags).await?)
    }

    async fn create(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "storage_pool:start").await?;
        let flags: PoolCreateFlags = word(flags, "virStoragePoolCreate")?;
        Ok(self.cx.driver.start(&self.it, flags).await?)
    }

    async fn delete(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "storage_pool:format").await?;
        let flags: PoolDeleteFlags = word(flags, "virStoragePoolDelete")?;
        Ok(self.cx.driver.delete(&self.it, flags).await?)
    }

    async fn destroy(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "storage_pool:stop").await?;
        Ok(self.cx.driver.destroy(&self.it).await?)
    }

    /// State, capacity, allocation and available bytes.
    #[zbus(out_args("info"))]
    async fn get_info(&self) -> Result<((i32, u64, u64, u64),)> {
        let it = self.cx.driver.info(&self.it)?;
        Ok(((it.state as i32, it.capacity, it.allocation, it.available),))
    }

    #[zbus(name = "GetXMLDesc", out_args("xml"))]
    async fn get_xml_desc(&self, flags: u32) -> Result<String> {
        let flags: PoolXmlFlags = word(flags, "virStoragePoolGetXMLDesc")?;
        Ok(document::format_pool(&*self.cx.driver.xml(&self.it, flags)?, flags))
    }

    #[zbus(out_args("storageVols"))]
    async fn list_storage_volumes(&self, flags: u32) -> Result<Vec<OwnedObjectPath>> {
        no_flags(flags, "virStoragePoolListAllVolumes")?;
        Ok(self.cx.driver.volumes(&self.it)?.iter().map(paths::volume).collect())
    }

    async fn refresh(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "storage_pool:refresh").await?;
        no_flags(flags, "virStoragePoolRefresh")?;
        Ok(self.cx.driver.refresh(&self.it).await?)
    }

    #[zbus(name = "StorageVolCreateXML", out_args("storageVol"))]
    async fn storage_vol_create_xml(
        &self,
        xml: &str,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath> {
        self.check(&header, "storage_vol:create").await?;
        let flags: VolumeCreateFlags = word(flags, "virStorageVolCreateXML")?;
        let volume = document::parse_volume(xml, flags.contains(VolumeCreateFlags::VALIDATE))?;
        made(self.cx.driver.create_volume(&self.it, volume, flags).await)
    }

    /// A volume with the content of the one that has this key.
    #[zbus(name = "StorageVolCreateXMLFrom", out_args("storageVol"))]
    async fn storage_vol_create_xml_from(
        &self,
        xml: &str,
        key: &str,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath> {
        self.check(&header, "storage_vol:create").await?;
        let flags: VolumeCreateFlags = word(flags, "virStorageVolCreateXMLFrom")?;
        let volume = document::parse_volume(xml, flags.contains(VolumeCreateFlags::VALIDATE))?;
        let source = self.cx.driver.lookup_volume_by_key(key)?;
        made(self.cx.driver.create_volume_from(&self.it, volume, &source, flags).await)
    }

    #[zbus(out_args("storageVol"))]
    async fn storage_vol_lookup_by_name(&self, name: &str) -> Result<OwnedObjectPath> {
        Ok(paths::volume(&self.cx.driver.lookup_volume(&self.it, name)?))
    }

    async fn undefine(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "storage_pool:delete").await?;
        Ok(self.cx.driver.undefine(&self.it).await?)
    }

    #[zbus(signal, name = "Refresh")]
    pub(crate) async fn refreshed(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;
}
