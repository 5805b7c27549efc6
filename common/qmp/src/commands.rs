//! QEMU's commands as types, by topic. Names and fields are QEMU 10.0's QAPI; optional where older ones lack them.

pub mod block;
pub mod device;
pub mod machine;
pub mod migration;
pub mod misc;

pub use block::*;
pub use device::*;
pub use machine::*;
pub use migration::*;
pub use misc::*;

#[cfg(test)]
mod tests;
