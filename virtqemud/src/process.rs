//! QEMU processes: what a binary can do, how one is started, and what runs.

pub mod capabilities;
