//! Events as frames: which message carries which event, in the old form and in the one with a callback id.
//!
//! An event is encoded once, whoever listens. The id of a callback stands first in the payload, so a client's copy
//! differs from the next one's in four bytes; the old form is the new one without its head. Who listens is not known
//! here.

pub(crate) mod network;
pub(crate) mod storage;

use bytes::Bytes;
use virtbus_api::{
    DomainEvent, DomainEventKind, MonitorEvent,
    event::{Graphics, GraphicsAddress},
};
use virtbus_proto::{
    EncodeError, Entry, Event, Header, Program, Xdr,
    events::*,
    types::{DomainEventGraphicsAddress, DomainEventGraphicsIdentity},
};

use crate::to_wire;

/// How many kinds of domain events there are (`VIR_DOMAIN_EVENT_ID_LAST`).
pub(crate) const EVENT_IDS: usize = 28;

/// An event, encoded for all who listen.
#[derive(Debug)]
pub(crate) struct Frame {
    /// `virDomainEventID`.
    pub(crate) event: usize,
    procedure: i32,
    /// The old message and how many bytes of the payload it leaves out; newer events have none.
    old: Option<(i32, usize)>,
    payload: Vec<u8>,
}

impl Frame {
    /// The message for a callback.
    pub(crate) fn for_callback(&self, id: i32) -> (Header, Bytes) {
        let payload = id.to_be_bytes().iter().chain(self.payload.iter().skip(4)).copied().collect::<Vec<u8>>();
        (Header::message(Program::Remote, self.procedure), payload.into())
    }

    /// The message for a client that registered in the old way; `None` for events that came after it.
    pub(crate) fn for_old_client(&self) -> Option<(Header, Bytes)> {
        let (procedure, head) = self.old?;
        let payload = Bytes::copy_from_slice(self.payload.get(head..)?);
        Some((Header::message(Program::Remote, procedure), payload))
    }
}

/// The events that [`frames`] and [`monitor_frame`] make.
pub(crate) const SENT: &[&Entry] = &[
    DomainEventLifecycle::ENTRY,
    DomainEventCallbackLifecycle::ENTRY,
    DomainEventReboot::ENTRY,
    DomainEventCallbackReboot::ENTRY,
    DomainEventRtcChange::ENTRY,
    DomainEventCallbackRtcChange::ENTRY,
    DomainEventWatchdog::ENTRY,
    DomainEventCallbackWatchdog::ENTRY,
    DomainEventIoError::ENTRY,
    DomainEventCallbackIoError::ENTRY,
    DomainEventIoErrorReason::ENTRY,
    DomainEventCallbackIoErrorReason::ENTRY,
    DomainEventGraphics::ENTRY,
    DomainEventCallbackGraphics::ENTRY,
    DomainEventControlError::ENTRY,
    DomainEventCallbackControlError::ENTRY,
    DomainEventDiskChange::ENTRY,
    DomainEventCallbackDiskChange::ENTRY,
    DomainEventTrayChange::ENTRY,
    DomainEventCallbackTrayChange::ENTRY,
    DomainEventPmwakeup::ENTRY,
    DomainEventCallbackPmwakeup::ENTRY,
    DomainEventPmsuspend::ENTRY,
    DomainEventCallbackPmsuspend::ENTRY,
    DomainEventPmsuspendDisk::ENTRY,
    DomainEventCallbackPmsuspendDisk::ENTRY,
    DomainEventBalloonChange::ENTRY,
    DomainEventCallbackBalloonChange::ENTRY,
    DomainEventDeviceRemoved::ENTRY,
    DomainEventCallbackDeviceRemoved::ENTRY,
    DomainEventCallbackDeviceAdded::ENTRY,
    DomainEventCallbackDeviceRemovalFailed::ENTRY,
    DomainEventCallbackTunable::ENTRY,
    DomainEventCallbackAgentLifecycle::ENTRY,
    DomainEventCallbackJobCompleted::ENTRY,
    DomainEventCallbackMetadataChange::ENTRY,
    QemuDomainMonitorEvent::ENTRY,
];

/// An event with an old form behind `head` bytes.
fn both<New: Event>(event: usize, old: i32, head: usize, it: &New) -> Result<Frame, EncodeError> {
    Ok(Frame { event, procedure: New::NUMBER, old: Some((old, head)), payload: it.to_bytes()? })
}

/// An event without an old form.
fn new<New: Event>(event: usize, it: &New) -> Result<Frame, EncodeError> {
    Ok(Frame { event, procedure: New::NUMBER, old: None, payload: it.to_bytes()? })
}

/// The bytes of a callback id, and of the reason that suspend and wake-up events have in front in their new form.
const ID: usize = 4;
const ID_AND_REASON: usize = 8;

/// The frames of an event: mostly one, two where libvirt reports the same thing under two numbers.
pub(crate) fn frames(event: &DomainEvent) -> Result<Vec<Frame>, EncodeError> {
    use DomainEventKind as Kind;
    // The id is filled in per client.
    let callback_id = 0;
    let dom = to_wire::domain(&event.domain);
    let frame = match &event.kind {
        Kind::Lifecycle(it) => {
            let msg = DomainEventLifecycle { dom, event: it.number(), detail: it.detail() };
            both(0, DomainEventLifecycle::NUMBER, ID, &DomainEventCallbackLifecycle { callback_id, msg })
        }
        Kind::Reboot => {
            let msg = DomainEventReboot { dom };
            both(1, DomainEventReboot::NUMBER, ID, &DomainEventCallbackReboot { callback_id, msg })
        }
        Kind::RtcChange(offset) => {
            let msg = DomainEventRtcChange { dom, offset: *offset };
            both(2, DomainEventRtcChange::NUMBER, ID, &DomainEventCallbackRtcChange { callback_id, msg })
        }
        Kind::Watchdog(action) => {
            let msg = DomainEventWatchdog { dom, action: *action };
            both(3, DomainEventWatchdog::NUMBER, ID, &DomainEventCallbackWatchdog { callback_id, msg })
        }
        Kind::IoError { path, alias, action, reason } => {
            let (src_path, dev_alias, action) = (path.clone(), alias.clone(), *action as i32);
            let msg = DomainEventIoError { dom: dom.clone(), src_path, dev_alias, action };
            let plain = both(4, DomainEventIoError::NUMBER, ID, &DomainEventCallbackIoError { callback_id, msg })?;
            let (src_path, dev_alias, reason) = (path.clone(), alias.clone(), reason.clone());
            let msg = DomainEventIoErrorReason { dom, src_path, dev_alias, action, reason };
            let new = DomainEventCallbackIoErrorReason { callback_id, msg };
            return Ok(vec![plain, both(6, DomainEventIoErrorReason::NUMBER, ID, &new)?]);
        }
        Kind::Graphics(it) => {
            let msg = graphics(dom, it);
            both(5, DomainEventGraphics::NUMBER, ID, &DomainEventCallbackGraphics { callback_id, msg })
        }
        Kind::ControlError => {
            let msg = DomainEventControlError { dom };
            both(7, DomainEventControlError::NUMBER, ID, &DomainEventCallbackControlError { callback_id, msg })
        }
        Kind::DiskChange { old, new, alias, reason } => {
            let (old_src_path, new_src_path) = (old.clone(), new.clone());
            let msg =
                DomainEventDiskChange { dom, old_src_path, new_src_path, dev_alias: alias.clone(), reason: *reason };
            both(9, DomainEventDiskChange::NUMBER, ID, &DomainEventCallbackDiskChange { callback_id, msg })
        }
        Kind::TrayChange { alias, reason } => {
            let msg = DomainEventTrayChange { dom, dev_alias: alias.clone(), reason: *reason };
            both(10, DomainEventTrayChange::NUMBER, ID, &DomainEventCallbackTrayChange { callback_id, msg })
        }
        Kind::PmWakeup => {
            let new = DomainEventCallbackPmwakeup { callback_id, reason: 0, msg: DomainEventPmwakeup { dom } };
            both(11, DomainEventPmwakeup::NUMBER, ID_AND_REASON, &new)
        }
        Kind::PmSuspend => {
            let new = DomainEventCallbackPmsuspend { callback_id, reason: 0, msg: DomainEventPmsuspend { dom } };
            both(12, DomainEventPmsuspend::NUMBER, ID_AND_REASON, &new)
        }
        Kind::BalloonChange(actual) => {
            let msg = DomainEventBalloonChange { dom, actual: *actual };
            both(13, DomainEventBalloonChange::NUMBER, ID, &DomainEventCallbackBalloonChange { callback_id, msg })
        }
        Kind::PmSuspendDisk => {
            let msg = DomainEventPmsuspendDisk { dom };
            let new = DomainEventCallbackPmsuspendDisk { callback_id, reason: 0, msg };
            both(14, DomainEventPmsuspendDisk::NUMBER, ID_AND_REASON, &new)
        }
        Kind::DeviceRemoved(alias) => {
            let msg = DomainEventDeviceRemoved { dom, dev_alias: alias.clone() };
            both(15, DomainEventDeviceRemoved::NUMBER, ID, &DomainEventCallbackDeviceRemoved { callback_id, msg })
        }
        Kind::Tunable(params) => {
            new(17, &DomainEventCallbackTunable { callback_id, dom, params: to_wire::params(params) })
        }
        Kind::AgentLifecycle { state, reason } => {
            let (state, reason) = (*state, *reason);
            new(18, &DomainEventCallbackAgentLifecycle { callback_id, dom, state, reason })
        }
        Kind::DeviceAdded(alias) => {
            new(19, &DomainEventCallbackDeviceAdded { callback_id, dom, dev_alias: alias.clone() })
        }
        Kind::JobCompleted(params) => {
            new(21, &DomainEventCallbackJobCompleted { callback_id, dom, params: to_wire::params(params) })
        }
        Kind::DeviceRemovalFailed(alias) => {
            new(22, &DomainEventCallbackDeviceRemovalFailed { callback_id, dom, dev_alias: alias.clone() })
        }
        Kind::MetadataChange { kind, uri } => {
            new(23, &DomainEventCallbackMetadataChange { callback_id, dom, r#type: *kind, nsuri: uri.clone() })
        }
        Kind::AutostartChange => return Ok(Vec::new()),
    }?;
    Ok(vec![frame])
}

fn graphics(dom: virtbus_proto::types::Domain, it: &Graphics) -> DomainEventGraphics {
    let address = |it: &GraphicsAddress| DomainEventGraphicsAddress {
        family: it.family,
        node: it.node.clone(),
        service: it.service.clone(),
    };
    let identity =
        |(kind, name): &(String, String)| DomainEventGraphicsIdentity { r#type: kind.clone(), name: name.clone() };
    DomainEventGraphics {
        dom,
        phase: it.phase,
        local: address(&it.local),
        remote: address(&it.remote),
        auth_scheme: it.auth_scheme.clone(),
        subject: it.subject.iter().map(identity).collect(),
    }
}

/// An event of a QEMU monitor, with the id left to be filled in by [`monitor_frame_for`].
pub(crate) fn monitor_frame(event: &MonitorEvent) -> Result<Vec<u8>, EncodeError> {
    QemuDomainMonitorEvent {
        callback_id: 0,
        dom: to_wire::domain(&event.domain),
        event: event.name.clone(),
        seconds: event.timestamp.0,
        micros: event.timestamp.1,
        details: event.details.clone(),
    }
    .to_bytes()
}

/// The message for a callback.
pub(crate) fn monitor_frame_for(payload: &[u8], id: i32) -> (Header, Bytes) {
    let payload = id.to_be_bytes().iter().chain(payload.iter().skip(4)).copied().collect::<Vec<u8>>();
    (Header::message(QemuDomainMonitorEvent::PROGRAM, QemuDomainMonitorEvent::NUMBER), payload.into())
}

/// Bytes as digits, as captured payloads are written down.
#[cfg(test)]
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use virtbus_api::{
        DomainRef,
        event::{IoErrorAction, Lifecycle},
    };

    fn event(kind: DomainEventKind) -> DomainEvent {
        let domain = DomainRef { name: "a".to_owned(), uuid: uuid::Uuid::from_bytes([1; 16]), id: Some(4) };
        DomainEvent { domain, kind }
    }

    #[test]
    fn the_old_form_is_the_new_one_without_its_head() {
        let frames = frames(&event(DomainEventKind::Lifecycle(Lifecycle::StoppedDestroyed))).unwrap();
        let [frame] = frames.as_slice() else { panic!("one frame: {frames:?}") };
        let (header, payload) = frame.for_callback(9);
        assert_eq!(header.procedure, 318);
        let new = DomainEventCallbackLifecycle::from_bytes(&payload).unwrap();
        assert_eq!((new.callback_id, new.msg.event, new.msg.detail, new.msg.dom.id), (9, 5, 1, 4));
        let (header, payload) = frame.for_old_client().unwrap();
        assert_eq!(header.procedure, 107);
        assert_eq!(DomainEventLifecycle::from_bytes(&payload).unwrap(), new.msg);
    }

    #[test]
    fn suspend_events_have_a_reason_in_the_new_form() {
        let frames = frames(&event(DomainEventKind::PmSuspend)).unwrap();
        let (_, payload) = frames[0].for_callback(1);
        let new = DomainEventCallbackPmsuspend::from_bytes(&payload).unwrap();
        let (_, payload) = frames[0].for_old_client().unwrap();
        assert_eq!(DomainEventPmsuspend::from_bytes(&payload).unwrap(), new.msg);
    }

    #[test]
    fn an_io_error_is_two_events() {
        let kind = DomainEventKind::IoError {
            path: "/a".to_owned(),
            alias: "virtio-disk0".to_owned(),
            action: IoErrorAction::Pause,
            reason: "enospc".to_owned(),
        };
        let frames = frames(&event(kind)).unwrap();
        assert_eq!(frames.iter().map(|it| it.event).collect::<Vec<_>>(), [4, 6]);
    }

    #[test]
    fn the_list_of_sent_events_is_complete() {
        use DomainEventKind as Kind;
        let address = GraphicsAddress { family: 0, node: String::new(), service: String::new() };
        let graphics = Graphics {
            phase: 0,
            local: address.clone(),
            remote: address,
            auth_scheme: String::new(),
            subject: vec![("x509dname".to_owned(), "CN=a".to_owned())],
        };
        let text = String::new;
        let io_error = Kind::IoError { path: text(), alias: text(), action: IoErrorAction::None, reason: text() };
        let all = [
            Kind::Lifecycle(Lifecycle::StartedBooted),
            Kind::Reboot,
            Kind::RtcChange(1),
            Kind::Watchdog(1),
            io_error,
            Kind::Graphics(Box::new(graphics)),
            Kind::ControlError,
            Kind::DiskChange { old: None, new: Some(text()), alias: text(), reason: 0 },
            Kind::TrayChange { alias: text(), reason: 0 },
            Kind::PmWakeup,
            Kind::PmSuspend,
            Kind::PmSuspendDisk,
            Kind::BalloonChange(1),
            Kind::DeviceRemoved(text()),
            Kind::DeviceAdded(text()),
            Kind::DeviceRemovalFailed(text()),
            Kind::Tunable(Vec::new()),
            Kind::AgentLifecycle { state: 1, reason: 0 },
            Kind::JobCompleted(Vec::new()),
            Kind::MetadataChange { kind: 2, uri: None },
        ];
        let mut sent = vec![QemuDomainMonitorEvent::NUMBER];
        for frame in all.into_iter().flat_map(|kind| frames(&event(kind)).unwrap()) {
            assert!(frame.event < EVENT_IDS);
            sent.push(frame.for_callback(0).0.procedure);
            sent.extend(frame.for_old_client().map(|(header, _)| header.procedure));
        }
        let mut listed: Vec<i32> = SENT.iter().map(|it| it.number).collect();
        sent.sort_unstable();
        listed.sort_unstable();
        assert_eq!(sent, listed);
    }

    #[test]
    fn newer_events_have_no_old_form() {
        let frames = frames(&event(DomainEventKind::DeviceAdded("net0".to_owned()))).unwrap();
        assert!(frames[0].for_old_client().is_none());
        assert_eq!(frames[0].for_callback(1).0.procedure, 354);
    }
}
