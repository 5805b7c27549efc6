//! Storage pools and their life.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast;
use virtbus_schema::storage_pool::{PoolKind, PoolSource, SourceList};
use virtbus_schema::{StoragePool, StoragePoolCapabilities};

use crate::{
    error::Result,
    event::PoolEvent,
    flags::{PoolBuildFlags, PoolCreateFlags, PoolDefineFlags, PoolDeleteFlags, PoolFilter, PoolXmlFlags},
    refs::PoolRef,
};

/// The state of a pool; the numbers are `virStoragePoolState`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum PoolState {
    /// Not started.
    Inactive = 0,
    /// Being built.
    Building = 1,
    /// Started.
    Running = 2,
    /// Started, but part of it does not answer.
    Degraded = 3,
    /// Started, but not to be reached.
    Inaccessible = 4,
}

/// The figures of a pool (`virStoragePoolInfo`), as of its last refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolInfo {
    /// The state.
    pub state: PoolState,
    /// How much it holds, in bytes.
    pub capacity: u64,
    /// How much is used, in bytes.
    pub allocation: u64,
    /// How much is free, in bytes.
    pub available: u64,
}

/// Finding, defining, building, starting and stopping pools.
///
/// An unknown pool is `NO_STORAGE_POOL`; a wrong state is `OPERATION_INVALID`.
#[async_trait]
pub trait Pools: Send + Sync {
    /// `storage:///system`, `storage:///session`.
    fn uri(&self) -> String;

    /// The pools that pass the filter; an empty filter passes all. In order of name.
    fn list(&self, filter: PoolFilter) -> Vec<PoolRef>;

    /// The pool with this UUID.
    fn lookup_by_uuid(&self, uuid: uuid::Uuid) -> Result<PoolRef>;

    /// The pool of this name.
    fn lookup_by_name(&self, name: &str) -> Result<PoolRef>;

    /// The active pool whose target is this path.
    fn lookup_by_target_path(&self, path: &str) -> Result<PoolRef>;

    /// The document: with figures and, when active, the live one.
    fn xml(&self, pool: &PoolRef, flags: PoolXmlFlags) -> Result<Arc<StoragePool>>;

    /// State and figures.
    fn info(&self, pool: &PoolRef) -> Result<PoolInfo>;

    /// Whether it is started.
    fn is_active(&self, pool: &PoolRef) -> Result<bool>;

    /// Whether there is a definition that outlives its run.
    fn is_persistent(&self, pool: &PoolRef) -> Result<bool>;

    /// Whether it starts with the host.
    fn autostart(&self, pool: &PoolRef) -> Result<bool>;

    /// Which kinds of pools there are, and which of them this daemon serves.
    fn capabilities(&self) -> StoragePoolCapabilities;

    /// The sources of that kind that a host offers; `spec` narrows the search.
    async fn find_sources(&self, kind: PoolKind, spec: Option<PoolSource>) -> Result<SourceList>;

    /// Takes a definition; replaces one of the same name and UUID. On success it is on disk.
    async fn define(&self, pool: Box<StoragePool>, flags: PoolDefineFlags) -> Result<PoolRef>;

    /// Starts a pool; without a definition of that UUID it is transient.
    async fn create(&self, pool: Box<StoragePool>, flags: PoolCreateFlags) -> Result<PoolRef>;

    /// Starts a defined pool.
    async fn start(&self, pool: &PoolRef, flags: PoolCreateFlags) -> Result<()>;

    /// Makes the underlying storage: a directory, a file system, a volume group.
    async fn build(&self, pool: &PoolRef, flags: PoolBuildFlags) -> Result<()>;

    /// Stops it; what is transient is gone. No volume is touched.
    async fn destroy(&self, pool: &PoolRef) -> Result<()>;

    /// Deletes the underlying storage of an inactive pool.
    async fn delete(&self, pool: &PoolRef, flags: PoolDeleteFlags) -> Result<()>;

    /// Removes the definition of an inactive pool.
    async fn undefine(&self, pool: &PoolRef) -> Result<()>;

    /// Looks again at which volumes there are. A job: reads go on meanwhile.
    async fn refresh(&self, pool: &PoolRef) -> Result<()>;

    /// Whether the pool is to start with the host.
    async fn set_autostart(&self, pool: &PoolRef, autostart: bool) -> Result<()>;

    /// What happens to pools from now on.
    fn pool_events(&self) -> broadcast::Receiver<PoolEvent>;
}
