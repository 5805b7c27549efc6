//! QEMU processes: what a binary can do, how one is started, and what runs.

pub mod argv;
pub mod capabilities;
pub(crate) mod group;
pub(crate) mod helper;
pub(crate) mod hook;
pub(crate) mod launch;
pub(crate) mod log;
pub(crate) mod monitor;
pub(crate) mod names;
pub(crate) mod passthrough;
pub(crate) mod ports;
pub(crate) mod spawn;
