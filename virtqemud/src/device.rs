//! Devices in QEMU's terms: each kind of the domain document has its twin here.

pub mod chardev;
pub mod part;
pub mod props;

pub use part::Part;
