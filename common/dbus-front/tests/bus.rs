//! The front on a real bus, over the simulated engine: methods, properties, signals, errors, introspection.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a test fails by panicking")]

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader},
    os::fd::AsFd as _,
    process::{Child, Stdio},
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt as _;
use virtbus_api::{HypervisorDriver, hypervisor::Domains as _};
use virtbus_dbus_front::{Bus, Front};
use virtbus_sim::Sim;
use zbus::{Connection, MatchRule, MessageStream, OwnedFd, OwnedObjectPath, OwnedVariant, message::Type};

const NAME: &str = "org.libvirt.virtqemud";
const ROOT: &str = "/org/libvirt/QEMU";
const CONNECT: &str = "org.libvirt.Connect";
const DOMAIN: &str = "org.libvirt.Domain";

const DOMAIN_XML: &str = "<domain type='test'><name>vm1</name><uuid>11111111-2222-3333-4444-555555555555</uuid>\
    <memory>65536</memory><os><type>hvm</type></os></domain>";

/// A bus of its own, the front on it, and a client.
struct Stand {
    bus: Child,
    client: Connection,
    sim: Sim,
    _directory: tempfile::TempDir,
}

impl Drop for Stand {
    fn drop(&mut self) {
        let _ = self.bus.kill();
        let _ = self.bus.wait();
    }
}

impl Stand {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("bus.conf");
        let text = format!(
            "<busconfig><type>session</type><listen>unix:path={}</listen><policy context='default'>\
             <allow send_destination='*' eavesdrop='true'/><allow receive_sender='*' eavesdrop='true'/><allow own='*'/></policy></busconfig>",
            directory.path().join("bus").display()
        );
        std::fs::write(&config, text).unwrap();
        #[allow(clippy::disallowed_methods, reason = "a test starts the bus as a user would")]
        let mut bus = std::process::Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--print-address"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("dbus-daemon is installed");
        let mut address = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        let sim = Sim::new("qemu:///system");
        let driver: Arc<dyn HypervisorDriver> = Arc::new(sim.clone());
        let front = Front::connect(Bus::Address(address.clone()), NAME, own_uid(), driver).await.unwrap();
        #[allow(clippy::disallowed_methods, reason = "a test supervises nothing")]
        tokio::task::spawn(front.run());
        let client = zbus::connection::Builder::address(address.as_str()).build().await.unwrap();
        Self { bus, client, sim, _directory: directory }
    }

    async fn call<B, R>(&self, path: &str, interface: &str, member: &str, body: &B) -> zbus::Result<R>
    where
        B: serde::Serialize + zbus::DynamicType,
        R: serde::de::DeserializeOwned + zbus::Type,
    {
        let reply = self.client.call_method(Some(NAME), path, Some(interface), member, body).await?;
        reply.body().deserialize()
    }

    async fn define(&self) -> String {
        let path: OwnedObjectPath = self.call(ROOT, CONNECT, "DomainDefineXML", &DOMAIN_XML).await.unwrap();
        path.as_str().to_owned()
    }

    async fn property<T: TryFrom<OwnedVariant>>(&self, path: &str, name: &str) -> T
    where
        T::Error: std::fmt::Debug,
    {
        let value: OwnedVariant =
            self.call(path, "org.freedesktop.DBus.Properties", "Get", &(DOMAIN, name)).await.unwrap();
        T::try_from(value).unwrap()
    }
}

fn own_uid() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").unwrap().uid()
}

fn error_of<T: std::fmt::Debug>(result: zbus::Result<T>) -> (String, String) {
    match result {
        Err(zbus::Error::MethodError(name, text, _)) => (name.as_str().to_owned(), text.unwrap_or_default()),
        other => panic!("an error reply was expected, not {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_lives_its_life() {
    let stand = Stand::new().await;
    let vm = stand.define().await;
    assert_eq!(vm, "/org/libvirt/QEMU/domain/_11111111_2222_3333_4444_555555555555");
    assert!(!stand.property::<bool>(&vm, "Active").await);
    let () = stand.call(&vm, DOMAIN, "Create", &0u32).await.unwrap();
    assert!(stand.property::<bool>(&vm, "Active").await);
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
    let stand = Stand::new().await;
    let (name, text) = error_of(stand.call::<_, OwnedObjectPath>(ROOT, CONNECT, "DomainLookupByName", &"nope").await);
    assert_eq!(name, "org.libvirt.Error.NO_DOMAIN");
    assert!(text.contains("nope"), "{text}");
    let broken = "<domain type='qemu'><name>a</name><memory>x</memory></domain>";
    let (name, text) = error_of(stand.call::<_, OwnedObjectPath>(ROOT, CONNECT, "DomainDefineXML", &broken).await);
    assert!(name.starts_with("org.libvirt.Error."), "{name}");
    assert!(text.contains("memory") && text.contains("line 1"), "{text}");
    let vm = stand.define().await;
    let (name, text) = error_of(stand.call::<_, ()>(&vm, DOMAIN, "Create", &0x8000u32).await);
    assert_eq!(name, "org.libvirt.Error.INVALID_ARG");
    assert!(text.contains("0x8000") && text.contains("virDomainCreateWithFlags"), "{text}");
    let (name, _) = error_of(stand.call::<_, ()>(&vm, DOMAIN, "Destroy", &0u32).await);
    assert_eq!(name, "org.libvirt.Error.OPERATION_INVALID");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_signalled() {
    let stand = Stand::new().await;
    let rule = MatchRule::builder().msg_type(Type::Signal).sender(NAME).build().unwrap();
    let mut signals = MessageStream::for_match_rule(rule, &stand.client, None).await.unwrap();
    let vm = stand.define().await;
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
    let stand = Stand::new().await;
    let vm = stand.define().await;
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
    let stand = Stand::new().await;
    let vm = stand.define().await;
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
    let stand = Stand::new().await;
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
    let stand = Stand::new().await;
    let vm = stand.define().await;
    for (path, interface) in [(ROOT, CONNECT), (vm.as_str(), DOMAIN)] {
        let xml: String = stand.call(path, "org.freedesktop.DBus.Introspectable", "Introspect", &()).await.unwrap();
        let start = xml.find(&format!("<interface name=\"{interface}\">")).unwrap();
        let end = start + xml[start..].find("</interface>").unwrap() + "</interface>".len();
        check_golden(&format!("{interface}.xml"), &format!("{}\n", &xml[start..end]));
    }
    assert_eq!(stand.sim.list(virtbus_api::flags::ListFilter::empty()).len(), 1);
}

fn check_golden(name: &str, text: &str) {
    let path = format!("{}/../../tests/golden/dbus/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text, "{path} (UPDATE_GOLDEN=1 rewrites it)");
}
