//! What the engine is told when it starts. Plain values; reading files and command lines is the composition root's.

use std::path::PathBuf;

/// Where everything lies.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Definitions of pools: `NAME.xml`, `autostart/` (`/etc/libvirt/storage`).
    pub definitions: PathBuf,
    /// Status files of active pools, lost with a boot (`/run/libvirt/storage`).
    pub run: PathBuf,
}

/// All the engine is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where everything lies.
    pub layout: Layout,
    /// `storage:///system` or `storage:///session`.
    pub uri: String,
}
