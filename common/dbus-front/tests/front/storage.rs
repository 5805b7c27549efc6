//! Pools, volumes and secrets over the simulated storage daemon.

use std::{
    collections::HashMap,
    io::{Read as _, Write as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::Arc,
};

use virtbus_api::StorageDriver;
use virtbus_sim::SimStorage;
use zbus::{OwnedObjectPath, OwnedVariant};

use crate::stand::{CONNECT, ROOT, Stand, error_of};

const POOL: &str = "org.libvirt.StoragePool";
const VOLUME: &str = "org.libvirt.StorageVol";
const SECRET: &str = "org.libvirt.Secret";
const PATH: &str = "/org/libvirt/QEMU/storagepool/_11111111_2222_3333_4444_555555555555";

const XML: &str = "<pool type='dir'><name>p</name><uuid>11111111-2222-3333-4444-555555555555</uuid>\
    <target><path>/pool-1</path></target></pool>";

const SECRET_XML: &str = "<secret ephemeral='no' private='PRIVATE'><uuid>UUID</uuid>\
    <usage type='volume'><volume>/pool-1/NAME</volume></usage></secret>";

async fn stand() -> Stand {
    let driver: Arc<dyn StorageDriver> = Arc::new(SimStorage::new("storage:///system"));
    Stand::new(driver.into()).await
}

async fn start_pool(stand: &Stand) {
    let _: OwnedObjectPath = stand.call(ROOT, CONNECT, "StoragePoolCreateXML", &(XML, 0u32)).await.unwrap();
}

async fn make_volume(stand: &Stand, name: &str) -> String {
    let xml = format!("<volume><name>{name}</name><capacity>65536</capacity></volume>");
    let made: OwnedObjectPath = stand.call(PATH, POOL, "StorageVolCreateXML", &(xml, 0u32)).await.unwrap();
    made.as_str().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_and_its_volumes_live_their_lives() {
    let stand = stand().await;
    let mut signals = stand.signals().await;
    let path: OwnedObjectPath = stand.call(ROOT, CONNECT, "StoragePoolDefineXML", &(XML, 0u32)).await.unwrap();
    assert_eq!(path.as_str(), PATH);
    signals.next("InterfacesAdded").await;
    let (pool, event, detail): (OwnedObjectPath, i32, i32) =
        signals.next("StoragePoolEvent").await.body().deserialize().unwrap();
    assert_eq!((pool.as_str(), event, detail), (PATH, 0, 0));
    let () = stand.call(PATH, POOL, "Create", &0u32).await.unwrap();
    assert!(stand.property::<bool>(PATH, POOL, "Active").await);
    let ((state, capacity, ..),): ((i32, u64, u64, u64),) = stand.call(PATH, POOL, "GetInfo", &()).await.unwrap();
    assert!(state == 2 && capacity > 0);

    let volume = make_volume(&stand, "a.img").await;
    assert_eq!(volume, "/org/libvirt/QEMU/storagevol/_2fpool_2d1_2fa_2eimg");
    assert_eq!(stand.property::<String>(&volume, VOLUME, "Key").await, "/pool-1/a.img");
    assert_eq!(stand.property::<OwnedObjectPath>(&volume, VOLUME, "Pool").await.as_str(), PATH);
    let (added, _): (OwnedObjectPath, HashMap<String, HashMap<String, OwnedVariant>>) =
        signals.next("InterfacesAdded").await.body().deserialize().unwrap();
    assert_eq!(added.as_str(), volume);
    let () = stand.call(PATH, POOL, "Refresh", &0u32).await.unwrap();
    signals.next("Refresh").await;
    for (member, argument) in [("StorageVolLookupByKey", "/pool-1/a.img"), ("StorageVolLookupByPath", "/pool-1/a.img")]
    {
        let found: OwnedObjectPath = stand.call(ROOT, CONNECT, member, &argument).await.unwrap();
        assert_eq!(found.as_str(), volume, "{member}");
    }
    let () = stand.call(&volume, VOLUME, "Resize", &(131_072u64, 0u32)).await.unwrap();
    let ((kind, capacity, _),): ((i32, u64, u64),) = stand.call(&volume, VOLUME, "GetInfo", &0u32).await.unwrap();
    assert_eq!((kind, capacity), (0, 131_072));
    let (name, text) = error_of(stand.call::<_, ()>(&volume, VOLUME, "Wipe", &(99u32, 0u32)).await);
    assert!(name.ends_with("INVALID_ARG") && text.contains("99"), "{name}: {text}");
    let copy = "<volume><name>b.img</name><capacity>65536</capacity></volume>";
    let copy: OwnedObjectPath =
        stand.call(PATH, POOL, "StorageVolCreateXMLFrom", &(copy, "/pool-1/a.img", 0u32)).await.unwrap();
    let list: Vec<OwnedObjectPath> = stand.call(PATH, POOL, "ListStorageVolumes", &0u32).await.unwrap();
    assert_eq!(list.iter().map(|it| it.as_str()).collect::<Vec<_>>(), [&volume, copy.as_str()]);
    let () = stand.call(&volume, VOLUME, "Delete", &0u32).await.unwrap();
    let (name, _) = error_of(stand.call::<_, String>(&volume, VOLUME, "GetXMLDesc", &0u32).await);
    assert_eq!(name, "org.libvirt.Error.NO_STORAGE_VOL");
    let removed = |signal: &zbus::Message| signal.body().deserialize::<(OwnedObjectPath, Vec<String>)>().unwrap().0;
    assert_eq!(removed(&signals.next("InterfacesRemoved").await).as_str(), volume);
    // The volumes of a pool that stops go with it.
    let () = stand.call(PATH, POOL, "Destroy", &()).await.unwrap();
    assert_eq!(removed(&signals.next("InterfacesRemoved").await), copy);
    let () = stand.call(PATH, POOL, "Undefine", &()).await.unwrap();
    let (name, _) = error_of(stand.call::<_, ()>(PATH, POOL, "Create", &0u32).await);
    assert_eq!(name, "org.libvirt.Error.NO_STORAGE_POOL");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_goes_through_a_descriptor() {
    let stand = stand().await;
    start_pool(&stand).await;
    let volume = make_volume(&stand, "a.img").await;
    let content: Vec<u8> = (0..65_536u32).map(|it| it.to_le_bytes()[0]).collect();

    let (theirs, mut ours) = UnixStream::pair().unwrap();
    let theirs = zbus::OwnedFd::from(OwnedFd::from(theirs));
    let body = (zbus::Fd::from(&theirs), 0u64, 0u64, 0u32);
    let write = async {
        let content = content.clone();
        tokio::task::spawn_blocking(move || ours.write_all(&content)).await.unwrap().unwrap();
    };
    let (done, ()) = tokio::join!(stand.call::<_, ()>(&volume, VOLUME, "Upload", &body), write);
    done.unwrap();
    drop(theirs);

    let (mut ours, theirs) = std::io::pipe().unwrap();
    let theirs = zbus::OwnedFd::from(OwnedFd::from(theirs));
    let read = tokio::task::spawn_blocking(move || {
        let mut back = Vec::new();
        ours.read_to_end(&mut back).map(|_| back)
    });
    let body = (zbus::Fd::from(&theirs), 1024u64, 4096u64, 0u32);
    let () = stand.call(&volume, VOLUME, "Download", &body).await.unwrap();
    drop(theirs);
    assert_eq!(read.await.unwrap().unwrap(), content[1024..5120]);

    let file = zbus::OwnedFd::from(OwnedFd::from(tempfile::tempfile().unwrap()));
    let body = (zbus::Fd::from(&file), 0u64, 0u64, 0u32);
    let (name, text) = error_of(stand.call::<_, ()>(&volume, VOLUME, "Upload", &body).await);
    assert!(name.ends_with("INVALID_ARG") && text.contains("neither a pipe nor a socket"), "{name}: {text}");
}

fn secret_xml(uuid: &str, private: &str, name: &str) -> String {
    SECRET_XML.replace("UUID", uuid).replace("PRIVATE", private).replace("NAME", name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_keep_what_is_private() {
    let stand = stand().await;
    let mut signals = stand.signals().await;
    let xml = secret_xml("11111111-2222-3333-4444-555555555555", "no", "open");
    let open: OwnedObjectPath = stand.call(ROOT, CONNECT, "SecretDefineXML", &(xml, 0u32)).await.unwrap();
    assert_eq!(open.as_str(), "/org/libvirt/QEMU/secret/_11111111_2222_3333_4444_555555555555");
    let open = open.as_str();
    let (path, event, _): (OwnedObjectPath, i32, i32) = signals.next("SecretEvent").await.body().deserialize().unwrap();
    assert_eq!((path.as_str(), event), (open, 0));
    assert_eq!(stand.property::<String>(open, SECRET, "UsageID").await, "/pool-1/open");
    assert_eq!(stand.property::<i32>(open, SECRET, "UsageType").await, 1);
    let (name, _) = error_of(stand.call::<_, Vec<u8>>(open, SECRET, "GetValue", &0u32).await);
    assert_eq!(name, "org.libvirt.Error.NO_SECRET");
    let () = stand.call(open, SECRET, "SetValue", &(b"word".as_slice(), 0u32)).await.unwrap();
    signals.next("ValueChanged").await;
    assert_eq!(stand.call::<_, Vec<u8>>(open, SECRET, "GetValue", &0u32).await.unwrap(), b"word");

    let xml = secret_xml("21111111-2222-3333-4444-555555555555", "yes", "private");
    let private: OwnedObjectPath = stand.call(ROOT, CONNECT, "SecretDefineXML", &(xml, 0u32)).await.unwrap();
    let () = stand.call(private.as_str(), SECRET, "SetValue", &(b"word".as_slice(), 0u32)).await.unwrap();
    let (name, _) = error_of(stand.call::<_, Vec<u8>>(private.as_str(), SECRET, "GetValue", &0u32).await);
    assert_eq!(name, "org.libvirt.Error.INVALID_SECRET");

    let found: OwnedObjectPath =
        stand.call(ROOT, CONNECT, "SecretLookupByUsage", &(1i32, "/pool-1/private")).await.unwrap();
    assert_eq!(found, private);
    let list: Vec<OwnedObjectPath> = stand.call(ROOT, CONNECT, "ListSecrets", &0u32).await.unwrap();
    assert_eq!(list.len(), 2);
    let () = stand.call(open, SECRET, "Undefine", &()).await.unwrap();
    signals.next("InterfacesRemoved").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_reads_and_does_not_write() {
    let stand = stand().await;
    start_pool(&stand).await;
    let as_stranger = async |path: &str, interface: &str, member: &str| {
        let call = zbus::Message::method_call(path, member)
            .destination(crate::stand::NAME)
            .interface(interface)
            .build(&())
            .unwrap();
        let serial = call.primary_header().serial_num().get();
        let announced = (serial, 64_321u32, 0u32);
        let () = stand.call(ROOT, "org.libvirt.virtbus.Relay", "Announce", &announced).await.unwrap();
        let mut replies = zbus::MessageStream::from(&stand.client);
        stand.client.send(&call).await.unwrap();
        loop {
            let message = futures_util::StreamExt::next(&mut replies).await.unwrap().unwrap();
            if message.header().reply_serial().is_some_and(|it| it.get() == serial) {
                break message.header().error_name().map(|it| it.as_str().to_owned());
            }
        }
    };
    assert_eq!(as_stranger(PATH, POOL, "GetInfo").await, None);
    let denied = Some("org.libvirt.Error.ACCESS_DENIED".to_owned());
    assert_eq!(as_stranger(PATH, POOL, "Destroy").await, denied);
    assert_eq!(as_stranger(PATH, POOL, "Undefine").await, denied);
    assert!(stand.property::<bool>(PATH, POOL, "Active").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn introspection_is_golden() {
    let stand = stand().await;
    start_pool(&stand).await;
    let volume = make_volume(&stand, "a.img").await;
    let xml = secret_xml("11111111-2222-3333-4444-555555555555", "no", "open");
    let secret: OwnedObjectPath = stand.call(ROOT, CONNECT, "SecretDefineXML", &(xml, 0u32)).await.unwrap();
    stand.check_introspection(ROOT, CONNECT, "org.libvirt.Connect.storage.xml").await;
    stand.check_introspection(PATH, POOL, "org.libvirt.StoragePool.xml").await;
    stand.check_introspection(&volume, VOLUME, "org.libvirt.StorageVol.xml").await;
    stand.check_introspection(secret.as_str(), SECRET, "org.libvirt.Secret.xml").await;
}
