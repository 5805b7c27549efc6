//! Figures about a running guest.

/// Statistics of domains.
pub trait Stats: Send + Sync {}
