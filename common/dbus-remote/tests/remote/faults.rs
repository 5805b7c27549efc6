//! A daemon that is absent, slow, stopped or killed costs its asker a deadline and an error that names it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use tokio::sync::Notify;
use uuid::Uuid;
use virtbus_api::{
    ErrorCode, Result, document,
    flags::PortCreateFlags,
    neighbour::{Local, NetworkNeighbour},
    network::{Lease, Networks as _, Ports as _},
};
use virtbus_dbus_front::neighbour::Neighbour;
use virtbus_dbus_remote::{Daemon, Remote, Wake};
use virtbus_schema::{Network, NetworkPort};
use virtbus_sim::SimNetwork;

use crate::{
    answers::PORT,
    peer::{Process, all_networks, networks, place, remote, serve_here},
};

const SHORT: Duration = Duration::from_millis(500);
const LONG: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_absent_daemon_is_named() {
    let (_directory, socket) = place();
    let began = Instant::now();
    let error = remote(&socket, SHORT).network("net1").await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(5));
    let text = error.message();
    for part in ["virtnetworkd", &socket.display().to_string()] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_absent_daemon_is_woken() {
    let (directory, socket) = place();
    let door = directory.path().join("virtnetworkd-sock");
    let listener = tokio::net::UnixListener::bind(&door).unwrap();
    let wakes = vec![Wake::Socket(directory.path().join("nothing")), Wake::Socket(door)];
    let remote = Remote::with_deadline(Daemon { name: "virtnetworkd", socket: socket.clone(), wakes }, LONG);
    let service = async {
        listener.accept().await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        serve_here(&socket, all_networks().await);
    };
    let (network, ()) = tokio::join!(remote.network("net1"), service);
    assert_eq!(network.unwrap().name, "net1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_says_nothing_is_left_at_the_deadline() {
    let (_directory, socket) = place();
    std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let began = Instant::now();
    let error = remote(&socket, SHORT).network("net1").await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(error.code, ErrorCode::OperationTimeout);
    assert!(error.message().contains("virtnetworkd"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_daemon_is_left_at_the_deadline_and_asked_again_when_it_goes_on() {
    let (_directory, socket) = place();
    let process = Process::start(&socket);
    let remote = remote(&socket, SHORT);
    remote.network("net1").await.unwrap();
    process.signal("STOP");
    for _ in 0..2 {
        let began = Instant::now();
        let error = remote.network("net1").await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(3));
        assert_eq!(error.code, ErrorCode::OperationTimeout);
        assert!(error.message().contains("virtnetworkd"), "{error}");
    }
    process.signal("CONT");
    remote.network("net1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_daemon_is_found_again() {
    let (_directory, socket) = place();
    let remote = remote(&socket, LONG);
    for _ in 0..3 {
        let process = Process::start(&socket);
        remote.network("net1").await.unwrap();
        let port = document::parse_network_port(PORT, false).unwrap();
        remote.plug("net1", port, PortCreateFlags::empty()).await.unwrap();
        drop(process);
    }
    let error = remote.network("net1").await.unwrap_err();
    assert!(error.message().contains("virtnetworkd"), "{error}");
    let _process = Process::start(&socket);
    let port = document::parse_network_port(PORT, false).unwrap();
    let plugged = remote.plug("net1", port, PortCreateFlags::empty()).await.unwrap();
    remote.unplug("net1", plugged.uuid).await.unwrap();
}

/// Networks that plug when they are told to.
#[derive(Debug)]
struct Slow {
    local: Local<SimNetwork>,
    go: Arc<Notify>,
}

#[async_trait]
impl NetworkNeighbour for Slow {
    async fn plug(&self, network: &str, port: Box<NetworkPort>, flags: PortCreateFlags) -> Result<Arc<NetworkPort>> {
        self.go.notified().await;
        self.local.plug(network, port, flags).await
    }

    async fn unplug(&self, network: &str, port: Uuid) -> Result<()> {
        self.local.unplug(network, port).await
    }

    async fn network(&self, name: &str) -> Result<Arc<Network>> {
        self.local.network(name).await
    }

    async fn leases(&self, network: &str, mac: &str) -> Result<Vec<Lease>> {
        self.local.leases(network, mac).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_comes_too_late_is_given_back() {
    let (_directory, socket) = place();
    let (sim, go) = (networks().await, Arc::new(Notify::new()));
    let slow = Slow { local: Local(Arc::new(sim.clone())), go: go.clone() };
    serve_here(&socket, Neighbour::Networks(Arc::new(slow)));
    let remote = remote(&socket, SHORT);
    let port = document::parse_network_port(PORT, false).unwrap();
    let error = remote.plug("net1", port, PortCreateFlags::empty()).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::OperationTimeout);
    // Others are answered meanwhile.
    remote.network("net1").await.unwrap();
    let here = sim.lookup_by_name("net1").unwrap();
    let mut events = 0;
    go.notify_one();
    while events < 200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        events += 1;
        if events > 20 && sim.ports(&here).unwrap().is_empty() {
            break;
        }
    }
    assert!(sim.ports(&here).unwrap().is_empty());
    // What is plugged in time stays.
    go.notify_one();
    let port = document::parse_network_port(PORT, false).unwrap();
    remote.plug("net1", port, PortCreateFlags::empty()).await.unwrap();
    assert_eq!(sim.ports(&here).unwrap().len(), 1);
}
