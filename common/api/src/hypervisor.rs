//! The hypervisor engine: the sum of small traits, one per part of the API, each in its file.

pub mod console;
pub mod devices;
pub mod domains;
pub mod guest;
pub mod jobs;
pub mod metadata;
pub mod migration;
pub mod monitor;
pub mod node;
pub mod snapshots;
pub mod state;
pub mod stats;

pub use console::{ByteStream, Consoles, Screenshot};
pub use devices::Devices;
pub use domains::{DomainInfo, Domains, SecurityLabel};
pub use guest::{AddressSource, Guest, InterfaceAddresses, KeyCodeSet};
pub use jobs::{ControlInfo, JobInfo, Jobs};
pub use metadata::{Metadata, MetadataKind};
pub use migration::Migration;
pub use monitor::Monitor;
pub use node::{CpuComparison, Emulated, Node, NodeInfo};
pub use snapshots::Snapshots;
pub use state::State;
pub use stats::Stats;

/// Everything a hypervisor daemon does.
pub trait HypervisorDriver:
    Node + Domains + Metadata + Devices + Consoles + Guest + Monitor + Jobs + Stats + Snapshots + Migration + 'static
{
}

impl<T> HypervisorDriver for T where
    T: Node
        + Domains
        + Metadata
        + Devices
        + Consoles
        + Guest
        + Monitor
        + Jobs
        + Stats
        + Snapshots
        + Migration
        + 'static
{
}
