//! The flag words of libvirt's API as types.
//!
//! Bits and their numbers are libvirt 11.3's. A bit that is not listed is refused by the front (`INVALID_ARG`,
//! "unsupported flags"), as the reference does.

mod domain;
mod network;
mod storage;

pub use domain::*;
pub use network::*;
pub use storage::*;
