//! What stat(2) says of a volume, put into its document.

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use virtbus_schema::storage_pool::{Mode, OwnerId, Permissions};
use virtbus_schema::storage_vol::{StorageVolume, Timestamp, Timestamps, VolumeFormat, VolumeSize, VolumeType};

/// Sizes, permissions and times of the open file or directory. The capacity of formats with a header is not touched.
pub(crate) fn put(document: &mut StorageVolume, content: &File, about: &Metadata) -> std::io::Result<()> {
    let kind = about.file_type();
    let mut has_header = !matches!(document.target.volume_format(), None | Some(VolumeFormat::Raw | VolumeFormat::Dir));
    has_header |= document.target.encryption.is_some();
    if kind.is_dir() {
        document.kind = VolumeType::Dir;
        document.capacity = Some(VolumeSize::of(0));
        document.allocation = Some(VolumeSize::of(0));
        document.physical = None;
    } else if kind.is_block_device() {
        let length = VolumeSize::of(virtbus_host::file::length(content)?);
        document.kind = VolumeType::Block;
        document.allocation = Some(length);
        document.physical = Some(length);
        if !has_header || document.capacity.is_none() {
            document.capacity = Some(length);
        }
    } else {
        let size = VolumeSize::of(about.size());
        let ploop = document.target.volume_format() == Some(VolumeFormat::Ploop);
        document.kind = if ploop { VolumeType::Ploop } else { VolumeType::File };
        document.allocation = Some(VolumeSize::of(about.blocks().saturating_mul(512)));
        document.physical = Some(size).filter(|it| it.bytes > 0);
        // What is no more than a header's name, as an ISO image, is as large as it is long.
        if !has_header || document.capacity.is_none() || !keeps_capacity(document) {
            document.capacity = Some(size);
        }
    }
    document.target.permissions = Some(permissions(about));
    document.target.timestamps = Some(timestamps(about));
    Ok(())
}

/// Whether the header of this format says a capacity of its own.
fn keeps_capacity(document: &StorageVolume) -> bool {
    use VolumeFormat::{Bochs, Cloop, Dmg, Fat, Iso, Unnamed};
    let plain = matches!(document.target.volume_format(), Some(Bochs | Cloop | Dmg | Fat | Iso | Unnamed));
    !plain || document.target.encryption.is_some()
}

/// Mode, owner and group.
pub(crate) fn permissions(about: &Metadata) -> Permissions {
    Permissions {
        mode: Some(Mode(about.mode() & 0o777)),
        owner: Some(OwnerId(about.uid())),
        group: Some(OwnerId(about.gid())),
        label: None,
    }
}

/// When it was read, written and changed. When it was made is 0, which is what the reference says.
pub(crate) fn timestamps(about: &Metadata) -> Timestamps {
    let at = |seconds: i64, nanoseconds: i64| {
        Some(Timestamp { seconds, nanoseconds: u32::try_from(nanoseconds).unwrap_or(0) })
    };
    Timestamps {
        atime: at(about.atime(), about.atime_nsec()),
        mtime: at(about.mtime(), about.mtime_nsec()),
        ctime: at(about.ctime(), about.ctime_nsec()),
        btime: at(0, 0),
    }
}
