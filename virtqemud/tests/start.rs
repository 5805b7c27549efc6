//! What a start does beside running QEMU, with real QEMU: limits, overlays, threads, helpers; and that nothing of it is left.

#![allow(clippy::disallowed_methods, clippy::expect_used, reason = "a test blocks and fails by panicking")]

#[path = "start/beside.rs"]
mod beside;
#[path = "start/disks.rs"]
mod disks;
#[path = "start/hooks.rs"]
mod hooks;
mod stand;
#[path = "start/threads.rs"]
mod threads;
#[path = "start/tpm.rs"]
mod tpm;

use stand::Stand;
use virtbus_api::{DomainRef, flags::StartFlags, hypervisor::Monitor};

/// A guest with these parts; `top` stands in `<domain>`, `devices` in `<devices>`.
fn text(name: &str, top: &str, devices: &str) -> String {
    format!(
        "<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory>{top}\
         <os><type arch='x86_64' machine='q35'>hvm</type></os><devices>{devices}</devices></domain>"
    )
}

/// Defines it and starts it, paused.
async fn started(stand: &Stand, name: &str, top: &str, devices: &str) -> DomainRef {
    let domain = stand.define_text(&text(name, top, devices)).await;
    stand.start(&domain, StartFlags::PAUSED).await
}

/// The answer to a QMP command.
async fn ask(stand: &Stand, domain: &DomainRef, command: &str) -> serde_json::Value {
    let said = stand.qemu.monitor_command(domain, command, false).await.expect("answered");
    let value: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    value.get("return").cloned().unwrap_or_else(|| panic!("{command}: {said}"))
}
