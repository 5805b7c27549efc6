//! The daemons behind the proxy: which owns what, and where its sockets lie.

use virtbus_daemon::Paths;
use virtbus_proto::Owner;
use virtbus_rpc::relay::{Backends, Daemon};

/// Each owner's daemon, with the driver that its URI names.
const DAEMONS: [(Owner, &str, &str); 3] = [
    (Owner::Qemu, "virtqemud", "qemu"),
    (Owner::Network, "virtnetworkd", "network"),
    (Owner::Storage, "virtstoraged", "storage"),
];

/// The daemons of the layout `paths`.
pub(crate) fn of(paths: &Paths) -> Backends {
    DAEMONS.iter().fold(Backends::new(), |backends, (owner, daemon, driver)| {
        let read_only_socket = (!paths.is_session()).then(|| paths.socket(&format!("{daemon}-sock-ro")));
        let socket = paths.socket(&format!("{daemon}-sock"));
        backends.with(*owner, Daemon { socket, read_only_socket, uri: uri(driver, paths) })
    })
}

/// The URI of `driver` in the mode of `paths`.
pub(crate) fn uri(driver: &str, paths: &Paths) -> String {
    format!("{driver}:///{}", if paths.is_session() { "session" } else { "system" })
}
