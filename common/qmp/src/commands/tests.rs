//! Arguments as QEMU expects them, replies as QEMU 10.0.2 gives them.

use serde::Serialize;
use serde_json::json;

use super::*;
use crate::Command;

fn sent(command: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(command).expect("JSON")
}

fn reply<C: Command>(text: &str) -> C::Reply {
    serde_json::from_str(text).expect("the reply")
}

#[test]
fn arguments_have_qemus_names() {
    assert_eq!(sent(&QueryStatus), json!(null));
    assert_eq!(
        sent(&QomListTypes { implements: Some("x".into()), with_abstract: Some(true) }),
        json!({"implements": "x", "abstract": true})
    );
    assert_eq!(sent(&DeviceAdd(json!({"driver": "d"}))), json!({"driver": "d"}));
    let keys = vec![Key::Number(29), Key::Qcode("delete".into())];
    let expected = json!({"keys": [{"type": "number", "data": 29}, {"type": "qcode", "data": "delete"}]});
    assert_eq!(sent(&SendKey { keys, hold_time: None }), expected);
    assert_eq!(sent(&BlockdevDel { node_name: "n".into() }), json!({"node-name": "n"}));
    assert_eq!(
        sent(&HumanMonitorCommand { command_line: "info".into(), cpu_index: None }),
        json!({"command-line": "info"})
    );
    let secret = SetPassword { protocol: "vnc", password: "hidden".into(), connected: None };
    assert!(!format!("{secret:?}").contains("hidden"));
}

#[test]
fn replies_are_read_tolerantly() {
    let status = reply::<QueryStatus>(r#"{"status": "prelaunch", "running": false, "singlestep": false}"#);
    assert_eq!(status, Status { running: false, status: RunState::Prelaunch });
    assert_eq!(reply::<QueryStatus>(r#"{"status": "new-one", "running": true}"#).status, RunState::Other);
    let cpus = reply::<QueryCpusFast>(
        r#"[{"thread-id": 11814, "props": {"core-id": 0}, "qom-path": "/machine/unattached/device[0]", "cpu-index": 0, "target": "x86_64"}]"#,
    );
    assert_eq!((cpus[0].thread_id, cpus[0].cpu_index), (11814, 0));
    let block = reply::<QueryBlock>(
        r#"[{"io-status": "ok", "device": "d", "locked": false, "removable": true, "tray_open": true, "qdev": "vd0", "type": "unknown"}]"#,
    );
    assert_eq!((block[0].tray_open, block[0].io_status.as_deref()), (Some(true), Some("ok")));
    let stats = reply::<QueryBlockStats>(
        r#"[{"device": "d", "node-name": "n", "stats": {"rd_bytes": 5, "timed_stats": []}, "parent": {"stats": {}}}]"#,
    );
    assert_eq!(stats[0].stats.rd_bytes, 5);
    let pci = reply::<QueryPci>(
        r#"[{"bus": 0, "devices": [{"irq_pin": 0, "bus": 0, "qdev_id": "", "slot": 31, "function": 2, "pci_bridge": {"bus": {}, "devices": []}}]}]"#,
    );
    assert_eq!(pci[0].devices[0].slot, 31);
    assert_eq!(reply::<QueryMigrate>("{}"), MigrationInfo::default());
    assert_eq!(reply::<Stop>("{}"), crate::command::Done);
    let version = reply::<QueryVersion>(r#"{"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": "x"}"#);
    assert!(version.qemu > crate::codec::Version { major: 9, minor: 2, micro: 4 });
}
