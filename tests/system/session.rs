//! A user's own daemon: started by the client that needs it, beside nothing of root's.

use std::os::unix::fs::PermissionsExt as _;

use virtbus_tests::host::{Host, PROGRAMS, USER, said};
use xtask::command::wait_for;
use xtask::console::Console;
use xtask::guest::PROMPT;

use super::BOOT;

const URI: &str = "qemu:///session";

/// Debian's clients start a daemon of one piece unless told that there is one per driver.
fn prefer_direct(host: &Host) {
    host.write(&format!("{}/.config/libvirt/libvirt.conf", host.home()), "remote_mode = \"direct\"\n");
    said(host.command("chown").args(["-R", &USER.to_string(), &host.home()])).unwrap();
}

#[test]
fn a_user_boots_a_guest() {
    let host = Host::new();
    prefer_direct(&host);
    let mut first = host.command_of_user("virsh");
    said(first.env("VIRTD_PATH", PROGRAMS).args(["-c", URI, "uri"])).unwrap();
    let run = format!("/run/user/{USER}/libvirt");
    let words = host.read(&format!("/proc/{}/cmdline", host.pids("virtqemud")[0]));
    assert_eq!(words.split('\0').nth(1), Some("--timeout=120"));
    for socket in ["virtqemud-sock", "virtqemud-admin-sock"] {
        let found = host.path(format!("{run}/{socket}")).metadata().unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{socket}");
    }
    assert!(!host.path(format!("{run}/virtqemud-sock-ro")).exists());

    host.write("/run/vm.xml", &host.bootable("vm"));
    host.virsh_of_user(&["define", "/run/vm.xml"]).unwrap();
    host.virsh_of_user(&["start", "vm"]).unwrap();
    let mut script = host.command_of_user("script");
    script.args(["-qfec", &format!("virsh -c {URI} console vm --force"), "/dev/null"]);
    let mut console = Console::of(script).unwrap();
    console.expect(PROMPT, BOOT).unwrap();
    let told = console.command("expr 6 '*' 7", BOOT).unwrap();
    assert!(told.contains("42"), "{told}");
    drop(console);

    let home = host.home();
    for path in [
        format!("{home}/.config/libvirt/qemu/vm.xml"),
        format!("{run}/qemu/run/vm.pid"),
        format!("{home}/.cache/libvirt/qemu/log/vm.log"),
    ] {
        assert!(host.path(&path).exists(), "{path}");
    }
    assert!(!host.path("/run/libvirt").exists() && !host.path("/etc/libvirt/qemu").exists());
    let told = host.virsh_of_user(&["capabilities"]).unwrap();
    assert!(!told.contains("<secmodel>") || !told.contains("64055"), "{told}");

    // virtproxyd of the same user leads there too.
    let mut virtproxyd = host.command_of_user(format!("{PROGRAMS}/virtproxyd"));
    let _virtproxyd = host.daemon("virtproxyd", &mut virtproxyd);
    assert_eq!(host.virsh_of_user(&["-c", "qemu:///session?mode=legacy", "domstate", "vm"]).unwrap(), "running");
    host.virsh_of_user(&["destroy", "vm"]).unwrap();
    host.virsh_of_user(&["undefine", "vm"]).unwrap();
    assert!(host.pids("qemu-system").is_empty());
}

#[test]
fn root_and_a_user_do_not_meet() {
    let host = Host::new();
    prefer_direct(&host);
    let _virtqemud = super::start(&host, "virtqemud", &[]);
    super::start_guest(&host);
    let mut own = host.command_of_user(format!("{PROGRAMS}/virtqemud"));
    // No directory for sockets: the cache takes them, as the clients expect.
    own.env_remove("XDG_RUNTIME_DIR").args(["--timeout", "1"]);
    let mut own = host.daemon("own", &mut own);
    let mut virsh = host.command_of_user("virsh");
    let list = said(virsh.env_remove("XDG_RUNTIME_DIR").args(["-c", URI, "list", "--all", "--name"]));
    assert_eq!(list.unwrap(), "");
    assert_eq!(own.code(), Some(0));
    assert_eq!(host.virsh(&["list", "--name"]).unwrap(), "vm");
    let left = wait_for(super::BOOT, || (host.pids("virtqemud").len() == 1).then_some(()));
    assert!(left.is_some());
}
