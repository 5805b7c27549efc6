//! Every row of the wire against every kind of daemon: what is served answers, what is not says so by its name, and a
//! read-only connection gets no further than its rights.
#![allow(clippy::expect_used, reason = "a test's steps may fail the test")]

mod stand;

use std::collections::BTreeSet;

use stand::Stand;
use virtbus_proto::{
    Access, Entry, Owner, QEMU, REMOTE,
    testing::{Source, shapes},
};
use virtbus_rpc::client::{Connection, Request};

/// The code that a call with arguments made up is refused with; 0 where it is served.
async fn code(client: &Connection, entry: &Entry) -> i32 {
    let shape = shapes().find(|it| (it.entry.program, it.entry.number) == (entry.program, entry.number));
    let body = (shape.expect("a shape").arguments.sample)(&mut Source::new(7)).expect("a sample");
    let request = Request { program: entry.program, procedure: entry.number, body, fds: Vec::new() };
    match client.request(request).await {
        Ok(_) => 0,
        Err(error) => error.refusal().unwrap_or_else(|| panic!("{}: {error}", entry.name)).code,
    }
}

fn rows() -> impl Iterator<Item = &'static Entry> {
    REMOTE.iter().chain(&QEMU).copied().filter(|it| !it.event && it.owner != Owner::Session)
}

async fn check<S>(stand: &Stand<S>, served: &[&Entry], at_least: usize) {
    let served: BTreeSet<_> = served.iter().map(|it| (it.program.number(), it.number)).collect();
    let writer = stand.client().await;
    let reader = Connection::connect(&stand.socket("sock-ro")).await.expect("connects");
    reader.open(stand.uri, false).await.expect("opens");
    let closed = Connection::connect(&stand.socket("sock")).await.expect("connects");
    closed.authenticate().await.expect("authenticates");
    let mut answered = 0;
    for entry in rows() {
        assert_eq!(code(&closed, entry).await, 1, "{}: before the connection is open", entry.name);
        let (written, read) = (code(&writer, entry).await, code(&reader, entry).await);
        if !served.contains(&(entry.program.number(), entry.number)) {
            assert_eq!((written, read), (3, 3), "{} is not served", entry.name);
            continue;
        }
        answered += 1;
        assert_ne!(written, 29, "{}: refused to a connection that may write", entry.name);
        if entry.access == Access::Write {
            assert_eq!(read, 29, "{}: allowed to a connection that may only read", entry.name);
        }
    }
    assert!(answered >= at_least, "only {answered} rows are served");
}

#[tokio::test]
async fn of_a_hypervisor() {
    check(&Stand::new(), virtbus_rpc_front::routes().served(), 80).await;
}

#[tokio::test]
async fn of_a_storage_daemon() {
    let routes = virtbus_rpc_front::storage_routes();
    let missing: Vec<_> = routes.missing(Owner::Storage).map(|it| it.name).collect();
    assert!(missing.is_empty(), "{missing:?}");
    check(&Stand::of_storage(), routes.served(), 55).await;
}

#[tokio::test]
async fn of_a_network_daemon() {
    let routes = virtbus_rpc_front::network_routes();
    let missing: Vec<_> = routes.missing(Owner::Network).map(|it| it.name).collect();
    let others = |it: &&&str| !it.contains("INTERFACE") && !it.contains("NWFILTER");
    assert_eq!(missing.iter().filter(others).collect::<Vec<_>>(), [&""; 0]);
    check(&Stand::of_network(), routes.served(), 33).await;
}
