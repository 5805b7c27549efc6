//! What is asked is answered as if the engine were here.

use std::{sync::Arc, time::Duration};

use virtbus_api::{
    ErrorCode, NetworkRef, document,
    flags::PortCreateFlags,
    neighbour::{Local, NetworkNeighbour as _, SecretName, StorageNeighbour as _},
    network::{Lease, Networks as _, Ports as _},
};
use virtbus_dbus_front::neighbour::Neighbour;

use crate::peer::{PRIVATE, UNSET, all_storage, networks, place, remote, serve_here};

const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) const PORT: &str = "<networkport><uuid>21111111-2222-3333-4444-555555555555</uuid><owner><name>vm</name>\
    <uuid>31111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:00:01'/></networkport>";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn networks_answer() {
    let (_directory, socket) = place();
    let sim = networks().await;
    serve_here(&socket, Neighbour::Networks(Arc::new(Local(Arc::new(sim.clone())))));
    let remote = remote(&socket, DEADLINE);
    let here: NetworkRef = sim.lookup_by_name("net1").unwrap();

    let network = remote.network("net1").await.unwrap();
    assert_eq!((network.name.as_str(), network.bridge_name()), ("net1", Some("virbr7")));

    let port = document::parse_network_port(PORT, false).unwrap();
    let uuid = port.uuid;
    let plugged = remote.plug("net1", port, PortCreateFlags::empty()).await.unwrap();
    assert_eq!(plugged.uuid, uuid);
    assert_eq!(*plugged, *sim.port_xml(&sim.lookup_port(&here, uuid).unwrap()).unwrap());
    remote.unplug("net1", uuid).await.unwrap();
    assert!(sim.ports(&here).unwrap().is_empty());
    remote.unplug("net1", uuid).await.unwrap();

    let lease = Lease {
        interface: "virbr7".to_owned(),
        expires: 1_700_000_000,
        mac: Some("52:54:00:00:00:01".to_owned()),
        iaid: None,
        address: "fd00::9".parse().unwrap(),
        prefix: 64,
        hostname: None,
        client_id: Some("01".to_owned()),
    };
    sim.give(&here, lease.clone()).unwrap();
    assert_eq!(remote.leases("net1", "52:54:00:00:00:01").await.unwrap(), [lease]);

    let error = remote.network("nope").await.unwrap_err();
    let local = sim.lookup_by_name("nope").unwrap_err();
    assert_eq!((error.code, error.domain, error.message()), (local.code, local.domain, local.message()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storage_answers() {
    let (_directory, socket) = place();
    serve_here(&socket, all_storage().await);
    let remote = remote(&socket, DEADLINE);

    let (pool, volume) = remote.volume("pool1", "a.img").await.unwrap();
    assert_eq!((pool.name.as_str(), volume.target.path.as_deref()), ("pool1", Some("/pool-1/a.img")));
    let error = remote.volume("pool1", "b.img").await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NoStorageVol);

    // A private value is given to daemons of ours.
    let usage = SecretName::Usage { usage_type: 2, usage_id: "private".to_owned() };
    for name in [SecretName::Uuid(PRIVATE.parse().unwrap()), usage] {
        let (secret, value) = remote.secret(&name).await.unwrap();
        assert_eq!((secret.uuid.to_string().as_str(), secret.usage_type), (PRIVATE, 2));
        assert_eq!((secret.usage_id.as_str(), value.expose()), ("private", b"word".as_slice()));
    }
    let error = remote.secret(&SecretName::Uuid(UNSET.parse().unwrap())).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NoSecret);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_socket_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_directory, socket) = place();
    serve_here(&socket, all_storage().await);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&socket), mode(socket.parent().unwrap())), (0o600, 0o700));
}
