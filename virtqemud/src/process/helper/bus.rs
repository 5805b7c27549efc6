//! `dbus-daemon` as one guest's own bus, where QEMU's D-Bus display and its viewers meet.

use std::path::PathBuf;

use virtbus_api::{Error, Result};
use virtbus_host::process::Spawn;

use super::{Plan, Serves, make_directory, program};
use crate::config::{Layout, User};

/// Where QEMU and viewers reach it.
pub(crate) fn socket(layout: &Layout, short_name: &str) -> PathBuf {
    layout.run.join("dbus").join(format!("{short_name}-dbus.sock"))
}

/// Where its pid is kept.
pub(crate) fn pid_file(layout: &Layout, short_name: &str) -> PathBuf {
    layout.run.join("dbus").join(format!("{short_name}-dbus.pid"))
}

/// What it is told.
pub(crate) fn configuration(layout: &Layout, short_name: &str) -> PathBuf {
    layout.run.join("dbus").join(format!("{short_name}-dbus.conf"))
}

/// What is to be run. Writes its configuration.
///
/// # Errors
/// dbus-daemon is not installed, or a file cannot be written.
pub(crate) fn plan(layout: &Layout, short_name: &str, user: Option<&User>) -> Result<Plan> {
    let socket = socket(layout, short_name);
    make_directory(&layout.run.join("dbus"), 0o770, user)?;
    let configuration = configuration(layout, short_name);
    let text = format!(
        "<busconfig>\n<type>org.libvirt.qemu</type>\n<listen>unix:path={}</listen>\n<auth>EXTERNAL</auth>\n\
         <policy context='default'>\n<allow send_destination='*' eavesdrop='true'/>\n<allow eavesdrop='true'/>\n\
         <allow own='*'/>\n<allow user='*'/>\n</policy>\n</busconfig>\n",
        socket.display()
    );
    let cannot = |error: std::io::Error| Error::system(format!("cannot write '{}'", configuration.display()), &error);
    std::fs::write(&configuration, text).map_err(cannot)?;
    let mut spawn = Spawn::new(program("dbus-daemon", "<graphics type='dbus'>")?).arg("--nofork");
    spawn = spawn.arg(format!("--config-file={}", configuration.display()));
    if let Some(user) = user {
        spawn = spawn.uid_gid(user.uid, user.gid, &user.groups);
    }
    Ok(Plan {
        name: format!("the bus of {short_name}"),
        serves: Serves::Bus,
        first: Vec::new(),
        spawn,
        socket: Some(socket),
        user: user.cloned(),
        pid_file: pid_file(layout, short_name),
        files: vec![configuration],
    })
}
