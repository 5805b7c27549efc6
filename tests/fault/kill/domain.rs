//! A domain: defined, started, destroyed, undefined.

use std::time::Duration;

use virtbus_proto::table::domain::{
    DomainCreateWithFlags, DomainDefineXml, DomainDestroy, DomainGetState, DomainLookupByName, DomainUndefine,
};
use virtbus_proto::types::Domain;
use virtbus_tests::world::World;
use xtask::client::Client;

use super::super::{code, empty_domain};
use super::{NAME, Subject};

/// `VIR_DOMAIN_START_PAUSED`, `VIR_DOMAIN_PAUSED`, `VIR_DOMAIN_SHUTOFF`, and two of `virErrorNumber`.
const PAUSED: u32 = 1;
const STATE_PAUSED: i32 = 3;
const STATE_SHUTDOWN: i32 = 4;
const STATE_SHUTOFF: i32 = 5;
const NO_DOMAIN: i32 = 42;
const OPERATION_INVALID: i32 = 55;

#[test]
fn domains_are_not_lost() {
    let mut world = World::start();
    // Its QEMU may have been ended by the call that was broken off, and be found gone only now.
    let forgiven = &[OPERATION_INVALID];
    Subject { daemon: "virtqemud", uri: "qemu:///system", stages: 2, call, seen, forgiven }.survives(&mut world);
    let left = xtask::processes::holding(world.stack.root(), &["qemu-"]);
    assert!(left.is_empty(), "QEMUs that nobody knows: {left:?}");
}

fn call(connection: &mut Client, number: usize) -> anyhow::Result<()> {
    if number == 0 {
        return connection.call(&DomainDefineXml { xml: empty_domain(NAME) }).map(drop);
    }
    let dom = lookup(connection)?;
    match number {
        1 => connection.call(&DomainCreateWithFlags { dom, flags: PAUSED }).map(drop),
        2 => connection.call(&DomainDestroy { dom }),
        _ => connection.call(&DomainUndefine { dom }),
    }
}

fn lookup(connection: &mut Client) -> anyhow::Result<Domain> {
    Ok(connection.call(&DomainLookupByName { name: NAME.into() })?.dom)
}

fn seen(connection: &mut Client) -> usize {
    match lookup(connection) {
        Err(why) if code(&why) == Some(NO_DOMAIN) => 0,
        Err(why) => panic!("{why:#}"),
        Ok(dom) => loop {
            match connection.call(&DomainGetState { dom: dom.clone(), flags: 0 }).unwrap().state {
                STATE_PAUSED => return 2,
                STATE_SHUTOFF => return 1,
                // Its QEMU is about to end, or has: a moment later it is known.
                STATE_SHUTDOWN => std::thread::sleep(Duration::from_millis(10)),
                other => panic!("state {other}"),
            }
        },
    }
}
