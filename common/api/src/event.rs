//! What engines report of their own accord.
//!
//! Every event names its domain; fronts filter per client. The `match` in both fronts has no `_`, so a new variant
//! does not build until both serve it. Numbers are libvirt 11.3's.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    hypervisor::state::numbered,
    params::TypedParam,
    refs::{DomainRef, NetworkRef, PoolRef, PortRef, SecretRef, VolumeRef},
};

/// Something happened to a domain.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainEvent {
    /// The domain as it was when it happened.
    pub domain: DomainRef,
    /// What happened.
    pub kind: DomainEventKind,
}

/// What can happen to a domain. Variants carry what libvirt's callbacks carry.
#[derive(Debug, Clone, PartialEq)]
pub enum DomainEventKind {
    /// A change of life: defined, started, stopped and so on, with its detail.
    Lifecycle(Lifecycle),
    /// The guest rebooted.
    Reboot,
    /// The guest set its clock; the offset from UTC in seconds.
    RtcChange(i64),
    /// The guest's watchdog fired; `virDomainEventWatchdogAction`.
    Watchdog(i32),
    /// A block device failed.
    IoError {
        /// The image, empty where unknown.
        path: String,
        /// The device's alias.
        alias: String,
        /// What QEMU does about it.
        action: IoErrorAction,
        /// `enospc` or empty.
        reason: String,
    },
    /// A client of the guest's display came or went.
    Graphics(Box<Graphics>),
    /// The monitor connection is lost or out of sync.
    ControlError,
    /// The medium of a removable drive changed.
    DiskChange {
        /// The old image, where there was one.
        old: Option<String>,
        /// The new image, where there is one.
        new: Option<String>,
        /// The device's alias.
        alias: String,
        /// `virConnectDomainEventDiskChangeReason`.
        reason: i32,
    },
    /// A tray was opened (0) or closed (1).
    TrayChange {
        /// The device's alias.
        alias: String,
        /// `virDomainEventTrayChangeReason`.
        reason: i32,
    },
    /// The guest woke up.
    PmWakeup,
    /// The guest went to sleep (S3).
    PmSuspend,
    /// The guest hibernated (S4).
    PmSuspendDisk,
    /// The balloon's size changed: the guest's memory in KiB.
    BalloonChange(u64),
    /// A device is gone; its alias.
    DeviceRemoved(String),
    /// A device was added; its alias.
    DeviceAdded(String),
    /// The guest refused to give a device back; its alias.
    DeviceRemovalFailed(String),
    /// A tunable changed.
    Tunable(Vec<TypedParam>),
    /// The guest agent connected (1) or disconnected (2), with `virConnectDomainEventAgentLifecycleReason`.
    AgentLifecycle {
        /// 1 connected, 2 disconnected.
        state: i32,
        /// Why.
        reason: i32,
    },
    /// A job ended, with its statistics.
    JobCompleted(Vec<TypedParam>),
    /// Title, description or metadata changed; for an element its namespace.
    MetadataChange {
        /// `virDomainMetadataType`.
        kind: i32,
        /// The namespace of the element.
        uri: Option<String>,
    },
    /// Whether it starts with the host was changed. libvirt tells nobody.
    AutostartChange,
}

numbered! {
    /// A change of a domain's life, with libvirt's numbers for type and detail.
    pub enum Lifecycle {
        /// Defined anew.
        DefinedAdded = (0, 0),
        /// Defined over an old definition.
        DefinedUpdated = (0, 1),
        /// Renamed: the new name.
        DefinedRenamed = (0, 2),
        /// The definition is gone.
        UndefinedRemoved = (1, 0),
        /// Renamed: the old name.
        UndefinedRenamed = (1, 1),
        /// Started by a boot.
        StartedBooted = (2, 0),
        /// The guest woke up from sleep.
        StartedWakeup = (2, 4),
        /// Suspended by a user.
        SuspendedPaused = (3, 0),
        /// Suspended by an I/O error.
        SuspendedIoError = (3, 2),
        /// Suspended by a watchdog.
        SuspendedWatchdog = (3, 3),
        /// Suspended because a call failed in the middle.
        SuspendedApiError = (3, 6),
        /// Resumed by a user.
        ResumedUnpaused = (4, 0),
        /// Stopped: the guest shut down.
        StoppedShutdown = (5, 0),
        /// Stopped by `destroy`.
        StoppedDestroyed = (5, 1),
        /// Stopped: QEMU or the guest crashed.
        StoppedCrashed = (5, 2),
        /// Stopped: it did not come up.
        StoppedFailed = (5, 5),
        /// The guest has finished shutting down; the reason is not known.
        ShutdownFinished = (6, 0),
        /// The guest shut itself down.
        ShutdownGuest = (6, 1),
        /// The host shut the guest down.
        ShutdownHost = (6, 2),
        /// The guest sleeps (S3).
        PmSuspendedMemory = (7, 0),
        /// The guest hibernated (S4).
        PmSuspendedDisk = (7, 1),
        /// The guest's kernel panicked.
        CrashedPanicked = (8, 0),
    }
}

/// What QEMU does about an I/O error (`virDomainEventIOErrorAction`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum IoErrorAction {
    /// Ignored.
    None = 0,
    /// The guest is paused.
    Pause = 1,
    /// The guest sees the error.
    Report = 2,
}

/// A client of a guest's display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graphics {
    /// `virDomainEventGraphicsPhase`: 0 connect, 1 initialise, 2 disconnect.
    pub phase: i32,
    /// The guest's side.
    pub local: GraphicsAddress,
    /// The client's side.
    pub remote: GraphicsAddress,
    /// How the client authenticated.
    pub auth_scheme: String,
    /// Who the client is: pairs of kind (`x509dname`, `saslUsername`) and name.
    pub subject: Vec<(String, String)>,
}

/// One end of a display's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphicsAddress {
    /// `virDomainEventGraphicsAddressType`: 0 IPv4, 1 IPv6, 2 unix.
    pub family: i32,
    /// Address or path.
    pub node: String,
    /// Port; empty for unix.
    pub service: String,
}

/// A raw event of a domain's QEMU monitor (`virsh qemu-monitor-event`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorEvent {
    /// The domain.
    pub domain: DomainRef,
    /// QEMU's name of the event.
    pub name: String,
    /// When QEMU sent it: seconds and microseconds since 1970.
    pub timestamp: (i64, u32),
    /// The event's data as JSON text, where it has any.
    pub details: Option<String>,
}

/// Something happened to a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkEvent {
    /// The network as it was when it happened.
    pub network: NetworkRef,
    /// What happened.
    pub kind: NetworkEventKind,
}

/// What can happen to a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkEventKind {
    /// Defined, undefined, started or stopped.
    Lifecycle(NetworkLifecycle),
    /// Title, description or metadata changed; for an element its namespace.
    MetadataChange {
        /// `virNetworkMetadataType`.
        kind: i32,
        /// The namespace of the element.
        uri: Option<String>,
    },
    /// Whether it starts with the host was changed. libvirt tells nobody.
    AutostartChange,
    /// Ports came or went. libvirt tells nobody.
    Ports(Arc<Turnover<PortRef>>),
}

/// A change of a network's life; the numbers are `virNetworkEventLifecycleType`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum NetworkLifecycle {
    /// Defined, anew or over an old definition.
    Defined = 0,
    /// The definition is gone.
    Undefined = 1,
    /// Started.
    Started = 2,
    /// Stopped.
    Stopped = 3,
}

/// Something happened to a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolEvent {
    /// The pool as it was when it happened.
    pub pool: PoolRef,
    /// What happened.
    pub kind: PoolEventKind,
}

/// What can happen to a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolEventKind {
    /// A change of its life.
    Lifecycle(PoolLifecycle),
    /// Its volumes were looked at again.
    Refresh,
    /// Whether it starts with the host was changed. libvirt tells nobody.
    AutostartChange,
    /// Volumes came or went, however that came about. libvirt tells nobody.
    Volumes(Arc<Turnover<VolumeRef>>),
}

/// A change of a pool's life; the numbers are `virStoragePoolEventLifecycleType`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum PoolLifecycle {
    /// Defined, anew or over an old definition.
    Defined = 0,
    /// The definition is gone.
    Undefined = 1,
    /// Started.
    Started = 2,
    /// Stopped.
    Stopped = 3,
    /// The underlying storage was made.
    Created = 4,
    /// The underlying storage was deleted.
    Deleted = 5,
}

/// Something happened to a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretEvent {
    /// The secret as it was when it happened.
    pub secret: SecretRef,
    /// What happened.
    pub kind: SecretEventKind,
}

/// What can happen to a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretEventKind {
    /// Defined, anew or over an old definition.
    Defined,
    /// The definition is gone.
    Undefined,
    /// The value was set.
    ValueChanged,
}

/// What came into a set of things and what went from it in one step. A thing that was replaced by another one of its name
/// went and came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turnover<T> {
    /// What is there now and was not.
    pub come: Vec<T>,
    /// What was there and is not any more.
    pub gone: Vec<T>,
}

impl<T> Turnover<T> {
    /// The difference of two states of a set, by key; `None` where there is none. `same` tells whether what has one key is
    /// still the same thing.
    pub fn between<K: Ord, V>(
        old: &BTreeMap<K, V>,
        new: &BTreeMap<K, V>,
        same: impl Fn(&V, &V) -> bool,
        refer: impl Fn(&V) -> T,
    ) -> Option<Arc<Self>> {
        let lacks = |set: &BTreeMap<K, V>, key: &K, it: &V| set.get(key).is_none_or(|other| !same(other, it));
        let gone: Vec<_> = old.iter().filter(|(key, it)| lacks(new, key, it)).map(|(_, it)| refer(it)).collect();
        let come: Vec<_> = new.iter().filter(|(key, it)| lacks(old, key, it)).map(|(_, it)| refer(it)).collect();
        (!come.is_empty() || !gone.is_empty()).then(|| Arc::new(Self { come, gone }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_and_went_is_the_difference() {
        let set = |it: &[(&'static str, i32)]| it.iter().copied().collect::<BTreeMap<_, _>>();
        let between = |old: &[_], new: &[_]| Turnover::between(&set(old), &set(new), i32::eq, i32::clone);
        assert_eq!(between(&[("a", 1)], &[("a", 1)]), None);
        let it = between(&[("a", 1), ("b", 2)], &[("b", 3), ("c", 4)]).unwrap();
        assert_eq!((it.come.as_slice(), it.gone.as_slice()), (&[3, 4][..], &[1, 2][..]));
    }
}
