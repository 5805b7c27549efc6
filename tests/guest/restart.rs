//! The daemon dies and comes back; the guest does not notice.

use virtbus_tests::world::{Door, World};

use super::{SOON, boot, open, wait_state};

#[test]
fn a_guest_outlives_its_daemon() {
    let mut world = World::start();
    let mut console = boot(&world, Door::Proxy, "");
    console.command("marker=kept", SOON).unwrap();
    world.stack.service("virtqemud").unwrap().kill().unwrap();
    // virsh does not notice; a person would leave by Ctrl-].
    drop(console);
    world.stack.start_daemon("virtqemud").unwrap();

    assert_eq!(world.virsh(Door::Proxy, &["domstate", "vm"]), "running");
    assert_eq!(world.virsh(Door::Proxy, &["domid", "vm"]), "1");
    let mut console = open(&world, Door::Proxy);
    console.prompt(SOON).unwrap();
    let told = console.command("echo it-is-$marker", SOON).unwrap();
    assert!(told.contains("it-is-kept"), "{told}");
    let told = world.virsh(Door::Direct, &["qemu-monitor-command", "vm", "--hmp", "info status"]);
    assert_eq!(told, "VM status: running");

    // Events still come: the daemon learns that the guest stops by itself.
    console.send("poweroff -f").unwrap();
    wait_state(&world, "shut off (shutdown)");

    // A guest that ends while no daemon looks is found to have ended.
    world.virsh(Door::Proxy, &["start", "vm", "--paused"]);
    world.stack.service("virtqemud").unwrap().kill().unwrap();
    xtask::processes::end(world.stack.root(), &["qemu-"]).unwrap();
    world.stack.start_daemon("virtqemud").unwrap();
    wait_state(&world, "shut off (crashed)");
}
