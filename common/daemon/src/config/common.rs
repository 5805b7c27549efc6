//! The keys every daemon's file shares (`virtqemud.conf`, `virtproxyd.conf`, ...; keys of libvirt 11.3.0).

use std::path::PathBuf;

use super::{Config, ConfigError};

/// Settings of `virt*d.conf`. Defaults are libvirt's unless a field says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonConfig {
    /// Group that owns the sockets.
    pub unix_sock_group: Option<String>,
    /// Permissions of the read-only socket.
    pub unix_sock_ro_perms: Option<u32>,
    /// Permissions of the read-write socket.
    pub unix_sock_rw_perms: Option<u32>,
    /// Permissions of the admin socket.
    pub unix_sock_admin_perms: Option<u32>,
    /// Directory of the sockets.
    pub unix_sock_dir: Option<PathBuf>,
    /// How clients of the read-only socket authenticate: none, sasl, polkit.
    pub auth_unix_ro: Option<&'static str>,
    /// How clients of the read-write socket authenticate.
    pub auth_unix_rw: Option<&'static str>,
    /// Access control drivers: `polkit`, `none`.
    pub access_drivers: Vec<String>,
    /// Connected clients.
    pub max_clients: u32,
    /// Clients waiting to be accepted.
    pub max_queued_clients: u32,
    /// Accepted clients that have not authenticated; 0 is no limit of its own.
    pub max_anonymous_clients: u32,
    /// Requests of one client in flight; libvirt's default is 5, ours 128, since more means waiting and not refusal.
    pub max_client_requests: u32,
    /// Clients of the admin socket.
    pub admin_max_clients: u32,
    /// Admin clients waiting to be accepted.
    pub admin_max_queued_clients: u32,
    /// Requests of one admin client in flight.
    pub admin_max_client_requests: u32,
    /// Seconds of silence before a client is probed; 0 or less never.
    pub keepalive_interval: i32,
    /// Unanswered probes before it is dropped.
    pub keepalive_count: u32,
    /// The same for the admin socket.
    pub admin_keepalive_interval: i32,
    /// The same for the admin socket.
    pub admin_keepalive_count: u32,
    /// 1 debug, 2 info, 3 warning, 4 error.
    pub log_level: Option<u32>,
    /// `LEVEL:match`, separated by spaces.
    pub log_filters: Option<String>,
    /// `LEVEL:stderr`, `LEVEL:file:PATH`, ..., separated by spaces.
    pub log_outputs: Option<String>,
    /// UUID of the host, where the firmware's is not to be used.
    pub host_uuid: Option<String>,
    /// Where the UUID comes from: `smbios` or `machine-id`.
    pub host_uuid_source: Option<&'static str>,
    /// 0 off, 1 if possible, 2 required.
    pub audit_level: u32,
    /// Whether audit messages are logged as well.
    pub audit_logging: bool,
    /// Seconds to wait for Open vSwitch.
    pub ovs_timeout: u32,
}

/// Keys that size libvirt's thread pools. Accepted in silence: tasks need no pool.
const THREAD_POOL_KEYS: [&str; 5] =
    ["min_workers", "max_workers", "prio_workers", "admin_min_workers", "admin_max_workers"];

/// How a socket's clients may authenticate.
const AUTH: [&str; 3] = ["none", "sasl", "polkit"];

impl DaemonConfig {
    /// Takes the shared keys out of `config`.
    ///
    /// # Errors
    /// For the first value of a wrong type.
    pub fn from_config(config: &Config) -> Result<Self, ConfigError> {
        for key in THREAD_POOL_KEYS {
            config.uint(key)?;
        }
        let uint = |key: &str, default: u32| config.uint(key).map(|value| value.unwrap_or(default));
        let int = |key: &str, default: i32| config.int(key).map(|value| value.unwrap_or(default));
        let at_least_one = |key: &str, default: u32| match uint(key, default)? {
            0 => Err(config.wrong(key, "a number above 0")),
            number => Ok(number),
        };
        Ok(Self {
            unix_sock_group: config.string("unix_sock_group")?.filter(|group| !group.is_empty()),
            unix_sock_ro_perms: config.permissions("unix_sock_ro_perms")?,
            unix_sock_rw_perms: config.permissions("unix_sock_rw_perms")?,
            unix_sock_admin_perms: config.permissions("unix_sock_admin_perms")?,
            unix_sock_dir: config.string("unix_sock_dir")?.map(PathBuf::from),
            auth_unix_ro: config.choice("auth_unix_ro", &AUTH)?,
            auth_unix_rw: config.choice("auth_unix_rw", &AUTH)?,
            access_drivers: config.strings("access_drivers")?.unwrap_or_default(),
            max_clients: at_least_one("max_clients", 5000)?,
            max_queued_clients: uint("max_queued_clients", 1000)?,
            max_anonymous_clients: uint("max_anonymous_clients", 20)?,
            max_client_requests: at_least_one("max_client_requests", 128)?,
            admin_max_clients: at_least_one("admin_max_clients", 5000)?,
            admin_max_queued_clients: uint("admin_max_queued_clients", 20)?,
            admin_max_client_requests: at_least_one("admin_max_client_requests", 5)?,
            keepalive_interval: int("keepalive_interval", 5)?,
            keepalive_count: uint("keepalive_count", 5)?,
            admin_keepalive_interval: int("admin_keepalive_interval", 5)?,
            admin_keepalive_count: uint("admin_keepalive_count", 5)?,
            log_level: config.uint("log_level")?,
            log_filters: config.string("log_filters")?,
            log_outputs: config.string("log_outputs")?,
            host_uuid: config.string("host_uuid")?,
            host_uuid_source: config.choice("host_uuid_source", &["smbios", "machine-id"])?,
            audit_level: uint("audit_level", 1)?,
            audit_logging: config.flag("audit_logging")?.unwrap_or(false),
            ovs_timeout: uint("ovs_timeout", 5)?,
        })
    }
}

impl DaemonConfig {
    /// What the main server takes on: clients, requests of each, interval and count of its keepalive.
    pub fn clients(&self) -> (u32, u32, i32, u32) {
        (self.max_clients, self.max_client_requests, self.keepalive_interval, self.keepalive_count)
    }

    /// The same for the main server and for that of the admin socket.
    pub fn limits(&self) -> [(u32, u32, i32, u32); 2] {
        let (interval, count) = (self.admin_keepalive_interval, self.admin_keepalive_count);
        [self.clients(), (self.admin_max_clients, self.admin_max_client_requests, interval, count)]
    }

    /// How clients of the read-only and of the read-write socket authenticate, where the file says so.
    pub fn authentication(&self) -> [Option<&'static str>; 2] {
        [self.auth_unix_ro, self.auth_unix_rw]
    }
}

impl Default for DaemonConfig {
    fn default() -> Self {
        // An empty file has no value that could be wrong; the fields below are unreachable then.
        Self::from_config(&Config::default()).unwrap_or_else(|error| unreachable!("an empty configuration: {error}"))
    }
}
