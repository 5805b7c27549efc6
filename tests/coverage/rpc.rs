//! Procedures and events of the wire: each row of the table, and whether anything answers or sends it.

use virtbus_proto::{ADMIN, Entry, KEEPALIVE, Owner, QEMU, REMOTE};
use virtbus_tests::ledger::{Ledger, check_file};

/// What the connection itself answers, before any front sees it (`common/rpc/src/server/session.rs`, `keepalive.rs`).
const BY_THE_CONNECTION: [&str; 5] = ["AUTH_LIST", "AUTH_POLKIT", "CONNECT_SET_IDENTITY", "PING", "PONG"];

#[test]
fn the_ledger_is_true() {
    let of_front = virtbus_rpc_front::served();
    let served = |entry: &Entry| {
        let same = |it: &&Entry| (it.program, it.number) == (entry.program, entry.number);
        BY_THE_CONNECTION.contains(&entry.name) || of_front.iter().any(same)
    };
    let mut ledger = Ledger::default();
    for entry in REMOTE.iter().chain(&QEMU).chain(&ADMIN).chain(&KEEPALIVE) {
        let kind = if entry.event { "event" } else { "call" };
        let program = format!("{:?}", entry.program).to_lowercase();
        let name = format!("{program} {:>3} {} ({kind}, {})", entry.number, entry.name, owner(entry.owner));
        ledger.add(name, served(entry));
    }
    let heading = "Procedures and events: program, number, name, what it is, whose it is.\n\
                   A call is served when it has a route; an event when the front can put it into a frame.";
    check_file("coverage/rpc.txt", &ledger.text(heading));
}

fn owner(owner: Owner) -> &'static str {
    match owner {
        Owner::Session => "connection",
        Owner::Qemu => "virtqemud",
        Owner::Network => "virtnetworkd",
        Owner::Storage => "virtstoraged",
    }
}
