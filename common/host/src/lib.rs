//! The host behind a wall: small safe wrappers over system calls, /proc, /sys and cgroups.
//!
//! The only crate of the project with unsafe code; each block says why it is sound. It knows nothing of guests, of
//! libvirt or of any wire: callers give numbers and paths and get owned descriptors, plain structs and `io::Error`.

pub mod abandon;
pub mod account;
pub mod cgroup;
pub mod cpu;
pub mod cpuid;
pub mod fd;
pub mod file;
pub mod hook;
pub mod image;
pub mod inherited;
pub mod kvm;
pub mod label;
pub mod mailbox;
pub mod memory;
pub mod names;
pub mod netlink;
pub mod pci;
pub mod port;
pub mod process;
pub mod schedule;
pub mod socket;
pub mod sysfs;
pub mod tap;
pub mod task;
pub mod terminal;
pub mod traffic;
pub mod vsock;
