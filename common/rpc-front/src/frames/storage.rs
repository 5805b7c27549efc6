//! Events of pools and secrets as frames.

use virtbus_api::{PoolEvent, PoolEventKind, SecretEvent, SecretEventKind};
use virtbus_proto::{
    EncodeError, Entry, Event,
    events::{SecretEventLifecycle, SecretEventValueChanged, StoragePoolEventLifecycle, StoragePoolEventRefresh},
};

use super::{Frame, new};
use crate::to_wire;

/// How many kinds of pool events there are (`VIR_STORAGE_POOL_EVENT_ID_LAST`).
pub(crate) const POOL_EVENT_IDS: usize = 2;
/// How many kinds of secret events there are (`VIR_SECRET_EVENT_ID_LAST`).
pub(crate) const SECRET_EVENT_IDS: usize = 2;

/// `VIR_SECRET_EVENT_DEFINED`
const DEFINED: i32 = 0;
/// `VIR_SECRET_EVENT_UNDEFINED`
const UNDEFINED: i32 = 1;

/// The events that are made here.
pub(crate) const SENT: &[&Entry] = &[
    StoragePoolEventLifecycle::ENTRY,
    StoragePoolEventRefresh::ENTRY,
    SecretEventLifecycle::ENTRY,
    SecretEventValueChanged::ENTRY,
];

/// The frame of a pool's event, if the protocol has one.
pub(crate) fn pool_frame(event: &PoolEvent) -> Result<Option<Frame>, EncodeError> {
    // The id is filled in per client.
    let callback_id = 0;
    let pool = to_wire::pool(&event.pool);
    let frame = match event.kind {
        PoolEventKind::Lifecycle(it) => {
            new(0, &StoragePoolEventLifecycle { callback_id, pool, event: it as i32, detail: 0 })
        }
        PoolEventKind::Refresh => new(1, &StoragePoolEventRefresh { callback_id, pool }),
        PoolEventKind::AutostartChange | PoolEventKind::Volumes(_) => return Ok(None),
    };
    frame.map(Some)
}

/// The frame of a secret's event.
pub(crate) fn secret_frame(event: &SecretEvent) -> Result<Frame, EncodeError> {
    let callback_id = 0;
    let secret = to_wire::secret(&event.secret);
    let life = |event| SecretEventLifecycle { callback_id, secret: secret.clone(), event, detail: 0 };
    match event.kind {
        SecretEventKind::Defined => new(0, &life(DEFINED)),
        SecretEventKind::Undefined => new(0, &life(UNDEFINED)),
        SecretEventKind::ValueChanged => new(1, &SecretEventValueChanged { callback_id, secret }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::hex;
    use virtbus_api::{PoolLifecycle, PoolRef, SecretRef};

    /// Payloads as libvirtd 11.3 sent them.
    #[test]
    fn frames_are_the_references() {
        let check = |frame: Result<Frame, EncodeError>, id, procedure, payload| {
            let (header, bytes) = frame.unwrap().for_callback(id);
            assert_eq!((header.procedure, hex(&bytes).as_str()), (procedure, payload));
        };
        let pool = PoolRef { name: "p".to_owned(), uuid: uuid::Uuid::from_bytes([0x22; 16]) };
        let pool_event = |kind| pool_frame(&PoolEvent { pool: pool.clone(), kind }).map(Option::unwrap);
        let built = "000000000000000170000000222222222222222222222222222222220000000400000000";
        check(pool_event(PoolEventKind::Lifecycle(PoolLifecycle::Created)), 0, 370, built);
        let deleted = "000000000000000170000000222222222222222222222222222222220000000500000000";
        check(pool_event(PoolEventKind::Lifecycle(PoolLifecycle::Deleted)), 0, 370, deleted);
        let refreshed = "00000001000000017000000022222222222222222222222222222222";
        check(pool_event(PoolEventKind::Refresh), 1, 373, refreshed);

        let uuid = uuid::Uuid::from_bytes([0x33; 16]);
        let secret = SecretRef { uuid, usage_type: 1, usage_id: "/x".to_owned() };
        let secret_event = |kind| secret_frame(&SecretEvent { secret: secret.clone(), kind });
        let defined = "000000003333333333333333333333333333333300000001000000022f7800000000000000000000";
        check(secret_event(SecretEventKind::Defined), 0, 382, defined);
        let undefined = "000000003333333333333333333333333333333300000001000000022f7800000000000100000000";
        check(secret_event(SecretEventKind::Undefined), 0, 382, undefined);
        let changed = "000000013333333333333333333333333333333300000001000000022f780000";
        check(secret_event(SecretEventKind::ValueChanged), 1, 383, changed);
    }
}
