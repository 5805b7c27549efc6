//! `org.libvirt.Connect`: the part of pools, volumes and secrets.

use std::sync::Arc;

use virtbus_api::{
    Error as ApiError, ErrorDomain, PoolRef, SecretRef, StorageDriver, VolumeRef, document,
    flags::{PoolCreateFlags, PoolDefineFlags, PoolFilter, SecretDefineFlags, SecretFilter},
};
use virtbus_schema::{
    FormatOptions,
    storage_pool::{PoolKind, PoolSource},
};
use zbus::{ObjectPath, OwnedObjectPath, message::Header, object_server::SignalEmitter};

use super::session::Session;
use crate::{
    error::Result,
    front::Cx,
    objects::Served,
    params::{self, no_flags, optional, word},
    paths,
};

/// The object at the root.
#[derive(Debug)]
pub struct Connect {
    cx: Arc<Cx<dyn StorageDriver>>,
}

/// The interface of the root.
pub(crate) fn served(cx: &Arc<Cx<dyn StorageDriver>>) -> Served {
    Served::of(Connect { cx: cx.clone() }).and(Session(cx.driver.uri()))
}

fn found_pool(pool: virtbus_api::Result<PoolRef>) -> Result<OwnedObjectPath> {
    Ok(paths::pool(pool?.uuid))
}

fn found_volume(volume: virtbus_api::Result<VolumeRef>) -> Result<OwnedObjectPath> {
    Ok(paths::volume(&volume?))
}

fn found_secret(secret: virtbus_api::Result<SecretRef>) -> Result<OwnedObjectPath> {
    Ok(paths::secret(secret?.uuid))
}

/// The names and types of methods and properties are libvirt-dbus 1.4.1's, where it has them.
#[zbus::interface(name = "org.libvirt.Connect")]
impl Connect {
    /// An empty `srcSpec` does not narrow the search.
    #[zbus(out_args("storagePoolSources"))]
    async fn find_storage_pool_sources(
        &self,
        r#type: &str,
        src_spec: &str,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String> {
        self.cx.access.check(&header, "connect:detect_storage_pools").await?;
        no_flags(flags, "virConnectFindStoragePoolSources")?;
        let kind = PoolKind::from_name(r#type).ok_or_else(|| {
            ApiError::internal(format!("unknown storage pool type {}", r#type)).in_domain(ErrorDomain::Storage)
        })?;
        let spec = optional(src_spec).map(|it| PoolSource::parse(it, kind)).transpose();
        let spec = spec.map_err(|it| document::fault(&it, ErrorDomain::Storage))?;
        Ok(self.cx.driver.find_sources(kind, spec).await?.format())
    }

    /// Which kinds of pools there are.
    #[zbus(out_args("capabilities"))]
    async fn get_storage_pool_capabilities(&self, flags: u32) -> Result<String> {
        no_flags(flags, "virConnectGetStoragePoolCapabilities")?;
        Ok(self.cx.driver.capabilities().format(FormatOptions::default()))
    }

    #[zbus(out_args("secrets"))]
    async fn list_secrets(&self, flags: u32) -> Result<Vec<OwnedObjectPath>> {
        let filter: SecretFilter = word(flags, "virConnectListAllSecrets")?;
        Ok(self.cx.driver.secrets(filter).iter().map(|it| paths::secret(it.uuid)).collect())
    }

    #[zbus(out_args("storagePools"))]
    async fn list_storage_pools(&self, flags: u32) -> Result<Vec<OwnedObjectPath>> {
        let filter: PoolFilter = word(flags, "virConnectListAllStoragePools")?;
        Ok(self.cx.driver.list(filter).iter().map(|it| paths::pool(it.uuid)).collect())
    }

    #[zbus(name = "SecretDefineXML", out_args("secret"))]
    async fn secret_define_xml(
        &self,
        xml: &str,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath> {
        self.cx.access.check_all(&header, &["secret:write", "secret:save"]).await?;
        let flags: SecretDefineFlags = word(flags, "virSecretDefineXML")?;
        let secret = document::parse_secret(xml, flags.contains(SecretDefineFlags::VALIDATE))?;
        found_secret(self.cx.driver.define_secret(secret, flags).await)
    }

    #[zbus(name = "SecretLookupByUUID", out_args("secret"))]
    async fn secret_lookup_by_uuid(&self, uuid: &str) -> Result<OwnedObjectPath> {
        found_secret(self.cx.driver.lookup_secret(params::uuid(uuid)?))
    }

    #[zbus(out_args("secret"))]
    async fn secret_lookup_by_usage(&self, usage_type: i32, usage_id: &str) -> Result<OwnedObjectPath> {
        found_secret(self.cx.driver.lookup_secret_by_usage(usage_type, usage_id))
    }

    #[zbus(name = "StoragePoolCreateXML", out_args("storagePool"))]
    async fn storage_pool_create_xml(
        &self,
        xml: &str,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath> {
        self.cx.access.check_all(&header, &["storage_pool:start", "storage_pool:write"]).await?;
        let flags: PoolCreateFlags = word(flags, "virStoragePoolCreateXML")?;
        found_pool(self.cx.driver.create(document::parse_pool(xml, false)?, flags).await)
    }

    #[zbus(name = "StoragePoolDefineXML", out_args("storagePool"))]
    async fn storage_pool_define_xml(
        &self,
        xml: &str,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath> {
        self.cx.access.check_all(&header, &["storage_pool:write", "storage_pool:save"]).await?;
        let flags: PoolDefineFlags = word(flags, "virStoragePoolDefineXML")?;
        let pool = document::parse_pool(xml, flags.contains(PoolDefineFlags::VALIDATE))?;
        found_pool(self.cx.driver.define(pool, flags).await)
    }

    #[zbus(out_args("storagePool"))]
    async fn storage_pool_lookup_by_name(&self, name: &str) -> Result<OwnedObjectPath> {
        found_pool(self.cx.driver.lookup_by_name(name))
    }

    /// The pool whose target is this path.
    #[zbus(out_args("storagePool"))]
    async fn storage_pool_lookup_by_target_path(&self, path: &str) -> Result<OwnedObjectPath> {
        found_pool(self.cx.driver.lookup_by_target_path(path))
    }

    #[zbus(name = "StoragePoolLookupByUUID", out_args("storagePool"))]
    async fn storage_pool_lookup_by_uuid(&self, uuid: &str) -> Result<OwnedObjectPath> {
        found_pool(self.cx.driver.lookup_by_uuid(params::uuid(uuid)?))
    }

    #[zbus(out_args("storageVol"))]
    async fn storage_vol_lookup_by_key(&self, key: &str) -> Result<OwnedObjectPath> {
        found_volume(self.cx.driver.lookup_volume_by_key(key))
    }

    #[zbus(out_args("storageVol"))]
    async fn storage_vol_lookup_by_path(&self, path: &str) -> Result<OwnedObjectPath> {
        found_volume(self.cx.driver.lookup_volume_by_path(path))
    }

    #[zbus(signal)]
    pub(crate) async fn secret_event(
        emitter: &SignalEmitter<'_>,
        secret: ObjectPath<'_>,
        event: i32,
        detail: i32,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn storage_pool_event(
        emitter: &SignalEmitter<'_>,
        storage_pool: ObjectPath<'_>,
        event: i32,
        detail: i32,
    ) -> zbus::Result<()>;
}
