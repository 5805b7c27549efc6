//! A simulated daemon on sockets of its own, and clients for it.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{path::PathBuf, sync::Arc};

use tempfile::TempDir;
use virtbus_rpc::{
    client::Connection,
    peer::SocketKind,
    server::{Limits, Server},
    task,
};
use virtbus_rpc_front::Front;
use virtbus_sim::Sim;

/// The daemon.
pub(crate) struct Stand {
    pub(crate) sim: Sim,
    pub(crate) server: Server,
    pub(crate) uri: &'static str,
    dir: TempDir,
}

impl Stand {
    /// Serves the read-write and the read-only socket of a simulated daemon at `qemu:///system`.
    pub(crate) fn new() -> Self {
        let uri = "qemu:///system";
        let dir = TempDir::new().expect("a directory");
        let sim = Sim::new(uri);
        let server = Server::new(Arc::new(Front::new(Arc::new(sim.clone()))), Limits::default());
        let it = Self { sim, server, uri, dir };
        for (name, kind) in [("sock", SocketKind::ReadWrite), ("sock-ro", SocketKind::ReadOnly)] {
            let listener = tokio::net::UnixListener::bind(it.dir.path().join(name)).expect("a socket");
            let server = it.server.clone();
            task::spawn("listener", async move { server.serve(listener, kind).await });
        }
        it
    }

    /// The path of `sock` or `sock-ro`.
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
