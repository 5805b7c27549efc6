//! Snapshots and checkpoints of a domain.

/// Taking, listing, reverting and deleting snapshots.
pub trait Snapshots: Send + Sync {}
