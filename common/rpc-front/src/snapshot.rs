//! Snapshots and checkpoints: which there are.

use virtbus_api::flags::SnapshotFilter;
use virtbus_proto::table::{
    DomainHasCurrentSnapshot, DomainHasCurrentSnapshotReply, DomainSnapshotListNames, DomainSnapshotListNamesReply,
    DomainSnapshotNum, DomainSnapshotNumReply,
};

use crate::{
    Hypervisor,
    from_wire::{self, domain},
    routes::Routes,
    to_wire,
};

/// Snapshots in one answer (`REMOTE_DOMAIN_SNAPSHOT_LIST_MAX`).
const LIST_MAX: usize = 16_384;

pub(crate) fn routes() -> Routes<Hypervisor> {
    Routes::<Hypervisor>::default()
        .on_view(|cx, a: DomainHasCurrentSnapshot| {
            from_wire::no_flags(&a, a.flags)?;
            let current = cx.driver.current_snapshot(&domain(&a.dom))?;
            Ok(DomainHasCurrentSnapshotReply { result: to_wire::boolean(current.is_some()) })
        })
        .on_view(|cx, a: DomainSnapshotNum| {
            let filter: SnapshotFilter = from_wire::flags(&a, a.flags)?;
            Ok(DomainSnapshotNumReply { num: to_wire::count(cx.driver.snapshots(&domain(&a.dom), filter)?.len()) })
        })
        .on_view(|cx, a: DomainSnapshotListNames| {
            let room = from_wire::room(a.maxnames, "maxnames", LIST_MAX, "REMOTE_DOMAIN_SNAPSHOT_LIST_MAX")?;
            let names = cx.driver.snapshots(&domain(&a.dom), from_wire::flags(&a, a.flags)?)?;
            Ok(DomainSnapshotListNamesReply { names: names.into_iter().take(room).collect() })
        })
}
