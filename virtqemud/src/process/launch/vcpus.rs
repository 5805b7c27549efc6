//! vCPUs that can be taken away again: plugged into the waiting guest, in the order the document gives.

use std::collections::BTreeMap;

use serde_json::Value;
use virtbus_qmp::commands::{DeviceAdd, HotpluggableCpu};
use virtbus_schema::domain::{Domain, VcpuState};
use virtbus_schema::xml::YesNo;

/// Whether the guest has any.
pub(super) fn any_to_plug(document: &Domain) -> bool {
    document.vcpus.iter().any(is_plugged)
}

fn is_plugged(it: &VcpuState) -> bool {
    it.enabled.is_on() && it.hotpluggable == Some(YesNo::Yes)
}

/// What is to be plugged into QEMU's slots. A vCPU without a slot of its own (several threads to one) goes with the first.
pub(super) fn plugs(document: &Domain, mut slots: Vec<HotpluggableCpu>) -> Vec<DeviceAdd> {
    slots.sort_by_key(|it| place(&it.props));
    let mut first_of = BTreeMap::new();
    let mut next = 0_u64;
    for slot in slots {
        let count = slot.vcpus_count.max(1);
        first_of.insert(next, slot);
        next = next.saturating_add(count);
    }
    let mut wanted: Vec<&VcpuState> = document.vcpus.iter().filter(|it| is_plugged(it)).collect();
    wanted.sort_by_key(|it| (it.order.unwrap_or(u32::MAX), it.id));
    let plug = |it: &VcpuState| {
        let slot = first_of.get(&u64::from(it.id)).filter(|slot| slot.qom_path.is_none())?;
        let mut members = serde_json::Map::new();
        members.insert("driver".to_owned(), Value::from(slot.kind.as_str()));
        members.insert("id".to_owned(), Value::from(format!("vcpu{}", it.id)));
        members.extend(slot.props.iter().map(|(name, value)| (name.clone(), value.clone())));
        Some(DeviceAdd(Value::Object(members)))
    };
    wanted.into_iter().filter_map(plug).collect()
}

/// Slots are numbered from the outside in.
fn place(props: &BTreeMap<String, Value>) -> [u64; 7] {
    ["node-id", "socket-id", "die-id", "cluster-id", "module-id", "core-id", "thread-id"]
        .map(|name| props.get(name).and_then(Value::as_u64).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_filled_in_the_documents_order() {
        let text = "<domain type='qemu'><name>v</name><memory>65536</memory><vcpu current='3'>4</vcpu><vcpus>\
            <vcpu id='0' enabled='yes' hotpluggable='no' order='1'/><vcpu id='1' enabled='no' hotpluggable='yes'/>\
            <vcpu id='2' enabled='yes' hotpluggable='yes' order='3'/>\
            <vcpu id='3' enabled='yes' hotpluggable='yes' order='2'/></vcpus>\
            <os><type arch='x86_64' machine='q35'>hvm</type></os></domain>";
        let document = Domain::parse(text).expect("a document");
        assert!(any_to_plug(&document));
        let slot = |socket: u64| HotpluggableCpu {
            kind: "qemu64-x86_64-cpu".to_owned(),
            vcpus_count: 1,
            props: BTreeMap::from([("socket-id".to_owned(), socket.into()), ("core-id".to_owned(), 0.into())]),
            qom_path: (socket == 0).then(|| "/machine/unattached/device[0]".to_owned()),
        };
        // QEMU lists the last one first.
        let plugs = plugs(&document, vec![slot(3), slot(2), slot(1), slot(0)]);
        let said: Vec<String> = plugs.iter().map(|it| it.0.to_string()).collect();
        assert_eq!(
            said,
            [
                r#"{"core-id":0,"driver":"qemu64-x86_64-cpu","id":"vcpu3","socket-id":3}"#,
                r#"{"core-id":0,"driver":"qemu64-x86_64-cpu","id":"vcpu2","socket-id":2}"#
            ]
        );
    }
}
