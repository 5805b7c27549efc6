//! What the engine is told when it starts: where things lie. Plain values; reading files and command lines is the composition
//! root's.

use std::path::PathBuf;

use virtbus_host::hook::Hooks;

use crate::dhcp::Places;

/// All the engine is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Definitions: `NAME.xml`, `autostart/`.
    pub definitions: PathBuf,
    /// Status files `NAME.xml` and ports `NAME/ports/UUID.xml` of active networks; lost with a boot.
    pub run: PathBuf,
    /// dnsmasq, its files and its helper.
    pub dnsmasq: Places,
    /// The scripts that are told of networks.
    pub hooks: Hooks,
    /// `network:///system` or `network:///session`.
    pub uri: String,
}
