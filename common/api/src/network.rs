//! The network engine: networks and the ports that guests plug into.
//!
//! Host interfaces and packet filters (`virInterface*`, `virNWFilter*`) have no verbs here yet; the ledgers list them.

pub mod networks;
pub mod ports;

pub use networks::{Lease, Networks, UpdateCommand};
pub use ports::Ports;

/// Everything a network daemon does.
pub trait NetworkDriver: Networks + Ports + 'static {}

impl<T> NetworkDriver for T where T: Networks + Ports + 'static {}
