//! PCI: buses with their slots, and the search for a free place. Which device wants what is in [`connect`], the order in which
//! devices are served in [`assign`].
//!
//! The rules are the reference's, seen by defining guests with it: a place found here is guest ABI and may not move.

pub mod assign;
pub mod bus;
pub mod connect;

pub use bus::{Buses, Place};
pub use connect::Connect;
