//! The other daemon: engines with one network, one volume and two secrets, behind a socket.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;
use virtbus_api::{
    document,
    flags::{NetworkCreateFlags, PoolCreateFlags, SecretDefineFlags, VolumeCreateFlags},
    neighbour::Local,
    network::Networks as _,
    storage::{Pools as _, SecretValue, Secrets as _, Volumes as _},
};
use virtbus_dbus_front::neighbour::{Neighbour, bind, serve};
use virtbus_dbus_remote::{Daemon, Remote};
use virtbus_sim::{SimNetwork, SimStorage};

/// Set for the process that is to be the other daemon: where its socket is.
const PEER: &str = "VIRTBUS_TEST_PEER";

pub(crate) const PRIVATE: &str = "41111111-2222-3333-4444-555555555555";
pub(crate) const UNSET: &str = "51111111-2222-3333-4444-555555555555";

/// Networks: one, which runs.
pub(crate) async fn networks() -> SimNetwork {
    let sim = SimNetwork::new("network:///system");
    let xml = "<network><name>net1</name><bridge name='virbr7'/><ip address='192.168.7.1' netmask='255.255.255.0'/></network>";
    sim.create(document::parse_network(xml, false).unwrap(), NetworkCreateFlags::empty()).await.unwrap();
    sim
}

/// A pool with a volume, and secrets.
pub(crate) async fn storage() -> SimStorage {
    let sim = SimStorage::new("storage:///system");
    let pool = "<pool type='dir'><name>pool1</name><target><path>/pool-1</path></target></pool>";
    let pool = sim.create(document::parse_pool(pool, false).unwrap(), PoolCreateFlags::empty()).await.unwrap();
    let volume = "<volume><name>a.img</name><capacity>4096</capacity></volume>";
    sim.create_volume(&pool, document::parse_volume(volume, false).unwrap(), VolumeCreateFlags::empty()).await.unwrap();
    for (uuid, name) in [(PRIVATE, "private"), (UNSET, "unset")] {
        let xml = format!(
            "<secret ephemeral='no' private='yes'><uuid>{uuid}</uuid><usage type='ceph'><name>{name}</name></usage></secret>"
        );
        let secret = document::parse_secret(&xml, false).unwrap();
        let secret = sim.define_secret(secret, SecretDefineFlags::empty()).await.unwrap();
        if uuid == PRIVATE {
            sim.set_secret_value(&secret, SecretValue::new(b"word".to_vec())).await.unwrap();
        }
    }
    sim
}

/// Serves in this process, for as long as the test lasts.
pub(crate) fn serve_here(socket: &Path, neighbour: Neighbour) {
    let listener = bind(socket).unwrap();
    let uid = own_uid();
    #[allow(clippy::disallowed_methods, reason = "a test supervises nothing")]
    tokio::task::spawn(serve(listener, uid, neighbour, watch::Sender::new(0), std::future::pending()));
}

pub(crate) async fn all_networks() -> Neighbour {
    Neighbour::Networks(Arc::new(Local(Arc::new(networks().await))))
}

pub(crate) async fn all_storage() -> Neighbour {
    Neighbour::Storage(Arc::new(Local(Arc::new(storage().await))))
}

/// A socket's place that is nobody's yet.
pub(crate) fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("virtbus/peer-bus");
    (directory, socket)
}

/// The remote that asks there.
pub(crate) fn remote(socket: &Path, deadline: Duration) -> Remote {
    let daemon = Daemon { name: "virtnetworkd", socket: socket.to_owned(), wakes: Vec::new() };
    Remote::with_deadline(daemon, deadline)
}

/// Another process with the networks behind that socket.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(socket: &Path) -> Self {
        let _ = std::fs::remove_file(socket);
        #[allow(clippy::disallowed_methods, reason = "a test starts itself again")]
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "peer::be_the_peer", "--nocapture"])
            .env(PEER, socket)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        while std::os::unix::net::UnixStream::connect(socket).is_err() {
            assert!(began.elapsed() < Duration::from_secs(10), "the other process does not come up");
            #[allow(clippy::disallowed_methods, reason = "a test waits for a process")]
            std::thread::sleep(Duration::from_millis(20));
        }
        Self(child)
    }

    /// Sends it a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        #[allow(clippy::disallowed_methods, reason = "a test stops its own child")]
        let sent = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
        // A signal is sent, not served, when kill returns; on a busy machine the difference is long.
        let stat = format!("/proc/{}/stat", self.0.id());
        let stopped = || std::fs::read_to_string(&stat).is_ok_and(|it| it.contains(") T "));
        while name == "STOP" && !stopped() {
            #[allow(clippy::disallowed_methods, reason = "a test waits for a process")]
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// No test: what the other process runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn be_the_peer() {
    let Some(socket) = std::env::var_os(PEER) else { return };
    serve_here(Path::new(&socket), all_networks().await);
    tokio::time::sleep(Duration::from_secs(60)).await;
}

fn own_uid() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").unwrap().uid()
}
