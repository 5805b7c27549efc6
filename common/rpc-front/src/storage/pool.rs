//! A pool's life, and what is known of it.

use virtbus_api::{
    Error, ErrorDomain, document,
    flags::{PoolCreateFlags, PoolDefineFlags},
};
use virtbus_proto::table::{
    ConnectFindStoragePoolSources, ConnectFindStoragePoolSourcesReply, ConnectGetStoragePoolCapabilities,
    ConnectGetStoragePoolCapabilitiesReply, StoragePoolBuild, StoragePoolCreate, StoragePoolCreateXml,
    StoragePoolCreateXmlReply, StoragePoolDefineXml, StoragePoolDefineXmlReply, StoragePoolDelete, StoragePoolDestroy,
    StoragePoolGetAutostart, StoragePoolGetAutostartReply, StoragePoolGetInfo, StoragePoolGetInfoReply,
    StoragePoolGetXmlDesc, StoragePoolGetXmlDescReply, StoragePoolIsActive, StoragePoolIsActiveReply,
    StoragePoolIsPersistent, StoragePoolIsPersistentReply, StoragePoolRefresh, StoragePoolSetAutostart,
    StoragePoolUndefine,
};
use virtbus_schema::{FormatOptions, storage_pool::PoolKind};

use crate::{
    Storage,
    from_wire::{self, pool},
    routes::Routes,
    to_wire,
};

pub(crate) fn routes() -> Routes<Storage> {
    life(Routes::<Storage>::default())
        .on_view(|cx, a: StoragePoolGetXmlDesc| {
            let flags = from_wire::flags(&a, a.flags)?;
            let document = cx.driver.xml(&pool(&a.pool), flags)?;
            Ok(StoragePoolGetXmlDescReply { xml: document::format_pool(&document, flags) })
        })
        .on_view(|cx, a: StoragePoolGetInfo| {
            let info = cx.driver.info(&pool(&a.pool))?;
            Ok(StoragePoolGetInfoReply {
                state: info.state as u8,
                capacity: info.capacity,
                allocation: info.allocation,
                available: info.available,
            })
        })
        .on_view(|cx, a: StoragePoolIsActive| {
            Ok(StoragePoolIsActiveReply { active: to_wire::boolean(cx.driver.is_active(&pool(&a.pool))?) })
        })
        .on_view(|cx, a: StoragePoolIsPersistent| {
            let persistent = to_wire::boolean(cx.driver.is_persistent(&pool(&a.pool))?);
            Ok(StoragePoolIsPersistentReply { persistent })
        })
        .on_view(|cx, a: StoragePoolGetAutostart| {
            Ok(StoragePoolGetAutostartReply { autostart: to_wire::boolean(cx.driver.autostart(&pool(&a.pool))?) })
        })
        .on_view(|cx, a: ConnectGetStoragePoolCapabilities| {
            from_wire::no_flags(&a, a.flags)?;
            let capabilities = cx.driver.capabilities().format(FormatOptions::default());
            Ok(ConnectGetStoragePoolCapabilitiesReply { capabilities })
        })
        // Flags make no difference (observed).
        .on(|cx, a: ConnectFindStoragePoolSources| async move {
            let unknown = || Error::internal(format!("unknown storage pool type {}", a.r#type));
            let kind = PoolKind::from_name(&a.r#type).ok_or_else(|| unknown().in_domain(ErrorDomain::Storage))?;
            let spec = a.src_spec.as_deref().map(|it| document::parse_pool_source(it, kind)).transpose()?;
            Ok(ConnectFindStoragePoolSourcesReply { xml: cx.driver.find_sources(kind, spec).await?.format() })
        })
}

fn life(routes: Routes<Storage>) -> Routes<Storage> {
    routes
        .on(|cx, a: StoragePoolDefineXml| async move {
            let flags: PoolDefineFlags = from_wire::flags(&a, a.flags)?;
            let document = document::parse_pool(&a.xml, flags.contains(PoolDefineFlags::VALIDATE))?;
            Ok(StoragePoolDefineXmlReply { pool: to_wire::pool(&cx.driver.define(document, flags).await?) })
        })
        .on(|cx, a: StoragePoolCreateXml| async move {
            let flags: PoolCreateFlags = from_wire::flags(&a, a.flags)?;
            let document = document::parse_pool(&a.xml, false)?;
            Ok(StoragePoolCreateXmlReply { pool: to_wire::pool(&cx.driver.create(document, flags).await?) })
        })
        .on(|cx, a: StoragePoolCreate| async move {
            Ok(cx.driver.start(&pool(&a.pool), from_wire::flags(&a, a.flags)?).await?)
        })
        .on(|cx, a: StoragePoolBuild| async move {
            // The backend reads the flags: the pool is looked for first (observed).
            cx.driver.is_active(&pool(&a.pool))?;
            Ok(cx.driver.build(&pool(&a.pool), from_wire::flags(&a, a.flags)?).await?)
        })
        .on(|cx, a: StoragePoolDestroy| async move { Ok(cx.driver.destroy(&pool(&a.pool)).await?) })
        .on(|cx, a: StoragePoolDelete| async move {
            cx.driver.is_active(&pool(&a.pool))?;
            Ok(cx.driver.delete(&pool(&a.pool), from_wire::flags(&a, a.flags)?).await?)
        })
        .on(|cx, a: StoragePoolUndefine| async move { Ok(cx.driver.undefine(&pool(&a.pool)).await?) })
        .on(|cx, a: StoragePoolRefresh| async move {
            from_wire::no_flags(&a, a.flags)?;
            Ok(cx.driver.refresh(&pool(&a.pool)).await?)
        })
        .on(|cx, a: StoragePoolSetAutostart| async move {
            Ok(cx.driver.set_autostart(&pool(&a.pool), a.autostart != 0).await?)
        })
}
