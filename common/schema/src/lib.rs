//! Every XML document of libvirt as types: what it can say, static defaults, and the checks that need no host.
//!
//! One declaration gives reading, writing, value lists and the coverage ledger (see `virtbus-xml`). This crate refuses to know
//! the host, the machine types and QEMU: what depends on them is filled into these types by the daemons.

pub mod capabilities;
pub mod cpu_document;
pub mod domain;
pub mod domain_capabilities;
pub mod domain_status;
pub mod encryption;
mod forms;
pub mod network;
pub mod network_port;
pub mod network_section;
pub mod network_status;
pub mod secret;
pub mod storage_pool;
pub mod storage_pool_capabilities;
pub mod storage_pool_status;
pub mod storage_vol;
mod strict;

pub use cpu_document::{CpuDocument, KnownCpu};
pub use domain::Domain;
pub use network::Network;
pub use network_port::NetworkPort;
pub use network_section::{NetworkSection, SectionKind};
pub use network_status::NetworkStatus;
pub use secret::Secret;
pub use storage_pool::StoragePool;
pub use storage_pool_capabilities::StoragePoolCapabilities;
pub use storage_vol::StorageVolume;
pub use virtbus_xml as xml;
pub use virtbus_xml::{Error, ErrorKind, FormatOptions};
