//! Domains over the simulated hypervisor: methods, properties, signals, errors, introspection.

use std::{collections::HashMap, os::fd::AsFd as _, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use virtbus_api::{HypervisorDriver, hypervisor::Domains as _};
use virtbus_sim::Sim;
use zbus::{MatchRule, MessageStream, OwnedFd, OwnedObjectPath, OwnedVariant, message::Type};

use crate::stand::{CONNECT, NAME, ROOT, Stand, error_of};

const DOMAIN: &str = "org.libvirt.Domain";

const DOMAIN_XML: &str = "<domain type='test'><name>vm1</name><uuid>11111111-2222-3333-4444-555555555555</uuid>\
    <memory>65536</memory><os><type>hvm</type></os></domain>";

async fn stand() -> (Stand, Sim) {
    let sim = Sim::new("qemu:///system");
    let driver: Arc<dyn HypervisorDriver> = Arc::new(sim.clone());
    (Stand::new(driver.into()).await, sim)
}

async fn define(stand: &Stand) -> String {
    let path: OwnedObjectPath = stand.call(ROOT, CONNECT, "DomainDefineXML", &DOMAIN_XML).await.unwrap();
    path.as_str().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_lives_its_life() {
    let (stand, _) = stand().await;
    let vm = define(&stand).await;
    assert_eq!(vm, "/org/libvirt/QEMU/domain/_11111111_2222_3333_4444_555555555555");
    assert!(!stand.property::<bool>(&vm, DOMAIN, "Active").await);
    let () = stand.call(&vm, DOMAIN, "Create", &0u32).await.unwrap();
    assert!(stand.property::<bool>(&vm, DOMAIN, "Active").await);
    assert_eq!(stand.call::<_, ((i32, i32),)>(&vm, DOMAIN, "GetState", &0u32).await.unwrap().0.0, 1);
    let () = stand.call(&vm, DOMAIN, "Suspend", &()).await.unwrap();
    assert_eq!(stand.call::<_, ((i32, i32),)>(&vm, DOMAIN, "GetState", &0u32).await.unwrap().0, (3, 1));
    let () = stand.call(&vm, DOMAIN, "Resume", &()).await.unwrap();
    let xml: String = stand.call(&vm, DOMAIN, "GetXMLDesc", &0u32).await.unwrap();
    assert!(xml.contains("<name>vm1</name>"), "{xml}");
    let list: Vec<OwnedObjectPath> = stand.call(ROOT, CONNECT, "ListDomains", &0u32).await.unwrap();
    assert_eq!(list.len(), 1);
    let found: OwnedObjectPath = stand.call(ROOT, CONNECT, "DomainLookupByName", &"vm1").await.unwrap();
    assert_eq!(found.as_str(), vm);
    let () = stand.call(&vm, DOMAIN, "Destroy", &0u32).await.unwrap();
    let () = stand.call(&vm, DOMAIN, "Undefine", &0u32).await.unwrap();
    let list: Vec<OwnedObjectPath> = stand.call(ROOT, CONNECT, "ListDomains", &0u32).await.unwrap();
    assert!(list.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_have_libvirts_names_and_say_what() {
    let (stand, _) = stand().await;
    let (name, text) = error_of(stand.call::<_, OwnedObjectPath>(ROOT, CONNECT, "DomainLookupByName", &"nope").await);
    assert_eq!(name, "org.libvirt.Error.NO_DOMAIN");
    assert!(text.contains("nope"), "{text}");
    let broken = "<domain type='qemu'><name>a</name><memory>x</memory></domain>";
    let (name, text) = error_of(stand.call::<_, OwnedObjectPath>(ROOT, CONNECT, "DomainDefineXML", &broken).await);
    assert!(name.starts_with("org.libvirt.Error."), "{name}");
    assert!(text.contains("memory") && text.contains("line 1"), "{text}");
    let vm = define(&stand).await;
    let (name, text) = error_of(stand.call::<_, ()>(&vm, DOMAIN, "Create", &0x8000u32).await);
    assert_eq!(name, "org.libvirt.Error.INVALID_ARG");
    assert!(text.contains("0x8000") && text.contains("virDomainCreateWithFlags"), "{text}");
    let (name, _) = error_of(stand.call::<_, ()>(&vm, DOMAIN, "Destroy", &0u32).await);
    assert_eq!(name, "org.libvirt.Error.OPERATION_INVALID");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_signalled() {
    let (stand, _) = stand().await;
    let rule = MatchRule::builder().msg_type(Type::Signal).sender(NAME).build().unwrap();
    let mut signals = MessageStream::for_match_rule(rule, &stand.client, None).await.unwrap();
    let vm = define(&stand).await;
    let () = stand.call(&vm, DOMAIN, "Create", &0u32).await.unwrap();
    let mut seen = HashMap::new();
    let all = ["InterfacesAdded", "DomainEvent", "PropertiesChanged"];
    while !all.iter().all(|it| seen.contains_key(*it)) {
        let message = tokio::time::timeout(Duration::from_secs(10), signals.next())
            .await
            .unwrap_or_else(|_| panic!("only {:?} came", seen.keys()))
            .unwrap()
            .unwrap();
        let member = message.header().member().unwrap().as_str().to_owned();
        seen.insert(member, message);
    }
    let (path, event, _): (OwnedObjectPath, i32, i32) = seen["DomainEvent"].body().deserialize().unwrap();
    assert_eq!(path.as_str(), vm);
    assert!(event >= 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_is_a_descriptor() {
    use std::io::{Read as _, Write as _};
    let (stand, _) = stand().await;
    let vm = define(&stand).await;
    let () = stand.call(&vm, DOMAIN, "Create", &0u32).await.unwrap();
    let fd: OwnedFd = stand.call(&vm, DOMAIN, "OpenConsole", &("", 0u32)).await.unwrap();
    let mut socket = std::os::unix::net::UnixStream::from(fd.as_fd().try_clone_to_owned().unwrap());
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket.write_all(b"hello").unwrap();
    let mut echo = [0; 5];
    socket.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"hello");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxys_announcement_decides_the_rights() {
    let (stand, _) = stand().await;
    let vm = define(&stand).await;
    let call =
        zbus::Message::method_call(vm.as_str(), "Create").destination(NAME).interface(DOMAIN).build(&0u32).unwrap();
    let serial = call.primary_header().serial_num().get();
    let () = stand.call(ROOT, "org.libvirt.virtbus.Relay", "Announce", &(serial, 64_321u32, 0u32)).await.unwrap();
    let mut replies = MessageStream::from(&stand.client);
    stand.client.send(&call).await.unwrap();
    let reply = loop {
        let message = replies.next().await.unwrap().unwrap();
        if message.header().reply_serial().is_some_and(|it| it.get() == serial) {
            break message;
        }
    };
    assert_eq!(reply.header().error_name().unwrap().as_str(), "org.libvirt.Error.ACCESS_DENIED");
    // An announcement counts once: the next call is the client's own again.
    let () = stand.call(&vm, DOMAIN, "Create", &0u32).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_description_does_not_grow_with_the_objects_below() {
    let (stand, _) = stand().await;
    for number in 0..500 {
        let xml = format!(
            "<domain type='test'><name>vm{number}</name><memory>65536</memory><os><type>hvm</type></os></domain>"
        );
        let _: OwnedObjectPath = stand.call(ROOT, CONNECT, "DomainDefineXML", &xml).await.unwrap();
    }
    let describe = async |path: &str| {
        stand.call::<_, String>(path, "org.freedesktop.DBus.Introspectable", "Introspect", &()).await.unwrap()
    };
    assert!(describe("/").await.contains("<node name=\"org\"/>"));
    let root = describe(ROOT).await;
    assert!(root.len() < 20_000 && !root.contains(DOMAIN), "{} bytes", root.len());
    let domains = describe("/org/libvirt/QEMU/domain").await;
    assert_eq!(domains.matches("<node name=\"_").count(), 500);
    assert!(domains.len() < 60_000, "{} bytes", domains.len());
    let objects: HashMap<OwnedObjectPath, HashMap<String, HashMap<String, OwnedVariant>>> =
        stand.call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", &()).await.unwrap();
    assert_eq!(objects.len(), 500);
    let gone = "/org/libvirt/QEMU/domain/_00000000_0000_0000_0000_000000000000";
    let (name, _) = error_of(stand.call::<_, ()>(gone, DOMAIN, "Create", &0u32).await);
    assert_eq!(name, "org.libvirt.Error.NO_DOMAIN");
}

/// What the interfaces say of themselves is frozen: `UPDATE_GOLDEN=1` rewrites it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn introspection_is_golden() {
    let (stand, sim) = stand().await;
    let vm = define(&stand).await;
    stand.check_introspection(ROOT, CONNECT, "org.libvirt.Connect.xml").await;
    stand.check_introspection(&vm, DOMAIN, "org.libvirt.Domain.xml").await;
    assert_eq!(sim.list(virtbus_api::flags::ListFilter::empty()).len(), 1);
}
