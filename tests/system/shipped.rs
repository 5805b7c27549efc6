//! The files that are installed beside the daemons: units, D-Bus policy and activation, manual pages.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use virtbus_tests::host::{Host, said};
use xtask::command::{program, wait_for, workspace};

use super::{command, start, start_guest};

const NAMES: [&str; 4] =
    ["org.libvirt.virtqemud", "org.libvirt", "org.libvirt.virtstoraged", "org.libvirt.virtnetworkd"];

fn files(directory: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let entries = fs::read_dir(workspace().join(directory)).unwrap().flatten().map(|it| it.path());
    let wanted = |path: &PathBuf| path.extension().is_some_and(|it| extensions.iter().any(|wanted| it == *wanted));
    let mut found: Vec<_> = entries.filter(wanted).collect();
    found.sort();
    assert!(!found.is_empty(), "{directory}");
    found
}

#[test]
fn systemd_accepts_the_units() {
    let dir = tempfile::tempdir().unwrap();
    let mut units = Vec::new();
    for unit in files("systemd", &["service", "socket"]) {
        // The programs lie where they were built.
        let text = fs::read_to_string(&unit).unwrap();
        let built = xtask::build::Profile::Debug.bin_dir();
        let text = text.replace("/usr/sbin/", &format!("{}/", built.display()));
        let copy = dir.path().join(unit.file_name().unwrap());
        fs::write(&copy, text).unwrap();
        units.push(copy);
    }
    xtask::build::daemons(xtask::build::Profile::Debug).unwrap();
    let out =
        program("systemd-analyze").args(["verify", "--man=no", "--recursive-errors=no"]).args(&units).output().unwrap();
    let text = String::from_utf8_lossy(&out.stderr);
    let own: Vec<_> = text.lines().filter(|line| line.contains("virt")).collect();
    assert!(out.status.success() && own.is_empty(), "{text}");
}

/// Whether the call is refused for who makes it: the bus starts polkit where that is installed, which wants a password.
fn is_no(refused: &str) -> bool {
    refused.contains("denied") || refused.contains("no polkit agent available")
}

#[test]
fn the_policy_lets_root_own_the_names_and_everybody_call() {
    let host = Host::new();
    for policy in files("systemd/dbus", &["conf"]) {
        let name = policy.file_name().unwrap().to_str().unwrap().to_owned();
        host.write(&format!("/etc/dbus-1/system.d/{name}"), &fs::read_to_string(&policy).unwrap());
    }
    fs::create_dir_all(host.path("/run/dbus")).unwrap();
    // The daemons come first: a bus that is late is found.
    let _daemons = ["virtqemud", "virtproxyd", "virtstoraged", "virtnetworkd"].map(|daemon| start(&host, daemon, &[]));
    let mut bus = host.command("dbus-daemon");
    bus.args(["--nofork", "--nopidfile", "--config-file=/usr/share/dbus-1/system.conf"]);
    let bus = host.begin("dbus-daemon", &mut bus);
    let busctl = |args: &[&str]| said(host.command("busctl").arg("--system").args(args));
    let of_user = |args: &[&str]| said(host.command_of_user("busctl").arg("--system").args(args));
    for name in NAMES {
        let owned = wait_for(super::BOOT, || busctl(&["status", name]).ok());
        assert!(owned.is_some_and(|it| it.contains("UID=0")), "{name} is not owned\n{}", bus.log());
    }

    start_guest(&host);
    let (connect, path) = ("org.libvirt.Connect", "/org/libvirt/QEMU");
    for name in &NAMES[..2] {
        let told = of_user(&["call", name, path, connect, "ListDomains", "u", "0"]).unwrap();
        assert!(told.starts_with("ao 1 \"/org/libvirt/QEMU/domain/_"), "{told}");
        let domain = told.split('"').nth(1).unwrap().to_owned();
        let refused = of_user(&["call", name, &domain, "org.libvirt.Domain", "Destroy", "u", "0"]).unwrap_err();
        assert!(is_no(&refused), "{refused}");
    }
    // What each of the others has, by its own name and by the old one.
    let secret = "<secret><uuid>21111111-2222-3333-4444-555555555555</uuid></secret>";
    let network = "<network><name>n</name><uuid>11111111-2222-3333-4444-555555555555</uuid></network>";
    for (own, list, define, document) in [
        (NAMES[2], "ListSecrets", ["SecretDefineXML", "su"], [secret, "0"].as_slice()),
        (NAMES[3], "ListNetworks", ["NetworkDefineXML", "s"], &[network]),
    ] {
        for (name, is_first) in [(own, true), (NAMES[1], false)] {
            assert_eq!(of_user(&["call", name, path, connect, list, "u", "0"]).unwrap(), "ao 0");
            let defining = [&["call", name, path, connect], define.as_slice(), document].concat();
            let refused = of_user(&defining).unwrap_err();
            assert!(is_no(&refused), "{refused}");
            let defined = busctl(&defining).unwrap();
            assert!(defined.starts_with("o \"/org/libvirt/QEMU/"), "{defined}");
            let (object, interface) = (defined.split('"').nth(1).unwrap(), define[0].trim_end_matches("DefineXML"));
            let interface = format!("org.libvirt.{interface}");
            let refused = of_user(&["call", name, object, &interface, "Undefine"]).unwrap_err();
            assert!(is_no(&refused), "{refused}");
            let other = if is_first { NAMES[1] } else { own };
            busctl(&["call", other, object, &interface, "Undefine"]).unwrap();
        }
    }
    for name in NAMES {
        let bus = "org.freedesktop.DBus";
        let take = ["call", bus, "/org/freedesktop/DBus", bus, "RequestName", "su", name, "7"];
        let refused = of_user(&take).unwrap_err();
        assert!(refused.contains("Access denied"), "{refused}");
        // Root may own it, and is told that somebody has it.
        assert_eq!(busctl(&take).unwrap(), "u 3");
    }
    assert_eq!(host.virsh(&["domstate", "vm"]).unwrap(), "running");
}

#[test]
fn the_manual_names_the_options_that_are_there() {
    let host = Host::new();
    for daemon in ["virtqemud", "virtstoraged", "virtnetworkd", "virtproxyd"] {
        let help = said(&mut command(&host, daemon, &["--help"])).unwrap();
        let page = fs::read_to_string(workspace().join(format!("docs/man/{daemon}.8"))).unwrap();
        let plain = page.replace('\\', "").replace("fB", "").replace("fI", "").replace("fR", "");
        let options = |text: &str| -> BTreeSet<String> {
            let words = text.split(|it: char| !(it.is_ascii_alphanumeric() || it == '-'));
            words.filter(|it| it.starts_with("--") && it.len() > 2).map(ToOwned::to_owned).collect()
        };
        assert_eq!(options(&help), options(&plain), "{daemon}");
        let version = said(&mut command(&host, daemon, &["--version"])).unwrap();
        assert!(version.starts_with(&format!("{daemon} (libvirt) 11.3.0\n")), "{version}");
        for unit in files("systemd", &["socket"]) {
            let name = unit.file_name().unwrap().to_str().unwrap().to_owned();
            if name.starts_with(daemon) {
                assert!(plain.contains(&name), "{name} is not in {daemon}(8)");
            }
        }
    }
}
