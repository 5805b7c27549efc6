//! Events as QEMU writes them.

use super::*;
use crate::codec::Message;

fn event(name: &str, data: &str) -> Event {
    let line = format!(
        "{{\"timestamp\": {{\"seconds\": 1, \"microseconds\": 2}}, \"event\": \"{name}\"{}}}",
        if data.is_empty() { String::new() } else { format!(", \"data\": {data}") }
    );
    match Message::parse(line.as_bytes()).expect("a message") {
        Message::Event(raw) => Event::new(raw),
        other => panic!("{other:?}"),
    }
}

#[test]
fn data_is_read_and_kept() {
    let shutdown = event("SHUTDOWN", r#"{"guest": true, "reason": "guest-shutdown", "new": 1}"#);
    assert_eq!(shutdown.kind, Kind::Shutdown(Shutdown { guest: true, reason: "guest-shutdown".to_owned() }));
    assert_eq!(shutdown.data_text(), r#"{"guest": true, "reason": "guest-shutdown", "new": 1}"#);
    assert_eq!((shutdown.timestamp.seconds, shutdown.timestamp.microseconds), (1, 2));
    assert_eq!(event("STOP", "").kind, Kind::Stop);
    assert_eq!(event("STOP", "{}").kind, Kind::Stop);
    let deleted = event("DEVICE_DELETED", r#"{"path": "/machine/peripheral/net0/virtio-backend"}"#).kind;
    assert!(matches!(deleted, Kind::DeviceDeleted(DevicePath { device: None, .. })));
    let io = r#"{"device": "", "qom-path": "/x", "node-name": "n", "reason": "Input/output error", "operation": "write", "action": "report"}"#;
    let Kind::BlockIoError(io) = event("BLOCK_IO_ERROR", io).kind else { panic!("a disk error") };
    assert_eq!((io.node_name.as_deref(), io.nospace), (Some("n"), false));
    let vnc = r#"{"server": {"auth": "none", "family": "ipv4", "service": "5900", "host": "127.0.0.1", "websocket": false}, "client": {"family": "ipv4", "service": "40000", "host": "127.0.0.1", "websocket": false}}"#;
    assert!(matches!(event("VNC_CONNECTED", vnc).kind, Kind::VncConnected(_)));
}

#[test]
fn the_unknown_and_the_malformed_are_other() {
    assert_eq!(event("ACPI_DEVICE_OST", r#"{"info": {}}"#).kind, Kind::Other);
    assert_eq!(event("SHUTDOWN", r#"{"guest": "maybe"}"#).kind, Kind::Other);
    assert_eq!(event("RTC_CHANGE", r#"{"offset": 1e300}"#).kind, Kind::Other);
    assert_eq!(event("BALLOON_CHANGE", "").kind, Kind::Other);
    assert_eq!(event("", "").kind, Kind::Other);
}
