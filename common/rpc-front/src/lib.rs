//! The RPC front: libvirt's remote protocol, served from the engine traits.
//!
//! ```text
//! frame -> rpc::server -> service -> access -> route -> engine trait -> reply
//!                                      engine event -> events -> frames -> rpc::server
//! ```
//!
//! Read `routes` for how a procedure becomes a call, then any part (`domain` has the most). No engine is known
//! here, and no socket; XDR ends in `from_wire` and `to_wire`, XML text in `virtbus_api::document`.

pub mod routes;
mod servers;
mod service;

mod access;
mod client;
pub mod error;

mod admin;
mod console;
mod cpu;
mod domain;
mod guest;
mod job;
mod monitor;
mod network;
mod node;
mod session;
mod snapshot;
mod storage;
mod watch;

mod events;
mod frames;
mod from_wire;
mod listeners;
mod to_wire;

use virtbus_api::{HypervisorDriver, NetworkDriver, StorageDriver};
use virtbus_proto::Entry;

pub use admin::Admin;
pub use routes::Routes;
pub use servers::Servers;
pub use service::Front;

/// The engine of a hypervisor daemon.
pub type Hypervisor = dyn HypervisorDriver;

/// The engine of a storage daemon.
pub type Storage = dyn StorageDriver;

/// The engine of a network daemon.
pub type Network = dyn NetworkDriver;

/// All that a hypervisor daemon serves; the table fits on a screen per part.
pub fn routes() -> Routes<Hypervisor> {
    session::routes()
        .and(node::routes())
        .and(cpu::routes())
        .and(domain::routes())
        .and(job::routes())
        .and(guest::routes())
        .and(snapshot::routes())
        .and(console::routes())
        .and(monitor::routes())
        .and(watch::routes())
}

/// All that a storage daemon serves.
pub fn storage_routes() -> Routes<Storage> {
    session::routes().and(session::single_routes()).and(session::storage_routes()).and(storage::routes())
}

/// All that a network daemon serves.
pub fn network_routes() -> Routes<Network> {
    session::routes().and(session::single_routes()).and(network::routes())
}

/// All that is served on an admin socket.
pub fn admin_routes() -> Routes<Admin> {
    admin::routes()
}

/// The calls that are served and the events that are sent here, on all sockets of all daemons, by their rows.
pub fn served() -> Vec<&'static Entry> {
    let (hypervisor, storage, network, admin) = (routes(), storage_routes(), network_routes(), admin_routes());
    let calls = [hypervisor.served(), storage.served(), network.served(), admin.served()];
    let events = [frames::SENT, frames::network::SENT, frames::storage::SENT];
    calls.into_iter().chain(events).flatten().copied().collect()
}
