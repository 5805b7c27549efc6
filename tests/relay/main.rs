//! The relay from outside: calls that another daemon owns, through the proxy and directly, while that daemon is absent.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use virtbus_tests::ledger::tests_dir;
use virtbus_tests::transcript;
use virtbus_tests::world::{DOORS, World};

#[test]
fn the_owner_is_absent() {
    let text = fs::read_to_string(tests_dir().join("relay/absent.txt")).unwrap();
    for door in DOORS {
        let world = World::start();
        if let Err(why) = transcript::run(&text, || world.client("sh", door)) {
            panic!("through {door:?}, {why}\n{}", world.stack.log("virtqemud"));
        }
    }
}
