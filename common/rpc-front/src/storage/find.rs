//! Finding pools: lists in every form, lookups.

use uuid::Uuid;
use virtbus_api::flags::PoolFilter;
use virtbus_proto::table::{
    ConnectListAllStoragePools, ConnectListAllStoragePoolsReply, ConnectListDefinedStoragePools,
    ConnectListDefinedStoragePoolsReply, ConnectListStoragePools, ConnectListStoragePoolsReply,
    ConnectNumOfDefinedStoragePools, ConnectNumOfDefinedStoragePoolsReply, ConnectNumOfStoragePools,
    ConnectNumOfStoragePoolsReply, StoragePoolLookupByName, StoragePoolLookupByNameReply,
    StoragePoolLookupByTargetPath, StoragePoolLookupByTargetPathReply, StoragePoolLookupByUuid,
    StoragePoolLookupByUuidReply, StoragePoolLookupByVolume, StoragePoolLookupByVolumeReply,
};

use crate::{Storage, client::Context, error::Result, from_wire, routes::Routes, to_wire};

/// Pools in one answer (`REMOTE_STORAGE_POOL_LIST_MAX`).
const LIST_MAX: usize = 16_384;

pub(crate) fn routes() -> Routes<Storage> {
    Routes::<Storage>::default()
        .on_view(|cx, a: ConnectListAllStoragePools| {
            let found = cx.driver.list(from_wire::flags(&a, a.flags)?);
            let (pools, ret) = to_wire::list(a.need_results, &found, LIST_MAX, "storage pools", to_wire::pool)?;
            Ok(ConnectListAllStoragePoolsReply { pools, ret })
        })
        // The old forms: first the number, then as many as there is room for.
        .on_view(|cx, ConnectNumOfStoragePools {}| {
            Ok(ConnectNumOfStoragePoolsReply { num: to_wire::count(cx.driver.list(PoolFilter::ACTIVE).len()) })
        })
        .on_view(|cx, ConnectNumOfDefinedStoragePools {}| {
            let num = to_wire::count(cx.driver.list(PoolFilter::INACTIVE).len());
            Ok(ConnectNumOfDefinedStoragePoolsReply { num })
        })
        .on_view(|cx, a: ConnectListStoragePools| {
            Ok(ConnectListStoragePoolsReply { names: names(cx, a.maxnames, PoolFilter::ACTIVE)? })
        })
        .on_view(|cx, a: ConnectListDefinedStoragePools| {
            Ok(ConnectListDefinedStoragePoolsReply { names: names(cx, a.maxnames, PoolFilter::INACTIVE)? })
        })
        .on_view(|cx, a: StoragePoolLookupByUuid| {
            let found = cx.driver.lookup_by_uuid(Uuid::from_bytes(a.uuid))?;
            Ok(StoragePoolLookupByUuidReply { pool: to_wire::pool(&found) })
        })
        .on_view(|cx, a: StoragePoolLookupByName| {
            Ok(StoragePoolLookupByNameReply { pool: to_wire::pool(&cx.driver.lookup_by_name(&a.name)?) })
        })
        .on_view(|cx, a: StoragePoolLookupByVolume| {
            Ok(StoragePoolLookupByVolumeReply { pool: to_wire::pool(&cx.driver.pool_of(&from_wire::volume(&a.vol))?) })
        })
        .on_view(|cx, a: StoragePoolLookupByTargetPath| {
            Ok(StoragePoolLookupByTargetPathReply { pool: to_wire::pool(&cx.driver.lookup_by_target_path(&a.path)?) })
        })
}

fn names(cx: &Context<Storage>, claimed: i32, filter: PoolFilter) -> Result<Vec<String>> {
    let room = from_wire::room(claimed, "maxnames", LIST_MAX, "REMOTE_STORAGE_POOL_LIST_MAX")?;
    Ok(cx.driver.list(filter).into_iter().map(|it| it.name).take(room).collect())
}
