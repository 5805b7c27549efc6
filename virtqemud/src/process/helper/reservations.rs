//! `qemu-pr-helper`, which asks storage for persistent reservations on behalf of a QEMU that may not: one for all of a guest's disks.

use std::path::{Path, PathBuf};

use virtbus_api::Result;
use virtbus_host::process::Spawn;
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::disk::{BackingStore, DiskSource};

use super::{Plan, Serves, program};
use crate::config::User;
use crate::device::disk::storage::MANAGED_RESERVATIONS;

/// Whether a guest has disks whose reservations the daemon sees to.
pub(crate) fn wanted(document: &Domain) -> bool {
    let asks =
        |it: Option<&DiskSource>| it.and_then(|it| it.reservations.as_ref()).is_some_and(|it| it.managed.is_on());
    document.devices.disks.iter().any(|disk| {
        let below = std::iter::successors(disk.backing_store.as_ref(), |it: &&BackingStore| it.below.as_deref());
        asks(disk.source.as_ref()) || below.into_iter().any(|it| asks(it.source.as_ref()))
    })
}

/// Where QEMU reaches it.
pub(crate) fn socket(home: &Path) -> PathBuf {
    home.join(format!("{MANAGED_RESERVATIONS}.sock"))
}

/// Where its pid is kept.
pub(crate) fn pid_file(home: &Path) -> PathBuf {
    home.join(format!("{MANAGED_RESERVATIONS}.pid"))
}

/// What is to be run. It stays root, whose right the commands need.
///
/// # Errors
/// `CONFIG_UNSUPPORTED` when qemu-pr-helper is not installed.
pub(crate) fn plan(home: &Path, user: Option<&User>) -> Result<Plan> {
    let socket = socket(home);
    // One that died leaves its socket.
    let _ = std::fs::remove_file(&socket);
    let spawn = Spawn::new(program("qemu-pr-helper", "<reservations managed='yes'>")?).arg("-k").arg(&socket);
    Ok(Plan {
        name: "qemu-pr-helper".to_owned(),
        serves: Serves::Reservations,
        first: Vec::new(),
        spawn,
        socket: Some(socket),
        user: user.cloned(),
        pid_file: pid_file(home),
        files: Vec::new(),
    })
}
