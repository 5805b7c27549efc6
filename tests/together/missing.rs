//! A daemon that a guest needs and that is not there, or does not answer: the start fails and says which; what runs runs on.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use virtbus_tests::world::{Door, World};
use xtask::processes::signal;

const NETWORK: &str = "<network><name>lan</name><ip address='192.168.161.1' netmask='255.255.255.0'/></network>";
const CARD: &str = "<interface type='network'><source network='lan'/><model type='virtio'/></interface>";

fn define(world: &World, name: &str, devices: &str) {
    world.write("guest.xml", &world.domain(name, devices));
    world.virsh(Door::Direct, &["define", "guest.xml"]);
}

#[test]
fn a_start_names_the_daemon_that_is_absent_or_slow() {
    let mut world = World::start();
    world.write("lan.xml", NETWORK);
    world.virsh(Door::Direct, &["net-define", "lan.xml"]);
    world.virsh(Door::Direct, &["net-start", "lan"]);
    define(&world, "running", CARD);
    world.virsh(Door::Direct, &["start", "running", "--paused"]);
    define(&world, "vm", CARD);

    // It is there and says nothing.
    let pid = i32::try_from(world.stack.service("virtnetworkd").unwrap().pid()).unwrap();
    signal(pid, Signal::SIGSTOP);
    let begin = Instant::now();
    let why = world.try_virsh(Door::Direct, &["start", "vm"]).unwrap_err();
    signal(pid, Signal::SIGCONT);
    assert!(why.contains("virtnetworkd"), "{why}");
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    assert_eq!(world.virsh(Door::Direct, &["domstate", "vm"]), "shut off");

    // It is not there.
    world.stack.service("virtnetworkd").unwrap().kill().unwrap();
    let why = world.try_virsh(Door::Direct, &["start", "vm"]).unwrap_err();
    assert!(why.contains("virtnetworkd"), "{why}");
    assert_eq!(world.virsh(Door::Direct, &["domstate", "running"]), "paused");

    // It comes back, knows its network, and the port of the guest that ran on.
    world.stack.start_daemon("virtnetworkd").unwrap();
    assert!(world.virsh(Door::Direct, &["net-list", "--name"]).contains("lan"));
    world.virsh(Door::Direct, &["start", "vm", "--paused"]);
    assert_eq!(world.virsh(Door::Direct, &["net-port-list", "lan"]).lines().filter(|it| it.contains('-')).count(), 3);
    for name in ["vm", "running"] {
        world.virsh(Door::Direct, &["destroy", name]);
    }
    assert_eq!(world.virsh(Door::Direct, &["net-port-list", "lan"]).lines().filter(|it| it.contains('-')).count(), 1);

    // The same with volumes.
    define(
        &world,
        "disk",
        "<disk type='volume' device='disk'><source pool='none' volume='x'/><target dev='vda' bus='virtio'/></disk>",
    );
    let why = world.try_virsh(Door::Direct, &["start", "disk"]).unwrap_err();
    assert!(why.contains("none"), "{why}");
    world.stack.service("virtstoraged").unwrap().kill().unwrap();
    let why = world.try_virsh(Door::Direct, &["start", "disk"]).unwrap_err();
    assert!(why.contains("virtstoraged"), "{why}");
}
