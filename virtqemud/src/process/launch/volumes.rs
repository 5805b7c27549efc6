//! Disks on volumes: where a volume is, is the storage daemon's to say.
//!
//! While a guest is being made ready its volumes stand in the document as the files and devices they are, beside their names.
//! The live document names pool and volume again, as its user wrote it.

use virtbus_api::{Error, Result, neighbour::StorageNeighbour};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::disk::{Disk, DiskKind, StartupPolicy};
use virtbus_schema::storage_vol::VolumeType;

/// Puts files and devices in the place of volumes.
///
/// # Errors
/// What the storage daemon says of pool or volume; `CONFIG_UNSUPPORTED` for a volume that is neither file nor device.
pub(super) async fn locate(document: &mut Domain, storage: &dyn StorageNeighbour) -> Result<()> {
    let mut dropped = Vec::new();
    for disk in document.devices.disks.iter_mut().filter(|it| it.kind == DiskKind::Volume) {
        let dev = disk.target.dev.clone();
        let is_removable = disk.is_removable();
        let Some(source) = &mut disk.source else { continue };
        let (Some(pool), Some(volume)) = (&source.pool, &source.volume) else { continue };
        let found = match storage.volume(pool, volume).await {
            Ok((_, found)) => found,
            // What need not be there is left out: the medium of a drive, else the disk.
            Err(_) if source.startup_policy == Some(StartupPolicy::Optional) => {
                if is_removable {
                    (disk.source, disk.kind) = (None, DiskKind::File);
                } else {
                    dropped.push(dev);
                }
                continue;
            }
            Err(error) => {
                let detail = format!("disk '{dev}': {}", error.full_detail());
                return Err(Error { detail, ..error });
            }
        };
        let path = found.target.path.clone();
        disk.kind = match found.kind {
            VolumeType::File => {
                source.file = path;
                DiskKind::File
            }
            VolumeType::Block => {
                source.dev = path;
                DiskKind::Block
            }
            kind @ (VolumeType::Dir | VolumeType::Network | VolumeType::Netdir | VolumeType::Ploop) => {
                return Err(Error::unsupported_config(format!(
                    "disk '{dev}': volume '{volume}' of pool '{pool}' is of type '{kind}', which a disk cannot be on"
                )));
            }
        };
    }
    document.devices.disks.retain(|it| !dropped.contains(&it.target.dev));
    Ok(())
}

/// Names pools and volumes again.
pub(super) fn name_again(document: &mut Domain) {
    for disk in &mut document.devices.disks {
        let Disk { kind, source: Some(source), .. } = disk else { continue };
        if source.pool.is_some() && source.volume.is_some() {
            *kind = DiskKind::Volume;
            (source.file, source.dev) = (None, None);
        }
    }
}
