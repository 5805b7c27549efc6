//! Cards whose end on the host is a script's or an administrator's.

use virtbus_tests::world::{Door, World};

#[test]
fn scripts_plug_a_tap_in_and_out() {
    let world = World::start();
    let said = |args: &[&str]| {
        let out = world.stack.inside("ip").args(args).output().unwrap();
        assert!(out.status.success(), "ip {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let script = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        let path = world.write(name, &format!("#!/bin/sh\n{text}\n"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    };
    let log = world.files().join("log");
    let up = script("up", &format!("echo up $1 >> {}; ip link set $1 alias plugged", log.display()));
    let down = script("down", &format!("echo down $1 >> {}", log.display()));
    let no = script("no", "echo not today >&2; exit 7");
    let define = |name: &str, devices: &str| {
        let file = format!("{name}.xml");
        world.write(&file, &world.domain(name, devices));
        world.virsh(Door::Proxy, &["define", &file]);
    };
    define(
        "scripted",
        &format!(
            "<interface type='ethernet'><mac address='52:54:00:00:00:08'/>\
             <source><ip address='10.8.0.1' prefix='24'/><route family='ipv4' address='10.9.0.0' prefix='24' \
             gateway='10.8.0.9'/></source><script path='{up}'/><downscript path='{down}'/>\
             <target dev='guest8'/><model type='virtio'/><mtu size='1400'/></interface>"
        ),
    );
    world.virsh(Door::Proxy, &["start", "scripted", "--paused"]);
    let tap = said(&["-d", "link", "show", "dev", "guest8"]);
    assert!(tap.contains("alias plugged") && tap.contains("mtu 1400") && tap.contains(",UP"), "{tap}");
    assert!(said(&["addr", "show", "dev", "guest8"]).contains("inet 10.8.0.1/24"));
    assert!(said(&["route"]).contains("10.9.0.0/24 via 10.8.0.9 dev guest8"));
    world.virsh(Door::Proxy, &["destroy", "scripted"]);
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "up guest8\ndown guest8\n");

    define("refused", &format!("<interface type='ethernet'><script path='{no}'/><target dev='guest9'/></interface>"));
    let why = world.try_virsh(Door::Proxy, &["start", "refused"]).unwrap_err();
    assert!(why.contains("exit status 7") && why.contains("not today"), "{why}");
    assert!(!said(&["-o", "link"]).contains("guest9"));

    // One that an administrator has made stays.
    said(&["tuntap", "add", "dev", "theirs", "mode", "tap"]);
    let card = |dev: &str| format!("<interface type='ethernet'><target dev='{dev}' managed='no'/></interface>");
    define("managed", &card("theirs"));
    world.virsh(Door::Proxy, &["start", "managed", "--paused"]);
    world.virsh(Door::Proxy, &["destroy", "managed"]);
    assert!(said(&["-o", "link"]).contains("theirs"));
    define("absent", &card("nobodys"));
    let why = world.try_virsh(Door::Proxy, &["start", "absent"]).unwrap_err();
    assert!(why.contains("target managed='no' but specified dev doesn't exist"), "{why}");
}
