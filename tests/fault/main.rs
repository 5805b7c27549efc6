//! What goes wrong around the daemons: they are killed, a QEMU hangs, a client misbehaves, the disk is full.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test may block")]

mod clients;
mod disk;
mod documents;
mod hang;
mod kill;
mod start;

use virtbus_tests::world::{Door, World};
use xtask::client::{Client, Refused};

/// A connection by one of the doors.
fn client(world: &World, door: Door) -> Client {
    Client::open(&world.stack.socket(door.socket())).unwrap()
}

/// The error's number, when the server sent one.
fn code(why: &anyhow::Error) -> Option<i32> {
    why.downcast_ref::<Refused>().map(|it| it.0.code)
}

/// A guest without devices of its own: quick to start, and nothing in it runs.
fn empty_domain(name: &str) -> String {
    format!(
        "<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>\
         <os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
    )
}
