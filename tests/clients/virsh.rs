//! Sessions of virsh, each through the proxy and directly. One file, one stack of its own for each way.

use std::fs;

use virtbus_tests::ledger::tests_dir;
use virtbus_tests::transcript;
use virtbus_tests::world::{DOORS, World};

fn check_session(name: &str) {
    let text = fs::read_to_string(tests_dir().join("clients/virsh").join(name)).unwrap();
    for door in DOORS {
        let world = World::start();
        if let Err(why) = transcript::run(&text, || world.client("sh", door)) {
            panic!("{name} through {door:?}, {why}\n{}", world.stack.log("virtqemud"));
        }
    }
}

#[test]
fn connect() {
    check_session("connect.txt");
}

#[test]
fn define() {
    check_session("define.txt");
}

#[test]
fn lifecycle() {
    check_session("lifecycle.txt");
}

#[test]
fn read_only() {
    check_session("read-only.txt");
}

#[test]
fn malformed() {
    check_session("malformed.txt");
}

#[test]
fn events() {
    check_session("events.txt");
}
