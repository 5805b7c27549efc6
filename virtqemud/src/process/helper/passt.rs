//! `passt`, which carries a guest's traffic over the host's own sockets, without privileges.

use std::path::PathBuf;

use virtbus_api::Result;
use virtbus_host::process::Spawn;
use virtbus_schema::domain::device::interface::{
    Interface, InterfaceBackend, InterfaceBackendKind, InterfaceKind, PortForward, PortForwardProtocol,
    PortForwardRange,
};

use super::{Plan, Serves, make_directory, program};
use crate::config::{Layout, User};

/// Whether it serves a card.
pub(crate) fn serves(it: &Interface) -> bool {
    it.backend.as_ref().is_some_and(|it| it.kind == Some(InterfaceBackendKind::Passt))
}

/// Where QEMU reaches it.
pub(crate) fn socket(layout: &Layout, short_name: &str, alias: &str) -> PathBuf {
    layout.run.join("passt").join(format!("{short_name}-{alias}.socket"))
}

/// Where its pid is kept.
pub(crate) fn pid_file(layout: &Layout, short_name: &str, alias: &str) -> PathBuf {
    layout.run.join("passt").join(format!("{short_name}-{alias}-passt.pid"))
}

/// What is to be run for a card. Makes directories.
///
/// # Errors
/// passt is not installed, or a directory cannot be made.
pub(crate) fn plan(
    it: &Interface,
    alias: &str,
    layout: &Layout,
    short_name: &str,
    user: Option<&User>,
) -> Result<Option<Plan>> {
    if !serves(it) {
        return Ok(None);
    }
    let socket = socket(layout, short_name, alias);
    make_directory(&layout.run.join("passt"), 0o750, user)?;
    // One that died may have left its socket.
    let _ = std::fs::remove_file(&socket);
    let mut spawn = Spawn::new(program("passt", "<backend type='passt'>")?).args(["--foreground", "--one-off"]);
    if it.kind == InterfaceKind::VhostUser {
        spawn = spawn.arg("--vhost-user");
    }
    spawn = spawn.arg("--socket").arg(&socket);
    if let Some(device) = it.source.as_ref().and_then(|it| it.dev.as_ref()) {
        spawn = spawn.args(["--interface", device]);
    }
    if let Some(InterfaceBackend { log_file: Some(log), .. }) = &it.backend {
        spawn = spawn.args(["--log-file", log]);
    }
    for ip in &it.ips {
        spawn = spawn.args(["--address", &ip.address.to_string()]);
        // An IPv6 network has one size.
        if let Some(prefix) = ip.prefix.filter(|_| ip.address.is_ipv4()) {
            spawn = spawn.args(["--netmask", &prefix.to_string()]);
        }
    }
    for forward in &it.port_forwards {
        let option = if forward.proto == PortForwardProtocol::Udp { "--udp-ports" } else { "--tcp-ports" };
        spawn = spawn.args([option, &ports(forward)]);
    }
    match user {
        Some(user) => spawn = spawn.uid_gid(user.uid, user.gid, &user.groups),
        // It would make itself nobody, who may not write where its socket is to be.
        None if nix::unistd::geteuid().is_root() => spawn = spawn.args(["--runas", "0:0"]),
        None => {}
    }
    Ok(Some(Plan {
        name: format!("passt of {alias}"),
        serves: Serves::Card(alias.to_owned()),
        first: Vec::new(),
        spawn,
        socket: Some(socket),
        user: user.cloned(),
        pid_file: pid_file(layout, short_name, alias),
        files: Vec::new(),
    }))
}

/// `ADDRESS%DEVICE/22:2022,1000-1010,~1005`.
fn ports(it: &PortForward) -> String {
    let PortForward { proto: _, address, dev, ranges } = it;
    let mut text = address.map(|it| it.to_string()).unwrap_or_default();
    if let Some(device) = dev {
        text.push('%');
        text.push_str(device);
    }
    if !text.is_empty() {
        text.push('/');
    }
    let range = |it: &PortForwardRange| {
        let PortForwardRange { start, end, to, exclude } = it;
        let not = if exclude.is_some_and(|it| it.is_on()) { "~" } else { "" };
        let end = end.filter(|it| it != start).map(|it| format!("-{it}")).unwrap_or_default();
        let to = to.map(|to| {
            let last = it.end.filter(|end| end != start).map(|end| to.saturating_add(end.saturating_sub(*start)));
            format!(":{to}{}", last.map(|it| format!("-{it}")).unwrap_or_default())
        });
        format!("{not}{start}{end}{}", to.unwrap_or_default())
    };
    let ranges: Vec<String> = ranges.iter().map(range).collect();
    text.push_str(if ranges.is_empty() { "all" } else { "" });
    text.push_str(&ranges.join(","));
    text
}
