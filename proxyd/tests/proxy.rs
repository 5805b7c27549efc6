//! The proxy as a process: clients by URI, daemons present and absent, and the way out.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code: a panic is a failed test")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::net::UnixListener;
use virtbus_host::process::{Child, Exit, Spawn};
use virtbus_host::task;
use virtbus_proto::Procedure;
use virtbus_proto::table::network::ConnectNumOfNetworks;
use virtbus_proto::table::node::{ConnectGetHostname, ConnectGetHostnameReply};
use virtbus_proto::table::session::{ConnectGetUri, ConnectGetUriReply, ConnectOpen, ConnectSupportsFeature};
use virtbus_rpc::call::{Call, Reply, Service};
use virtbus_rpc::client::{CallError, Connection};
use virtbus_rpc::error::{self, Failure};
use virtbus_rpc::peer::{Client, SocketKind};
use virtbus_rpc::server::{Limits, Server};

/// A daemon that knows its name, and what it was opened as.
struct Named {
    name: &'static str,
}

#[async_trait]
impl Service for Named {
    async fn call(&self, client: &Client, call: Call) -> Result<Reply, Failure> {
        let opened = client.state(std::sync::OnceLock::<ConnectOpen>::new).unwrap();
        match call.entry.number {
            ConnectOpen::NUMBER => {
                opened.get_or_init(|| call.decode().unwrap());
                Ok(Reply::empty())
            }
            ConnectGetHostname::NUMBER => {
                let access = if client.is_read_only() { " read-only" } else { "" };
                Reply::of(&ConnectGetHostnameReply { hostname: format!("{}{access}", self.name) })
            }
            ConnectGetUri::NUMBER => {
                let ConnectOpen { name, flags } = opened.get().unwrap();
                Reply::of(&ConnectGetUriReply { uri: format!("{} {flags}", name.as_deref().unwrap_or_default()) })
            }
            _ => Err(error::plain(3, self.name)),
        }
    }
}

fn listen(run: &Path, name: &'static str) {
    let server = Server::new(Arc::new(Named { name }), Limits::default());
    for (suffix, kind) in [("-sock", SocketKind::ReadWrite), ("-sock-ro", SocketKind::ReadOnly)] {
        let listener = UnixListener::bind(run.join(format!("{name}{suffix}"))).unwrap();
        let server = server.clone();
        drop(task::spawn(name, async move { server.serve(listener, kind).await }));
    }
}

struct Stage {
    root: TempDir,
    proxy: Child,
}

impl Stage {
    /// Starts a proxy below a directory of its own and waits for its sockets.
    async fn new(args: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let spawn = Spawn::new(env!("CARGO_BIN_EXE_virtproxyd")).arg("--root").arg(root.path()).args(args);
        let stage = Self { proxy: spawn.spawn().unwrap(), root };
        for _ in 0..1000 {
            if stage.socket("libvirt-admin-sock").exists() {
                return stage;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the proxy does not listen");
    }

    fn socket(&self, name: &str) -> std::path::PathBuf {
        self.root.path().join("run/libvirt").join(name)
    }

    fn start(&self, name: &'static str) {
        listen(&self.root.path().join("run/libvirt"), name);
    }

    async fn connect(&self, name: &str) -> Connection {
        // The socket file is there a moment before its listener.
        for _ in 0..1000 {
            if let Ok(connection) = Connection::connect(&self.socket(name)).await {
                return connection;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the proxy does not accept");
    }

    async fn open(&self, uri: &str) -> Result<Connection, CallError> {
        let connection = self.connect("libvirt-sock").await;
        connection.open(uri, false).await.map(|()| connection)
    }

    async fn stop(mut self) {
        self.proxy.signal(Signal::SIGTERM).unwrap();
        let exit = tokio::time::timeout(Duration::from_secs(20), self.proxy.exited()).await.expect("it ends").unwrap();
        assert_eq!(exit, Exit::Code(0));
        assert!(!self.socket("libvirt-sock").exists(), "it leaves its socket behind");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // One that has ended already is reaped and cannot be meant.
        let _ = self.proxy.signal(Signal::SIGKILL);
    }
}

async fn name_of(connection: &Connection) -> String {
    connection.call(&ConnectGetHostname {}).await.unwrap().hostname
}

async fn uri_of(connection: &Connection) -> String {
    connection.call(&ConnectGetUri {}).await.unwrap().uri
}

#[tokio::test]
async fn the_uri_says_which_daemon() {
    let stage = Stage::new(&[]).await;
    stage.start("virtqemud");
    stage.start("virtnetworkd");
    let qemu = stage.open("qemu:///system").await.unwrap();
    assert_eq!((name_of(&qemu).await.as_str(), uri_of(&qemu).await.as_str()), ("virtqemud", "qemu:///system 0"));
    // Nothing named is the hypervisor there is; another driver gets all of the calls.
    let default = stage.open("").await.unwrap();
    assert_eq!(uri_of(&default).await, "qemu:///system 0");
    let network = stage.open("network:///system").await.unwrap();
    assert_eq!(
        (name_of(&network).await.as_str(), uri_of(&network).await.as_str()),
        ("virtnetworkd", "network:///system 0")
    );
    // A network call of a hypervisor's client goes to the network daemon.
    let seen = qemu.call(&ConnectNumOfNetworks {}).await.unwrap_err();
    assert_eq!(seen.refusal().unwrap().message.as_deref(), Some("virtnetworkd"));
    let seen = stage.open("xen:///system").await.unwrap_err();
    let seen = seen.refusal().unwrap();
    assert_eq!((seen.code, seen.message.as_deref()), (5, Some("no connection driver available for xen:///system")));
    qemu.close().await.unwrap();
    qemu.ended().await;
    stage.stop().await;
}

#[tokio::test]
async fn read_only_either_way() {
    let stage = Stage::new(&[]).await;
    stage.start("virtqemud");
    let by_socket = stage.connect("libvirt-sock-ro").await;
    by_socket.open("qemu:///system", false).await.unwrap();
    assert_eq!(
        (name_of(&by_socket).await.as_str(), uri_of(&by_socket).await.as_str()),
        ("virtqemud read-only", "qemu:///system 1")
    );
    let by_flag = stage.connect("libvirt-sock").await;
    by_flag.open("qemu:///system", true).await.unwrap();
    assert_eq!(name_of(&by_flag).await, "virtqemud read-only");
    stage.stop().await;
}

#[tokio::test]
async fn without_a_daemon_there_is_a_clear_error() {
    let stage = Stage::new(&[]).await;
    let connection = stage.connect("libvirt-sock").await;
    connection.authenticate().await.unwrap();
    let keepalive = connection.call(&ConnectSupportsFeature { feature: 10 }).await.unwrap();
    assert_eq!(keepalive.supported, 1);
    let seen = connection.call(&ConnectSupportsFeature { feature: 8 }).await.unwrap_err();
    assert_eq!(seen.refusal().unwrap().message.as_deref(), Some("internal error: hypervisor connection not open"));
    let seen = connection.open("qemu:///system", false).await.unwrap_err();
    let path = stage.socket("virtqemud-sock");
    let text = format!("Failed to connect socket to '{}': No such file or directory", path.display());
    let seen = seen.refusal().unwrap();
    assert_eq!((seen.code, seen.int1, seen.message.as_ref()), (38, 2, Some(&text)));
    // The daemon comes, and the same client gets on.
    stage.start("virtqemud");
    connection.open("qemu:///system", false).await.unwrap();
    assert_eq!(name_of(&connection).await, "virtqemud");
    stage.stop().await;
}

#[tokio::test]
async fn idle_it_leaves() {
    let mut stage = Stage::new(&["--timeout", "1"]).await;
    let connection = stage.connect("libvirt-sock").await;
    connection.authenticate().await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(1500), stage.proxy.exited()).await;
    assert!(early.is_err(), "it leaves with a client connected");
    drop(connection);
    let exit = tokio::time::timeout(Duration::from_secs(20), stage.proxy.exited()).await.expect("it leaves").unwrap();
    assert_eq!(exit, Exit::Code(0));
}
