//! Networks and their ports through the project's own client: what is answered, and which events follow. Texts and codes
//! are the reference's for the same calls.
#![allow(clippy::expect_used, reason = "a test's steps may fail the test")]

mod stand;

use stand::{Stand, refusal};
use virtbus_api::{
    network::{Lease, UpdateCommand},
    refs::NetworkRef,
};
use virtbus_proto::{
    Event, Xdr,
    events::{NetworkEventCallbackMetadataChange, NetworkEventLifecycle},
    table::*,
    types::{Network, NetworkPort, TypedParam, TypedValue},
};
use virtbus_rpc::client::Connection;
use virtbus_schema::SectionKind;

const OWN: &str = "66666666-6666-6666-6666-666666666666";

fn document(name: &str) -> String {
    format!(
        "<network><name>{name}</name><bridge name='br-{name}'/>\
         <ip address='192.168.77.1' netmask='255.255.255.0'/></network>"
    )
}

async fn define(client: &Connection, name: &str) -> Network {
    client.call(&NetworkDefineXml { xml: document(name) }).await.expect("defined").net
}

fn gone() -> Network {
    Network { name: "x".to_owned(), uuid: [1; 16] }
}

#[tokio::test]
async fn a_session_is_the_network_driver() {
    let stand = Stand::of_network();
    let client = stand.client().await;
    assert_eq!(client.call(&ConnectGetUri {}).await.unwrap().uri, "network:///system");
    assert_eq!(client.call(&ConnectGetType {}).await.unwrap().r#type, "network");
    for (feature, supported) in [(8, 1), (9, 1), (10, 1), (14, 1), (15, 1), (16, 1), (3, 0)] {
        assert_eq!(client.call(&ConnectSupportsFeature { feature }).await.unwrap().supported, supported, "{feature}");
    }
    assert_eq!(refusal(client.call(&ConnectGetCapabilities {}).await).0, 3);
    assert_eq!(refusal(client.call(&ConnectListAllDomains { need_results: 1, flags: 0 }).await).0, 3);
}

#[tokio::test]
async fn networks_are_found_in_every_form() {
    let stand = Stand::of_network();
    let client = stand.client().await;
    let off = define(&client, "off").await;
    let on = client.call(&NetworkCreateXml { xml: document("on") }).await.unwrap().net;
    let all = |need_results, flags| ConnectListAllNetworks { need_results, flags };
    assert_eq!(client.call(&all(1, 0)).await.unwrap().nets, [off.clone(), on.clone()]);
    assert_eq!(client.call(&all(1, 8)).await.unwrap().nets, std::slice::from_ref(&on));
    let number = client.call(&all(0, 0)).await.unwrap();
    assert_eq!((number.nets.len(), number.ret), (0, 2));
    assert_eq!(refusal(client.call(&all(1, 64)).await).0, 8);
    assert_eq!(client.call(&ConnectNumOfNetworks {}).await.unwrap().num, 1);
    assert_eq!(client.call(&ConnectNumOfDefinedNetworks {}).await.unwrap().num, 1);
    assert_eq!(client.call(&ConnectListNetworks { maxnames: 5 }).await.unwrap().names, ["on"]);
    assert_eq!(client.call(&ConnectListDefinedNetworks { maxnames: 5 }).await.unwrap().names, ["off"]);
    let text = "maxnames > REMOTE_NETWORK_LIST_MAX".to_owned();
    assert_eq!(refusal(client.call(&ConnectListNetworks { maxnames: 20_000 }).await), (39, text));
    assert_eq!(client.call(&NetworkLookupByName { name: "on".to_owned() }).await.unwrap().net, on);
    assert_eq!(client.call(&NetworkLookupByUuid { uuid: off.uuid }).await.unwrap().net, off);
    let text = "Network not found: no network with matching name 'x'".to_owned();
    assert_eq!(refusal(client.call(&NetworkLookupByName { name: "x".to_owned() }).await), (43, text));
    let text = "Network not found: no network with matching uuid '01010101-0101-0101-0101-010101010101' (x)";
    assert_eq!(refusal(client.call(&NetworkIsActive { net: gone() }).await), (43, text.to_owned()));
}

#[tokio::test]
async fn a_network_lives_and_tells() {
    let stand = Stand::of_network();
    let client = stand.client().await;
    let mut events = client.events();
    for event_id in [0, 1] {
        let register = ConnectNetworkEventRegisterAny { event_id, net: None };
        assert_eq!(client.call(&register).await.unwrap().callback_id, event_id);
    }
    let register = ConnectNetworkEventRegisterAny { event_id: 2, net: None };
    let text = "internal error: unsupported network event ID 2".to_owned();
    assert_eq!(refusal(client.call(&register).await), (1, text));
    let one = ConnectNetworkEventRegisterAny { event_id: 0, net: Some(gone()) };
    assert_eq!(client.call(&one).await.unwrap().callback_id, 2);

    let flags = NetworkDefineXmlFlags { xml: document("n"), flags: 1 };
    let net = client.call(&flags).await.unwrap().net;
    client.call(&NetworkCreate { net: net.clone() }).await.unwrap();
    let text = "Requested operation is not valid: network is already active".to_owned();
    assert_eq!(refusal(client.call(&NetworkCreate { net: net.clone() }).await), (55, text));
    client.call(&NetworkSetAutostart { net: net.clone(), autostart: 1 }).await.unwrap();
    assert_eq!(client.call(&NetworkGetAutostart { net: net.clone() }).await.unwrap().autostart, 1);
    assert_eq!(client.call(&NetworkIsActive { net: net.clone() }).await.unwrap().active, 1);
    assert_eq!(client.call(&NetworkIsPersistent { net: net.clone() }).await.unwrap().persistent, 1);
    assert_eq!(client.call(&NetworkGetBridgeName { net: net.clone() }).await.unwrap().name, "br-n");
    let xml = client.call(&NetworkGetXmlDesc { net: net.clone(), flags: 1 }).await.unwrap().xml;
    assert!(xml.starts_with("<network>\n  <name>n</name>\n"), "{xml}");

    let get = |r#type, uri: Option<&str>, flags| NetworkGetMetadata {
        network: net.clone(),
        r#type,
        uri: uri.map(str::to_owned),
        flags,
    };
    let set = |r#type, metadata: &str, key: Option<&str>, uri: Option<&str>| NetworkSetMetadata {
        network: net.clone(),
        r#type,
        metadata: Some(metadata.to_owned()),
        key: key.map(str::to_owned),
        uri: uri.map(str::to_owned),
        flags: 0,
    };
    let text = "metadata not found: Requested metadata element is not present".to_owned();
    assert_eq!(refusal(client.call(&get(1, None, 0)).await), (111, text));
    client.call(&set(1, "T", None, None)).await.unwrap();
    client.call(&set(2, "<x/>", Some("k"), Some("urn:x"))).await.unwrap();
    assert_eq!(client.call(&get(1, None, 0)).await.unwrap().metadata, "T");
    assert_eq!(client.call(&get(2, Some("urn:x"), 2)).await.unwrap().metadata, "<x/>");
    for (result, text) in [
        (refusal(client.call(&set(1, "two\nlines", None, None)).await), "metadata title can't contain newlines"),
        (refusal(client.call(&set(2, "<x/>", None, None)).await), "uri in virNetworkSetMetadata must not be NULL"),
        (refusal(client.call(&set(2, "<x/>", None, Some("u"))).await), "key in virNetworkSetMetadata must not be NULL"),
        (refusal(client.call(&set(7, "x", None, None)).await), "invalid argument: unknown metadata type '7'"),
        (refusal(client.call(&get(7, None, 0)).await), "invalid argument: unknown metadata type '7'"),
    ] {
        assert_eq!(result, (8, text.to_owned()));
    }
    assert_eq!(refusal(client.call(&get(1, None, 3)).await).0, 8);
    let unknown = NetworkGetMetadata { network: gone(), r#type: 7, uri: None, flags: 0 };
    assert_eq!(refusal(client.call(&unknown).await).0, 43);

    client.call(&NetworkDestroy { net: net.clone() }).await.unwrap();
    client.call(&NetworkUndefine { net: net.clone() }).await.unwrap();
    let mut told = Vec::new();
    for _ in 0..6 {
        let frame = events.recv().await.expect("an event");
        told.push(match frame.header.procedure {
            NetworkEventLifecycle::NUMBER => {
                let it = NetworkEventLifecycle::from_bytes(&frame.body).unwrap();
                assert_eq!((it.callback_id, it.detail, &it.net), (0, 0, &net));
                (it.event, None)
            }
            NetworkEventCallbackMetadataChange::NUMBER => {
                let it = NetworkEventCallbackMetadataChange::from_bytes(&frame.body).unwrap();
                (it.r#type + 10, it.nsuri)
            }
            other => panic!("event {other}"),
        });
    }
    assert_eq!(told, [(0, None), (2, None), (11, None), (12, Some("urn:x".to_owned())), (3, None), (1, None)]);
    let deregister = ConnectNetworkEventDeregisterAny { callback_id: 2 };
    client.call(&deregister).await.unwrap();
    let text = "internal error: network event callback 2 not registered".to_owned();
    assert_eq!(refusal(client.call(&deregister).await), (1, text));
}

#[tokio::test]
async fn updates_say_what_and_where() {
    let stand = Stand::of_network();
    let client = stand.client().await;
    let net = define(&client, "n").await;
    let update = |net: &Network, command, section, parent_index| NetworkUpdate {
        net: net.clone(),
        command,
        section,
        parent_index,
        xml: "<host/>".to_owned(),
        flags: 0,
    };
    client.call(&update(&net, 3, 4, -1)).await.unwrap();
    client.call(&update(&net, 2, 11, 1)).await.unwrap();
    let refer = NetworkRef { name: net.name.clone(), uuid: uuid::Uuid::from_bytes(net.uuid) };
    let seen = stand.sim.updates(&refer).unwrap();
    let seen: Vec<_> = seen.iter().map(|(command, section, parent)| (*command, section.kind, *parent)).collect();
    let expected = [
        (UpdateCommand::AddLast, SectionKind::IpDhcpHost, None),
        (UpdateCommand::Delete, SectionKind::DnsTxt, Some(1)),
    ];
    assert_eq!(seen, expected);
    let text = |number| format!("Operation not supported: unrecognized network update command code {number}");
    assert_eq!(refusal(client.call(&update(&net, 0, 4, -1)).await), (84, text(0)));
    assert_eq!(refusal(client.call(&update(&net, 99, 4, -1)).await), (84, text(99)));
    let text = "Operation not supported: can't update unrecognized section of network".to_owned();
    assert_eq!(refusal(client.call(&update(&net, 3, 13, -1)).await), (84, text));
    assert_eq!(refusal(client.call(&update(&gone(), 0, 0, -1)).await).0, 43, "the network is looked for first");
    let flagged = NetworkUpdate { flags: 8, ..update(&net, 3, 4, -1) };
    assert_eq!(refusal(client.call(&flagged).await).0, 8);
}

#[tokio::test]
async fn leases_are_listed() {
    let stand = Stand::of_network();
    let client = stand.client().await;
    let net = define(&client, "n").await;
    let refer = NetworkRef { name: net.name.clone(), uuid: uuid::Uuid::from_bytes(net.uuid) };
    let lease = |mac: &str, address: &str| Lease {
        interface: "br-n".to_owned(),
        expires: 1_800_000_000,
        mac: Some(mac.to_owned()),
        iaid: None,
        address: address.parse().expect("an address"),
        prefix: 24,
        hostname: Some("guest".to_owned()),
        client_id: None,
    };
    stand.sim.give(&refer, lease("52:54:00:00:00:01", "192.168.77.15")).unwrap();
    stand.sim.give(&refer, lease("52:54:00:00:00:02", "fd00::15")).unwrap();
    let ask = |mac: Option<&str>, need_results| NetworkGetDhcpLeases {
        net: net.clone(),
        mac: mac.map(str::to_owned),
        need_results,
        flags: 0,
    };
    let all = client.call(&ask(None, 1)).await.unwrap();
    let seen: Vec<_> = all.leases.iter().map(|it| (it.r#type, it.ipaddr.as_str(), it.prefix)).collect();
    assert_eq!(seen, [(0, "192.168.77.15", 24), (1, "fd00::15", 24)]);
    let number = client.call(&ask(None, 0)).await.unwrap();
    assert_eq!((number.leases.len(), number.ret), (0, 2));
    assert_eq!(client.call(&ask(Some("52:54:00:00:00:02"), 1)).await.unwrap().ret, 1);
    assert_eq!(refusal(client.call(&ask(Some("zz"), 1)).await), (44, "invalid MAC address: zz".to_owned()));
}

#[tokio::test]
async fn ports_are_plugged_in_and_out() {
    let stand = Stand::of_network();
    let client = stand.client().await;
    let network = client.call(&NetworkCreateXml { xml: document("n") }).await.unwrap().net;
    let xml = format!(
        "<networkport><uuid>55555555-5555-5555-5555-555555555555</uuid><owner><name>o</name><uuid>{OWN}</uuid></owner>\
         <mac address='52:54:00:7b:35:93'/></networkport>"
    );
    let create = NetworkPortCreateXml { network: network.clone(), xml, flags: 0 };
    let port = client.call(&create).await.unwrap().port;
    assert_eq!(port, NetworkPort { net: network.clone(), uuid: [0x55; 16] });
    assert_eq!(refusal(client.call(&create).await).0, 106);
    let all = NetworkListAllPorts { network: network.clone(), need_results: 1, flags: 0 };
    assert_eq!(client.call(&all).await.unwrap().ports, std::slice::from_ref(&port));
    let by_uuid = |uuid| NetworkPortLookupByUuid { network: network.clone(), uuid };
    assert_eq!(client.call(&by_uuid([0x55; 16])).await.unwrap().port, port);
    let text = "network port not found: Network port with UUID 33333333-3333-3333-3333-333333333333 does not exist";
    assert_eq!(refusal(client.call(&by_uuid([0x33; 16])).await), (107, text.to_owned()));
    let xml = client.call(&NetworkPortGetXmlDesc { port: port.clone(), flags: 0 }).await.unwrap().xml;
    assert!(xml.starts_with("<networkport>\n  <uuid>55555555"), "{xml}");
    let params = vec![TypedParam { field: "inbound.average".to_owned(), value: TypedValue::Uint(5) }];
    client.call(&NetworkPortSetParameters { port: port.clone(), params: params.clone(), flags: 0 }).await.unwrap();
    let get = NetworkPortGetParameters { port: port.clone(), nparams: 0, flags: 0 };
    let got = client.call(&get).await.unwrap();
    assert_eq!((got.params, got.nparams), (params, 1));
    let flagged = NetworkPortGetParameters { port: port.clone(), nparams: 0, flags: 4 };
    assert_eq!(refusal(client.call(&flagged).await).0, 8);
    client.call(&NetworkPortDelete { port: port.clone(), flags: 0 }).await.unwrap();
    assert_eq!(refusal(client.call(&NetworkPortDelete { port, flags: 0 }).await).0, 107);
    let malformed = NetworkPortCreateXml { network: gone(), xml: "<networkport".to_owned(), flags: 0 };
    assert_eq!(refusal(client.call(&malformed).await).0, 43);
}
