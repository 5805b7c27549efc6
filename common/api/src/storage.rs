//! The storage engine: pools, their volumes, and secrets.

pub mod pools;
pub mod secrets;
pub mod volumes;

pub use pools::{PoolInfo, PoolState, Pools};
pub use secrets::{SecretValue, Secrets};
pub use volumes::{Piece, VolumeInfo, VolumeKind, VolumeReader, VolumeWriter, Volumes, WipeAlgorithm};

/// Everything a storage daemon does.
pub trait StorageDriver: Pools + Volumes + Secrets + 'static {}

impl<T> StorageDriver for T where T: Pools + Volumes + Secrets + 'static {}
