//! A simulated hypervisor on sockets in a directory, to try clients on:
//!
//! ```text
//! cargo run -p virtbus-rpc-front --example serve -- /tmp/sim
//! virsh -c 'qemu+unix:///system?socket=/tmp/sim/virtqemud-sock' list --all
//! ```

use std::{path::PathBuf, sync::Arc};

use tokio::net::UnixListener;
use virtbus_rpc::{
    peer::SocketKind,
    server::{Limits, Server},
    task,
};
use virtbus_rpc_front::Front;
use virtbus_sim::Sim;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::DEBUG).init();
    let dir = PathBuf::from(std::env::args().nth(1).ok_or(std::io::ErrorKind::InvalidInput)?);
    std::fs::create_dir_all(&dir)?;
    let driver = Arc::new(Sim::new("qemu:///system"));
    let server = Server::new(Arc::new(Front::new(driver)), Limits::default());
    for (name, kind) in [("virtqemud-sock", SocketKind::ReadWrite), ("virtqemud-sock-ro", SocketKind::ReadOnly)] {
        let path = dir.join(name);
        // A socket of an earlier run is in the way; anything else is reported by bind.
        let _ = std::fs::remove_file(&path);
        let (server, listener) = (server.clone(), UnixListener::bind(&path)?);
        drop(task::spawn("listener", async move { server.serve(listener, kind).await }));
    }
    std::future::pending().await
}
