//! How daemons start, stop and are found: on a host's own paths, by a user, by a service manager.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test may block")]

mod activation;
mod found;
mod life;
mod session;
mod shipped;
mod systemd;

use std::process::Command;
use std::time::Duration;

use virtbus_tests::host::{Daemon, Host, PROGRAMS};

/// Booting takes four seconds on a machine that does nothing else.
const BOOT: Duration = Duration::from_secs(90);

/// A guest without devices of its own: quick to start, and nothing in it runs.
const EMPTY: &str = "<domain type='qemu'><name>vm</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>\
                     <os><type arch='x86_64' machine='q35'>hvm</type></os></domain>";

/// One of the daemons, with what follows its name on the command line.
fn command(host: &Host, daemon: &str, args: &[&str]) -> Command {
    let mut command = host.command(format!("{PROGRAMS}/{daemon}"));
    command.args(args);
    command
}

/// One of the daemons, started by root as a person would: ready.
fn start(host: &Host, daemon: &str, args: &[&str]) -> Daemon {
    host.daemon(daemon, &mut command(host, daemon, args))
}

/// Defines and starts the guest [`EMPTY`].
fn start_guest(host: &Host) {
    host.write("/run/vm.xml", EMPTY);
    host.virsh(&["define", "/run/vm.xml"]).unwrap();
    host.virsh(&["start", "vm"]).unwrap();
}
