//! `network.conf` and the daemon's paths, turned into what the engine is told.

use std::path::PathBuf;

use virtbus_daemon::Paths;
use virtbus_daemon::config::{Config as File, ConfigError};
use virtbus_host::hook::Hooks;
use virtnetworkd::config::Config;
use virtnetworkd::dhcp::Places;

/// Where the program that dnsmasq tells of leases is installed.
const HELPER: &str = "/usr/lib/virtbus/virtbus_leaseshelper";

/// The configuration of the engine. Blocks; for start-up.
///
/// # Errors
/// When `network.conf` cannot be read, or holds a value of the wrong type.
pub(crate) fn read(paths: &Paths) -> Result<Config, ConfigError> {
    let file = File::read(&paths.config_file("network"), false)?;
    if file.choice("firewall_backend", &["nftables", "iptables"])? == Some("iptables") {
        // Rules of either kind are the same kernel's; iptables' own go on beside them.
        tracing::warn!(
            "network.conf: firewall_backend = \"iptables\" is taken as \"nftables\": rules are made in a table of their own, \
             beside what iptables has"
        );
    }
    for unknown in file.unknown() {
        tracing::warn!("{unknown}");
    }
    let places = Places {
        files: paths.dnsmasq_files(),
        run: paths.network_run(),
        dnsmasq: PathBuf::from("dnsmasq"),
        helper: helper(),
    };
    Ok(Config {
        definitions: paths.network_definitions(),
        run: paths.network_run(),
        dnsmasq: places,
        hooks: Hooks::new(paths.hooks()),
        uri: format!("network:///{}", paths.uri_path()),
    })
}

/// The helper that was built with this daemon lies beside it; an installed one has its own place.
fn helper() -> PathBuf {
    let beside = std::env::current_exe().ok().map(|it| it.with_file_name("virtbus_leaseshelper"));
    beside.filter(|it| it.exists()).unwrap_or_else(|| PathBuf::from(HELPER))
}
