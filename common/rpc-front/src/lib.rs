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
mod service;

mod access;
mod client;
pub mod error;

mod admin;
mod console;
mod domain;
mod guest;
mod job;
mod monitor;
mod node;
mod session;
mod snapshot;
mod watch;

mod events;
mod frames;
mod from_wire;
mod to_wire;

use virtbus_api::HypervisorDriver;
use virtbus_proto::Entry;

pub use admin::Admin;
pub use routes::Routes;
pub use service::Front;

/// The engine of a hypervisor daemon.
pub type Hypervisor = dyn HypervisorDriver;

/// All that a hypervisor daemon serves; the table fits on a screen per part.
pub fn routes() -> Routes<Hypervisor> {
    session::routes()
        .and(node::routes())
        .and(domain::routes())
        .and(job::routes())
        .and(guest::routes())
        .and(snapshot::routes())
        .and(console::routes())
        .and(monitor::routes())
        .and(watch::routes())
}

/// All that is served on an admin socket.
pub fn admin_routes() -> Routes<Admin> {
    admin::routes()
}

/// The calls that are served and the events that are sent here, on all sockets, by their rows.
pub fn served() -> Vec<&'static Entry> {
    routes().served().iter().chain(admin_routes().served()).chain(frames::SENT).copied().collect()
}
