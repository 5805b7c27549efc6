//! What kinds of storage there are, behind one trait.
//!
//! A backend does and finds; it keeps nothing. State is the owner's ([`crate::pool`]), which calls a backend with the
//! document and has the result applied in a turn of its own.

mod dir;
mod disk;
mod files;
mod fs;
mod list;
mod logical;
mod mounts;
mod netfs;
mod signature;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::{
    Result,
    flags::{PoolBuildFlags, PoolDeleteFlags, VolumeCreateFlags, VolumeDeleteFlags, VolumeResizeFlags},
    storage::{PoolState, Secrets, WipeAlgorithm},
};
use virtbus_schema::StorageVolume;
use virtbus_schema::storage_pool::{FreeExtent, Permissions, PoolKind, PoolSource, SourceList, StoragePool};

use crate::fault;
use crate::pool::view::{Figures, Volumes};
use crate::volume::Volume;

/// What a backend is told.
#[derive(Clone)]
pub(crate) struct Cx {
    /// The pool's document.
    pub(crate) pool: Arc<StoragePool>,
    /// Where passphrases come from.
    pub(crate) secrets: Arc<dyn Secrets>,
}

impl fmt::Debug for Cx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx").field("pool", &self.pool.name).finish_non_exhaustive()
    }
}

/// What a refresh found.
#[derive(Debug)]
pub(crate) struct Found {
    /// Whether all of it answered.
    pub(crate) state: PoolState,
    /// Sizes.
    pub(crate) figures: Figures,
    /// The volumes, by name.
    pub(crate) volumes: BTreeMap<String, Arc<Volume>>,
    /// Who owns the target, where it is a directory.
    pub(crate) permissions: Option<Permissions>,
    /// Where a disk has room left.
    pub(crate) free_extents: Vec<FreeExtent>,
}

/// How much room a pool has.
#[derive(Debug)]
pub(crate) struct Room {
    /// Sizes.
    pub(crate) figures: Figures,
    /// Where a disk has room left.
    pub(crate) free_extents: Vec<FreeExtent>,
}

impl Default for Found {
    fn default() -> Self {
        Self {
            state: PoolState::Running,
            figures: Figures::default(),
            volumes: BTreeMap::new(),
            permissions: None,
            free_extents: Vec::new(),
        }
    }
}

/// A kind of storage. Volumes are files of the target directory unless a backend says otherwise.
#[async_trait]
pub(crate) trait Backend: fmt::Debug + Send + Sync {
    /// Its kind.
    fn kind(&self) -> PoolKind;

    /// Whether the pool is active now, whoever made it so. Asked after a restart.
    async fn is_active(&self, cx: &Cx) -> Result<bool>;

    /// Makes the underlying storage.
    async fn build(&self, cx: &Cx, flags: PoolBuildFlags) -> Result<()>;

    /// Makes it accessible: mounts it, activates it. One that is accessible already is taken as it is.
    async fn start(&self, cx: &Cx) -> Result<()>;

    /// Undoes `start`; nothing to do where nothing is mounted or active.
    async fn stop(&self, cx: &Cx) -> Result<()>;

    /// Deletes the underlying storage.
    async fn delete(&self, cx: &Cx, flags: PoolDeleteFlags) -> Result<()>;

    /// Looks at what is there. A volume of `known` that has not changed since is not read again.
    async fn refresh(&self, cx: &Cx, known: Volumes) -> Result<Found> {
        files::refresh(cx, known).await
    }

    /// Sizes and permissions of a volume now; the header is not read anew. `capacity` is what it has just been given.
    async fn look(&self, _cx: &Cx, volume: &Arc<Volume>, capacity: Option<u64>) -> Result<Arc<Volume>> {
        files::look(volume, capacity).await
    }

    /// All of a volume anew: its content has been replaced.
    async fn probe(&self, cx: &Cx, volume: &Arc<Volume>) -> Result<Arc<Volume>> {
        files::probe(cx, volume).await
    }

    /// Makes a volume, with the content of `source` if there is one. Nothing is left of one that fails.
    async fn create_volume(
        &self,
        cx: &Cx,
        document: Box<StorageVolume>,
        source: Option<&Arc<Volume>>,
        flags: VolumeCreateFlags,
    ) -> Result<Arc<Volume>> {
        files::create_volume(cx, document, source, flags).await
    }

    /// Deletes a volume.
    async fn delete_volume(&self, _cx: &Cx, volume: &Arc<Volume>, flags: VolumeDeleteFlags) -> Result<()> {
        files::delete_volume(volume, flags).await
    }

    /// How much room there is after a volume has come or gone; `None` where that is to be counted from its sizes.
    async fn room(&self, _cx: &Cx) -> Option<Room> {
        None
    }

    /// Gives a volume another capacity.
    async fn resize_volume(
        &self,
        cx: &Cx,
        volume: &Arc<Volume>,
        capacity: u64,
        flags: VolumeResizeFlags,
    ) -> Result<()> {
        files::resize_volume(cx, volume, capacity, flags).await
    }

    /// Overwrites a volume.
    async fn wipe_volume(&self, _cx: &Cx, volume: &Arc<Volume>, algorithm: WipeAlgorithm) -> Result<()> {
        files::wipe_volume(volume, algorithm).await
    }

    /// The sources of this kind that the host, or the server that `spec` names, offers.
    async fn find_sources(&self, _spec: Option<&PoolSource>) -> Result<SourceList> {
        Err(fault::no_support(format!("pool type '{}' does not support source discovery", self.kind())))
    }
}

/// The backend for pools of this kind.
///
/// # Errors
/// For a kind that this daemon does not serve, in the reference's words for a backend that is not installed.
pub(crate) fn of(kind: PoolKind) -> Result<&'static dyn Backend> {
    Ok(match kind {
        PoolKind::Dir => &dir::Dir,
        PoolKind::Fs => &fs::Fs,
        PoolKind::Netfs => &netfs::Netfs,
        PoolKind::Logical => &logical::Logical,
        PoolKind::Disk => &disk::Disk,
        other => {
            let (number, name) = list::number_and_name(other);
            return Err(fault::internal(format!("missing backend for pool type {number} ({name})")));
        }
    })
}
