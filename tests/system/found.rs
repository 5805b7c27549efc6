//! Daemons started by root without `--root`: they use the system's paths, and a plain virsh finds them.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use virtbus_tests::host::{Host, said};
use xtask::command::wait_for;

use super::{EMPTY, start};

/// Through virtproxyd, whatever else is there.
const LEGACY: &str = "qemu:///system?mode=legacy";

fn mode(host: &Host, socket: &str) -> u32 {
    fs::metadata(host.path(format!("/run/libvirt/{socket}"))).unwrap().permissions().mode() & 0o777
}

fn exists(host: &Host, path: &str) -> bool {
    host.path(path).exists()
}

#[test]
fn a_plain_virsh_finds_them_and_a_bus_is_not_missed() {
    let host = Host::new();
    let plain = |args: &[&str]| said(host.command("virsh").args(args));
    let mut virtqemud = start(&host, "virtqemud", &[]);
    assert_eq!(host.virsh(&["uri"]).unwrap(), "qemu:///system");
    // Debian's clients look for virtqemud only when told its driver; else for the one socket of all.
    let refused = plain(&["uri"]).unwrap_err();
    assert!(refused.contains("/libvirt/libvirt-sock"), "{refused}");
    let _virtproxyd = start(&host, "virtproxyd", &[]);
    assert_eq!(plain(&["uri"]).unwrap(), "qemu:///system");
    for (socket, permissions) in [("-sock", 0o666), ("-sock-ro", 0o666), ("-admin-sock", 0o600)] {
        for stem in ["virtqemud", "libvirt"] {
            assert_eq!(mode(&host, &format!("{stem}{socket}")), permissions, "{stem}{socket}");
        }
    }
    for daemon in ["virtqemud", "virtproxyd"] {
        let pids = host.pids(daemon).iter().map(ToString::to_string).collect::<String>();
        assert_eq!(host.read(&format!("/run/{daemon}.pid")).trim(), pids);
    }

    host.write("/run/vm.xml", EMPTY);
    plain(&["define", "/run/vm.xml"]).unwrap();
    plain(&["start", "vm"]).unwrap();
    for path in [
        "/etc/libvirt/qemu/vm.xml",
        "/run/libvirt/qemu/vm.xml",
        "/run/libvirt/qemu/vm.pid",
        "/var/lib/libvirt/qemu/domain-1-vm",
        "/var/log/libvirt/qemu/vm.log",
    ] {
        assert!(exists(&host, path), "{path}");
    }
    host.virsh(&["autostart", "vm"]).unwrap();
    assert!(host.path("/etc/libvirt/qemu/autostart/vm.xml").is_symlink());
    assert_eq!(host.virsh(&["domstate", "vm"]).unwrap(), "running");

    // Without virtqemud virsh turns to virtproxyd, which says whom it misses; the guest runs on.
    host.signal("virtqemud", "TERM");
    assert_eq!(virtqemud.code(), Some(0));
    for name in ["virtqemud-sock", "virtqemud-sock-ro", "virtqemud-admin-sock"] {
        assert!(!exists(&host, &format!("/run/libvirt/{name}")), "{name}");
    }
    assert!(!exists(&host, "/run/virtqemud.pid"));
    let refused = host.virsh(&["list"]).unwrap_err();
    assert!(refused.contains("'/run/libvirt/virtqemud-sock': No such file or directory"), "{refused}");
    assert_eq!(host.pids("qemu-system").len(), 1);

    let _virtqemud = start(&host, "virtqemud", &[]);
    assert_eq!(host.virsh(&["domstate", "vm"]).unwrap(), "running");
    assert_eq!(plain(&["list", "--name"]).unwrap(), "vm");
    plain(&["destroy", "vm"]).unwrap();
    plain(&["undefine", "vm"]).unwrap();
    assert!(!exists(&host, "/etc/libvirt/qemu/vm.xml") && host.pids("qemu-system").is_empty());
}

#[test]
fn anybody_may_read_and_root_alone_may_write() {
    let host = Host::new();
    let _virtqemud = start(&host, "virtqemud", &[]);
    let _virtproxyd = start(&host, "virtproxyd", &[]);
    super::start_guest(&host);
    assert_eq!(host.virsh_of_user(&["-r", "-c", "qemu:///system", "domstate", "vm"]).unwrap(), "running");
    assert_eq!(host.virsh_of_user(&["-r", "-c", LEGACY, "domstate", "vm"]).unwrap(), "running");
    let refused = host.virsh_of_user(&["-r", "-c", LEGACY, "destroy", "vm"]).unwrap_err();
    assert!(refused.contains("read only access prevents") || refused.contains("forbidden"), "{refused}");
    // Nobody is there who could let the user in: that is said at once.
    for uri in ["qemu:///system", LEGACY] {
        let refused = host.virsh_of_user(&["-c", uri, "list"]).unwrap_err();
        let asked = "there is no polkit to ask about 'org.libvirt.unix.manage'";
        assert!(refused.contains("error from service") && refused.contains(asked), "{refused}");
    }
}

#[test]
fn a_group_may_be_let_in_by_the_configuration() {
    let host = Host::new();
    // The user's own group; other than root nobody else is in it.
    let open = "unix_sock_group = \"nogroup\"\nunix_sock_rw_perms = \"0660\"\n";
    host.write("/etc/libvirt/virtproxyd.conf", &format!("{open}auth_unix_rw = \"sasl\"\n"));
    host.write("/etc/libvirt/virtqemud.conf", &format!("{open}auth_unix_rw = \"none\"\n"));
    let _virtqemud = start(&host, "virtqemud", &[]);
    let mut virtproxyd = start(&host, "virtproxyd", &[]);
    for stem in ["virtqemud", "libvirt"] {
        assert_eq!(mode(&host, &format!("{stem}-sock")), 0o660);
        assert_eq!(fs::metadata(host.path(format!("/run/libvirt/{stem}-sock"))).unwrap().gid(), 65534);
    }
    // The permissions decide where nothing else is to: libvirt's own rule.
    host.write("/run/vm.xml", EMPTY);
    host.virsh_of_user(&["-c", "qemu:///system", "define", "/run/vm.xml"]).unwrap();
    let refused = host.virsh_of_user(&["-c", LEGACY, "list"]).unwrap_err();
    assert!(refused.contains("user 65534 may not use this socket"), "{refused}");
    host.signal("virtproxyd", "TERM");
    virtproxyd.code();
    host.write("/etc/libvirt/virtproxyd.conf", &format!("{open}auth_unix_rw = \"none\"\n"));
    let _virtproxyd = start(&host, "virtproxyd", &[]);
    host.virsh_of_user(&["-c", LEGACY, "undefine", "vm"]).unwrap();
    // Administration stays with root.
    let refused = said(host.command_of_user("virt-admin").args(["-c", "virtqemud:///system", "srv-list"])).unwrap_err();
    assert!(refused.contains("Permission denied"), "{refused}");
    let told = said(host.command("virt-admin").args(["-c", "virtqemud:///system", "srv-list"])).unwrap();
    assert!(told.contains("virtqemud") && told.contains("admin"), "{told}");
}

#[test]
fn a_definition_marked_for_it_starts_with_the_host() {
    let host = Host::new();
    let mut virtqemud = start(&host, "virtqemud", &[]);
    host.write("/run/vm.xml", EMPTY);
    host.virsh(&["define", "/run/vm.xml"]).unwrap();
    host.virsh(&["autostart", "vm"]).unwrap();
    host.signal("virtqemud", "TERM");
    virtqemud.code();
    // A boot empties /run.
    fs::remove_dir_all(host.path("/run/libvirt")).unwrap();
    let mut virtqemud = start(&host, "virtqemud", &[]);
    let running = || host.virsh(&["domstate", "vm"]).unwrap() == "running";
    assert!(wait_for(super::BOOT, || running().then_some(())).is_some(), "{}", virtqemud.log());
    // Once a boot: one that was ended on purpose stays so over a restart of the daemon.
    host.virsh(&["destroy", "vm"]).unwrap();
    host.signal("virtqemud", "TERM");
    virtqemud.code();
    let _virtqemud = start(&host, "virtqemud", &[]);
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert!(!running());
}
