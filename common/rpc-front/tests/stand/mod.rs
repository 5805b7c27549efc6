//! A simulated daemon on sockets of its own, and clients for it.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::expect_used, reason = "what makes a test's surroundings may fail the test")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::TempDir;
use virtbus_rpc::{
    client::Connection,
    peer::SocketKind,
    server::{Limits, Server},
    task,
};
use virtbus_rpc_front::{Admin, Front};
use virtbus_sim::Sim;

/// The daemon.
pub(crate) struct Stand {
    pub(crate) sim: Sim,
    pub(crate) server: Server,
    pub(crate) uri: &'static str,
    dir: TempDir,
}

impl Stand {
    /// Serves a simulated daemon at `qemu:///system` on three sockets: `sock`, `sock-ro` and `admin-sock`.
    pub(crate) fn new() -> Self {
        let uri = "qemu:///system";
        let dir = TempDir::new().expect("a directory");
        let (sim, limits) = (Sim::new(uri), Limits::default());
        let server = Server::new(Arc::new(Front::new(Arc::new(sim.clone()))), limits);
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
