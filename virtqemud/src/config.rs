//! What the engine is told when it starts: where things lie, and what an administrator has set in `qemu.conf`.
//!
//! Plain values with libvirt's defaults. Reading files and command lines is the composition root's.

use std::path::PathBuf;

/// Where everything lies.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Definitions: `NAME.xml`, `autostart/`.
    pub definitions: PathBuf,
    /// Status files and pid files of running domains; lost with a boot.
    pub run: PathBuf,
    /// Sockets of channels, `ID-NAME/` below it.
    pub channels: PathBuf,
    /// Directories `domain-ID-NAME` of running domains.
    pub lib: PathBuf,
    /// Logs `NAME.log`.
    pub log: PathBuf,
    /// What was probed of QEMU binaries.
    pub cache: PathBuf,
    /// Managed save images `NAME.save`.
    pub save: PathBuf,
    /// Snapshot metadata `NAME/`.
    pub snapshots: PathBuf,
    /// Checkpoint metadata `NAME/`.
    pub checkpoints: PathBuf,
    /// Variable stores of UEFI guests.
    pub nvram: PathBuf,
    /// Core dumps.
    pub dump: PathBuf,
    /// File-backed guest memory.
    pub ram: PathBuf,
    /// The administrator's scripts.
    pub hooks: PathBuf,
}

impl Layout {
    /// What functions of network hardware were held to before a guest had them: beside the status files, where the reference has
    /// it.
    pub(crate) fn functions(&self) -> PathBuf {
        self.run.with_file_name("hostdevmgr")
    }
}

/// Who QEMU runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// All groups, that one included.
    pub groups: Vec<u32>,
}

/// What `qemu.conf` sets, as far as it is used.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who QEMU runs as; `None`: as this daemon does.
    pub user: Option<User>,
    /// Whether images are given to that user and taken back (`dynamic_ownership`).
    pub relabel: bool,
    /// Whether QEMU is confined by seccomp (`seccomp_sandbox`; `None` is QEMU's best, as libvirt's -1).
    pub sandbox: Option<bool>,
    /// Where displays listen when the document does not say (`vnc_listen`).
    pub vnc_listen: String,
    /// A password for every VNC display that has none (`vnc_password`).
    pub vnc_password: Option<String>,
    /// Where SPICE displays listen (`spice_listen`).
    pub spice_listen: String,
    /// First and last port of displays (`remote_display_port_min`, `_max`).
    pub display_ports: (u16, u16),
    /// First and last port of WebSocket displays.
    pub websocket_ports: (u16, u16),
    /// Limit on open files of QEMU; 0 is as this daemon's.
    pub max_files: u64,
    /// Limit on processes of QEMU's user; 0 is as this daemon's.
    pub max_processes: u64,
    /// Limit on QEMU's core dumps in bytes.
    pub max_core: u64,
    /// Whether core dumps hold the guest's memory.
    pub dump_guest_core: bool,
    /// Milliseconds between two domains that start with the host.
    pub auto_start_delay_ms: u64,
    /// Whether a document without `<seclabel>` still is confined.
    pub clear_emulator_capabilities: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            user: None,
            relabel: true,
            sandbox: None,
            vnc_listen: "127.0.0.1".to_owned(),
            vnc_password: None,
            spice_listen: "127.0.0.1".to_owned(),
            display_ports: (5900, 65535),
            websocket_ports: (5700, 65535),
            max_files: 0,
            max_processes: 0,
            max_core: u64::MAX,
            dump_guest_core: false,
            auto_start_delay_ms: 0,
            clear_emulator_capabilities: true,
        }
    }
}

/// All the engine is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where everything lies.
    pub layout: Layout,
    /// What `qemu.conf` sets.
    pub settings: Settings,
    /// `qemu:///system` or `qemu:///session`.
    pub uri: String,
    /// The version of libvirt's API that is spoken, in libvirt's form.
    pub library_version: u64,
    /// The host's UUID where the daemon's configuration sets it.
    pub host_uuid: Option<uuid::Uuid>,
}
