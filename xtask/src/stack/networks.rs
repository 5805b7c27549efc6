//! Networks outlive their daemon: those of a stack that sees the machine's network are stopped before it ends.

use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Result, bail};

use crate::command::program;

/// Stops the active networks of the stack below `root`. One whose daemon does not run is left: nobody is there to ask.
pub(super) fn stop(root: &Path) -> Result<()> {
    let socket = root.join("run/libvirt/virtnetworkd-sock");
    if UnixStream::connect(&socket).is_err() {
        return Ok(());
    }
    let uri = format!("network+unix:///system?socket={}", socket.display());
    // A daemon that does not answer must not hold up the end of the stack.
    let virsh = |args: &[&str]| program("timeout").args(["30", "virsh", "-q", "-c", &uri]).args(args).output();
    let active = virsh(&["net-list", "--name"])?;
    let mut left = Vec::new();
    for name in String::from_utf8_lossy(&active.stdout).lines().map(str::trim).filter(|it| !it.is_empty()) {
        if !virsh(&["net-destroy", name])?.status.success() {
            left.push(name.to_owned());
        }
    }
    if !left.is_empty() {
        bail!("networks that do not stop: {}", left.join(", "));
    }
    Ok(())
}
