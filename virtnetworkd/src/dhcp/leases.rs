//! `BRIDGE.status`: the leases of a network, as libvirt's own name service module (`libnss_libvirt`) reads them.
//!
//! A JSON list of objects, empty file for none. [`super::helper`] writes it for dnsmasq, the daemon only reads. It is always
//! replaced whole, so no reader ever sees half of one.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// More leases than a network of any size has; what is longer is not ours.
const LONGEST: u64 = 64 * 1024 * 1024;

/// One lease, in the file's words and order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    /// The IPv6 client's association; absent for IPv4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iaid: Option<String>,
    /// The address given.
    pub ip_address: String,
    /// The client's MAC address; not every IPv6 client shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<String>,
    /// The name the client gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The client's id, for IPv6 its DUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The DUID under which the server gave it (IPv6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_duid: Option<String>,
    /// When it ends, in seconds since 1970; 0 for never.
    #[serde(default)]
    pub expiry_time: i64,
}

/// Where the leases of `bridge` are.
pub fn path(folder: &Path, bridge: &str) -> PathBuf {
    folder.join(format!("{bridge}.status"))
}

/// Reads a status file; one that is not there, or empty, holds no leases.
///
/// # Errors
/// When it cannot be read or is not such a list.
pub fn read(path: &Path) -> io::Result<Vec<Record>> {
    let length = match std::fs::metadata(path) {
        Ok(about) if about.is_file() => about.len(),
        Ok(_) => return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    if length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {} MiB", LONGEST >> 20)));
    }
    let text = std::fs::read_to_string(path)?;
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_str(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Replaces a status file, readable for all: the name service runs in every process.
///
/// # Errors
/// When it cannot be written; the old one is then as it was.
pub fn replace(path: &Path, records: &[Record]) -> io::Result<()> {
    let mut text = String::new();
    if !records.is_empty() {
        text = serde_json::to_string_pretty(records)?;
        text.push('\n');
    }
    replace_text(path, text.as_bytes())
}

/// Replaces a file that all may read, in one step.
pub(super) fn replace_text(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&temporary)?;
        file.write_all(content)?;
        std::fs::rename(&temporary, path)
    };
    write().inspect_err(|_| {
        // Best effort; the next attempt overwrites it.
        let _ = std::fs::remove_file(&temporary);
    })
}
