//! The D-Bus front: `org.libvirt.*` objects over the engine traits.
//!
//! Paths and interfaces are libvirt-dbus's (`/org/libvirt/QEMU/domain/_UUID`, `org.libvirt.Domain`), in the standard
//! form of D-Bus: ObjectManager, PropertiesChanged, typed errors `org.libvirt.Error.<CODE>`. What libvirt-dbus lacks
//! stands beside it on the same interfaces. Every message's sender is resolved and checked ([`access`]). No engine is
//! named here, and libvirt-dbus's quirks are not served: they live in the proxy's relay.

pub mod access;
pub mod connect;
mod dispatch;
pub mod domain;
pub mod error;
pub mod front;
mod keep;
pub mod neighbour;
pub mod network;
mod objects;
pub mod params;
pub mod paths;
pub mod port;
pub mod relay;
pub mod secret;
mod signals;
mod standard;
pub mod storage_pool;
pub mod storage_vol;
pub mod stream;
mod transfer;

pub use front::{Bus, Engine, Front};
pub use keep::keep;
