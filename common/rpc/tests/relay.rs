//! Calls that other daemons own: present, absent, slow, dying.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code: a panic is a failed test")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use support::{LIB_VERSION, Plain, Raw, domain, file, listen, read_file, until};
use tempfile::TempDir;
use tokio::net::UnixStream;
use virtbus_host::task;
use virtbus_proto::events::DomainEventLifecycle;
use virtbus_proto::table::device::{DomainFdAssociate, DomainOpenConsole, DomainOpenGraphicsFd};
use virtbus_proto::table::domain::{ConnectDomainEventRegister, DomainShutdown};
use virtbus_proto::table::network::ConnectNumOfNetworks;
use virtbus_proto::table::node::{ConnectGetHostname, ConnectGetLibVersion};
use virtbus_proto::table::session::{ConnectOpen, ConnectRegisterCloseCallback};
use virtbus_proto::table::storage::{StorageVolDownload, StorageVolUpload};
use virtbus_proto::types::StorageVol;
use virtbus_proto::{Entry, Owner, Procedure, Program, Xdr};
use virtbus_rpc::auth::OwnUser;
use virtbus_rpc::call::{Call, Reply, Route, Service};
use virtbus_rpc::client::{CallError, Connection, Packet, Request};
use virtbus_rpc::error::Failure;
use virtbus_rpc::keepalive::{ping, pong};
use virtbus_rpc::peer::{Client, Identity, SocketKind};
use virtbus_rpc::relay::{Backends, Daemon, Opening};
use virtbus_rpc::server::{Limits, Server};

/// What a proxy does: everything is passed on, but for the end of a session.
struct Proxy;

#[async_trait]
impl Service for Proxy {
    fn route(&self, client: &Client, entry: &'static Entry, payload: &[u8]) -> Route {
        match (entry.owner, entry.number) {
            (Owner::Session, ConnectOpen::NUMBER) => {
                let ConnectOpen { name, flags } = ConnectOpen::from_bytes(payload).unwrap();
                if flags & 1 != 0 {
                    client.set_read_only();
                }
                Route::Open(Opening { owner: Owner::Qemu, name, flags })
            }
            (Owner::Session, 2) => Route::Serve,
            (Owner::Session, _) => Route::Relay(Owner::Qemu),
            _ => Route::ByOwner,
        }
    }

    async fn call(&self, _client: &Client, _call: Call) -> Result<Reply, Failure> {
        Ok(Reply::empty().closing())
    }
}

fn daemon(directory: &Path, name: &str) -> Daemon {
    Daemon { socket: directory.join(name), read_only_socket: None, uri: format!("{name}:///system") }
}

/// A proxy for the sockets `qemu`, `network` and `storage` of a directory.
struct Stage {
    directory: TempDir,
    server: Server,
}

impl Stage {
    fn new(service: Arc<dyn Service>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name| daemon(directory.path(), name);
        let backends = Backends::new()
            .with(Owner::Qemu, at("qemu"))
            .with(Owner::Network, at("network"))
            .with(Owner::Storage, at("storage"));
        let server = Server::relaying(service, Arc::new(OwnUser), Limits::default(), backends);
        Self { directory, server }
    }

    /// Starts a daemon at one of the sockets.
    fn start(&self, name: &str) -> (Arc<Plain>, Server, task::JoinHandle<()>) {
        let service = Plain::new(name);
        let path = self.directory.path().join(name);
        // A daemon that starts again takes its old socket away, as real ones do.
        let _ = std::fs::remove_file(&path);
        let (server, accepting) = listen(Arc::clone(&service), &path);
        (service, server, accepting)
    }

    fn socket(&self) -> UnixStream {
        support::connect(&self.server, SocketKind::ReadWrite)
    }

    async fn open(&self) -> Connection {
        let connection = Connection::new(self.socket()).expect("watched");
        connection.open("qemu:///system", false).await.unwrap();
        connection
    }
}

/// Stops a daemon as a crash would: its sockets close.
async fn kill((service, server, accepting): (Arc<Plain>, Server, task::JoinHandle<()>)) {
    accepting.abort();
    service.clients.lock().unwrap().iter().for_each(|it| it.disconnect("killed"));
    until("its clients are gone", || server.clients().is_empty()).await;
}

#[tokio::test]
async fn calls_go_to_the_daemons_that_own_them() {
    let stage = Stage::new(Arc::new(Proxy));
    let (qemu, ..) = stage.start("qemu");
    let (storage, ..) = stage.start("storage");
    let connection = stage.open().await;
    assert_eq!(connection.call(&ConnectGetHostname {}).await.unwrap().hostname, "qemu");
    assert_eq!(connection.call(&ConnectGetLibVersion {}).await.unwrap().lib_ver, LIB_VERSION);
    assert!(storage.clients.lock().unwrap().is_empty(), "nothing is opened before it is needed");
    let args = StorageVolDownload { vol: volume(), offset: 0, length: 1_000_000, flags: 0 };
    let (_, mut stream) = connection.call_stream(&args).await.unwrap();
    let mut total = 0;
    while let Some(Packet::Data(data)) = stream.receive().await {
        total += data.len();
    }
    assert_eq!(total, 1_000_000);
    stream.finish().await.unwrap();
    assert_eq!(storage.clients.lock().unwrap().len(), 1);
    connection.close().await.unwrap();
    connection.ended().await;
    qemu.client().closed().await;
    storage.client().closed().await;
}

fn volume() -> StorageVol {
    StorageVol { pool: "default".to_owned(), name: "a".to_owned(), key: "k".to_owned() }
}

#[tokio::test]
async fn an_absent_daemon_fails_its_own_calls_and_is_found_when_it_comes() {
    let stage = Stage::new(Arc::new(Proxy));
    let _qemu = stage.start("qemu");
    let connection = stage.open().await;
    let seen = connection.call(&ConnectNumOfNetworks {}).await.unwrap_err();
    let seen = seen.refusal().unwrap();
    let path = stage.directory.path().join("network");
    let text = format!("Failed to connect socket to '{}': No such file or directory", path.display());
    assert_eq!((seen.code, seen.domain, seen.int1, seen.int2), (38, 7, 2, -1));
    assert_eq!((seen.message.as_ref(), seen.str1.as_deref()), (Some(&text), Some("%s")));
    assert_eq!(connection.call(&ConnectGetHostname {}).await.unwrap().hostname, "qemu");
    let _network = stage.start("network");
    let seen = connection.call(&ConnectNumOfNetworks {}).await.unwrap_err();
    let expected = "this function is not supported: CONNECT_NUM_OF_NETWORKS by network";
    assert_eq!(seen.refusal().unwrap().message.as_deref(), Some(expected));
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_says_nothing_is_named_at_a_deadline() {
    let stage = Stage::new(Arc::new(Proxy));
    let path = stage.directory.path().join("qemu");
    let _silent = tokio::net::UnixListener::bind(&path).unwrap();
    let connection = Connection::new(stage.socket()).expect("watched");
    let seen = connection.open("qemu:///system", false).await.unwrap_err();
    let seen = seen.refusal().unwrap();
    assert_eq!(seen.code, 68);
    let message = seen.message.as_deref().unwrap();
    assert!(message.contains(&path.display().to_string()), "{message}");
}

#[tokio::test]
async fn an_open_that_fails_can_be_tried_again() {
    let stage = Stage::new(Arc::new(Proxy));
    let connection = Connection::new(stage.socket()).expect("watched");
    assert_eq!(connection.open("qemu:///system", false).await.unwrap_err().refusal().unwrap().code, 38);
    let seen = connection.call(&ConnectGetHostname {}).await.unwrap_err();
    assert_eq!(seen.refusal().unwrap().message.as_deref(), Some("internal error: hypervisor connection not open"));
    let _qemu = stage.start("qemu");
    connection.open("qemu:///system", false).await.unwrap();
    // A second one fails, and takes the first away.
    let seen = connection.open("qemu:///system", false).await.unwrap_err();
    assert_eq!(seen.refusal().unwrap().message.as_deref(), Some("internal error: connection already open"));
    assert!(connection.call(&ConnectGetHostname {}).await.is_err());
}

#[tokio::test]
async fn a_slow_daemon_holds_up_its_own_calls_alone() {
    let stage = Stage::new(Arc::new(Proxy));
    let (qemu, ..) = stage.start("qemu");
    let _storage = stage.start("storage");
    // Takes connections and never answers.
    let _network = std::os::unix::net::UnixListener::bind(stage.directory.path().join("network")).unwrap();
    let connection = stage.open().await;
    let stuck = connection.clone();
    let stuck = task::spawn("stuck", async move { stuck.call(&ConnectNumOfNetworks {}).await });
    let waiting = connection.clone();
    let waiting = task::spawn("slow", async move { waiting.call(&DomainShutdown { dom: domain() }).await });
    until("the call waits", || qemu.begun.load(Ordering::SeqCst) == 1).await;
    assert_eq!(connection.call(&ConnectGetHostname {}).await.unwrap().hostname, "qemu");
    let args = StorageVolUpload { vol: volume(), offset: 0, length: 0, flags: 0 };
    let (_, upload) = connection.call_stream(&args).await.unwrap();
    upload.send(bytes::Bytes::from(vec![1; 10_000_000])).await.unwrap();
    upload.finish().await.unwrap();
    assert!(!stuck.is_finished() && !waiting.is_finished());
    qemu.gate.add_permits(1);
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn keepalive_is_answered_by_the_proxy_whatever_its_daemons_do() {
    let stage = Stage::new(Arc::new(Proxy));
    let _qemu = std::os::unix::net::UnixListener::bind(stage.directory.path().join("qemu")).unwrap();
    let mut raw = Raw::new(stage.socket());
    let open = ConnectOpen { name: Some("qemu:///system".to_owned()), flags: 0 };
    raw.send(virtbus_proto::Header::call(Program::Remote, 1, 0), &open.to_bytes().unwrap()).await;
    raw.send(ping(), &[]).await;
    assert_eq!(raw.receive().await.header, pong());
}

#[tokio::test]
async fn a_dying_daemon_fails_what_it_owes_and_the_next_call_finds_its_successor() {
    let stage = Stage::new(Arc::new(Proxy));
    let qemu = stage.start("qemu");
    let _storage = stage.start("storage");
    let connection = stage.open().await;
    connection.call(&ConnectRegisterCloseCallback {}).await.unwrap();
    let mut events = connection.events();
    let (_, mut console) =
        connection.call_stream(&DomainOpenConsole { dom: domain(), dev_name: None, flags: 0 }).await.unwrap();
    let pending = connection.clone();
    let pending = task::spawn("pending", async move { pending.call(&DomainShutdown { dom: domain() }).await });
    until("the call waits", || qemu.0.begun.load(Ordering::SeqCst) == 1).await;
    kill(qemu).await;
    let Err(CallError::Refused(seen)) = pending.await.unwrap() else { panic!("it did not fail") };
    let text = "End of file while reading data: Input/output error";
    assert_eq!((seen.code, seen.int1, seen.message.as_deref()), (38, 5, Some(text)));
    assert!(matches!(console.receive().await, Some(Packet::Failed(_))));
    assert_eq!(events.recv().await.unwrap().header.procedure, 362);
    let seen = connection.call(&ConnectGetHostname {}).await.unwrap_err();
    assert_eq!(seen.refusal().unwrap().int1, 111, "connection refused");
    let _qemu = stage.start("qemu");
    assert_eq!(connection.call(&ConnectGetHostname {}).await.unwrap().hostname, "qemu");
}

#[tokio::test]
async fn a_client_with_registered_events_is_not_left_waiting_for_them() {
    let stage = Stage::new(Arc::new(Proxy));
    let qemu = stage.start("qemu");
    let connection = stage.open().await;
    let mut events = connection.events();
    connection.request(Request::of(&ConnectDomainEventRegister {}).unwrap()).await.unwrap();
    qemu.0.client().send_event(&DomainEventLifecycle { dom: domain(), event: 1, detail: 2 }).unwrap();
    assert_eq!(events.recv().await.unwrap().header.procedure, 107);
    kill(qemu).await;
    connection.ended().await;
}

#[tokio::test]
async fn descriptors_are_passed_on_both_ways() {
    let stage = Stage::new(Arc::new(Proxy));
    let _qemu = stage.start("qemu");
    let connection = stage.open().await;
    let args = DomainFdAssociate { dom: domain(), name: "x".to_owned(), flags: 0 };
    let request = Request::of(&args).unwrap().with_fds(vec![file("one"), file("two")]);
    let seen = connection.request(request).await.unwrap_err();
    assert_eq!(seen.refusal().unwrap().str2.as_deref(), Some("one,two"));
    let args = DomainOpenGraphicsFd { dom: domain(), idx: 0, flags: 0 };
    let mut frame = connection.request(Request::of(&args).unwrap()).await.unwrap();
    assert_eq!(read_file(frame.fds.remove(0)), "qemu");
    assert_eq!(connection.call(&ConnectGetHostname {}).await.unwrap().hostname, "qemu");
}

#[tokio::test]
async fn daemons_learn_who_is_asking() {
    let stage = Stage::new(Arc::new(Proxy));
    let (qemu, ..) = stage.start("qemu");
    let (storage, ..) = stage.start("storage");
    let connection = stage.open().await;
    let seen = qemu.client().identity();
    assert_eq!(seen.uid, Some(u64::from(virtbus_host::fd::own_uid())));
    assert_eq!(seen.pid, Some(i64::from(std::process::id())));
    assert!(seen.process_time.is_some() && seen.user_name.is_some());
    // A trusted client that speaks for another: both the daemon that is open and the one that will be are told.
    let alice = Identity { user_name: Some("alice".to_owned()), uid: Some(123_456), ..Identity::default() };
    connection.call(&alice.to_call()).await.unwrap();
    connection.call(&ConnectGetHostname {}).await.unwrap();
    assert_eq!(*qemu.client().identity(), alice);
    let args = StorageVolUpload { vol: volume(), offset: 0, length: 0, flags: 0 };
    let _ = connection.call_stream(&args).await.unwrap();
    assert_eq!(*storage.client().identity(), alice);
}

#[tokio::test]
async fn read_only_clients_reach_the_read_only_side() {
    let directory = tempfile::tempdir().unwrap();
    let ro = directory.path().join("qemu-ro");
    let qemu = Daemon { read_only_socket: Some(ro.clone()), ..daemon(directory.path(), "qemu") };
    let backends = Backends::new().with(Owner::Qemu, qemu);
    let server = Server::relaying(Arc::new(Proxy), Arc::new(OwnUser), Limits::default(), backends);
    let _daemon = listen(Plain::new("read-only"), &ro);
    for (kind, read_only) in [(SocketKind::ReadOnly, false), (SocketKind::ReadWrite, true)] {
        let connection = Connection::new(support::connect(&server, kind)).expect("watched");
        connection.open("qemu:///system", read_only).await.unwrap();
        assert_eq!(connection.call(&ConnectGetHostname {}).await.unwrap().hostname, "read-only");
    }
}

#[tokio::test]
async fn a_daemon_serves_its_own_calls_and_passes_the_others_on() {
    let directory = tempfile::tempdir().unwrap();
    let backends = Backends::new().with(Owner::Network, daemon(directory.path(), "network"));
    let service = Plain::new("qemu");
    let server = Server::relaying(service, Arc::new(OwnUser), Limits::default(), backends);
    let _network = listen(Plain::new("network"), &directory.path().join("network"));
    let connection = Connection::new(support::connect(&server, SocketKind::ReadWrite)).expect("watched");
    let seen = connection.call(&ConnectNumOfNetworks {}).await.unwrap_err();
    assert_eq!(seen.refusal().unwrap().message.as_deref(), Some("internal error: hypervisor connection not open"));
    connection.open("qemu:///system", false).await.unwrap();
    assert_eq!(connection.call(&ConnectGetHostname {}).await.unwrap().hostname, "qemu");
    let seen = connection.call(&ConnectNumOfNetworks {}).await.unwrap_err();
    assert!(seen.refusal().unwrap().message.as_deref().unwrap().ends_with("by network"));
}

#[tokio::test]
async fn two_hundred_calls_in_flight_pass_through() {
    let stage = Stage::new(Arc::new(Proxy));
    let (qemu, ..) = stage.start("qemu");
    let connection = stage.open().await;
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let connection = connection.clone();
            task::spawn("call", async move { connection.call(&DomainShutdown { dom: domain() }).await })
        })
        .collect();
    until("as many run as may", || qemu.begun.load(Ordering::SeqCst) == 128).await;
    assert_eq!(connection.call(&ConnectGetHostname {}).await.unwrap().hostname, "qemu");
    qemu.gate.add_permits(200);
    for call in calls {
        call.await.unwrap().unwrap();
    }
}
