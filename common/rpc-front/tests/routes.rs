//! Every part of the front through the project's own client: what is answered, and which events follow.

#![allow(clippy::expect_used, reason = "a test's steps may fail the test")]

mod stand;

use bytes::Bytes;
use stand::{Stand, document, refusal};
use virtbus_proto::{
    Event, Xdr,
    events::{DomainEventCallbackLifecycle, DomainEventLifecycle, QemuDomainMonitorEvent},
    table::*,
    types::Domain,
};
use virtbus_rpc::client::{Connection, Packet};

async fn define(client: &Connection, name: &str) -> Domain {
    client.call(&DomainDefineXmlFlags { xml: document(name), flags: 0 }).await.expect("defined").dom
}

async fn start(client: &Connection, name: &str) -> Domain {
    let dom = define(client, name).await;
    client.call(&DomainCreateWithFlags { dom, flags: 0 }).await.expect("started").dom
}

#[tokio::test]
async fn a_session_opens_once_and_says_where_it_is() {
    let stand = Stand::new();
    let client = Connection::connect(&stand.socket("sock")).await.unwrap();
    client.authenticate().await.unwrap();
    assert_eq!(
        refusal(client.call(&ConnectGetUri {}).await),
        (1, "internal error: hypervisor connection not open".to_owned())
    );
    let other = ConnectOpen { name: Some("qemu:///session".to_owned()), flags: 0 };
    let text = "internal error: unexpected qemu URI path '/session', try qemu:///system";
    assert_eq!(refusal(client.call(&other).await), (1, text.to_owned()));
    let open = ConnectOpen { name: None, flags: 6 };
    client.call(&open).await.unwrap();
    assert_eq!(client.call(&ConnectGetUri {}).await.unwrap().uri, stand.uri);
    for (feature, supported) in [(8, 1), (9, 1), (10, 1), (14, 1), (15, 1), (2, 0), (99, 0)] {
        assert_eq!(client.call(&ConnectSupportsFeature { feature }).await.unwrap().supported, supported, "{feature}");
    }
    assert_eq!(client.call(&ConnectIsSecure {}).await.unwrap().secure, 1);
    client.call(&ConnectRegisterCloseCallback {}).await.unwrap();
    client.call(&ConnectUnregisterCloseCallback {}).await.unwrap();
    assert_eq!(refusal(client.call(&open).await).1, "internal error: connection already open");
    assert_eq!(refusal(client.call(&ConnectGetUri {}).await).0, 1, "the first one is gone as well");
    client.close().await.unwrap();
    client.ended().await;
}

#[tokio::test]
async fn the_node_describes_itself() {
    let stand = Stand::new();
    let client = stand.client().await;
    assert_eq!(client.call(&ConnectGetType {}).await.unwrap().r#type, "QEMU");
    assert_eq!(client.call(&ConnectGetVersion {}).await.unwrap().hv_ver, 10_000_002);
    assert_eq!(client.call(&ConnectGetLibVersion {}).await.unwrap().lib_ver, 11_003_000);
    assert_eq!(client.call(&ConnectGetHostname {}).await.unwrap().hostname, "simulated.example.org");
    assert_eq!(client.call(&ConnectGetMaxVcpus { r#type: None }).await.unwrap().max_vcpus, 16);
    let info = client.call(&NodeGetInfo {}).await.unwrap();
    assert_eq!((info.model.text().as_str(), info.cpus), ("x86_64", 2));
    assert_eq!(client.call(&NodeGetFreeMemory {}).await.unwrap().free_mem, 2 << 30);
    assert_eq!(client.call(&NodeGetSecurityModel {}).await.unwrap().model.text(), "none");

    let cells = |start_cell, maxcells| NodeGetCellsFreeMemory { start_cell, maxcells };
    assert_eq!(client.call(&cells(0, 4)).await.unwrap().cells, [2 << 30]);
    let text = "maxCells in virNodeGetCellsFreeMemory must be greater than zero";
    assert_eq!(refusal(client.call(&cells(0, 0)).await), (8, text.to_owned()));
    assert_eq!(refusal(client.call(&cells(-1, 1)).await).0, 8);
    assert_eq!(refusal(client.call(&cells(0, 2000)).await).0, 39);

    let stats = |cpu_num, nparams| NodeGetCpuStats { cpu_num, nparams, flags: 0 };
    let number = client.call(&stats(-1, 0)).await.unwrap();
    assert_eq!((number.params.len(), number.nparams), (0, 4));
    assert_eq!(client.call(&stats(-1, 4)).await.unwrap().params[0].field, "kernel");
    assert_eq!(refusal(client.call(&stats(-1, 3)).await).0, 8);
    assert_eq!(refusal(client.call(&stats(-1, 17)).await).1, "internal error: nparams too large");
    assert_eq!(refusal(client.call(&stats(-2, 4)).await).0, 8);
    let memory = client.call(&NodeGetMemoryStats { nparams: 4, cell_num: -1, flags: 0 }).await.unwrap();
    assert_eq!(memory.params[0].field, "total");
    let map = client.call(&NodeGetCpuMap { need_map: 1, need_online: 1, flags: 0 }).await.unwrap();
    assert_eq!((map.cpumap, map.online, map.ret), (vec![3], 2, 2));
    let params = client.call(&NodeGetMemoryParameters { nparams: 8, flags: 4 }).await.unwrap();
    assert_eq!((params.params.len(), params.nparams), (1, 1));
    let xml = client.call(&ConnectGetCapabilities {}).await.unwrap().capabilities;
    assert!(xml.starts_with("<capabilities>"), "{xml}");
    let xml = client.call(&ConnectGetDomainCapabilities::default()).await.unwrap().capabilities;
    assert!(xml.starts_with("<domainCapabilities>"), "{xml}");
    let models = ConnectGetCpuModelNames { arch: "x86_64".to_owned(), need_results: 1, flags: 0 };
    assert_eq!(client.call(&models).await.unwrap().models.len(), 2);
}

#[tokio::test]
async fn domains_are_found_in_every_form() {
    let stand = Stand::new();
    let client = stand.client().await;
    let on = start(&client, "on").await;
    let off = define(&client, "off").await;
    assert_eq!((on.id, off.id), (1, -1));

    let all = |need_results, flags| ConnectListAllDomains { need_results, flags };
    let names = |them: Vec<Domain>| them.into_iter().map(|it| it.name).collect::<Vec<_>>();
    assert_eq!(names(client.call(&all(1, 0)).await.unwrap().domains), ["off", "on"]);
    assert_eq!(names(client.call(&all(1, 1)).await.unwrap().domains), ["on"]);
    let number = client.call(&all(0, 2)).await.unwrap();
    assert_eq!((number.domains.len(), number.ret), (0, 1));
    let text = "unsupported flags (0x100000) in function virConnectListAllDomains";
    assert_eq!(refusal(client.call(&all(1, 0x10_0000)).await), (8, text.to_owned()));

    assert_eq!(client.call(&ConnectNumOfDomains {}).await.unwrap().num, 1);
    assert_eq!(client.call(&ConnectNumOfDefinedDomains {}).await.unwrap().num, 1);
    assert_eq!(client.call(&ConnectListDomains { maxids: 5 }).await.unwrap().ids, [1]);
    assert_eq!(client.call(&ConnectListDomains { maxids: 0 }).await.unwrap().ids, [0; 0]);
    assert_eq!(client.call(&ConnectListDefinedDomains { maxnames: 5 }).await.unwrap().names, ["off"]);
    assert_eq!(refusal(client.call(&ConnectListDomains { maxids: -1 }).await).0, 39);
    assert_eq!(refusal(client.call(&ConnectListDomains { maxids: 16_385 }).await).1, "maxids > REMOTE_DOMAIN_LIST_MAX");

    assert_eq!(client.call(&DomainLookupById { id: 1 }).await.unwrap().dom, on);
    assert_eq!(client.call(&DomainLookupByName { name: "off".to_owned() }).await.unwrap().dom, off);
    assert_eq!(client.call(&DomainLookupByUuid { uuid: off.uuid }).await.unwrap().dom, off);
    let unknown = |what: &str| (42, format!("Domain not found: no domain with matching {what}"));
    assert_eq!(refusal(client.call(&DomainLookupById { id: -7 }).await), unknown("id -7"));
    assert_eq!(refusal(client.call(&DomainLookupByName { name: "x".to_owned() }).await), unknown("name 'x'"));
    let uuid = "01010101-0101-0101-0101-010101010101";
    assert_eq!(refusal(client.call(&DomainLookupByUuid { uuid: [1; 16] }).await), unknown(&format!("uuid '{uuid}'")));
    let dom = Domain { name: "x".to_owned(), uuid: [1; 16], id: -1 };
    assert_eq!(refusal(client.call(&DomainCreate { dom }).await), unknown(&format!("uuid '{uuid}' (x)")));
}

#[tokio::test]
async fn a_domain_lives_and_dies() {
    let stand = Stand::new();
    let client = stand.client().await;
    let dom = || define(&client, "a");
    let dom = dom().await;
    let state = async || {
        let it = client.call(&DomainGetState { dom: dom.clone(), flags: 0 }).await.unwrap();
        (it.state, it.reason)
    };
    assert_eq!(state().await, (5, 0));
    assert_eq!(refusal(client.call(&DomainSuspend { dom: dom.clone() }).await).0, 55);
    client.call(&DomainCreate { dom: dom.clone() }).await.unwrap();
    assert_eq!(state().await, (1, 1));
    assert_eq!(refusal(client.call(&DomainCreate { dom: dom.clone() }).await).0, 55);
    client.call(&DomainSuspend { dom: dom.clone() }).await.unwrap();
    assert_eq!(state().await, (3, 1));
    client.call(&DomainResume { dom: dom.clone() }).await.unwrap();
    client.call(&DomainReset { dom: dom.clone(), flags: 0 }).await.unwrap();
    client.call(&DomainReboot { dom: dom.clone(), flags: 1 }).await.unwrap();
    client.call(&DomainShutdown { dom: dom.clone() }).await.unwrap();
    assert_eq!(state().await, (5, 1));
    client.call(&DomainCreateWithFlags { dom: dom.clone(), flags: 1 }).await.unwrap();
    assert_eq!(state().await, (3, 1));
    client.call(&DomainDestroyFlags { dom: dom.clone(), flags: 1 }).await.unwrap();
    assert_eq!(state().await, (5, 2));
    client.call(&DomainCreate { dom: dom.clone() }).await.unwrap();
    client.call(&DomainDestroy { dom: dom.clone() }).await.unwrap();
    let again = DomainShutdownFlags { dom: dom.clone(), flags: 1 };
    assert_eq!(
        refusal(client.call(&again).await),
        (55, "Requested operation is not valid: domain is not running".to_owned())
    );
    let rename = DomainRename { dom: dom.clone(), new_name: Some("b".to_owned()), flags: 0 };
    assert_eq!(client.call(&rename).await.unwrap().retcode, 0);
    client.call(&DomainUndefineFlags { dom: dom.clone(), flags: 0x7 }).await.unwrap();
    assert_eq!(refusal(client.call(&DomainUndefine { dom }).await).0, 42);
    let created = client.call(&DomainCreateXml { xml_desc: document("c"), flags: 0 }).await.unwrap().dom;
    assert_eq!(client.call(&DomainIsPersistent { dom: created }).await.unwrap().persistent, 0);
}

#[tokio::test]
async fn views_answer_without_the_guest() {
    let stand = Stand::new();
    let client = stand.client().await;
    let dom = start(&client, "a").await;
    let info = client.call(&DomainGetInfo { dom: dom.clone() }).await.unwrap();
    assert_eq!((info.state, info.max_mem, info.memory, info.nr_virt_cpu), (1, 65_536, 32_768, 1));
    assert_eq!(client.call(&DomainGetOsType { dom: dom.clone() }).await.unwrap().r#type, "hvm");
    assert_eq!(client.call(&DomainGetMaxMemory { dom: dom.clone() }).await.unwrap().memory, 65_536);
    assert_eq!(client.call(&DomainGetMaxVcpus { dom: dom.clone() }).await.unwrap().num, 2);
    assert_eq!(client.call(&DomainGetVcpusFlags { dom: dom.clone(), flags: 1 }).await.unwrap().num, 1);
    assert_eq!(client.call(&DomainIsActive { dom: dom.clone() }).await.unwrap().active, 1);
    assert_eq!(client.call(&DomainIsPersistent { dom: dom.clone() }).await.unwrap().persistent, 1);
    assert_eq!(client.call(&DomainIsUpdated { dom: dom.clone() }).await.unwrap().updated, 0);
    client.call(&DomainSetAutostart { dom: dom.clone(), autostart: 1 }).await.unwrap();
    assert_eq!(client.call(&DomainGetAutostart { dom: dom.clone() }).await.unwrap().autostart, 1);
    client.call(&DomainSetAutostartOnce { dom: dom.clone(), autostart: 1 }).await.unwrap();
    assert_eq!(client.call(&DomainGetAutostartOnce { dom: dom.clone() }).await.unwrap().autostart, 1);
    let saved = DomainHasManagedSaveImage { dom: dom.clone(), flags: 0 };
    assert_eq!(client.call(&saved).await.unwrap().result, 0);
    let current = DomainHasCurrentSnapshot { dom: dom.clone(), flags: 0 };
    assert_eq!(client.call(&current).await.unwrap().result, 0);
    assert_eq!(client.call(&DomainSnapshotNum { dom: dom.clone(), flags: 2 }).await.unwrap().num, 0);
    let names = DomainSnapshotListNames { dom: dom.clone(), maxnames: 4, flags: 0 };
    assert!(client.call(&names).await.unwrap().names.is_empty());
    assert!(client.call(&DomainGetMessages { dom: dom.clone(), flags: 0 }).await.unwrap().msgs.is_empty());
    assert_eq!(client.call(&DomainGetSecurityLabel { dom: dom.clone() }).await.unwrap().label.text(), "");
    assert_eq!(client.call(&DomainGetSecurityLabelList { dom: dom.clone() }).await.unwrap().ret, 0);
    let xml = client.call(&DomainGetXmlDesc { dom: dom.clone(), flags: 0 }).await.unwrap().xml;
    assert!(xml.starts_with("<domain type='qemu' id='1'>\n  <name>a</name>\n"), "{xml}");
    let xml = client.call(&DomainGetXmlDesc { dom: dom.clone(), flags: 2 }).await.unwrap().xml;
    assert!(xml.starts_with("<domain type='qemu'>\n"), "{xml}");

    let control = client.call(&DomainGetControlInfo { dom: dom.clone(), flags: 0 }).await.unwrap();
    assert_eq!((control.state, control.details), (0, 0));
    assert_eq!(client.call(&DomainGetJobInfo { dom: dom.clone() }).await.unwrap().r#type, 0);
    let stats = client.call(&DomainGetJobStats { dom: dom.clone(), flags: 1 }).await.unwrap();
    assert_eq!((stats.r#type, stats.params.len()), (0, 0));
    assert_eq!(refusal(client.call(&DomainAbortJob { dom: dom.clone() }).await).0, 55);
    assert_eq!(refusal(client.call(&DomainAbortJobFlags { dom, flags: 1 }).await).0, 8);
}

#[tokio::test]
async fn metadata_is_kept() {
    let stand = Stand::new();
    let client = stand.client().await;
    let dom = define(&client, "a").await;
    let get = |r#type, uri: Option<&str>| DomainGetMetadata {
        dom: dom.clone(),
        r#type,
        uri: uri.map(str::to_owned),
        flags: 0,
    };
    let set = |r#type, metadata: Option<&str>, key: Option<&str>, uri: Option<&str>| DomainSetMetadata {
        dom: dom.clone(),
        r#type,
        metadata: metadata.map(str::to_owned),
        key: key.map(str::to_owned),
        uri: uri.map(str::to_owned),
        flags: 0,
    };
    assert_eq!(
        refusal(client.call(&get(1, None)).await),
        (80, "metadata not found: Requested metadata element is not present".to_owned())
    );
    client.call(&set(0, Some("two\nlines"), None, None)).await.unwrap();
    client.call(&set(1, Some("one line"), None, None)).await.unwrap();
    client.call(&set(2, Some("<x/>"), Some("k"), Some("urn:k"))).await.unwrap();
    assert_eq!(client.call(&get(0, None)).await.unwrap().metadata, "two\nlines");
    assert_eq!(client.call(&get(1, None)).await.unwrap().metadata, "one line");
    assert_eq!(client.call(&get(2, Some("urn:k"))).await.unwrap().metadata, "<x/>");
    assert_eq!(refusal(client.call(&set(1, Some("two\nlines"), None, None)).await).0, 8);
    assert_eq!(refusal(client.call(&get(2, None)).await).0, 8);
    assert_eq!(refusal(client.call(&get(3, None)).await).0, 8);
    client.call(&set(2, None, None, Some("urn:k"))).await.unwrap();
    assert_eq!(refusal(client.call(&get(2, Some("urn:k"))).await).0, 80);
}

#[tokio::test]
async fn guests_are_reached() {
    let stand = Stand::new();
    let client = stand.client().await;
    let dom = start(&client, "a").await;
    let key = |codeset| DomainSendKey { dom: dom.clone(), codeset, holdtime: 0, keycodes: vec![30], flags: 0 };
    client.call(&key(0)).await.unwrap();
    assert_eq!(refusal(client.call(&key(99)).await).0, 67);
    client.call(&DomainInjectNmi { dom: dom.clone(), flags: 0 }).await.unwrap();
    assert_eq!(refusal(client.call(&DomainPmWakeup { dom: dom.clone(), flags: 0 }).await).0, 55);
    let command = |flags| QemuDomainMonitorCommand { dom: dom.clone(), cmd: "info".to_owned(), flags };
    assert_eq!(client.call(&command(1)).await.unwrap().result, "simulated: info\r\n");
    assert_eq!(refusal(client.call(&command(16)).await).0, 8);
    let native =
        ConnectDomainXmlToNative { native_format: "qemu-argv".to_owned(), domain_xml: document("n"), flags: 0 };
    assert_eq!(client.call(&native).await.unwrap().native_config, "simulated-qemu -name n\n");
    let native =
        ConnectDomainXmlFromNative { native_format: "qemu-argv".to_owned(), native_config: String::new(), flags: 0 };
    let text = "this function is not supported by the connection driver: virConnectDomainXMLFromNative";
    assert_eq!(refusal(client.call(&native).await), (3, text.to_owned()));
}

#[tokio::test]
async fn consoles_echo_and_screens_are_sent_whole() {
    let stand = Stand::new();
    let client = stand.client().await;
    let dom = start(&client, "a").await;
    let open = DomainOpenConsole { dom: dom.clone(), dev_name: None, flags: 0 };
    let ((), mut console) = client.call_stream(&open).await.unwrap();
    console.send(Bytes::from_static(b"hello")).await.unwrap();
    assert_eq!(console.receive().await, Some(Packet::Data(Bytes::from_static(b"hello"))));
    assert_eq!(refusal(client.call(&open).await).0, 9, "somebody has it");
    console.finish().await.unwrap();
    let channel = DomainOpenChannel { dom: dom.clone(), name: Some("org.example.echo".to_owned()), flags: 0 };
    let ((), channel) = client.call_stream(&channel).await.unwrap();
    channel.abort().await.unwrap();

    let shot = DomainScreenshot { dom: dom.clone(), screen: 0, flags: 0 };
    let (reply, mut picture) = client.call_stream(&shot).await.unwrap();
    assert_eq!(reply.mime.as_deref(), Some("image/x-portable-pixmap"));
    let mut len = 0;
    while let Some(Packet::Data(data)) = picture.receive().await {
        len += data.len();
    }
    assert_eq!(len, 15 + 640 * 480 * 3);
    picture.finish().await.unwrap();
    let shot = DomainScreenshot { dom, screen: 1, flags: 0 };
    assert_eq!(refusal(client.call(&shot).await).0, 8);
}

#[tokio::test]
async fn events_reach_those_who_listen() {
    let stand = Stand::new();
    let (new, old) = (stand.client().await, stand.client().await);
    let (mut of_new, mut of_old) = (new.events(), old.events());
    let a = define(&new, "a").await;
    let b = define(&new, "b").await;
    let register = |event_id, dom| ConnectDomainEventCallbackRegisterAny { event_id, dom };
    let id = new.call(&register(0, Some(a.clone()))).await.unwrap().callback_id;
    let text = "invalid argument: event callback already tracked";
    assert_eq!(refusal(new.call(&register(0, Some(a.clone()))).await), (8, text.to_owned()));
    assert_eq!(refusal(new.call(&register(28, None)).await).1, "internal error: unsupported event ID 28");
    old.call(&ConnectDomainEventRegister {}).await.unwrap();
    assert_eq!(refusal(old.call(&register(0, None)).await).1, text);
    assert_eq!(
        refusal(old.call(&ConnectDomainEventRegisterAny { event_id: 16 }).await).1,
        "internal error: unsupported event ID 16"
    );

    new.call(&DomainCreate { dom: b.clone() }).await.unwrap();
    new.call(&DomainCreate { dom: a.clone() }).await.unwrap();
    for (name, event) in [("b", 4), ("b", 2), ("a", 4), ("a", 2)] {
        let frame = of_old.recv().await.unwrap();
        assert_eq!(frame.header.procedure, DomainEventLifecycle::NUMBER);
        let it = DomainEventLifecycle::from_bytes(&frame.body).unwrap();
        assert_eq!((it.dom.name.as_str(), it.event), (name, event));
    }
    for event in [4, 2] {
        let frame = of_new.recv().await.unwrap();
        assert_eq!(frame.header.procedure, DomainEventCallbackLifecycle::NUMBER);
        let it = DomainEventCallbackLifecycle::from_bytes(&frame.body).unwrap();
        assert_eq!((it.callback_id, it.msg.dom.name.as_str(), it.msg.event), (id, "a", event));
    }

    let deregister = ConnectDomainEventCallbackDeregisterAny { callback_id: id };
    assert_eq!(
        refusal(old.call(&deregister).await).1,
        format!("internal error: domain event callback {id} not registered")
    );
    new.call(&deregister).await.unwrap();
    old.call(&ConnectDomainEventDeregister {}).await.unwrap();
    let again = ConnectDomainEventDeregisterAny { event_id: 0 };
    assert_eq!(refusal(old.call(&again).await).1, "internal error: domain event 0 not registered");
    old.call(&ConnectDomainEventRegisterAny { event_id: 1 }).await.unwrap();
    new.call(&DomainReset { dom: a, flags: 0 }).await.unwrap();
    assert_eq!(of_old.recv().await.unwrap().header.procedure, 169);
    assert!(of_new.try_recv().is_err());
}

#[tokio::test]
async fn monitor_events_reach_those_who_listen() {
    let stand = Stand::new();
    let client = stand.client().await;
    let mut events = client.events();
    let dom = start(&client, "a").await;
    let register =
        |event: &str, flags| QemuConnectDomainMonitorEventRegister { dom: None, event: Some(event.to_owned()), flags };
    client.call(&register("OTHER", 0)).await.unwrap();
    let id = client.call(&register("^sim", 3)).await.unwrap().callback_id;
    assert_eq!(refusal(client.call(&register("(", 1)).await).0, 8);
    client.call(&QemuDomainMonitorCommand { dom, cmd: "{}".to_owned(), flags: 0 }).await.unwrap();
    let it = QemuDomainMonitorEvent::from_bytes(&events.recv().await.unwrap().body).unwrap();
    assert_eq!((it.callback_id, it.event.as_str(), it.details.as_deref()), (id, "SIMULATED", Some("{}")));
    client.call(&QemuConnectDomainMonitorEventDeregister { callback_id: id }).await.unwrap();
    let gone = refusal(client.call(&QemuConnectDomainMonitorEventDeregister { callback_id: id }).await);
    assert_eq!(gone.1, format!("internal error: qemu monitor event callback {id} not registered"));
}

#[tokio::test]
async fn a_guest_can_end_with_its_client() {
    let stand = Stand::new();
    let (client, other) = (stand.client().await, stand.client().await);
    let mut events = other.events();
    other.call(&ConnectDomainEventRegister {}).await.unwrap();
    client.call(&DomainCreateXml { xml_desc: document("a"), flags: 2 }).await.unwrap();
    drop(client);
    let mut last = 0;
    while last != 5 {
        last = DomainEventLifecycle::from_bytes(&events.recv().await.unwrap().body).unwrap().event;
    }
    assert_eq!(other.call(&ConnectNumOfDomains {}).await.unwrap().num, 0);
}

/// On one thread the front cannot take events while they are raised, so it lags behind.
#[tokio::test]
async fn a_front_that_lags_behind_disconnects_who_listens() {
    let stand = Stand::new();
    let (listener, other) = (stand.client().await, stand.client().await);
    listener.call(&ConnectDomainEventRegister {}).await.unwrap();
    let domain = virtbus_api::DomainRef::of_uuid(uuid::Uuid::from_bytes([1; 16]));
    for _ in 0..10_000 {
        stand.sim.raise(&domain, virtbus_api::DomainEventKind::Reboot);
    }
    listener.ended().await;
    other.call(&ConnectGetUri {}).await.expect("who does not listen is left alone");
}

#[tokio::test]
async fn faults_of_documents_say_where() {
    let stand = Stand::new();
    let client = stand.client().await;
    let define =
        async |xml: &str, flags| refusal(client.call(&DomainDefineXmlFlags { xml: xml.to_owned(), flags }).await);
    assert_eq!(define("<domain>", 0).await.0, 35);
    assert_eq!(define("<foo/>", 0).await.0, 27);
    let nameless = document("x").replace("<name>x</name>", "");
    assert_eq!(define(&nameless, 0).await, (21, "missing name information in domain (line 1)".to_owned()));
    let extra = document("x").replace("</domain>", "<surprise/></domain>");
    let (code, text) = define(&extra, 1).await;
    assert_eq!(code, 92);
    assert!(text.contains("domain/surprise"), "{text}");
    client.call(&DomainDefineXml { xml: extra }).await.expect("not strict");
}

#[tokio::test]
async fn what_is_not_served_says_so() {
    let stand = Stand::new();
    let client = stand.client().await;
    let text = "this function is not supported by the connection driver: virConnectGetSysinfo";
    assert_eq!(refusal(client.call(&ConnectGetSysinfo { flags: 0 }).await), (3, text.to_owned()));
}

#[tokio::test]
async fn read_only_clients_read() {
    let stand = Stand::new();
    let writer = stand.client().await;
    let dom = start(&writer, "a").await;
    for (socket, read_only) in [("sock-ro", false), ("sock", true)] {
        let client = Connection::connect(&stand.socket(socket)).await.unwrap();
        client.open(stand.uri, read_only).await.unwrap();
        let text = "operation forbidden: read only access prevents virDomainDestroy";
        assert_eq!(refusal(client.call(&DomainDestroy { dom: dom.clone() }).await), (29, text.to_owned()));
        let xml = |flags| DomainGetXmlDesc { dom: dom.clone(), flags };
        client.call(&xml(0)).await.unwrap();
        let text = "operation forbidden: virDomainGetXMLDesc with secure flag";
        assert_eq!(refusal(client.call(&xml(1)).await), (29, text.to_owned()));
        client.call(&ConnectDomainEventRegister {}).await.unwrap();
    }
}
