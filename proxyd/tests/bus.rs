//! The proxy on a bus: it stays for those who use it there, and leaves after them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code: a panic is a failed test")]

use std::time::Duration;

use tempfile::TempDir;
use virtbus_host::process::{Child, Exit, Spawn};
use zbus::Connection;

/// A private bus and what runs on it; both end with the test.
struct Stage {
    _bus: Ended,
    proxy: Ended,
    address: String,
    _root: TempDir,
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // One that has ended already is reaped and cannot be meant.
        let _ = self.0.signal(nix::sys::signal::Signal::SIGKILL);
    }
}

/// Asks until there is an answer.
async fn until<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..2000 {
        if let Some(it) = ask().await {
            return it;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no answer in time");
}

impl Stage {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let address = format!("unix:path={}/bus", root.path().display());
        let config = root.path().join("bus.conf");
        let text = format!(
            "<busconfig><type>custom</type><listen>{address}</listen><auth>EXTERNAL</auth><policy context='default'>\
             <allow send_destination='*'/><allow receive_sender='*'/><allow own='*'/></policy></busconfig>"
        );
        std::fs::write(&config, text).unwrap();
        let bus = Spawn::new("/usr/bin/dbus-daemon").arg("--nofork").arg("--nopidfile");
        let bus = Ended(bus.arg(format!("--config-file={}", config.display())).spawn().unwrap());
        let proxy = Spawn::new(env!("CARGO_BIN_EXE_virtproxyd")).arg("--root").arg(root.path());
        let proxy = proxy.args(["--timeout", "2"]).env("DBUS_SYSTEM_BUS_ADDRESS", &address);
        until(async || root.path().join("bus").exists().then_some(())).await;
        Self { _bus: bus, proxy: Ended(proxy.spawn().unwrap()), address, _root: root }
    }

    async fn client(&self) -> Connection {
        let connect = async || zbus::connection::Builder::address(self.address.as_str()).build().await.ok();
        until(connect).await
    }
}

#[tokio::test]
async fn it_stays_for_who_called_and_leaves_after_them() {
    let mut stage = Stage::new().await;
    let client = stage.client().await;
    let call = async || {
        let path = "/org/libvirt/QEMU";
        client.call_method(Some("org.libvirt"), path, Some("org.libvirt.Connect"), "ListDomains", &0_u32).await
    };
    // Nobody is behind it, which it says in libvirt-dbus's way; before it is there the bus says something else.
    let refused =
        until(async || Some(call().await.unwrap_err().to_string()).filter(|it| it.contains("org.libvirt.Error"))).await;
    assert!(refused.contains("org.libvirt.virtqemud is not on the bus"), "{refused}");
    let early = tokio::time::timeout(Duration::from_secs(4), stage.proxy.0.exited()).await;
    assert!(early.is_err(), "it leaves somebody who may wait for signals");
    drop(client);
    let exit = tokio::time::timeout(Duration::from_secs(20), stage.proxy.0.exited()).await.expect("it leaves").unwrap();
    assert_eq!(exit, Exit::Code(0));
}
