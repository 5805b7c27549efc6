//! What a client sees of a server: answers, errors, order, limits, and what a broken client gets.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code: a panic is a failed test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use support::{LIB_VERSION, Plain, Raw, connect, domain, file, open, read_file, serve, until};
use tokio::io::AsyncWriteExt;
use virtbus_proto::events::DomainEventLifecycle;
use virtbus_proto::table::device::{DomainFdAssociate, DomainOpenGraphicsFd};
use virtbus_proto::table::domain::{DomainResume, DomainShutdown, DomainSuspend};
use virtbus_proto::table::node::{ConnectGetHostname, ConnectGetLibVersion};
use virtbus_proto::table::session::{ConnectSetIdentity, ConnectSupportsFeature};
use virtbus_proto::{Header, MessageType, Procedure, Program, Status, Xdr};
use virtbus_rpc::auth::{Admission, Policy};
use virtbus_rpc::client::{CallError, Request};
use virtbus_rpc::error::Failure;
use virtbus_rpc::keepalive::{Patience, ping, pong};
use virtbus_rpc::peer::{Client, Identity, SocketKind};
use virtbus_rpc::server::{Limits, Server};

fn call(procedure: i32) -> Header {
    Header::call(Program::Remote, procedure, 7)
}

#[tokio::test]
async fn a_session_from_opening_to_closing() {
    let service = Plain::new("host");
    let (server, connection) = open(&service).await;
    assert_eq!(*server.client_count().borrow(), 1);
    assert_eq!(connection.call(&ConnectGetHostname {}).await.unwrap().hostname, "host");
    assert_eq!(connection.call(&ConnectGetLibVersion {}).await.unwrap().lib_ver, LIB_VERSION);
    assert!(service.client().is_open() && !service.client().is_read_only());
    connection.close().await.unwrap();
    connection.ended().await;
    assert!(matches!(connection.call(&ConnectGetHostname {}).await, Err(CallError::Ended(_))));
    service.client().closed().await;
    until("the count goes down", || *server.client_count().borrow() == 0).await;
    assert_eq!(service.gone.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn bad_input_is_answered_as_the_reference_does() {
    let (_server, socket) = serve(Plain::new("host"), Limits::default());
    let mut raw = Raw::new(socket);
    let cases = [
        (Header { version: 2, ..call(66) }, "Cannot find program 536903814 version 2"),
        (Header { program: 5, ..call(66) }, "Cannot find program 5 version 1"),
        (Header { program: Program::Admin.number(), ..call(1) }, "Cannot find program 110102160 version 1"),
        (Header { kind: MessageType::Call, ..ping() }, "Cannot find program 1801807216 version 1"),
        (call(9999), "unknown procedure: 9999"),
        (call(0), "unknown procedure: 0"),
        (call(-1), "unknown procedure: -1"),
        (call(107), "unknown procedure: 107"),
    ];
    for (header, text) in cases {
        let seen = raw.error(header, &[]).await;
        assert_eq!((seen.code, seen.domain, seen.level, seen.int1, seen.int2), (39, 7, 2, -1, -1));
        assert_eq!(seen.message.as_deref(), Some(text));
        assert_eq!((seen.str1.as_deref(), seen.str2.as_deref()), (Some("%s"), Some(text)));
    }
    // A status that no call has: known or not.
    for status in [1_u8, 2, 9] {
        let mut bytes = 28_u32.to_be_bytes().to_vec();
        bytes.extend(call(66).encode());
        bytes[27] = status;
        raw_bytes(&mut raw, &bytes).await;
        let frame = raw.receive().await;
        assert_eq!(frame.header, call(66).answer(MessageType::Reply, Status::Error));
        let seen = virtbus_proto::error::ErrorMessage::from_bytes(frame.payload()).unwrap();
        assert_eq!(seen.message, Some(format!("Unexpected message status {status}")));
    }
    // What makes no sense from a client is dropped; the call behind it is answered.
    for kind in [MessageType::Reply, MessageType::Message, MessageType::Stream, MessageType::StreamHole] {
        raw.send(Header { kind, ..call(66) }, b"junk").await;
    }
    raw.send(Header { procedure: 5, ..ping() }, &[]).await;
    assert_eq!(raw.call(66, 8, &[]).await.header.serial, 8);
}

async fn raw_bytes(raw: &mut Raw, bytes: &[u8]) {
    // A frame that an outbox would not make is smuggled in as somebody else's.
    let frame =
        virtbus_rpc::frame::Frame { header: call(66), raw: bytes::Bytes::copy_from_slice(bytes), fds: Vec::new() };
    raw.0.outbox.forward(frame);
    raw.0.flush().await.unwrap();
}

#[tokio::test]
async fn arguments_that_cannot_be_decoded_fail_their_call() {
    let (_server, socket) = serve(Plain::new("host"), Limits::default());
    let seen = Raw::new(socket).error(call(209), &[0, 0]).await;
    assert_eq!((seen.code, seen.message.as_deref()), (39, Some("Unable to decode message payload")));
}

#[tokio::test]
async fn garbage_closes_the_connection_and_nothing_else() {
    let service = Plain::new("host");
    let (server, connection) = open(&service).await;
    for garbage in [b"GET / HTTP/1.0\r\n\r\n".as_slice(), &27_u32.to_be_bytes(), &[0xff; 4096], &[0; 64]] {
        let mut socket = connect(&server, SocketKind::ReadWrite);
        // The server may close before all is written.
        let _ = socket.write_all(garbage).await;
        assert!(Raw::new(socket).is_closed().await, "{garbage:?}");
    }
    assert_eq!(connection.call(&ConnectGetHostname {}).await.unwrap().hostname, "host");
}

#[tokio::test]
async fn replies_come_when_they_are_ready() {
    let service = Plain::new("host");
    let (_server, connection) = open(&service).await;
    let slow = connection.clone();
    let slow = virtbus_host::task::spawn("slow", async move { slow.call(&DomainShutdown { dom: domain() }).await });
    until("the slow call runs", || service.begun.load(Ordering::SeqCst) == 1).await;
    assert_eq!(connection.call(&ConnectGetHostname {}).await.unwrap().hostname, "host");
    assert!(!slow.is_finished());
    service.gate.add_permits(1);
    slow.await.unwrap().unwrap();
}

#[tokio::test]
async fn many_requests_in_flight_are_slowed_down_not_refused() {
    let service = Plain::new("host");
    let (_server, socket) = serve(service.clone(), Limits::default());
    let mut raw = Raw::new(socket);
    let body = DomainShutdown { dom: domain() }.to_bytes().unwrap();
    for serial in 0..200 {
        raw.send(Header::call(Program::Remote, DomainShutdown::NUMBER, serial), &body).await;
    }
    until("as many run as may", || service.begun.load(Ordering::SeqCst) == 128).await;
    // Pings are answered, and calls of high priority overtake those that wait.
    raw.send(ping(), &[]).await;
    assert_eq!(raw.receive().await.header, pong());
    let seen = raw.call(ConnectGetHostname::NUMBER, 1000, &[]).await;
    assert_eq!((seen.header.serial, seen.header.status), (1000, Status::Ok));
    assert_eq!(service.begun.load(Ordering::SeqCst), 128);
    service.gate.add_permits(200);
    let mut serials = Vec::new();
    for _ in 0..200 {
        let frame = raw.receive().await;
        assert_eq!(frame.header.status, Status::Ok);
        serials.push(frame.header.serial);
    }
    serials.sort_unstable();
    assert_eq!(serials, (0..200).collect::<Vec<u32>>());
}

#[tokio::test]
async fn reading_stops_when_too_much_waits_and_the_client_hears_so() {
    let service = Plain::new("host");
    let limits = Limits { max_client_requests: 2, max_client_waiting: 4, ..Limits::default() };
    let (_server, socket) = serve(service.clone(), limits);
    let mut raw = Raw::new(socket);
    raw.send(ping(), &[]).await;
    assert_eq!(raw.receive().await.header, pong());
    let body = DomainShutdown { dom: domain() }.to_bytes().unwrap();
    for serial in 0..20 {
        raw.send(Header::call(Program::Remote, DomainShutdown::NUMBER, serial), &body).await;
    }
    raw.send(ping(), &[]).await;
    // The ping lies behind the calls, unread; a sign of life comes all the same.
    assert_eq!(raw.receive().await.header, pong());
    assert_eq!(service.begun.load(Ordering::SeqCst), 2);
    service.gate.add_permits(20);
    let mut replies = 0;
    while replies < 20 {
        replies += usize::from(raw.receive().await.header.kind == MessageType::Reply);
    }
}

#[tokio::test]
async fn a_panic_fails_its_call_alone() {
    let (_server, connection) = open(&Plain::new("host")).await;
    let at_once = connection.call(&DomainSuspend { dom: domain() }).await.unwrap_err();
    let later = connection.call(&DomainResume { dom: domain() }).await.unwrap_err();
    for seen in [at_once, later] {
        let seen = seen.refusal().unwrap();
        assert_eq!((seen.code, seen.domain), (1, 7));
    }
    assert_eq!(connection.call(&ConnectGetHostname {}).await.unwrap().hostname, "host");
}

#[tokio::test]
async fn descriptors_go_both_ways() {
    let (_server, connection) = open(&Plain::new("host")).await;
    let args = DomainFdAssociate { dom: domain(), name: "x".to_owned(), flags: 0 };
    let request = Request::of(&args).unwrap().with_fds(vec![file("one"), file("two"), file("three")]);
    let seen = connection.request(request).await.unwrap_err();
    assert_eq!(seen.refusal().unwrap().str2.as_deref(), Some("one,two,three"));
    let args = DomainOpenGraphicsFd { dom: domain(), idx: 0, flags: 0 };
    let mut frame = connection.request(Request::of(&args).unwrap()).await.unwrap();
    assert_eq!(frame.header.kind, MessageType::ReplyWithFds);
    assert_eq!(read_file(frame.fds.remove(0)), "host");
    // The stream of frames is still in step.
    assert_eq!(connection.call(&ConnectGetHostname {}).await.unwrap().hostname, "host");
}

#[tokio::test]
async fn events_arrive_in_order_and_before_what_follows_them() {
    let service = Plain::new("host");
    let (_server, connection) = open(&service).await;
    let mut events = connection.events();
    for detail in 0..100 {
        service.client().send_event(&DomainEventLifecycle { dom: domain(), event: 2, detail }).unwrap();
    }
    connection.call(&ConnectGetHostname {}).await.unwrap();
    for detail in 0..100 {
        let frame = events.try_recv().unwrap();
        assert_eq!(frame.header.procedure, 107);
        assert_eq!(DomainEventLifecycle::from_bytes(&frame.body).unwrap().detail, detail);
    }
}

#[tokio::test]
async fn who_does_not_read_its_events_is_disconnected() {
    let service = Plain::new("host");
    let limits = Limits { max_client_events: 50, ..Limits::default() };
    let (_server, socket) = serve(service.clone(), limits);
    until("the client is known", || !service.clients.lock().unwrap().is_empty()).await;
    let client = service.client();
    let body = bytes::Bytes::from(vec![0; 100_000]);
    let mut sent = 0;
    while client.send_message(Header::message(Program::Remote, 107), body.clone()).is_ok() {
        sent += 1;
        assert!(sent < 10_000, "nothing stops it");
        tokio::task::yield_now().await;
    }
    client.closed().await;
    drop(socket);
}

#[tokio::test]
async fn a_slow_reader_is_not_read_from_and_loses_nothing() {
    let service = Plain::new(&"x".repeat(1_000_000));
    let (_server, socket) = serve(service, Limits::default());
    let mut raw = Raw::new(socket);
    for serial in 0..50 {
        raw.0.outbox.push_empty(Header::call(Program::Remote, ConnectGetHostname::NUMBER, serial));
    }
    raw.0.flush().await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    for serial in 0..50 {
        let frame = raw.receive().await;
        assert_eq!((frame.header.serial, frame.payload().len()), (serial, 1_000_004));
    }
}

#[tokio::test(start_paused = true)]
async fn keepalive_is_answered_before_anything_else_and_runs_when_asked_for() {
    let limits = Limits { keepalive: Patience { interval: Duration::from_secs(1), count: 3 }, ..Limits::default() };
    let (_server, socket) = serve(Plain::new("host"), limits);
    let mut raw = Raw::new(socket);
    raw.send(ping(), &[]).await;
    assert_eq!(raw.receive().await.header, pong());
    // The server does not ping yet.
    assert!(tokio::time::timeout(Duration::from_secs(60), raw.0.receive()).await.is_err());
    let asked = ConnectSupportsFeature { feature: 10 }.to_bytes().unwrap();
    let reply = raw.call(ConnectSupportsFeature::NUMBER, 1, &asked).await;
    assert_eq!(reply.payload(), 1_i32.to_be_bytes());
    let begin = tokio::time::Instant::now();
    for _ in 0..3 {
        assert_eq!(raw.receive().await.header, ping());
    }
    assert!(raw.is_closed().await);
    assert_eq!(begin.elapsed().as_secs(), 4);
}

#[tokio::test]
async fn only_a_trusted_peer_sets_an_identity_on_an_open_connection() {
    let service = Plain::new("host");
    let (server, connection) = open(&service).await;
    assert_eq!(service.client().identity().uid, Some(u64::from(virtbus_host::fd::own_uid())));
    let identity = Identity { user_name: Some("alice".to_owned()), uid: Some(1000), ..Identity::default() };
    connection.call(&identity.to_call()).await.unwrap();
    assert_eq!(*service.client().identity(), identity);
    let closed = virtbus_rpc::client::Connection::new(connect(&server, SocketKind::ReadOnly)).expect("watched");
    let seen = closed.call(&ConnectSetIdentity { params: Vec::new(), flags: 0 }).await.unwrap_err();
    assert_eq!(seen.refusal().unwrap().message.as_deref(), Some("internal error: hypervisor connection not open"));
    assert!(service.client().is_read_only());
}

#[tokio::test]
async fn the_admin_socket_serves_its_own_program_only() {
    let (server, _socket) = serve(Plain::new("host"), Limits::default());
    let mut raw = Raw::new(connect(&server, SocketKind::Admin));
    let seen = raw.error(call(66), &[]).await;
    assert_eq!(seen.message.as_deref(), Some("Cannot find program 536903814 version 1"));
    raw.send(ping(), &[]).await;
    assert_eq!(raw.receive().await.header, pong());
    let seen = raw.error(Header::call(Program::Admin, 4, 0), &[]).await;
    assert_eq!(seen.code, 3);
}

#[tokio::test]
async fn draining_lets_running_calls_end() {
    let service = Plain::new("host");
    let (server, connection) = open(&service).await;
    let idle = virtbus_rpc::client::Connection::new(connect(&server, SocketKind::ReadWrite)).expect("watched");
    idle.authenticate().await.unwrap();
    let running = connection.clone();
    let running =
        virtbus_host::task::spawn("call", async move { running.call(&DomainShutdown { dom: domain() }).await });
    until("the call runs", || service.begun.load(Ordering::SeqCst) == 1).await;
    let drained = {
        let server: Server = server.clone();
        virtbus_host::task::spawn("drain", async move { server.drain(Duration::from_secs(30)).await })
    };
    idle.ended().await;
    assert!(!drained.is_finished());
    service.gate.add_permits(1);
    running.await.unwrap().unwrap();
    drained.await.unwrap();
    assert!(server.clients().is_empty());
}

#[tokio::test]
async fn draining_does_not_wait_for_ever() {
    let service = Plain::new("host");
    let (server, connection) = open(&service).await;
    let running =
        virtbus_host::task::spawn("call", async move { connection.call(&DomainShutdown { dom: domain() }).await });
    until("the call runs", || service.begun.load(Ordering::SeqCst) == 1).await;
    server.drain(Duration::from_millis(20)).await;
    assert!(matches!(running.await.unwrap(), Err(CallError::Ended(_))));
}

struct Nobody;

#[async_trait::async_trait]
impl Policy for Nobody {
    fn admission(&self, _client: &Client) -> Admission {
        Admission::Refused("nobody may".to_owned())
    }
}

/// Asks for polkit, which lets a client in at its second try.
struct SecondTry(std::sync::atomic::AtomicUsize);

#[async_trait::async_trait]
impl Policy for SecondTry {
    fn admission(&self, _client: &Client) -> Admission {
        Admission::Polkit
    }

    async fn ask_polkit(&self, _client: &Client) -> Result<(), Failure> {
        tokio::task::yield_now().await;
        match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => Err(virtbus_rpc::error::authentication_failed("")),
            _ => Ok(()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_is_told_so_and_must_go() {
    let server = Server::with_policy(Plain::new("host"), Arc::new(Nobody), Limits::default());
    let mut raw = Raw::new(connect(&server, SocketKind::ReadWrite));
    let seen = raw.error(call(66), &[]).await;
    assert_eq!((seen.code, seen.message.as_deref()), (45, Some("authentication failed: nobody may")));
    let seen = raw.error(call(157), &[]).await;
    assert_eq!((seen.code, seen.message.as_deref()), (39, Some("authentication required")));
    raw.send(ping(), &[]).await;
    assert_eq!(raw.receive().await.header, pong());
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert!(raw.is_closed().await);
}

#[tokio::test]
async fn polkit_lets_in_whom_it_lets_in() {
    let policy = Arc::new(SecondTry(0.into()));
    let server = Server::with_policy(Plain::new("host"), policy, Limits::default());
    let mut raw = Raw::new(connect(&server, SocketKind::ReadWrite));
    assert_eq!(raw.call(66, 0, &[]).await.payload(), [0, 0, 0, 1, 0, 0, 0, 2]);
    for (procedure, text) in
        [(67, "authentication failed"), (2, "authentication required"), (70, "authentication failed")]
    {
        assert_eq!(raw.error(call(procedure), &[]).await.message.as_deref(), Some(text));
    }
    assert_eq!(raw.call(70, 1, &[]).await.payload(), [0, 0, 0, 1]);
    assert_eq!(raw.call(66, 2, &[]).await.payload(), [0, 0, 0, 1, 0, 0, 0, 0]);
    assert_eq!(raw.call(ConnectGetHostname::NUMBER, 3, &[]).await.header.status, Status::Ok);
}

#[tokio::test]
async fn clients_beyond_the_limit_wait_for_their_turn() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sock");
    let server = Server::new(Plain::new("host"), Limits { max_clients: 1, ..Limits::default() });
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let accepting = server.clone();
    let accepting =
        virtbus_host::task::spawn("accept", async move { accepting.serve(listener, SocketKind::ReadWrite).await });
    let first = virtbus_rpc::client::Connection::connect(&path).await.unwrap();
    first.authenticate().await.unwrap();
    let second = virtbus_rpc::client::Connection::connect(&path).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(50), second.authenticate()).await.is_err());
    assert_eq!(server.clients().len(), 1);
    drop(first);
    second.authenticate().await.unwrap();
    server.drain(Duration::from_secs(5)).await;
    accepting.await.unwrap().unwrap();
}
