//! A volume as the engine holds it: its document, and what tells whether its file has changed since.

pub(crate) mod clone;
pub(crate) mod create;
pub(crate) mod describe;
pub(crate) mod probe;
pub(crate) mod qemu_img;
pub(crate) mod resize;
pub(crate) mod temporary;
pub(crate) mod transfer;
pub(crate) mod wipe;

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use virtbus_api::{
    Error, ErrorCode,
    storage::{VolumeInfo, VolumeKind},
};
use virtbus_schema::storage_vol::{StorageVolume, VolumeType};

use crate::fault::Faults as _;

/// A volume.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Volume {
    /// Its document, with key, path, format and sizes.
    pub(crate) document: Arc<StorageVolume>,
    /// What its file was like when its sizes were taken; `None` for one that is no file.
    pub(crate) stamp: Option<Stamp>,
    /// What its file was like when its header was read; `None` if it has not been: the document is as it was asked for.
    pub(crate) probed: Option<Stamp>,
}

/// What changes with a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    place: (u64, u64),
    size: u64,
    blocks: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<&Metadata> for Stamp {
    fn from(it: &Metadata) -> Self {
        Self {
            place: (it.dev(), it.ino()),
            size: it.size(),
            blocks: it.blocks(),
            modified: (it.mtime(), it.mtime_nsec()),
            changed: (it.ctime(), it.ctime_nsec()),
        }
    }
}

impl Volume {
    /// Its name in the pool.
    pub(crate) fn name(&self) -> &str {
        &self.document.name
    }

    /// What it is known by on the host.
    pub(crate) fn key(&self) -> &str {
        self.document.key.as_deref().unwrap_or_default()
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        Path::new(self.document.target.path.as_deref().unwrap_or_default())
    }

    /// How much a guest sees.
    pub(crate) fn capacity(&self) -> u64 {
        self.document.capacity_bytes()
    }

    /// How much it takes up.
    pub(crate) fn allocation(&self) -> u64 {
        self.document.allocation.map_or(0, |it| it.bytes)
    }

    /// What it is.
    pub(crate) fn kind(&self) -> VolumeKind {
        match self.document.kind {
            VolumeType::File => VolumeKind::File,
            VolumeType::Block => VolumeKind::Block,
            VolumeType::Dir => VolumeKind::Dir,
            VolumeType::Network => VolumeKind::Network,
            VolumeType::Netdir => VolumeKind::NetDir,
            VolumeType::Ploop => VolumeKind::Ploop,
        }
    }

    /// Kind and sizes.
    pub(crate) fn info(&self) -> VolumeInfo {
        VolumeInfo {
            kind: self.kind(),
            capacity: self.capacity(),
            allocation: self.allocation(),
            physical: self.document.physical.map_or(0, |it| it.bytes),
        }
    }
}

fn no_volume(detail: String) -> Error {
    Error::new(ErrorCode::NoStorageVol, detail).of_storage()
}

/// The error for a name that no volume of the pool has.
pub(crate) fn no_volume_named(name: &str) -> Error {
    no_volume(format!("no storage vol with matching name '{name}'"))
}

/// The error for a key that no volume has.
pub(crate) fn no_volume_with_key(key: &str) -> Error {
    no_volume(format!("no storage vol with matching key {key}"))
}

/// The error for a path where no volume is.
pub(crate) fn no_volume_at(path: &str) -> Error {
    no_volume(format!("no storage vol with matching path '{path}'"))
}

/// The error for a volume whose file is gone.
pub(crate) fn no_volume_gone(path: &Path) -> Error {
    no_volume_at(&path.to_string_lossy())
}
