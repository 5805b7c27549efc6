//! Moving a guest to another host.

/// Migration in its phases.
pub trait Migration: Send + Sync {}
