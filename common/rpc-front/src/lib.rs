//! The RPC front: libvirt's remote protocol, served from the engine traits.
//!
//! ```text
//! frame -> rpc::server -> service -> access -> route -> engine trait -> reply
//!                                      engine event -> events -> frames -> rpc::server
//! ```
//!
//! Read [`routes`] for how a procedure becomes a call, then any part ([`domain`] has the most). No engine is known
//! here, and no socket; XDR ends in `from_wire` and `to_wire`, XML text in `document`.

pub mod routes;
mod service;

mod access;
mod client;
pub mod error;

mod console;
mod domain;
mod guest;
mod job;
mod monitor;
mod node;
mod session;
mod snapshot;
mod watch;

mod document;
mod events;
mod frames;
mod from_wire;
mod to_wire;

use virtbus_api::HypervisorDriver;

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
