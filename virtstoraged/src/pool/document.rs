//! What the owner and the registry need to know about a pool's document.

use std::sync::Arc;

use virtbus_schema::storage_pool::{FreeExtent, Permissions, PoolKind, PoolTarget, StoragePool};
use virtbus_schema::storage_pool_status::StoragePoolStatus;

/// Whether two pools would use the same storage. Kinds that this daemon does not serve are told apart by their names.
pub(crate) fn same_source(a: &StoragePool, b: &StoragePool) -> bool {
    if a.kind != b.kind {
        return false;
    }
    match a.kind {
        PoolKind::Dir => a.target_path() == b.target_path(),
        PoolKind::Netfs | PoolKind::Gluster => {
            let hosts = |pool: &StoragePool| pool.source.hosts.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
            a.source.dir == b.source.dir && a.source.name == b.source.name && hosts(a) == hosts(b)
        }
        PoolKind::Fs | PoolKind::Logical | PoolKind::Disk | PoolKind::Iscsi | PoolKind::Zfs => {
            a.source.devices.iter().any(|mine| b.source.devices.iter().any(|theirs| mine.path == theirs.path))
        }
        PoolKind::Rbd | PoolKind::Sheepdog | PoolKind::Vstorage => a.source.name == b.source.name,
        PoolKind::Mpath => true,
        PoolKind::Scsi => a.source.adapter == b.source.adapter,
        PoolKind::IscsiDirect => a.source.hosts == b.source.hosts && a.source.devices == b.source.devices,
    }
}

/// Notes who owns the target directory.
pub(super) fn set_permissions(pool: &mut StoragePool, permissions: Permissions) {
    pool.target.get_or_insert_with(PoolTarget::default).permissions = Some(permissions);
}

/// Notes where the disk of a pool has room left.
pub(super) fn set_free_extents(pool: &mut Arc<StoragePool>, free: Vec<FreeExtent>) {
    let known = pool.source.devices.first().is_none_or(|it| it.free_extents == free);
    if !known && let Some(device) = Arc::make_mut(pool).source.devices.first_mut() {
        device.free_extents = free;
    }
}

/// The document of a status file.
pub(super) fn status_text(pool: &StoragePool) -> String {
    StoragePoolStatus { pool: pool.clone() }.format()
}
