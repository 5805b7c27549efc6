//! Every method of every interface against the row of the procedure that it stands for: who may call it, and that flags
//! nobody knows are refused.

use std::sync::Arc;

use futures_util::StreamExt as _;
use virtbus_api::{HypervisorDriver, NetworkDriver, StorageDriver, access};
use virtbus_proto::{Entry, QEMU, REMOTE};
use virtbus_sim::{Sim, SimNetwork, SimStorage};
use zbus::{Message, MessageStream, OwnedObjectPath, Structure, Variant};

use crate::stand::{CONNECT, NAME, ROOT, Stand};

/// A bit that no call knows.
const UNKNOWN: u32 = 1 << 30;

/// Methods whose procedure is called otherwise than by the rule of [`row`].
const OTHERS: &[(&str, &str)] = &[
    ("Connect.DomainCreateXML", "virDomainCreateXML"),
    ("Connect.ListDomains", "virConnectListAllDomains"),
    ("Connect.ListNetworks", "virConnectListAllNetworks"),
    ("Connect.ListSecrets", "virConnectListAllSecrets"),
    ("Connect.ListStoragePools", "virConnectListAllStoragePools"),
    ("Domain.MonitorCommand", "virDomainQemuMonitorCommand"),
    ("Domain.GetVcpus", "virDomainGetVcpusFlags"),
    ("Domain.Create", "virDomainCreateWithFlags"),
    ("Domain.Destroy", "virDomainDestroyFlags"),
    ("Domain.Shutdown", "virDomainShutdownFlags"),
    ("Domain.Undefine", "virDomainUndefineFlags"),
    ("Network.ListPorts", "virNetworkListAllPorts"),
    ("StoragePool.ListStorageVolumes", "virStoragePoolListAllVolumes"),
    ("StoragePool.StorageVolCreateXML", "virStorageVolCreateXML"),
    ("StoragePool.StorageVolCreateXMLFrom", "virStorageVolCreateXMLFrom"),
    ("StoragePool.StorageVolLookupByName", "virStorageVolLookupByName"),
    ("StorageVol.GetInfo", "virStorageVolGetInfoFlags"),
    ("StorageVol.Wipe", "virStorageVolWipePattern"),
];

/// A method as its interface describes it: name, then name and type of each argument.
struct Method {
    name: String,
    arguments: Vec<(String, String)>,
}

fn attribute<'a>(line: &'a str, name: &str) -> &'a str {
    line.split_once(&format!("{name}=\"")).and_then(|it| it.1.split_once('"')).map_or("", |it| it.0)
}

async fn methods(stand: &Stand, path: &str, interface: &str) -> Vec<Method> {
    let xml: String = stand.call(path, "org.freedesktop.DBus.Introspectable", "Introspect", &()).await.unwrap();
    let own =
        xml.split_once(&format!("<interface name=\"{interface}\">")).unwrap().1.split_once("</interface>").unwrap().0;
    let mut found: Vec<Method> = Vec::new();
    let mut is_method = false;
    for line in own.lines().map(str::trim) {
        if line.starts_with("<method") || line.starts_with("<signal") || line.starts_with("<property") {
            is_method = line.starts_with("<method");
            if is_method {
                found.push(Method { name: attribute(line, "name").to_owned(), arguments: Vec::new() });
            }
        } else if is_method && line.starts_with("<arg") && attribute(line, "direction") == "in" {
            let argument = (attribute(line, "name").to_owned(), attribute(line, "type").to_owned());
            found.last_mut().unwrap().arguments.push(argument);
        }
    }
    found
}

/// The procedure that a method stands for.
fn row(interface: &str, method: &str) -> &'static Entry {
    let kind = interface.strip_prefix("org.libvirt.").unwrap();
    let key = format!("{kind}.{method}");
    let other = OTHERS.iter().find(|it| it.0 == key).map(|it| it.1.to_owned());
    let ruled = match kind {
        "Connect" => vec![format!("vir{method}"), format!("virConnect{method}")],
        _ => vec![format!("vir{kind}{method}")],
    };
    let names = other.map_or(ruled, |it| vec![it]);
    let all = || REMOTE.iter().chain(&QEMU).copied().filter(|it| !it.event);
    let found = names.iter().find_map(|name| all().find(|it| it.api == Some(name.as_str())));
    found.unwrap_or_else(|| panic!("{key} stands for no procedure of {names:?}"))
}

/// Whether the row takes a right that not everybody has, of a call whose flags are 0.
fn is_guarded(entry: &Entry) -> bool {
    entry.acl.iter().any(|acl| {
        let mut parts = acl.splitn(3, ':');
        let right = format!("{}:{}", parts.next().unwrap(), parts.next().unwrap_or_default());
        let holds = parts.next().is_none_or(|condition| condition.starts_with('!'));
        holds && !access::is_open_to_all(&right)
    })
}

fn body(method: &Method, flags: u32) -> Structure<'static> {
    let values = method.arguments.iter().map(|(name, kind)| match (name.as_str(), kind.as_str()) {
        ("flags", "u") => Variant::U32(flags),
        (_, "u") => Variant::U32(0),
        (_, "i") => Variant::I32(0),
        (_, "t") => Variant::U64(0),
        (_, "b") => Variant::Bool(false),
        (_, "s") => Variant::Str("".into()),
        (_, "h") => Variant::Fd(std::os::fd::OwnedFd::from(std::fs::File::open("/dev/null").unwrap()).into()),
        (_, "ay") => Variant::from(Vec::<u8>::new()),
        (_, "as") => Variant::from(Vec::<String>::new()),
        (_, "au") => Variant::from(Vec::<u32>::new()),
        (_, "a{sv}") => Variant::from(std::collections::HashMap::<String, Variant<'static>>::new()),
        other => panic!("an argument of an unknown type: {other:?}"),
    });
    values.fold(Structure::builder(), |all, it| all.append_field(it)).build().unwrap()
}

/// Calls as this user: the error's name and text.
async fn call(
    stand: &Stand,
    path: &str,
    interface: &str,
    method: &Method,
    flags: u32,
    uid: u32,
) -> Option<(String, String)> {
    let builder = Message::method_call(path, method.name.as_str()).destination(NAME).interface(interface);
    let message = match method.arguments.is_empty() {
        true => builder.build(&()),
        false => builder.build(&body(method, flags)),
    };
    let message = message.unwrap();
    let serial = message.primary_header().serial_num();
    let mut replies = MessageStream::from(&stand.client);
    let () = stand.call(ROOT, "org.libvirt.virtbus.Relay", "Announce", &(serial.get(), uid, 0u32)).await.unwrap();
    stand.client.send(&message).await.unwrap();
    loop {
        let reply = replies.next().await.unwrap().unwrap();
        if reply.header().reply_serial() == Some(serial) {
            let text = reply.body().deserialize::<String>().unwrap_or_default();
            break reply.header().error_name().map(|it| (it.as_str().to_owned(), text));
        }
    }
}

/// Holds an object's interface against the rows; the number of its methods.
async fn check(stand: &Stand, path: &str, interface: &str) -> usize {
    let methods = methods(stand, path, interface).await;
    for method in &methods {
        let (name, entry) = (format!("{interface}.{}", method.name), row(interface, &method.name));
        let outcome = call(stand, path, interface, method, 0, 64_321).await;
        let denied = outcome.as_ref().is_some_and(|it| it.0 == "org.libvirt.Error.ACCESS_DENIED");
        assert_eq!(denied, is_guarded(entry), "{name}, {}: {outcome:?}", entry.name);
        if method.arguments.iter().any(|it| it.0 == "flags") {
            let (error, text) = call(stand, path, interface, method, UNKNOWN, 0).await.expect(&name);
            let said = text.contains(&format!("unsupported flags (0x{UNKNOWN:x}) in function vir"));
            assert!(error == "org.libvirt.Error.INVALID_ARG" && said, "{name}: {error}: {text}");
        }
    }
    methods.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn domains_follow_their_rows() {
    let driver: Arc<dyn HypervisorDriver> = Arc::new(Sim::new("qemu:///system"));
    let stand = Stand::new(driver.into()).await;
    let xml = "<domain type='test'><name>vm</name><memory>65536</memory><os><type>hvm</type></os></domain>";
    let domain: OwnedObjectPath = stand.call(ROOT, CONNECT, "DomainDefineXML", &xml).await.unwrap();
    assert!(check(&stand, ROOT, CONNECT).await > 20);
    assert!(check(&stand, domain.as_str(), "org.libvirt.Domain").await > 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn networks_and_ports_follow_their_rows() {
    let driver: Arc<dyn NetworkDriver> = Arc::new(SimNetwork::new("network:///system"));
    let stand = Stand::new(driver.into()).await;
    let network: OwnedObjectPath =
        stand.call(ROOT, CONNECT, "NetworkCreateXML", &"<network><name>n</name></network>").await.unwrap();
    let interface = "org.libvirt.Network";
    let xml = "<networkport><uuid>21111111-2222-3333-4444-555555555555</uuid><owner><name>vm</name>\
        <uuid>31111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:00:01'/></networkport>";
    let port: OwnedObjectPath = stand.call(network.as_str(), interface, "PortCreateXML", &(xml, 0u32)).await.unwrap();
    assert!(check(&stand, port.as_str(), "org.libvirt.NetworkPort").await >= 4);
    assert!(check(&stand, ROOT, CONNECT).await > 6);
    assert!(check(&stand, network.as_str(), interface).await > 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pools_volumes_and_secrets_follow_their_rows() {
    let driver: Arc<dyn StorageDriver> = Arc::new(SimStorage::new("storage:///system"));
    let stand = Stand::new(driver.into()).await;
    let xml = "<pool type='dir'><name>p</name><target><path>/p</path></target></pool>";
    let pool: OwnedObjectPath = stand.call(ROOT, CONNECT, "StoragePoolCreateXML", &(xml, 0u32)).await.unwrap();
    let (interface, xml) = ("org.libvirt.StoragePool", "<volume><name>v</name><capacity>1024</capacity></volume>");
    let volume: OwnedObjectPath =
        stand.call(pool.as_str(), interface, "StorageVolCreateXML", &(xml, 0u32)).await.unwrap();
    let secret: OwnedObjectPath = stand.call(ROOT, CONNECT, "SecretDefineXML", &("<secret/>", 0u32)).await.unwrap();
    assert!(check(&stand, ROOT, CONNECT).await > 12);
    assert!(check(&stand, secret.as_str(), "org.libvirt.Secret").await >= 4);
    assert!(check(&stand, volume.as_str(), "org.libvirt.StorageVol").await >= 7);
    assert!(check(&stand, pool.as_str(), interface).await > 10);
}
