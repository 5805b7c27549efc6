//! `qemu.conf`, the daemon's own file and its paths, turned into what the engine is told.
//!
//! A key of libvirt's that is not used here is no error: users bring their files with them. It is named in a warning.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use virtbus_daemon::bus::{self, Bus};
use virtbus_daemon::config::{Config as File, ConfigError};
use virtbus_daemon::paths::{Mode, Paths};
use virtbus_dbus_remote::{Daemon, Remote, Wake};
use virtbus_host::account;
use virtqemud::config::{Config, Layout, Settings, User};
use virtqemud::neighbours::Neighbours;

/// The API version spoken: libvirt 11.3.0.
pub(crate) const LIBVIRT: &str = "11.3.0";
const LIBRARY_VERSION: u64 = 11_003_000;

/// The configuration of the engine. Blocks; for start-up.
///
/// # Errors
/// When `qemu.conf` cannot be read, or holds a value of the wrong type, or names a user that does not exist.
pub(crate) fn read(paths: &Paths, host_uuid: Option<&str>) -> Result<Config, ConfigError> {
    let file = File::read(&paths.config_file("qemu"), false)?;
    let settings = settings(&file, paths)?;
    for unknown in file.unknown() {
        tracing::warn!("{unknown}");
    }
    let kind = if paths.is_session() { "session" } else { "system" };
    Ok(Config {
        layout: layout(paths),
        settings,
        uri: format!("qemu:///{kind}"),
        library_version: LIBRARY_VERSION,
        host_uuid: host_uuid.and_then(|it| uuid::Uuid::try_parse(it).ok()),
    })
}

fn layout(paths: &Paths) -> Layout {
    Layout {
        definitions: paths.qemu_definitions(),
        run: paths.qemu_run(),
        channels: paths.qemu_channels(),
        lib: paths.qemu_lib(),
        log: paths.qemu_log(),
        cache: paths.qemu_cache(),
        save: paths.qemu_save(),
        snapshots: paths.qemu_snapshots(),
        checkpoints: paths.qemu_checkpoints(),
        nvram: paths.qemu_nvram(),
        dump: paths.qemu_dump(),
        ram: paths.qemu_ram(),
        hooks: paths.hooks(),
    }
}

fn settings(file: &File, paths: &Paths) -> Result<Settings, ConfigError> {
    let default = Settings::default();
    let port = |key: &str, default: u16| -> Result<u16, ConfigError> {
        file.uint(key)?.map_or(Ok(default), |port| u16::try_from(port).map_err(|_| file.wrong(key, "a port number")))
    };
    let max_core = match file.value("max_core") {
        None => default.max_core,
        Some(virtbus_daemon::config::Value::Text(text)) if text == "unlimited" => u64::MAX,
        Some(_) => file.ulong("max_core")?.unwrap_or(default.max_core),
    };
    let sandbox = match file.int("seccomp_sandbox")? {
        None | Some(-1) => None,
        Some(0) => Some(false),
        Some(1) => Some(true),
        Some(_) => return Err(file.wrong("seccomp_sandbox", "-1, 0 or 1")),
    };
    Ok(Settings {
        user: user(file, paths)?,
        relabel: file.flag("dynamic_ownership")?.unwrap_or(!paths.is_session()),
        sandbox,
        vnc_listen: file.string("vnc_listen")?.unwrap_or(default.vnc_listen),
        vnc_password: file.string("vnc_password")?,
        spice_listen: file.string("spice_listen")?.unwrap_or(default.spice_listen),
        display_ports: (port("remote_display_port_min", 5900)?, port("remote_display_port_max", 65535)?),
        websocket_ports: (port("remote_websocket_port_min", 5700)?, port("remote_websocket_port_max", 65535)?),
        max_files: file.ulong("max_files")?.unwrap_or(0),
        max_processes: file.ulong("max_processes")?.unwrap_or(0),
        max_core,
        dump_guest_core: file.flag("dump_guest_core")?.unwrap_or(false),
        auto_start_delay_ms: file.ulong("auto_start_delay")?.unwrap_or(0),
        clear_emulator_capabilities: file.flag("clear_emulator_capabilities")?.unwrap_or(true),
    })
}

/// Who QEMU runs as. Only root has a choice: what `qemu.conf` says, else the user the distribution made for it. Below
/// `--root` that user may not be let in (a private directory of somebody's); then QEMU runs as this daemon does.
fn user(file: &File, paths: &Paths) -> Result<Option<User>, ConfigError> {
    let named = file.string("user")?;
    let group = file.string("group")?;
    if !nix::unistd::geteuid().is_root() {
        return Ok(None);
    }
    let no = |key: &str, what: &str| file.wrong(key, format!("an existing {what}"));
    let (account, key) = match &named {
        Some(name) => (account::user(name).ok().flatten().ok_or_else(|| no("user", "user"))?, "user"),
        None => {
            let found = ["libvirt-qemu", "qemu"].into_iter().find_map(|it| account::user(it).ok().flatten());
            match found {
                Some(account) => (account, "user"),
                None => return Ok(None),
            }
        }
    };
    let gid = match &group {
        Some(name) => account::group(name).ok().flatten().ok_or_else(|| no("group", "group"))?,
        // The distribution's group has the user's name; its primary group may be another one (kvm).
        None => account
            .name
            .as_deref()
            .and_then(|name| account::group(name).ok().flatten())
            .or(account.gid)
            .ok_or_else(|| no(key, "user with a group"))?,
    };
    let mut groups = account::groups_of(&account, gid).unwrap_or_else(|_| vec![gid]);
    // The user's own primary group too: it is kvm's where the distribution lets QEMU use /dev/kvm.
    groups.extend(account.gid.filter(|it| !groups.contains(it)));
    let user = User { uid: account.uid, gid, groups };
    if named.is_none() && matches!(paths.mode(), Mode::Root(_)) && !lets_in(paths.lib(), &user) {
        tracing::warn!("{}: closed to user {}; QEMU runs as root", paths.lib().display(), user.uid);
        return Ok(None);
    }
    Ok((user.uid != 0).then_some(user))
}

/// Whether `user` may pass through every directory down to `path`; what does not exist yet will be made passable.
fn lets_in(path: &Path, user: &User) -> bool {
    path.ancestors().skip(1).filter_map(|it| std::fs::metadata(it).ok()).all(|it| {
        let shift = if it.uid() == user.uid {
            6
        } else if user.groups.contains(&it.gid()) {
            3
        } else {
            0
        };
        it.mode() >> shift & 1 == 1
    })
}

/// Whom guests' networks, volumes and secrets are asked of: the daemons of the same layout, peer to peer. One that does not
/// run is woken by whoever listens for it, or by the bus.
pub(crate) fn neighbours(paths: &Paths) -> Neighbours {
    let of = |name: &'static str| {
        let bus_name = format!("org.libvirt.{name}");
        let by_bus = match bus::of(paths) {
            Some(Bus::System) => Some(Wake::SystemBus(bus_name)),
            Some(Bus::Session) => Some(Wake::SessionBus(bus_name)),
            None => None,
        };
        let by_socket = Wake::Socket(paths.socket(&format!("{name}-sock")));
        let wakes = std::iter::once(by_socket).chain(by_bus).collect();
        Arc::new(Remote::new(Daemon { name, socket: paths.peer_socket(name), wakes }))
    };
    Neighbours { networks: of("virtnetworkd"), storage: of("virtstoraged") }
}
