//! A real QEMU and a guest that boots in it: what a user sees when it runs, is told to stop, and outlives its daemon.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test may block")]

mod console;
mod devices;
mod fixture;
mod included;
mod power;
mod restart;
mod row;
mod rows;

use std::time::{Duration, Instant};

use virtbus_tests::world::{Door, World};
use xtask::console::Console;
use xtask::guest::PROMPT;

/// Booting takes four seconds on a machine that does nothing else.
const BOOT: Duration = Duration::from_secs(90);
const SOON: Duration = Duration::from_secs(20);

/// Defines and starts a guest with these devices, and waits for its prompt.
fn boot(world: &World, door: Door, devices: &str) -> Console {
    world.write("booted.xml", &world.domain("vm", devices));
    world.virsh(door, &["define", "booted.xml"]);
    world.virsh(door, &["start", "vm"]);
    let mut console = open(world, door);
    console.expect(PROMPT, BOOT).unwrap();
    console
}

fn open(world: &World, door: Door) -> Console {
    Console::open(&world.stack, &world.stack.uri(door.socket()), "vm", "--force").unwrap()
}

/// Waits until the domain's state and its reason are these.
fn wait_state(world: &World, state: &str) {
    let end = Instant::now() + SOON;
    let mut last = String::new();
    while Instant::now() < end {
        last = world.virsh(Door::Direct, &["domstate", "vm", "--reason"]);
        if last == state {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the state is {last}, not {state}");
}
