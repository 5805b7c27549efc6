//! Procedures and events of the wire: each row of the table, and whether anything answers or sends it.

use std::collections::BTreeSet;
use std::fs;

use virtbus_proto::{ADMIN, Entry, KEEPALIVE, Owner, QEMU, REMOTE};
use virtbus_tests::ledger::{Ledger, check_file, tests_dir};

/// What the connection itself answers, before any front sees it (`common/rpc/src/server/session.rs`, `keepalive.rs`).
const BY_THE_CONNECTION: [&str; 5] = ["AUTH_LIST", "AUTH_POLKIT", "CONNECT_SET_IDENTITY", "PING", "PONG"];

#[test]
fn the_ledger_is_true() {
    let routes = virtbus_rpc_front::routes();
    let routed: BTreeSet<_> = routes.served().iter().map(|it| (it.program.number(), it.number)).collect();
    let sent = fs::read_to_string(tests_dir().join("../common/rpc-front/src/frames.rs")).unwrap();
    let served = |entry: &Entry| {
        BY_THE_CONNECTION.contains(&entry.name)
            || if entry.event {
                encodes(&sent, &type_name(entry))
            } else {
                routed.contains(&(entry.program.number(), entry.number))
            }
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

/// `DOMAIN_EVENT_REBOOT` is the type `DomainEventReboot`; the QEMU program's types begin with their program's name.
fn type_name(entry: &Entry) -> String {
    let camel = |word: &str| match word.split_at_checked(1) {
        Some((first, rest)) => format!("{first}{}", rest.to_lowercase()),
        None => String::new(),
    };
    let prefix = if entry.program == virtbus_proto::Program::Qemu { "Qemu" } else { "" };
    format!("{prefix}{}", entry.name.split('_').map(camel).collect::<String>())
}

/// Whether the source makes a value of that type.
fn encodes(source: &str, name: &str) -> bool {
    source.match_indices(name).any(|(at, _)| {
        let begins = !source[..at].ends_with(|it: char| it.is_alphanumeric());
        begins && source[at + name.len()..].starts_with(" {")
    })
}

fn owner(owner: Owner) -> &'static str {
    match owner {
        Owner::Session => "connection",
        Owner::Qemu => "virtqemud",
        Owner::Network => "virtnetworkd",
        Owner::Storage => "virtstoraged",
    }
}
