//! What the engines promise: traits, values, errors and events, typed throughout.
//!
//! Neither XDR nor D-Bus is known here, and no XML text crosses a trait: documents are [`virtbus_schema`] types. The
//! fronts (RPC, D-Bus) are written against this crate alone, so that a simulator can stand behind them.
//!
//! Conventions of every trait:
//! * An object is named by its ref ([`DomainRef`]); the UUID decides, the name is for error texts.
//! * Functions that are not `async` answer from a published view: they never wait for a guest, QEMU or a disk.
//! * `async` functions are bounded by a deadline unless their text says that they are jobs.
//! * A driver that does not offer a function leaves the trait's default, which answers `NO_SUPPORT`.
//! * Access has been checked by the front; engines do not know who calls.

pub mod access;
pub mod document;
pub mod error;
pub mod event;
pub mod flags;
pub mod hypervisor;
pub mod metadata;
pub mod neighbour;
pub mod network;
pub mod params;
pub mod refs;
pub mod storage;

pub use error::{Error, ErrorCode, ErrorDomain, Result};
pub use event::{
    DomainEvent, DomainEventKind, MonitorEvent, NetworkEvent, NetworkEventKind, NetworkLifecycle, PoolEvent,
    PoolEventKind, PoolLifecycle, SecretEvent, SecretEventKind, Turnover,
};
pub use hypervisor::HypervisorDriver;
pub use network::NetworkDriver;
pub use params::{ParamValue, TypedParam};
pub use refs::{ClientLease, DomainRef, LeaseGuard, NetworkRef, PoolRef, PortRef, SecretRef, VolumeRef};
pub use storage::StorageDriver;
