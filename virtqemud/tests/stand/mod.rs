//! An engine below a directory of its own, with real QEMU.

#![allow(clippy::expect_used, dead_code, unreachable_pub, reason = "a stand for tests, of which each uses a part")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use virtbus_api::{
    DomainEvent, DomainEventKind, DomainRef,
    event::Lifecycle,
    flags::{DefineFlags, DestroyFlags, StartFlags},
    hypervisor::Domains,
    refs::LeaseGuard,
};
use virtbus_schema::domain::Domain;
use virtqemud::config::{Config, Layout, Settings};
use virtqemud::driver::Qemu;

/// The engine and what it stands on.
pub struct Stand {
    pub root: tempfile::TempDir,
    pub qemu: Qemu,
    pub guard: LeaseGuard,
}

pub fn config(root: &Path) -> Config {
    let lib = root.join("lib");
    Config {
        layout: Layout {
            definitions: root.join("etc/qemu"),
            run: root.join("run/qemu"),
            channels: root.join("run/qemu/channel"),
            log: root.join("log"),
            // Probing takes a second; all tests share what it finds.
            cache: std::env::temp_dir().join(format!("virtqemud-tests-{}", nix::unistd::getuid())),
            save: lib.join("save"),
            snapshots: lib.join("snapshot"),
            checkpoints: lib.join("checkpoint"),
            nvram: lib.join("nvram"),
            dump: lib.join("dump"),
            ram: lib.join("ram"),
            hooks: root.join("etc/hooks"),
            lib,
        },
        settings: Settings { relabel: false, ..Settings::default() },
        uri: "qemu:///system".to_owned(),
        library_version: 11_003_000,
        host_uuid: None,
    }
}

impl Stand {
    pub async fn new() -> Self {
        let root = tempfile::tempdir().expect("a directory");
        let qemu = Qemu::new(config(root.path()));
        qemu.load().await.expect("loads");
        Self { root, qemu, guard: LeaseGuard::new(1) }
    }

    /// A new engine on the same files, as after the daemon was killed.
    pub async fn restarted(&self) -> Qemu {
        let qemu = Qemu::new(config(self.root.path()));
        qemu.load().await.expect("loads");
        qemu
    }

    pub async fn define(&self, name: &str) -> DomainRef {
        self.qemu.define(document(name), DefineFlags::empty()).await.expect("defined")
    }

    /// Defines a document.
    pub async fn define_text(&self, text: &str) -> DomainRef {
        let document = Box::new(Domain::parse(text).expect("a document"));
        self.qemu.define(document, DefineFlags::empty()).await.expect("defined")
    }

    pub async fn start(&self, domain: &DomainRef, flags: StartFlags) -> DomainRef {
        self.qemu.start(domain, flags, self.guard.lease()).await.expect("started")
    }

    pub async fn destroy(&self, domain: &DomainRef) {
        self.qemu.destroy(domain, DestroyFlags::empty()).await.expect("destroyed");
    }

    /// The pid of QEMU.
    pub fn pid(&self, name: &str) -> nix::unistd::Pid {
        let text = std::fs::read_to_string(self.root.path().join(format!("run/qemu/{name}.pid"))).expect("a pid file");
        nix::unistd::Pid::from_raw(text.trim().parse().expect("a pid"))
    }
}

/// A small guest without disks.
pub fn document(name: &str) -> Box<Domain> {
    let text = format!(
        "<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory>\
         <os><type arch='x86_64' machine='q35'>hvm</type></os>\
         <devices><serial type='pty'/></devices></domain>"
    );
    Box::new(Domain::parse(&text).expect("a document"))
}

/// The lifecycle events so far.
pub fn lifecycle(events: &mut Receiver<Arc<DomainEvent>>) -> Vec<Lifecycle> {
    let mut seen = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let DomainEventKind::Lifecycle(what) = event.kind {
            seen.push(what);
        }
    }
    seen
}

/// Waits until `holds`, for ten seconds at most.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not within ten seconds");
}
