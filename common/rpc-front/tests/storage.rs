//! Pools, volumes and secrets through the project's own client: what is answered, and which events follow. Texts and
//! codes are the reference's for the same calls.
#![allow(clippy::expect_used, reason = "a test's steps may fail the test")]

mod stand;

use bytes::Bytes;
use stand::{Stand, refusal};
use virtbus_proto::{
    Event, Xdr,
    events::{SecretEventLifecycle, SecretEventValueChanged, StoragePoolEventLifecycle, StoragePoolEventRefresh},
    table::*,
    types::{Secret, StoragePool, StorageVol},
};
use virtbus_rpc::client::{Connection, Packet};

const UUID: &str = "22222222-2222-2222-2222-222222222222";

fn pool_document(name: &str) -> String {
    format!("<pool type='dir'><name>{name}</name><target><path>/pools/{name}</path></target></pool>")
}

async fn start_pool(client: &Connection, name: &str) -> StoragePool {
    client.call(&StoragePoolCreateXml { xml: pool_document(name), flags: 0 }).await.expect("started").pool
}

async fn create(client: &Connection, pool: &StoragePool, name: &str, capacity: u64) -> StorageVol {
    let xml = format!("<volume><name>{name}</name><capacity>{capacity}</capacity></volume>");
    client.call(&StorageVolCreateXml { pool: pool.clone(), xml, flags: 0 }).await.expect("created").vol
}

#[tokio::test]
async fn a_session_is_one_of_two_drivers() {
    let stand = Stand::of_storage();
    for (uri, opened, kind) in [
        ("", "storage:///system", "storage"),
        ("storage:///system", "storage:///system", "storage"),
        ("secret:///system", "secret:///system", "secret"),
    ] {
        let client = Connection::connect(&stand.socket("sock")).await.unwrap();
        client.open(uri, false).await.unwrap();
        assert_eq!(client.call(&ConnectGetUri {}).await.unwrap().uri, opened);
        assert_eq!(client.call(&ConnectGetType {}).await.unwrap().r#type, kind);
        assert_eq!(client.call(&ConnectGetLibVersion {}).await.unwrap().lib_ver, 11_003_000);
        for (feature, supported) in [(8, 1), (9, 0), (10, 1), (14, 1), (15, 1), (16, 0)] {
            let answer = client.call(&ConnectSupportsFeature { feature }).await.unwrap().supported;
            assert_eq!(answer, supported, "{feature}");
        }
        let text = |api| (3, format!("this function is not supported by the connection driver: {api}"));
        assert_eq!(refusal(client.call(&ConnectGetVersion {}).await), text("virConnectGetVersion"));
        assert_eq!(refusal(client.call(&ConnectGetHostname {}).await), text("virConnectGetHostname"));
        let networks = ConnectListAllNetworks { need_results: 1, flags: 0 };
        assert_eq!(refusal(client.call(&networks).await), text("virConnectListAllNetworks"));
        let capabilities = client.call(&ConnectGetCapabilities {}).await;
        if kind == "storage" {
            let expected = "<capabilities>\n\n  <pool>\n    <enum name='type'>\n      <value>dir</value>\n    </enum>\n  \
                            </pool>\n\n</capabilities>\n";
            assert_eq!(capabilities.unwrap().capabilities, expected);
        } else {
            assert_eq!(refusal(capabilities), text("virConnectGetCapabilities"));
        }
        // Who names a driver has that one alone.
        let pools = client.call(&ConnectNumOfStoragePools {}).await.map(|it| it.num);
        let secrets = client.call(&ConnectNumOfSecrets {}).await.map(|it| it.num);
        match uri {
            "" => assert_eq!((pools.unwrap(), secrets.unwrap()), (0, 0)),
            "storage:///system" => {
                assert_eq!((pools.unwrap(), refusal(secrets)), (0, text("virConnectNumOfSecrets")));
            }
            _ => assert_eq!((refusal(pools), secrets.unwrap()), (text("virConnectNumOfStoragePools"), 0)),
        }
    }
    for (uri, code, text) in [
        ("storage:///session", 1, "internal error: unexpected storage URI path '/session', try storage:///system"),
        ("secret:///foo", 1, "internal error: unexpected secret URI path '/foo', try secret:///system"),
        ("qemu:///system", 5, "no connection driver available for qemu:///system"),
    ] {
        let client = Connection::connect(&stand.socket("sock")).await.unwrap();
        assert_eq!(refusal(client.open(uri, false).await), (code, text.to_owned()));
    }
}

#[tokio::test]
async fn pools_are_found_in_every_form() {
    let stand = Stand::of_storage();
    let client = stand.client().await;
    let on = start_pool(&client, "on").await;
    let xml = pool_document("off").replace("<target>", &format!("<uuid>{UUID}</uuid><target>"));
    let off = client.call(&StoragePoolDefineXml { xml, flags: 0 }).await.unwrap().pool;
    assert_eq!((off.name.as_str(), off.uuid), ("off", [0x22; 16]));

    let all = |need_results, flags| ConnectListAllStoragePools { need_results, flags };
    assert_eq!(client.call(&all(1, 0)).await.unwrap().pools, [off.clone(), on.clone()]);
    assert_eq!(client.call(&all(1, 2)).await.unwrap().pools, std::slice::from_ref(&on));
    assert_eq!(client.call(&all(1, 1 << 6)).await.unwrap().ret, 2, "both are directories");
    assert_eq!(client.call(&all(1, 1 << 8)).await.unwrap().ret, 0);
    let number = client.call(&all(0, 1)).await.unwrap();
    assert_eq!((number.pools.len(), number.ret), (0, 1));
    assert_eq!(refusal(client.call(&all(1, 1 << 20)).await).0, 8);

    assert_eq!(client.call(&ConnectNumOfStoragePools {}).await.unwrap().num, 1);
    assert_eq!(client.call(&ConnectNumOfDefinedStoragePools {}).await.unwrap().num, 1);
    assert_eq!(client.call(&ConnectListStoragePools { maxnames: 5 }).await.unwrap().names, ["on"]);
    assert_eq!(client.call(&ConnectListDefinedStoragePools { maxnames: 5 }).await.unwrap().names, ["off"]);
    let text = "maxnames > REMOTE_STORAGE_POOL_LIST_MAX".to_owned();
    assert_eq!(refusal(client.call(&ConnectListStoragePools { maxnames: 20_000 }).await), (39, text));
    let text = "maxnames must be non-negative".to_owned();
    assert_eq!(refusal(client.call(&ConnectListDefinedStoragePools { maxnames: -1 }).await), (39, text));

    assert_eq!(client.call(&StoragePoolLookupByName { name: "on".to_owned() }).await.unwrap().pool, on);
    assert_eq!(client.call(&StoragePoolLookupByUuid { uuid: off.uuid }).await.unwrap().pool, off);
    let target = |path: &str| StoragePoolLookupByTargetPath { path: path.to_owned() };
    assert_eq!(client.call(&target("/pools/on")).await.unwrap().pool, on);
    let unknown = |what: &str| (49, format!("Storage pool not found: no storage pool with matching {what}"));
    assert_eq!(refusal(client.call(&target("/np")).await), unknown("target path '/np'"));
    assert_eq!(refusal(client.call(&StoragePoolLookupByName { name: "x".to_owned() }).await), unknown("name 'x'"));
    let gone = StoragePool { name: "x".to_owned(), uuid: [1; 16] };
    let uuid = "uuid '01010101-0101-0101-0101-010101010101' (x)";
    assert_eq!(refusal(client.call(&StoragePoolIsActive { pool: gone.clone() }).await), unknown(uuid));
    // The backend reads these flags: the pool is looked for first.
    assert_eq!(refusal(client.call(&StoragePoolBuild { pool: gone.clone(), flags: 1 << 8 }).await).0, 49);
    assert_eq!(refusal(client.call(&StoragePoolDelete { pool: gone.clone(), flags: 1 << 8 }).await).0, 49);
    assert_eq!(refusal(client.call(&StoragePoolCreate { pool: gone, flags: 1 << 8 }).await).0, 8);
}

#[tokio::test]
async fn a_pool_lives_and_tells() {
    let stand = Stand::of_storage();
    let client = stand.client().await;
    let mut events = client.events();
    let register = |event_id| ConnectStoragePoolEventRegisterAny { event_id, pool: None };
    assert_eq!(client.call(&register(0)).await.unwrap().callback_id, 0);
    assert_eq!(client.call(&register(1)).await.unwrap().callback_id, 1);
    let text = "internal error: unsupported storage pool event ID 2".to_owned();
    assert_eq!(refusal(client.call(&register(2)).await), (1, text));
    assert_eq!(
        refusal(client.call(&register(0)).await),
        (8, "invalid argument: event callback already tracked".to_owned())
    );

    let xml = pool_document("p");
    let pool = client.call(&StoragePoolDefineXml { xml, flags: 0 }).await.unwrap().pool;
    client.call(&StoragePoolBuild { pool: pool.clone(), flags: 0 }).await.unwrap();
    client.call(&StoragePoolCreate { pool: pool.clone(), flags: 0 }).await.unwrap();
    client.call(&StoragePoolRefresh { pool: pool.clone(), flags: 0 }).await.unwrap();
    let info = client.call(&StoragePoolGetInfo { pool: pool.clone() }).await.unwrap();
    assert_eq!((info.state, info.capacity, info.allocation, info.available), (2, 1 << 30, 0, 1 << 30));
    client.call(&StoragePoolSetAutostart { pool: pool.clone(), autostart: 1 }).await.unwrap();
    assert_eq!(client.call(&StoragePoolGetAutostart { pool: pool.clone() }).await.unwrap().autostart, 1);
    assert_eq!(client.call(&StoragePoolIsActive { pool: pool.clone() }).await.unwrap().active, 1);
    assert_eq!(client.call(&StoragePoolIsPersistent { pool: pool.clone() }).await.unwrap().persistent, 1);
    let xml = client.call(&StoragePoolGetXmlDesc { pool: pool.clone(), flags: 0 }).await.unwrap().xml;
    assert!(xml.starts_with("<pool type='dir'>\n  <name>p</name>\n"), "{xml}");
    let text = "Requested operation is not valid: storage pool 'p' is still active".to_owned();
    assert_eq!(refusal(client.call(&StoragePoolUndefine { pool: pool.clone() }).await), (55, text));
    client.call(&StoragePoolDestroy { pool: pool.clone() }).await.unwrap();
    client.call(&StoragePoolDelete { pool: pool.clone(), flags: 0 }).await.unwrap();
    client.call(&StoragePoolUndefine { pool: pool.clone() }).await.unwrap();

    let mut told = Vec::new();
    for _ in 0..7 {
        let frame = events.recv().await.expect("an event");
        told.push(match frame.header.procedure {
            StoragePoolEventLifecycle::NUMBER => {
                let it = StoragePoolEventLifecycle::from_bytes(&frame.body).unwrap();
                assert_eq!((it.callback_id, it.detail, &it.pool), (0, 0, &pool));
                it.event
            }
            StoragePoolEventRefresh::NUMBER => {
                assert_eq!(StoragePoolEventRefresh::from_bytes(&frame.body).unwrap().callback_id, 1);
                -1
            }
            other => panic!("event {other}"),
        });
    }
    assert_eq!(told, [0, 4, 2, -1, 3, 5, 1]);
    client.call(&ConnectStoragePoolEventDeregisterAny { callback_id: 0 }).await.unwrap();
    let text = "internal error: storage pool event callback 0 not registered".to_owned();
    assert_eq!(refusal(client.call(&ConnectStoragePoolEventDeregisterAny { callback_id: 0 }).await), (1, text));
    start_pool(&client, "q").await;
    assert!(events.try_recv().is_err(), "nobody is told after the reply to a deregistration");

    let capabilities = client.call(&ConnectGetStoragePoolCapabilities { flags: 0 }).await.unwrap().capabilities;
    assert!(capabilities.contains("<pool type='dir' supported='yes'>"), "{capabilities}");
    let find = |r#type: &str| ConnectFindStoragePoolSources { r#type: r#type.to_owned(), src_spec: None, flags: 1 };
    let text = "internal error: unknown storage pool type bogus".to_owned();
    assert_eq!(refusal(client.call(&find("bogus")).await), (1, text));
    assert_eq!(refusal(client.call(&find("dir")).await).0, 3);
}

#[tokio::test]
async fn volumes_are_made_found_and_changed() {
    let stand = Stand::of_storage();
    let client = stand.client().await;
    let pool = start_pool(&client, "p").await;
    let vol = create(&client, &pool, "v", 8192).await;
    assert_eq!((vol.pool.as_str(), vol.name.as_str(), vol.key.as_str()), ("p", "v", "/pools/p/v"));
    let xml = "<volume><name>w</name><capacity>8192</capacity></volume>".to_owned();
    let copy = StorageVolCreateXmlFrom { pool: pool.clone(), xml, clonevol: vol.clone(), flags: 0 };
    let other = client.call(&copy).await.unwrap().vol;

    let all = StoragePoolListAllVolumes { pool: pool.clone(), need_results: 1, flags: 0 };
    assert_eq!(client.call(&all).await.unwrap().vols, [vol.clone(), other.clone()]);
    assert_eq!(client.call(&StoragePoolNumOfVolumes { pool: pool.clone() }).await.unwrap().num, 2);
    let names = StoragePoolListVolumes { pool: pool.clone(), maxnames: 1 };
    assert_eq!(client.call(&names).await.unwrap().names, ["v"]);
    let by_name = |name: &str| StorageVolLookupByName { pool: pool.clone(), name: name.to_owned() };
    assert_eq!(client.call(&by_name("w")).await.unwrap().vol, other);
    let text = "Storage volume not found: no storage vol with matching name 'zz'".to_owned();
    assert_eq!(refusal(client.call(&by_name("zz")).await), (50, text));
    let key = "/pools/p/v".to_owned();
    assert_eq!(client.call(&StorageVolLookupByKey { key: key.clone() }).await.unwrap().vol, vol);
    assert_eq!(client.call(&StorageVolLookupByPath { path: key.clone() }).await.unwrap().vol, vol);
    assert_eq!(client.call(&StoragePoolLookupByVolume { vol: vol.clone() }).await.unwrap().pool, pool);
    assert_eq!(client.call(&StorageVolGetPath { vol: vol.clone() }).await.unwrap().name, key);

    let resize = |capacity, flags| StorageVolResize { vol: vol.clone(), capacity, flags };
    client.call(&resize(4096, 2)).await.unwrap();
    let text = "capacity in virStorageVolResize cannot be zero without 'delta' or 'shrink' flags set".to_owned();
    assert_eq!(refusal(client.call(&resize(0, 1)).await), (8, text));
    let info = client.call(&StorageVolGetInfo { vol: vol.clone() }).await.unwrap();
    assert_eq!((info.r#type, info.capacity), (0, 12_288));
    let info = client.call(&StorageVolGetInfoFlags { vol: vol.clone(), flags: 1 }).await.unwrap();
    assert_eq!((info.capacity, info.allocation), (12_288, 12_288), "in place of the allocation, the physical size");
    let xml = client.call(&StorageVolGetXmlDesc { vol: vol.clone(), flags: 0 }).await.unwrap().xml;
    assert!(xml.contains("<name>v</name>") && xml.contains("<key>/pools/p/v</key>"), "{xml}");

    client.call(&StorageVolWipe { vol: vol.clone(), flags: 0 }).await.unwrap();
    let pattern = |algorithm| StorageVolWipePattern { vol: vol.clone(), algorithm, flags: 0 };
    client.call(&pattern(9)).await.unwrap();
    let text = "invalid argument: wiping algorithm 99 not supported".to_owned();
    assert_eq!(refusal(client.call(&pattern(99)).await), (8, text));
    client.call(&StorageVolDelete { vol: other.clone(), flags: 0 }).await.unwrap();
    assert_eq!(refusal(client.call(&StorageVolDelete { vol: other, flags: 1 << 8 }).await).0, 50);
    assert_eq!(refusal(client.call(&StorageVolDelete { vol, flags: 1 << 8 }).await).0, 8);
    let gone = StoragePool { name: "x".to_owned(), uuid: [1; 16] };
    let malformed = StorageVolCreateXml { pool: gone, xml: "<volume".to_owned(), flags: 0 };
    assert_eq!(refusal(client.call(&malformed).await).0, 49);
}

#[tokio::test]
async fn bytes_travel_both_ways() {
    let stand = Stand::of_storage();
    let client = stand.client().await;
    let pool = start_pool(&client, "p").await;
    let vol = create(&client, &pool, "v", 3 * 4096).await;
    let receive = async |offset, length, flags| {
        let call = StorageVolDownload { vol: vol.clone(), offset, length, flags };
        let ((), mut stream) = client.call_stream(&call).await.expect("a stream");
        let mut seen = Vec::new();
        loop {
            match stream.receive().await.expect("a packet") {
                Packet::End => break,
                it => seen.push(it),
            }
        }
        stream.finish().await.expect("finished");
        seen
    };
    assert_eq!(receive(0, 10, 0).await, [Packet::Data(Bytes::from_static(&[0; 10]))]);
    assert_eq!(receive(1 << 20, 0, 0).await, [], "there is nothing behind the end");
    assert_eq!(receive(0, 0, 1).await, [Packet::Hole(3 * 4096)]);

    let ((), stream) =
        client.call_stream(&StorageVolUpload { vol: vol.clone(), offset: 0, length: 0, flags: 1 }).await.unwrap();
    stream.send(Bytes::from_static(b"hello")).await.unwrap();
    stream.send_hole(4091).await.unwrap();
    stream.send(Bytes::from_static(&[7; 4096])).await.unwrap();
    stream.finish().await.unwrap();
    let mut first = b"hello".to_vec();
    first.resize(4096, 0);
    let expected = [Packet::Data(Bytes::from(first)), Packet::Data(Bytes::from_static(&[7; 4096])), Packet::Hole(4096)];
    assert_eq!(receive(0, 0, 1).await, expected);
    assert_eq!(receive(4095, 2, 0).await, [Packet::Data(Bytes::from_static(&[0, 7]))]);

    // What does not fit fails the stream, and the connection stays.
    let ((), stream) = client
        .call_stream(&StorageVolUpload { vol: vol.clone(), offset: 3 * 4096, length: 0, flags: 0 })
        .await
        .unwrap();
    stream.send(Bytes::from_static(b"too much")).await.unwrap();
    let (code, text) = refusal(stream.finish().await);
    assert_eq!(code, 38);
    assert!(text.contains("'v' at 12288"), "{text}");
    let ((), stream) =
        client.call_stream(&StorageVolUpload { vol: vol.clone(), offset: 0, length: 0, flags: 0 }).await.unwrap();
    stream.abort().await.unwrap();
    client.call(&StorageVolGetInfo { vol }).await.unwrap();
    let unknown = StorageVol { pool: "p".to_owned(), name: "x".to_owned(), key: String::new() };
    let call = StorageVolDownload { vol: unknown, offset: 0, length: 0, flags: 0 };
    assert_eq!(refusal(client.call_stream(&call).await.map(drop)).0, 50);
}

#[tokio::test]
async fn secrets_are_kept_and_told_of() {
    let stand = Stand::of_storage();
    let client = stand.client().await;
    let mut events = client.events();
    for event_id in [0, 1] {
        let register = ConnectSecretEventRegisterAny { event_id, secret: None };
        assert_eq!(client.call(&register).await.unwrap().callback_id, event_id);
    }
    let document = |private: &str| {
        format!("<secret private='{private}'><usage type='volume'><volume>/{private}</volume></usage></secret>")
    };
    let define = async |private: &str| {
        client.call(&SecretDefineXml { xml: document(private), flags: 0 }).await.expect("defined").secret
    };
    let (open, private): (Secret, Secret) = (define("no").await, define("yes").await);
    assert_eq!((open.usage_type, open.usage_id.as_str()), (1, "/no"));
    let set =
        |secret: &Secret, value: &[u8]| SecretSetValue { secret: secret.clone(), value: value.to_vec(), flags: 0 };
    let get = |secret: &Secret| SecretGetValue { secret: secret.clone(), flags: 0 };
    assert_eq!(refusal(client.call(&get(&open)).await).0, 66, "it has no value yet");
    client.call(&set(&open, b"hush")).await.unwrap();
    client.call(&set(&private, b"hush")).await.unwrap();
    assert_eq!(client.call(&get(&open)).await.unwrap().value, b"hush");
    assert_eq!(refusal(client.call(&get(&private)).await), (65, "Invalid secret: secret is private".to_owned()));
    let text = "value in virSecretSetValue must not be NULL".to_owned();
    assert_eq!(refusal(client.call(&set(&open, b"")).await), (8, text));

    assert_eq!(client.call(&SecretLookupByUuid { uuid: open.uuid }).await.unwrap().secret, open);
    let usage = |usage_id: &str| SecretLookupByUsage { usage_type: 1, usage_id: usage_id.to_owned() };
    assert_eq!(client.call(&usage("/yes")).await.unwrap().secret, private);
    let text = "Secret not found: no secret with matching usage '/x'".to_owned();
    assert_eq!(refusal(client.call(&usage("/x")).await), (66, text));
    assert_eq!(client.call(&ConnectNumOfSecrets {}).await.unwrap().num, 2);
    let uuid = uuid::Uuid::from_bytes(open.uuid).to_string();
    assert!(client.call(&ConnectListSecrets { maxuuids: 5 }).await.unwrap().uuids.contains(&uuid));
    let all = |flags| ConnectListAllSecrets { need_results: 1, flags };
    assert_eq!(client.call(&all(4)).await.unwrap().secrets, std::slice::from_ref(&private));
    assert_eq!(refusal(client.call(&all(16)).await).0, 8);
    let xml = client.call(&SecretGetXmlDesc { secret: open.clone(), flags: 0 }).await.unwrap().xml;
    assert!(xml.contains("<volume>/no</volume>"), "{xml}");
    client.call(&SecretUndefine { secret: open.clone() }).await.unwrap();

    let mut told = Vec::new();
    for _ in 0..5 {
        let frame = events.recv().await.expect("an event");
        told.push(match frame.header.procedure {
            SecretEventLifecycle::NUMBER => SecretEventLifecycle::from_bytes(&frame.body).unwrap().event,
            SecretEventValueChanged::NUMBER => {
                assert_eq!(SecretEventValueChanged::from_bytes(&frame.body).unwrap().callback_id, 1);
                -1
            }
            other => panic!("event {other}"),
        });
    }
    assert_eq!(told, [0, 0, -1, -1, 1]);
    let text = "internal error: secret event callback 77 not registered".to_owned();
    assert_eq!(refusal(client.call(&ConnectSecretEventDeregisterAny { callback_id: 77 }).await), (1, text));

    // Nobody reads a value over a read-only connection.
    let reader = Connection::connect(&stand.socket("sock-ro")).await.unwrap();
    reader.open("secret:///system", false).await.unwrap();
    let text = "operation forbidden: read only access prevents virSecretGetValue".to_owned();
    assert_eq!(refusal(reader.call(&get(&private)).await), (29, text));
    reader.call(&SecretGetXmlDesc { secret: private, flags: 0 }).await.unwrap();
}
