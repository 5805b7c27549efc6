//! Networks and ports over the simulated network daemon.

use std::{collections::HashMap, sync::Arc};

use virtbus_api::{NetworkDriver, NetworkRef, network::Lease};
use virtbus_sim::SimNetwork;
use zbus::{OwnedObjectPath, OwnedVariant};

use crate::stand::{CONNECT, ROOT, Stand, error_of};

const NETWORK: &str = "org.libvirt.Network";
const PORT: &str = "org.libvirt.NetworkPort";
const UUID: &str = "11111111-2222-3333-4444-555555555555";
const PATH: &str = "/org/libvirt/QEMU/network/_11111111_2222_3333_4444_555555555555";

const XML: &str = "<network><name>net1</name><uuid>11111111-2222-3333-4444-555555555555</uuid><bridge name='virbr7'/>\
    <ip address='192.168.7.1' netmask='255.255.255.0'/></network>";

const PORT_XML: &str = "<networkport><uuid>21111111-2222-3333-4444-555555555555</uuid><owner><name>vm</name>\
    <uuid>31111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:00:01'/></networkport>";

async fn stand() -> (Stand, SimNetwork) {
    let sim = SimNetwork::new("network:///system");
    let driver: Arc<dyn NetworkDriver> = Arc::new(sim.clone());
    (Stand::new(driver.into()).await, sim)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_lives_its_life() {
    let (stand, sim) = stand().await;
    let mut signals = stand.signals().await;
    let path: OwnedObjectPath = stand.call(ROOT, CONNECT, "NetworkDefineXML", &XML).await.unwrap();
    assert_eq!(path.as_str(), PATH);
    let (added, _): (OwnedObjectPath, HashMap<String, HashMap<String, OwnedVariant>>) =
        signals.next("InterfacesAdded").await.body().deserialize().unwrap();
    assert_eq!(added.as_str(), PATH);
    let (network, event): (OwnedObjectPath, i32) = signals.next("NetworkEvent").await.body().deserialize().unwrap();
    assert_eq!((network.as_str(), event), (PATH, 0));
    assert!(!stand.property::<bool>(PATH, NETWORK, "Active").await);
    let () = stand.call(PATH, NETWORK, "Create", &()).await.unwrap();
    assert!(stand.property::<bool>(PATH, NETWORK, "Active").await);
    assert_eq!(stand.property::<String>(PATH, NETWORK, "BridgeName").await, "virbr7");
    signals.next("PropertiesChanged").await;
    let found: OwnedObjectPath = stand.call(ROOT, CONNECT, "NetworkLookupByName", &"net1").await.unwrap();
    let other: OwnedObjectPath = stand.call(ROOT, CONNECT, "NetworkLookupByUUID", &UUID).await.unwrap();
    assert_eq!((found.as_str(), other.as_str()), (PATH, PATH));
    let list: Vec<OwnedObjectPath> = stand.call(ROOT, CONNECT, "ListNetworks", &2u32).await.unwrap();
    assert_eq!(list.len(), 1);
    let xml: String = stand.call(PATH, NETWORK, "GetXMLDesc", &0u32).await.unwrap();
    assert!(xml.contains("<name>net1</name>"), "{xml}");

    let host = "<host mac='52:54:00:00:00:09' ip='192.168.7.9'/>";
    let () = stand.call(PATH, NETWORK, "Update", &(3u32, 4u32, -1i32, host, 0u32)).await.unwrap();
    let by_uuid = NetworkRef::of_uuid(UUID.parse().unwrap());
    let updates = sim.updates(&by_uuid).unwrap();
    assert_eq!((updates[0].1.text.as_str(), updates[0].2), (host, None));
    let (name, text) = error_of(stand.call::<_, ()>(PATH, NETWORK, "Update", &(9u32, 4u32, -1i32, host, 0u32)).await);
    assert!(name.ends_with(".INVALID_ARG") && text.contains('9'), "{name}: {text}");

    let lease = Lease {
        interface: "virbr7".to_owned(),
        expires: 1_700_000_000,
        mac: Some("52:54:00:00:00:09".to_owned()),
        iaid: None,
        address: "192.168.7.9".parse().unwrap(),
        prefix: 24,
        hostname: Some("guest".to_owned()),
        client_id: None,
    };
    sim.give(&by_uuid, lease).unwrap();
    type Figures = (String, i64, i32, String, String, String, u32, String, String);
    let leases: Vec<Figures> = stand.call(PATH, NETWORK, "GetDHCPLeases", &("", 0u32)).await.unwrap();
    assert_eq!((leases[0].5.as_str(), leases[0].6, leases[0].7.as_str()), ("192.168.7.9", 24, "guest"));

    let () = stand.call(PATH, NETWORK, "Destroy", &()).await.unwrap();
    let () = stand.call(PATH, NETWORK, "Undefine", &()).await.unwrap();
    signals.next("InterfacesRemoved").await;
    let (name, _) = error_of(stand.call::<_, ()>(PATH, NETWORK, "Create", &()).await);
    assert_eq!(name, "org.libvirt.Error.NO_NETWORK");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ports_are_objects() {
    let (stand, _) = stand().await;
    let _: OwnedObjectPath = stand.call(ROOT, CONNECT, "NetworkCreateXML", &XML).await.unwrap();
    let port: OwnedObjectPath = stand.call(PATH, NETWORK, "PortCreateXML", &(PORT_XML, 0u32)).await.unwrap();
    assert_eq!(
        port.as_str(),
        "/org/libvirt/QEMU/networkport/_11111111_2222_3333_4444_555555555555_21111111_2222_3333_4444_555555555555"
    );
    let port = port.as_str();
    let list: Vec<OwnedObjectPath> = stand.call(PATH, NETWORK, "ListPorts", &0u32).await.unwrap();
    assert_eq!(list[0].as_str(), port);
    let uuid = "21111111-2222-3333-4444-555555555555";
    let found: OwnedObjectPath = stand.call(PATH, NETWORK, "PortLookupByUUID", &uuid).await.unwrap();
    assert_eq!(found.as_str(), port);
    assert_eq!(stand.property::<String>(port, PORT, "UUID").await, uuid);
    let xml: String = stand.call(port, PORT, "GetXMLDesc", &0u32).await.unwrap();
    assert!(xml.contains("52:54:00:00:00:01"), "{xml}");
    let parameters = HashMap::from([("inbound.average", zbus::Variant::from(128u32))]);
    let () = stand.call(port, PORT, "SetParameters", &(parameters, 0u32)).await.unwrap();
    let back: HashMap<String, OwnedVariant> = stand.call(port, PORT, "GetParameters", &0u32).await.unwrap();
    assert_eq!(u32::try_from(back["inbound.average"].try_clone().unwrap()).unwrap(), 128);
    let () = stand.call(port, PORT, "Delete", &0u32).await.unwrap();
    let (name, _) = error_of(stand.call::<_, String>(port, PORT, "GetXMLDesc", &0u32).await);
    assert_eq!(name, "org.libvirt.Error.NO_NETWORK_PORT");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn introspection_is_golden() {
    let (stand, _) = stand().await;
    let _: OwnedObjectPath = stand.call(ROOT, CONNECT, "NetworkCreateXML", &XML).await.unwrap();
    let port: OwnedObjectPath = stand.call(PATH, NETWORK, "PortCreateXML", &(PORT_XML, 0u32)).await.unwrap();
    stand.check_introspection(ROOT, CONNECT, "org.libvirt.Connect.network.xml").await;
    stand.check_introspection(PATH, NETWORK, "org.libvirt.Network.xml").await;
    stand.check_introspection(port.as_str(), PORT, "org.libvirt.NetworkPort.xml").await;
}
