//! Where everything lies: the one place that knows the three layouts.
//!
//! * system: `/etc/libvirt`, `/var/lib/libvirt`, `/run/libvirt`, `/var/log/libvirt`, `/var/cache/libvirt`;
//! * session: the user's XDG directories, as libvirt lays them out for `qemu:///session`;
//! * `--root DIR`: the system layout below DIR (demo, tests, benches).
//!
//! It names paths and makes directories; it opens and reads nothing.

use std::env;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Which of the layouts is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// The host's own: one set of daemons, run by root.
    System,
    /// One user's own.
    Session,
    /// The system layout below this directory.
    Root(PathBuf),
}

/// The layout in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    mode: Mode,
    etc: PathBuf,
    lib: PathBuf,
    run: PathBuf,
    log: PathBuf,
    cache: PathBuf,
    pid_files: PathBuf,
}

impl Paths {
    /// The layout for `mode`, from this process's environment.
    ///
    /// # Errors
    /// In session mode, when neither HOME nor the password database says where the user lives; for a root, when the
    /// current directory that a relative path counts from is gone.
    pub fn new(mode: Mode) -> io::Result<Self> {
        match mode {
            Mode::System => Ok(Self::below(Path::new("/"), Mode::System)),
            Mode::Session => Self::session(|name| env::var_os(name).map(PathBuf::from)),
            Mode::Root(root) => {
                let root = std::path::absolute(root)?;
                Ok(Self::below(&root, Mode::Root(root.clone())))
            }
        }
    }

    /// The layout a daemon uses: below `root` if given, else the system's for root and the session's for anyone else.
    ///
    /// # Errors
    /// As [`Paths::new`].
    pub fn choose(root: Option<&Path>) -> io::Result<Self> {
        Self::new(match root {
            Some(root) => Mode::Root(root.to_owned()),
            None if nix::unistd::geteuid().is_root() => Mode::System,
            None => Mode::Session,
        })
    }

    fn below(root: &Path, mode: Mode) -> Self {
        Self {
            mode,
            etc: root.join("etc/libvirt"),
            lib: root.join("var/lib/libvirt"),
            run: root.join("run/libvirt"),
            log: root.join("var/log/libvirt"),
            cache: root.join("var/cache/libvirt"),
            pid_files: root.join("run"),
        }
    }

    fn session(variable: impl Fn(&str) -> Option<PathBuf>) -> io::Result<Self> {
        // The XDG specification has relative values ignored.
        let variable = |name: &str| variable(name).filter(|path| path.is_absolute());
        let home = match variable("HOME") {
            Some(home) => home,
            None => nix::unistd::User::from_uid(nix::unistd::geteuid())?
                .map(|user| user.dir)
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "HOME is not set and the user is unknown"))?,
        };
        let etc = variable("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")).join("libvirt");
        let cache = variable("XDG_CACHE_HOME").unwrap_or_else(|| home.join(".cache")).join("libvirt");
        let run = variable("XDG_RUNTIME_DIR").map_or_else(|| cache.clone(), |run| run.join("libvirt"));
        let lib = variable("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share")).join("libvirt");
        Ok(Self { mode: Mode::Session, etc, lib, log: cache.clone(), cache, pid_files: run.clone(), run })
    }

    /// Which layout this is.
    pub fn mode(&self) -> &Mode {
        &self.mode
    }

    /// Whether this is a user's own layout.
    pub fn is_session(&self) -> bool {
        self.mode == Mode::Session
    }

    /// Configuration and definitions.
    pub fn etc(&self) -> &Path {
        &self.etc
    }

    /// What must outlive a boot: images and the like.
    pub fn lib(&self) -> &Path {
        &self.lib
    }

    /// What must not outlive a boot: sockets, status files.
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// Logs.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// What can be made anew.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// The socket `name`, such as `virtqemud-sock`.
    pub fn socket(&self, name: &str) -> PathBuf {
        self.run.join(name)
    }

    /// The configuration file of a daemon or driver: `virtqemud` gives `.../virtqemud.conf`.
    pub fn config_file(&self, name: &str) -> PathBuf {
        self.etc.join(format!("{name}.conf"))
    }

    /// The pid file of `daemon`: beside, not in, the run directory in the system layout.
    pub fn pid_file(&self, daemon: &str) -> PathBuf {
        self.pid_files.join(format!("{daemon}.pid"))
    }

    /// The log file of `daemon`.
    pub fn daemon_log(&self, daemon: &str) -> PathBuf {
        self.log.join(format!("{daemon}.log"))
    }

    /// Hook scripts.
    pub fn hooks(&self) -> PathBuf {
        self.etc.join("hooks")
    }

    /// Default place of disk images.
    pub fn images(&self) -> PathBuf {
        self.lib.join("images")
    }

    /// Domain definitions: `NAME.xml`.
    pub fn qemu_definitions(&self) -> PathBuf {
        self.etc.join("qemu")
    }

    /// Links to the definitions of domains that start with the host.
    pub fn qemu_autostart(&self) -> PathBuf {
        self.etc.join("qemu/autostart")
    }

    /// Status files and pid files of running domains.
    pub fn qemu_run(&self) -> PathBuf {
        if self.is_session() { self.run.join("qemu/run") } else { self.run.join("qemu") }
    }

    /// Sockets of guest agent channels (`ID-NAME/` below it).
    pub fn qemu_channels(&self) -> PathBuf {
        self.qemu_run().join("channel")
    }

    /// Per-domain directories `domain-ID-NAME` with what QEMU itself opens.
    pub fn qemu_lib(&self) -> PathBuf {
        if self.is_session() { self.etc.join("qemu/lib") } else { self.lib.join("qemu") }
    }

    /// Per-domain logs `NAME.log`.
    pub fn qemu_log(&self) -> PathBuf {
        if self.is_session() { self.cache.join("qemu/log") } else { self.log.join("qemu") }
    }

    /// What was probed of QEMU binaries.
    pub fn qemu_cache(&self) -> PathBuf {
        if self.is_session() { self.cache.join("qemu/cache") } else { self.cache.join("qemu") }
    }

    /// Managed save images `NAME.save`.
    pub fn qemu_save(&self) -> PathBuf {
        self.qemu_data().join("save")
    }

    /// Snapshot metadata `DOMAIN/SNAPSHOT.xml`.
    pub fn qemu_snapshots(&self) -> PathBuf {
        self.qemu_data().join("snapshot")
    }

    /// Checkpoint metadata `DOMAIN/CHECKPOINT.xml`.
    pub fn qemu_checkpoints(&self) -> PathBuf {
        self.qemu_data().join("checkpoint")
    }

    /// Variable stores of UEFI guests: `NAME_VARS.fd`.
    pub fn qemu_nvram(&self) -> PathBuf {
        self.qemu_data().join("nvram")
    }

    /// Core dumps of crashed guests.
    pub fn qemu_dump(&self) -> PathBuf {
        self.qemu_data().join("dump")
    }

    /// File-backed guest memory.
    pub fn qemu_ram(&self) -> PathBuf {
        self.qemu_data().join("ram")
    }

    fn qemu_data(&self) -> PathBuf {
        if self.is_session() { self.etc.join("qemu") } else { self.lib.join("qemu") }
    }

    /// The private socket on which `daemon` answers the other daemons.
    pub fn peer_socket(&self, daemon: &str) -> PathBuf {
        self.run.join("peer").join(daemon)
    }

    /// `system` or `session`: the path of the URIs that are served.
    pub fn uri_path(&self) -> &'static str {
        if self.is_session() { "session" } else { "system" }
    }

    /// Network definitions.
    pub fn network_definitions(&self) -> PathBuf {
        self.etc.join("qemu/networks")
    }

    /// Status files of active networks and their ports, and pid files of their servers.
    pub fn network_run(&self) -> PathBuf {
        if self.is_session() { self.run.join("network/lib") } else { self.run.join("network") }
    }

    /// Files of dnsmasq: configurations, hosts, leases. Other programs look for leases there.
    pub fn dnsmasq_files(&self) -> PathBuf {
        if self.is_session() { self.run.join("network/dnsmasq/lib") } else { self.lib.join("dnsmasq") }
    }

    /// Storage pool definitions.
    pub fn storage_definitions(&self) -> PathBuf {
        self.etc.join("storage")
    }

    /// Status files of active pools.
    pub fn storage_run(&self) -> PathBuf {
        if self.is_session() { self.run.join("storage/run") } else { self.run.join("storage") }
    }

    /// Secret definitions and values.
    pub fn secrets(&self) -> PathBuf {
        self.etc.join("secrets")
    }
}

/// Makes `directory` and what is missing above it, with `mode` for each one made. One that exists is left as it is.
/// Blocks on the file system; for start-up.
///
/// # Errors
/// As mkdir(2), naming the directory.
pub fn make_directory(directory: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(directory)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot create {}: {error}", directory.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_layout_is_libvirts() {
        let paths = Paths::new(Mode::System).expect("known");
        assert_eq!(paths.socket("virtqemud-sock"), Path::new("/run/libvirt/virtqemud-sock"));
        assert_eq!(paths.qemu_definitions(), Path::new("/etc/libvirt/qemu"));
        assert_eq!(paths.qemu_autostart(), Path::new("/etc/libvirt/qemu/autostart"));
        assert_eq!(paths.qemu_run(), Path::new("/run/libvirt/qemu"));
        assert_eq!(paths.qemu_lib(), Path::new("/var/lib/libvirt/qemu"));
        assert_eq!(paths.qemu_log(), Path::new("/var/log/libvirt/qemu"));
        assert_eq!(paths.qemu_cache(), Path::new("/var/cache/libvirt/qemu"));
        assert_eq!(paths.pid_file("virtqemud"), Path::new("/run/virtqemud.pid"));
        assert_eq!(paths.storage_run(), Path::new("/run/libvirt/storage"));
        assert_eq!(paths.network_run(), Path::new("/run/libvirt/network"));
        assert_eq!(paths.dnsmasq_files(), Path::new("/var/lib/libvirt/dnsmasq"));
        assert_eq!(paths.peer_socket("virtnetworkd"), Path::new("/run/libvirt/peer/virtnetworkd"));
        assert_eq!(paths.config_file("virtqemud"), Path::new("/etc/libvirt/virtqemud.conf"));
    }

    #[test]
    fn a_root_moves_everything() {
        let paths = Paths::new(Mode::Root("/tmp/r".into())).expect("known");
        assert_eq!(paths.socket("virtqemud-sock-ro"), Path::new("/tmp/r/run/libvirt/virtqemud-sock-ro"));
        assert_eq!(paths.pid_file("virtqemud"), Path::new("/tmp/r/run/virtqemud.pid"));
        assert_eq!(paths.qemu_nvram(), Path::new("/tmp/r/var/lib/libvirt/qemu/nvram"));
        assert!(!paths.is_session());
    }

    #[test]
    fn the_session_follows_xdg() {
        let plain = Paths::session(|name| (name == "HOME").then(|| "/home/u".into())).expect("known");
        assert_eq!(plain.qemu_definitions(), Path::new("/home/u/.config/libvirt/qemu"));
        assert_eq!(plain.socket("virtqemud-sock"), Path::new("/home/u/.cache/libvirt/virtqemud-sock"));
        assert_eq!(plain.qemu_log(), Path::new("/home/u/.cache/libvirt/qemu/log"));
        assert_eq!(plain.qemu_lib(), Path::new("/home/u/.config/libvirt/qemu/lib"));
        assert_eq!(plain.images(), Path::new("/home/u/.local/share/libvirt/images"));
        let set = Paths::session(|name| match name {
            "HOME" => Some("/home/u".into()),
            "XDG_RUNTIME_DIR" => Some("/run/user/7".into()),
            "XDG_CONFIG_HOME" => Some("relative".into()),
            _ => None,
        });
        let set = set.expect("known");
        assert_eq!(set.qemu_run(), Path::new("/run/user/7/libvirt/qemu/run"));
        assert_eq!(set.pid_file("virtqemud"), Path::new("/run/user/7/libvirt/virtqemud.pid"));
        assert_eq!(set.etc(), Path::new("/home/u/.config/libvirt"));
    }
}
