//! Changing a guest's devices.

/// Attaching, detaching and updating devices.
pub trait Devices: Send + Sync {}
