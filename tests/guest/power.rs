//! Shutting down and rebooting by ACPI, and from inside.

use virtbus_tests::world::{Door, World};
use xtask::guest::PROMPT;

use super::{BOOT, boot, open, wait_state};

#[test]
fn acpi_reboots_and_shuts_down() {
    let world = World::start();
    let mut console = boot(&world, Door::Proxy, "");
    world.virsh(Door::Proxy, &["reboot", "vm", "--mode", "acpi"]);
    console.expect("virtbus guest is up", BOOT).unwrap();
    console.expect(PROMPT, BOOT).unwrap();
    assert_eq!(world.virsh(Door::Proxy, &["domid", "vm"]), "1", "a reboot is no new start");
    world.virsh(Door::Direct, &["shutdown", "vm"]);
    wait_state(&world, "shut off (shutdown)");

    world.virsh(Door::Proxy, &["start", "vm"]);
    let mut console = open(&world, Door::Direct);
    console.prompt(BOOT).unwrap();
    console.send("poweroff -f").unwrap();
    wait_state(&world, "shut off (shutdown)");
}
