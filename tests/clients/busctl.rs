//! Sessions of busctl: the same one against virtqemud's own name and against libvirt-dbus's, which virtproxyd relays.

use std::fs;

use virtbus_tests::ledger::tests_dir;
use virtbus_tests::transcript;
use virtbus_tests::world::{Door, World};

fn check_session(name: &str, bus_name: &str) {
    let text = fs::read_to_string(tests_dir().join("clients/busctl").join(name)).unwrap();
    let world = World::start();
    let uuid = "11111111-2222-3333-4444-555555555555";
    let path = format!("/org/libvirt/QEMU/domain/_{}", uuid.replace('-', "_"));
    world.write("dom.xml", &world.domain("vm", "").replace("<name>", &format!("<uuid>{uuid}</uuid><name>")));
    let shell = || {
        let mut shell = world.client("sh", Door::Proxy);
        let call = format!("busctl --system call {bus_name}");
        shell
            .env("NAME", bus_name)
            .env("CALL", &call)
            .env("QEMU", format!("{call} /org/libvirt/QEMU org.libvirt.Connect"));
        shell.env("VM", format!("{call} {path} org.libvirt.Domain")).env("VM_PATH", &path);
        shell.env("GET", "busctl --system get-property").env("SET", "busctl --system set-property");
        shell
    };
    if let Err(why) = transcript::run(&text, shell) {
        panic!("{name} against {bus_name}, {why}\n{}\n{}", world.stack.log("virtqemud"), world.stack.log("virtproxyd"));
    }
}

#[test]
fn lifecycle_of_the_daemons_own_name() {
    check_session("lifecycle.txt", "org.libvirt.virtqemud");
}

#[test]
fn lifecycle_of_the_legacy_name() {
    check_session("lifecycle.txt", "org.libvirt");
}

#[test]
fn objects_and_properties() {
    check_session("objects.txt", "org.libvirt.virtqemud");
}
