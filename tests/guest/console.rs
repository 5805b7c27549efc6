//! What goes in and out: the console, keys, the screen.

use std::fs;

use virtbus_tests::world::{Door, World};
use xtask::guest::PROMPT;

use super::{BOOT, SOON, boot};

const SCREEN: &str = "<graphics type='vnc' autoport='yes' listen='127.0.0.1'/><video><model type='vga'/></video>";

#[test]
fn a_shell_answers_and_the_keyboard_and_screen_work() {
    let world = World::start();
    let mut console = boot(&world, Door::Proxy, SCREEN);
    let told = console.command("expr 6 '*' 7", SOON).unwrap();
    assert!(told.contains("42"), "{told}");
    assert!(world.virsh(Door::Direct, &["vncdisplay", "vm"]).starts_with("127.0.0.1:"));

    let said = world.virsh(Door::Proxy, &["screenshot", "vm", "screen"]);
    let picture = fs::read(world.files().join("screen")).unwrap();
    assert!(picture.starts_with(b"\x89PNG") || picture.starts_with(b"P6\n"), "{said}: {:?}", picture.get(..8));
    assert!(picture.len() > 500, "{} bytes", picture.len());

    // The shell on the screen writes to the serial port.
    let keys = "KEY_E KEY_C KEY_H KEY_O KEY_SPACE KEY_A KEY_LEFTSHIFT,KEY_DOT";
    for key in keys.split(' ') {
        let combination: Vec<_> = key.split(',').collect();
        world.virsh(Door::Direct, &[&["send-key", "vm"], combination.as_slice()].concat());
    }
    for key in "KEY_SLASH KEY_D KEY_E KEY_V KEY_SLASH KEY_T KEY_T KEY_Y".split(' ') {
        world.virsh(Door::Direct, &["send-key", "vm", key]);
    }
    world.virsh(Door::Direct, &["send-key", "vm", "KEY_LEFTSHIFT", "KEY_S"]);
    for key in ["KEY_0", "KEY_ENTER"] {
        world.virsh(Door::Direct, &["send-key", "vm", key]);
    }
    console.expect("a\r\n", SOON).unwrap();

    world.virsh(Door::Proxy, &["send-key", "vm", "KEY_LEFTCTRL", "KEY_LEFTALT", "KEY_DELETE"]);
    console.expect("virtbus guest is up", BOOT).unwrap();
    console.expect(PROMPT, BOOT).unwrap();
}

#[test]
fn a_console_has_one_user_unless_taken_by_force() {
    let world = World::start();
    world.virsh(Door::Proxy, &["create", "vm.xml", "--paused"]);
    let uri = world.stack.uri("virtqemud-sock");
    let mut first = xtask::console::Console::open(&world.stack, &uri, "vm", "").unwrap();
    first.expect("Escape character", SOON).unwrap();
    let mut second = xtask::console::Console::open(&world.stack, &uri, "vm", "").unwrap();
    let said = second.closed(SOON).unwrap();
    assert!(said.contains("Active console session exists for this domain"), "{said}");
    let mut third = super::open(&world, Door::Proxy);
    third.expect("Escape character", SOON).unwrap();
    first.closed(SOON).unwrap();
}
