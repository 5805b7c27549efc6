//! Volumes: the disks in a pool.

use std::sync::Arc;

use async_trait::async_trait;
use virtbus_schema::StorageVolume;

use crate::{
    error::Result,
    flags::{TransferFlags, VolumeCreateFlags, VolumeDeleteFlags, VolumeResizeFlags},
    refs::{PoolRef, VolumeRef},
};

/// What a volume is; the numbers are `virStorageVolType`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum VolumeKind {
    /// A file.
    File = 0,
    /// A block device.
    Block = 1,
    /// A directory.
    Dir = 2,
    /// Reached over the network.
    Network = 3,
    /// A directory reached over the network.
    NetDir = 4,
    /// A ploop directory.
    Ploop = 5,
}

/// The figures of a volume (`virStorageVolInfo`), looked up at the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VolumeInfo {
    /// What it is.
    pub kind: VolumeKind,
    /// How much a guest sees, in bytes.
    pub capacity: u64,
    /// How much it takes up, in bytes.
    pub allocation: u64,
    /// How long the file or device is, in bytes.
    pub physical: u64,
}

/// How a volume is wiped; the numbers are `virStorageVolWipeAlgorithm`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum WipeAlgorithm {
    /// One pass of zeroes.
    Zero = 0,
    /// 4 passes, NNSA NAP-14.1-C.
    Nnsa = 1,
    /// 4 passes, DoD 5220.22-M.
    Dod = 2,
    /// 9 passes, German VSITR.
    Bsi = 3,
    /// 35 passes.
    Gutmann = 4,
    /// 7 passes.
    Schneier = 5,
    /// 7 random passes.
    Pfitzner7 = 6,
    /// 33 random passes.
    Pfitzner33 = 7,
    /// One random pass.
    Random = 8,
    /// Blocks are discarded; what is read then depends on the device.
    Trim = 9,
}

impl WipeAlgorithm {
    /// The algorithm with this number; `None` for what libvirt 11.3 does not know.
    pub fn from_number(number: u32) -> Option<Self> {
        use WipeAlgorithm::*;
        let all = [Zero, Nnsa, Dod, Bsi, Gutmann, Schneier, Pfitzner7, Pfitzner33, Random, Trim];
        all.into_iter().find(|it| *it as u32 == number)
    }
}

/// A piece of a volume's content on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Bytes.
    Data(bytes::Bytes),
    /// So many bytes of nothing: a hole, or zeroes where the transfer is not sparse.
    Hole(u64),
}

/// A volume's content on its way out. Dropping it ends the transfer.
#[async_trait]
pub trait VolumeReader: Send {
    /// The next piece; `None` at the end. Pieces are at most 256 KiB of data; holes come only in sparse transfers.
    async fn next(&mut self) -> Result<Option<Piece>>;
}

/// A volume's new content on its way in. Dropping it without [`VolumeWriter::finish`] ends the transfer; what was
/// written stays, as with the reference.
#[async_trait]
pub trait VolumeWriter: Send {
    /// Writes a piece. `NO_SPACE`-like faults are `SYSTEM_ERROR` and name the volume and the offset.
    async fn write(&mut self, piece: Piece) -> Result<()>;

    /// Everything has come: flushes it to disk, and has the pool look at the volume again.
    async fn finish(self: Box<Self>) -> Result<()>;
}

/// Finding, making, reading, writing and deleting volumes.
///
/// An unknown volume is `NO_STORAGE_VOL`; an inactive pool is `OPERATION_INVALID`.
#[async_trait]
pub trait Volumes: Send + Sync {
    /// The volumes of an active pool, in order of name.
    fn volumes(&self, pool: &PoolRef) -> Result<Vec<VolumeRef>>;

    /// The volume of this name in the pool.
    fn lookup_volume(&self, pool: &PoolRef, name: &str) -> Result<VolumeRef>;

    /// The volume with this key, in whichever active pool.
    fn lookup_volume_by_key(&self, key: &str) -> Result<VolumeRef>;

    /// The volume at this path, in whichever active pool.
    fn lookup_volume_by_path(&self, path: &str) -> Result<VolumeRef>;

    /// The pool that a volume is in.
    fn pool_of(&self, volume: &VolumeRef) -> Result<PoolRef>;

    /// Where the volume is.
    fn volume_path(&self, volume: &VolumeRef) -> Result<String>;

    /// The document.
    async fn volume_xml(&self, volume: &VolumeRef) -> Result<Arc<StorageVolume>>;

    /// Kind and sizes, looked up now.
    async fn volume_info(&self, volume: &VolumeRef) -> Result<VolumeInfo>;

    /// Makes a volume. A job; nothing is left of one that fails.
    async fn create_volume(
        &self,
        pool: &PoolRef,
        volume: Box<StorageVolume>,
        flags: VolumeCreateFlags,
    ) -> Result<VolumeRef>;

    /// Makes a volume with the content of another. A job; nothing is left of one that fails.
    async fn create_volume_from(
        &self,
        pool: &PoolRef,
        volume: Box<StorageVolume>,
        source: &VolumeRef,
        flags: VolumeCreateFlags,
    ) -> Result<VolumeRef>;

    /// Deletes a volume.
    async fn delete_volume(&self, volume: &VolumeRef, flags: VolumeDeleteFlags) -> Result<()>;

    /// Gives a volume another capacity, in bytes.
    async fn resize_volume(&self, volume: &VolumeRef, capacity: u64, flags: VolumeResizeFlags) -> Result<()>;

    /// Overwrites a volume. A job.
    async fn wipe_volume(&self, volume: &VolumeRef, algorithm: WipeAlgorithm) -> Result<()>;

    /// The content from `offset`, `length` bytes of it; a length of 0 means up to the end.
    async fn download(
        &self,
        volume: &VolumeRef,
        offset: u64,
        length: u64,
        flags: TransferFlags,
    ) -> Result<Box<dyn VolumeReader>>;

    /// Takes new content from `offset` on, `length` bytes of it; a length of 0 means as much as comes.
    async fn upload(
        &self,
        volume: &VolumeRef,
        offset: u64,
        length: u64,
        flags: TransferFlags,
    ) -> Result<Box<dyn VolumeWriter>>;
}
