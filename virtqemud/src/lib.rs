//! The hypervisor engine: domains, their devices, and the QEMU processes that run them. It knows no wire.

pub mod config;
pub mod driver;
pub mod neighbours;

mod domain;
mod registry;
mod security;

pub mod capabilities;
pub mod device;
pub mod machine;
pub mod process;
