//! A simulated daemon on sockets of its own, and clients for it.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::expect_used, reason = "what makes a test's surroundings may fail the test")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::TempDir;
use virtbus_rpc::{
    call::Service,
    client::{CallError, Connection},
    peer::SocketKind,
    server::{Limits, Server},
    task,
};
use virtbus_rpc_front::{Admin, Front};
use virtbus_sim::{Sim, SimNetwork, SimStorage};

/// The daemon.
pub(crate) struct Stand<S = Sim> {
    pub(crate) sim: S,
    pub(crate) server: Server,
    pub(crate) uri: &'static str,
    dir: TempDir,
}

impl Stand<Sim> {
    /// Serves a simulated daemon at `qemu:///system` on three sockets: `sock`, `sock-ro` and `admin-sock`.
    pub(crate) fn new() -> Self {
        let sim = Sim::new("qemu:///system");
        Self::of("qemu:///system", sim.clone(), Front::new(Arc::new(sim)))
    }
}

impl Stand<SimStorage> {
    /// Serves a simulated daemon at `storage:///system`.
    pub(crate) fn of_storage() -> Self {
        let sim = SimStorage::new("storage:///system");
        // Named by nobody: pools and secrets.
        Self::of("", sim.clone(), Front::of_storage(Arc::new(sim)))
    }
}

impl Stand<SimNetwork> {
    /// Serves a simulated daemon at `network:///system`.
    pub(crate) fn of_network() -> Self {
        let sim = SimNetwork::new("network:///system");
        Self::of("network:///system", sim.clone(), Front::of_network(Arc::new(sim)))
    }
}

impl<S> Stand<S> {
    fn of(uri: &'static str, sim: S, front: impl Service) -> Self {
        let dir = TempDir::new().expect("a directory");
        let limits = Limits::default();
        let server = Server::new(Arc::new(front), limits);
        let about = Arc::new(Admin::default());
        let admin = Server::new(Arc::new(Front::of_admin(about.clone())), limits);
        about.add("virtqemud", server.clone(), limits);
        about.add("admin", admin.clone(), limits);
        let it = Self { sim, server, uri, dir };
        for (name, kind, server) in [
            ("sock", SocketKind::ReadWrite, &it.server),
            ("sock-ro", SocketKind::ReadOnly, &it.server),
            ("admin-sock", SocketKind::Admin, &admin),
        ] {
            let listener = tokio::net::UnixListener::bind(it.dir.path().join(name)).expect("a socket");
            let server = server.clone();
            drop(task::spawn("listener", async move { server.serve(listener, kind).await }));
        }
        it
    }

    /// Where the sockets are, and room for files.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The path of a socket.
    pub(crate) fn socket(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A connection that is open.
    pub(crate) async fn client(&self) -> Connection {
        let it = Connection::connect(&self.socket("sock")).await.expect("connects");
        it.open(self.uri, false).await.expect("opens");
        it
    }
}

/// The least document of a guest.
pub(crate) fn document(name: &str) -> String {
    format!(
        "<domain type='qemu'><name>{name}</name><memory>65536</memory><currentMemory>32768</currentMemory>\
         <vcpu current='1'>2</vcpu><os><type arch='x86_64'>hvm</type></os></domain>"
    )
}

/// The code and the text of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, CallError>) -> (i32, String) {
    let error = result.expect_err("a refusal");
    let message = error.refusal().unwrap_or_else(|| panic!("no refusal: {error}"));
    (message.code, message.message.clone().unwrap_or_default())
}
