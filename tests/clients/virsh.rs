//! Sessions of virsh, each through every door that leads to what it does. One file, one stack of its own for each way.

use std::fs;

use virtbus_tests::ledger::tests_dir;
use virtbus_tests::transcript;
use virtbus_tests::world::{DOORS, Door, World};

fn check_session(name: &str) {
    check_through(&DOORS, name);
}

fn check_through(doors: &[Door], name: &str) {
    let text = fs::read_to_string(tests_dir().join("clients/virsh").join(name)).unwrap();
    for door in doors {
        let world = World::start();
        if let Err(why) = transcript::run(&text, || world.client("sh", *door)) {
            let logs = ["virtqemud", "virtstoraged", "virtnetworkd"].map(|it| world.stack.log(it));
            panic!("{name} through {door:?}, {why}\n{}", logs.join("\n"));
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

#[test]
fn pools() {
    check_through(&[Door::Proxy, Door::Direct, Door::Storage], "pools.txt");
}

#[test]
fn volumes() {
    check_through(&[Door::Proxy, Door::Direct, Door::Storage], "volumes.txt");
}

#[test]
fn secrets() {
    check_through(&[Door::Proxy, Door::Direct, Door::Secret], "secrets.txt");
}

#[test]
fn networks() {
    check_through(&[Door::Proxy, Door::Direct, Door::Network], "networks.txt");
}

#[test]
fn drivers() {
    check_through(&[Door::Proxy], "drivers.txt");
}

#[test]
fn events_of_storage() {
    check_through(&[Door::Proxy, Door::Direct, Door::Storage], "storage-events.txt");
    check_through(&[Door::Proxy, Door::Direct, Door::Secret], "secret-events.txt");
}

#[test]
fn events_of_networks() {
    check_through(&[Door::Proxy, Door::Direct, Door::Network], "network-events.txt");
}
