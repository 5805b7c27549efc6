//! The daemon's paths, turned into what the engine is told. There is no file of settings beside `virtstoraged.conf`, as with
//! the reference.

use virtbus_daemon::Paths;
use virtstoraged::config::{Config, Layout};

/// The configuration of the engine.
pub(crate) fn of(paths: &Paths) -> Config {
    Config {
        layout: Layout { definitions: paths.storage_definitions(), run: paths.storage_run() },
        uri: format!("storage:///{}", paths.uri_path()),
    }
}
