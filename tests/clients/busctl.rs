//! Sessions of busctl: the same ones against each daemon's own name and against libvirt-dbus's, which virtproxyd relays.

use std::fs;

use virtbus_tests::ledger::tests_dir;
use virtbus_tests::transcript;
use virtbus_tests::world::{Door, World};

const LEGACY: &str = "org.libvirt";

fn path(folder: &str, uuid: &str) -> String {
    format!("/org/libvirt/QEMU/{folder}/_{}", uuid.replace('-', "_"))
}

fn check_session(name: &str, bus_name: &str) {
    let text = fs::read_to_string(tests_dir().join("clients/busctl").join(name)).unwrap();
    let world = World::start();
    let uuid = "11111111-2222-3333-4444-555555555555";
    let vm = path("domain", uuid);
    world.write("dom.xml", &world.domain("vm", "").replace("<name>", &format!("<uuid>{uuid}</uuid><name>")));
    let shell = || {
        let mut shell = world.client("sh", Door::Proxy);
        let call = format!("busctl --system call {bus_name}");
        let root = format!("{call} /org/libvirt/QEMU org.libvirt.Connect");
        shell.env("NAME", bus_name).env("CALL", &call).env("QEMU", &root).env("ROOT_CALL", &root);
        shell.env("VM", format!("{call} {vm} org.libvirt.Domain")).env("VM_PATH", &vm);
        shell.env("POOL", path("storagepool", uuid));
        shell.env("NETWORK", path("network", "22222222-2222-3333-4444-555555555555"));
        shell.env("SECRET", path("secret", "33333333-3333-3333-3333-333333333333"));
        shell.env("GET", "busctl --system get-property").env("SET", "busctl --system set-property");
        shell
    };
    if let Err(why) = transcript::run(&text, shell) {
        let logs = ["virtqemud", "virtstoraged", "virtnetworkd", "virtproxyd"].map(|it| world.stack.log(it));
        panic!("{name} against {bus_name}, {why}\n{}", logs.join("\n"));
    }
}

#[test]
fn lifecycle_of_the_daemons_own_name() {
    check_session("lifecycle.txt", "org.libvirt.virtqemud");
}

#[test]
fn lifecycle_of_the_legacy_name() {
    check_session("lifecycle.txt", LEGACY);
}

#[test]
fn objects_and_properties() {
    check_session("objects.txt", "org.libvirt.virtqemud");
}

#[test]
fn networks_of_the_daemons_own_name() {
    check_session("networks.txt", "org.libvirt.virtnetworkd");
}

#[test]
fn networks_of_the_legacy_name() {
    check_session("networks.txt", LEGACY);
}

#[test]
fn pools_of_the_daemons_own_name() {
    check_session("pools.txt", "org.libvirt.virtstoraged");
}

#[test]
fn pools_of_the_legacy_name() {
    check_session("pools.txt", LEGACY);
}

#[test]
fn secrets_of_the_daemons_own_name() {
    check_session("secrets.txt", "org.libvirt.virtstoraged");
}

#[test]
fn secrets_of_the_legacy_name() {
    check_session("secrets.txt", LEGACY);
}

#[test]
fn all_daemons_under_the_legacy_name() {
    check_session("whole.txt", LEGACY);
}
