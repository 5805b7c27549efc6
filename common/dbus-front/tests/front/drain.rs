//! A daemon that stops gives its name back and answers the calls it has taken.

use std::{
    io::Write as _,
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::Arc,
    time::Duration,
};

use virtbus_api::StorageDriver;
use virtbus_sim::SimStorage;
use zbus::{OwnedObjectPath, fdo::DBusProxy};

use crate::stand::{CONNECT, NAME, ROOT, Stand};

const XML: &str = "<pool type='dir'><name>p</name><uuid>11111111-2222-3333-4444-555555555555</uuid>\
    <target><path>/pool-1</path></target></pool>";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_under_way_is_answered() {
    let driver: Arc<dyn StorageDriver> = Arc::new(SimStorage::new("storage:///system"));
    let (stand, front) = Stand::with_front(driver.into()).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    #[allow(clippy::disallowed_methods, reason = "a test supervises nothing")]
    let front = tokio::task::spawn(front.run_until(async {
        let _ = stopped.await;
    }));
    let pool: OwnedObjectPath = stand.call(ROOT, CONNECT, "StoragePoolCreateXML", &(XML, 0u32)).await.unwrap();
    let xml = "<volume><name>a</name><capacity>4096</capacity></volume>";
    let volume: OwnedObjectPath =
        stand.call(pool.as_str(), "org.libvirt.StoragePool", "StorageVolCreateXML", &(xml, 0u32)).await.unwrap();
    let (theirs, mut ours) = UnixStream::pair().unwrap();
    let theirs = zbus::OwnedFd::from(OwnedFd::from(theirs));
    let body = (zbus::Fd::from(&theirs), 0u64, 0u64, 0u32);
    let upload = stand.call::<_, ()>(volume.as_str(), "org.libvirt.StorageVol", "Upload", &body);
    let meanwhile = async {
        ours.write_all(b"first").unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        stop.send(()).unwrap();
        let bus = DBusProxy::new(&stand.client).await.unwrap();
        while bus.name_has_owner(NAME.try_into().unwrap()).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(!front.is_finished());
        ours.write_all(b"last").unwrap();
        drop(ours);
    };
    let (done, ()) = tokio::join!(upload, meanwhile);
    done.unwrap();
    tokio::time::timeout(Duration::from_secs(10), front).await.unwrap().unwrap().unwrap();
}
