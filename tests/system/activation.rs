//! Sockets that a service manager opened and passes on, by the names of their units or by where they lie.

use std::process::Command;

use virtbus_tests::host::{Host, PROGRAMS, said};
use xtask::command::wait_for;

use super::start;

/// `systemd-socket-activate` listening on these sockets of `/run/libvirt`; it becomes the daemon at the first connection.
fn activate(host: &Host, sockets: &[&str], names: Option<&str>, daemon: &[&str]) -> Command {
    let mut command = host.command("systemd-socket-activate");
    for socket in sockets {
        command.args(["-l", &format!("/run/libvirt/{socket}")]);
    }
    if let Some(names) = names {
        command.arg(format!("--fdname={names}"));
    }
    // It hands on only what it is told to.
    command.args(["-E", "NOTIFY_SOCKET"]).arg(format!("{PROGRAMS}/{}", daemon[0])).args(&daemon[1..]);
    std::fs::create_dir_all(host.path("/run/libvirt")).unwrap();
    command
}

/// Waits until the sockets are there: only then does a client wait instead of failing.
fn listening(host: &Host, last: &str) {
    let path = host.path(format!("/run/libvirt/{last}"));
    assert!(wait_for(super::BOOT, || path.exists().then_some(())).is_some());
}

fn admin(host: &Host, args: &[&str]) -> Result<String, String> {
    said(host.command("virt-admin").args(["-c", "virtqemud:///system"]).args(args))
}

#[test]
fn sockets_are_known_by_name() {
    let host = Host::new();
    // The order is not the daemon's, so that a mistake shows.
    let sockets = ["virtqemud-admin-sock", "virtqemud-sock-ro", "virtqemud-sock"];
    let names = "virtqemud-admin.socket:virtqemud-ro.socket:virtqemud.socket";
    let mut command = activate(&host, &sockets, Some(names), &["virtqemud", "--timeout", "2"]);
    let mut daemon = host.begin("virtqemud", &mut command);
    listening(&host, sockets[2]);
    super::start_guest(&host);
    daemon.expect("READY=1");
    assert_eq!(host.virsh(&["-r", "domstate", "vm"]).unwrap(), "running");
    assert!(admin(&host, &["srv-list"]).unwrap().contains("virtqemud"));
    let refused = host.virsh(&["-r", "destroy", "vm"]).unwrap_err();
    assert!(refused.contains("read only access"), "{refused}");
    host.virsh(&["destroy", "vm"]).unwrap();
    // It leaves when it is idle, and leaves the sockets: they are the service manager's.
    assert_eq!(daemon.code(), Some(0));
    for socket in sockets {
        assert!(host.path(format!("/run/libvirt/{socket}")).exists(), "{socket}");
    }
}

#[test]
fn sockets_without_names_are_known_by_their_place() {
    let host = Host::new();
    let sockets = ["virtqemud-sock-ro", "virtqemud-sock"];
    let mut daemon = host.begin("virtqemud", &mut activate(&host, &sockets, None, &["virtqemud"]));
    listening(&host, sockets[1]);
    let refused = host.virsh(&["-r", "create", "/dev/null"]).unwrap_err();
    assert!(!refused.contains("connect"), "{refused}");
    daemon.expect("READY=1");
    host.virsh(&["list"]).unwrap();
    // What the service manager did not open stays closed.
    assert!(admin(&host, &["srv-list"]).is_err());
    assert!(!host.path("/run/libvirt/virtqemud-admin-sock").exists());
}

#[test]
fn virtproxyd_is_activated_too_and_wakes_virtqemud() {
    let host = Host::new();
    let proxy = ["libvirt-sock", "libvirt-sock-ro"];
    let names = "virtproxyd.socket:virtproxyd-ro.socket";
    let mut virtproxyd = host.begin("virtproxyd", &mut activate(&host, &proxy, Some(names), &["virtproxyd"]));
    let qemu = ["virtqemud-sock", "virtqemud-sock-ro"];
    let names = "virtqemud.socket:virtqemud-ro.socket";
    let mut virtqemud = host.begin("virtqemud", &mut activate(&host, &qemu, Some(names), &["virtqemud"]));
    listening(&host, proxy[1]);
    listening(&host, qemu[1]);
    assert_eq!(host.virsh(&["-r", "-c", "qemu:///system?mode=legacy", "list", "--name"]).unwrap(), "");
    host.virsh(&["-c", "qemu:///system?mode=legacy", "list"]).unwrap();
    virtproxyd.expect("READY=1");
    virtqemud.expect("READY=1");
}

#[test]
fn a_descriptor_of_nobody_is_closed_and_said() {
    let host = Host::new();
    let mut command = activate(&host, &["virtqemud-sock", "other"], Some("virtqemud.socket:other"), &["virtqemud"]);
    let mut daemon = host.begin("virtqemud", &mut command);
    listening(&host, "other");
    host.virsh(&["list"]).unwrap();
    daemon.expect("READY=1");
    daemon.expect_log("the passed descriptor \"other\" is none of this daemon's sockets");
    drop(daemon);
    // A second daemon sees the first one, sockets or not.
    let mut second = host.begin("second", &mut super::command(&host, "virtqemud", &[]));
    assert_eq!(second.code(), Some(1));
    assert!(second.log().contains("another daemon (pid "), "{}", second.log());
}

#[test]
fn it_goes_to_the_background_by_itself() {
    let host = Host::new();
    host.write("/etc/libvirt/virtqemud.conf", "log_level = 2\n");
    said(&mut super::command(&host, "virtqemud", &["-d", "--pid-file", "/run/mine.pid"])).unwrap();
    host.virsh(&["list"]).unwrap();
    assert_eq!(host.read("/run/mine.pid").trim(), host.pids("virtqemud")[0].to_string());
    let log = host.read("/var/log/libvirt/virtqemud.log");
    assert!(log.contains("listening on /run/libvirt/virtqemud-sock"), "{log}");
    let refused = said(&mut super::command(&host, "virtqemud", &["-d", "--pid-file", "/run/mine.pid"])).unwrap_err();
    assert!(refused.contains("another daemon (pid "), "{refused}");
    let _proxy = start(&host, "virtproxyd", &[]);
    host.signal("virtqemud", "TERM");
    assert!(wait_for(super::BOOT, || host.pids("virtqemud").is_empty().then_some(())).is_some());
    assert!(!host.path("/run/mine.pid").exists());
}
