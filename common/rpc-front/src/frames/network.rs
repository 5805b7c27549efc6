//! Events of networks as frames.

use virtbus_api::{NetworkEvent, NetworkEventKind};
use virtbus_proto::{
    EncodeError, Entry, Event,
    events::{NetworkEventCallbackMetadataChange, NetworkEventLifecycle},
};

use super::{Frame, new};
use crate::to_wire;

/// How many kinds of network events there are (`VIR_NETWORK_EVENT_ID_LAST`).
pub(crate) const EVENT_IDS: usize = 2;

/// The events that [`frame`] makes.
pub(crate) const SENT: &[&Entry] = &[NetworkEventLifecycle::ENTRY, NetworkEventCallbackMetadataChange::ENTRY];

/// The frame of an event, if the protocol has one.
pub(crate) fn frame(event: &NetworkEvent) -> Result<Option<Frame>, EncodeError> {
    // The id is filled in per client.
    let callback_id = 0;
    let net = to_wire::network(&event.network);
    let frame = match &event.kind {
        NetworkEventKind::Lifecycle(it) => {
            new(0, &NetworkEventLifecycle { callback_id, net, event: *it as i32, detail: 0 })
        }
        NetworkEventKind::MetadataChange { kind, uri } => {
            new(1, &NetworkEventCallbackMetadataChange { callback_id, net, r#type: *kind, nsuri: uri.clone() })
        }
        NetworkEventKind::AutostartChange | NetworkEventKind::Ports(_) => return Ok(None),
    };
    frame.map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::hex;
    use virtbus_api::{NetworkLifecycle, NetworkRef};

    /// Payloads as libvirtd 11.3 sent them.
    #[test]
    fn frames_are_the_references() {
        let network = NetworkRef { name: "n".to_owned(), uuid: uuid::Uuid::from_bytes([0x44; 16]) };
        let check = |kind, id, procedure, payload| {
            let (header, bytes) =
                frame(&NetworkEvent { network: network.clone(), kind }).unwrap().unwrap().for_callback(id);
            assert_eq!((header.procedure, hex(&bytes).as_str()), (procedure, payload));
        };
        let started = "00000000000000016e000000444444444444444444444444444444440000000200000000";
        check(NetworkEventKind::Lifecycle(NetworkLifecycle::Started), 0, 315, started);
        let gone = "00000000000000016e000000444444444444444444444444444444440000000100000000";
        check(NetworkEventKind::Lifecycle(NetworkLifecycle::Undefined), 0, 315, gone);
        let title = "00000001000000016e000000444444444444444444444444444444440000000100000000";
        check(NetworkEventKind::MetadataChange { kind: 1, uri: None }, 1, 446, title);
        let element =
            "00000001000000016e0000004444444444444444444444444444444400000002000000010000000575726e3a78000000";
        check(NetworkEventKind::MetadataChange { kind: 2, uri: Some("urn:x".to_owned()) }, 1, 446, element);
    }
}
