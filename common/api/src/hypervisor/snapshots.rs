//! Snapshots and checkpoints of a domain.

use crate::{error::Result, flags::SnapshotFilter, refs::DomainRef};

/// Taking, listing, reverting and deleting snapshots.
pub trait Snapshots: Send + Sync {
    /// The names of the snapshots that pass the filter. A driver that takes none has none.
    fn snapshots(&self, _domain: &DomainRef, _filter: SnapshotFilter) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// The name of the snapshot that the domain was last taken to, where there is one.
    fn current_snapshot(&self, _domain: &DomainRef) -> Result<Option<String>> {
        Ok(None)
    }
}
