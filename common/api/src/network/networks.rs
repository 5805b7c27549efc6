//! Networks and their life.

use std::{net::IpAddr, sync::Arc};

use async_trait::async_trait;
use tokio::sync::broadcast;
use virtbus_schema::{Network, NetworkSection};

use crate::{
    error::Result,
    event::NetworkEvent,
    flags::{NetworkCreateFlags, NetworkDefineFlags, NetworkFilter, NetworkUpdateFlags, NetworkXmlFlags},
    hypervisor::MetadataKind,
    refs::NetworkRef,
};

/// What an update does with its section; the numbers are `virNetworkUpdateCommand`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum UpdateCommand {
    /// Replaces what is there.
    Modify = 1,
    /// Takes it away.
    Delete = 2,
    /// Adds it behind the others.
    AddLast = 3,
    /// Adds it before the others.
    AddFirst = 4,
}

impl UpdateCommand {
    /// The command with this number; `None` for 0 (none) and for what libvirt 11.3 does not know.
    pub fn from_number(number: i32) -> Option<Self> {
        [Self::Modify, Self::Delete, Self::AddLast, Self::AddFirst].into_iter().find(|it| *it as i32 == number)
    }
}

/// An address that the network's DHCP server has given away (`virNetworkDHCPLease`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The bridge it was asked for on.
    pub interface: String,
    /// When it ends, in seconds since 1970; 0 for never.
    pub expires: i64,
    /// The client's MAC address; IPv6 clients may have none.
    pub mac: Option<String>,
    /// The IPv6 client's association.
    pub iaid: Option<String>,
    /// The address.
    pub address: IpAddr,
    /// The prefix of the network it lies in.
    pub prefix: u32,
    /// The name the client gave.
    pub hostname: Option<String>,
    /// The client's id (IPv4) or DUID (IPv6).
    pub client_id: Option<String>,
}

/// Finding, defining, starting, changing and stopping networks.
///
/// An unknown network is `NO_NETWORK`; a wrong state is `OPERATION_INVALID`.
#[async_trait]
pub trait Networks: Send + Sync {
    /// `network:///system`, `network:///session`.
    fn uri(&self) -> String;

    /// The networks that pass the filter; an empty filter passes all. In order of name.
    fn list(&self, filter: NetworkFilter) -> Vec<NetworkRef>;

    /// The network with this UUID.
    fn lookup_by_uuid(&self, uuid: uuid::Uuid) -> Result<NetworkRef>;

    /// The network of this name.
    fn lookup_by_name(&self, name: &str) -> Result<NetworkRef>;

    /// The document: the live one of an active network, the definition with [`NetworkXmlFlags::INACTIVE`] or when off.
    fn xml(&self, network: &NetworkRef, flags: NetworkXmlFlags) -> Result<Arc<Network>>;

    /// Whether it is started.
    fn is_active(&self, network: &NetworkRef) -> Result<bool>;

    /// Whether there is a definition that outlives its run.
    fn is_persistent(&self, network: &NetworkRef) -> Result<bool>;

    /// Whether it starts with the host; `INTERNAL_ERROR` has a transient network.
    fn autostart(&self, network: &NetworkRef) -> Result<bool>;

    /// The name of the bridge; `INTERNAL_ERROR` where the network has none.
    fn bridge_name(&self, network: &NetworkRef) -> Result<String>;

    /// Title, description or a foreign element; `NO_NETWORK_METADATA` where there is none.
    fn metadata(&self, network: &NetworkRef, kind: &MetadataKind, impact: NetworkUpdateFlags) -> Result<String>;

    /// Takes a definition; replaces one of the same name and UUID. On success it is on disk.
    async fn define(&self, network: Box<Network>, flags: NetworkDefineFlags) -> Result<NetworkRef>;

    /// Starts a network; without a definition of that UUID it is transient.
    async fn create(&self, network: Box<Network>, flags: NetworkCreateFlags) -> Result<NetworkRef>;

    /// Starts a defined network.
    async fn start(&self, network: &NetworkRef) -> Result<()>;

    /// Stops it; what is transient is gone.
    async fn destroy(&self, network: &NetworkRef) -> Result<()>;

    /// Removes the definition; an active network becomes transient.
    async fn undefine(&self, network: &NetworkRef) -> Result<()>;

    /// Whether the network is to start with the host.
    async fn set_autostart(&self, network: &NetworkRef, autostart: bool) -> Result<()>;

    /// Changes a part of the network. `parent` chooses among several `<ip>` or the like; `None` lets the section's
    /// content choose.
    async fn update(
        &self,
        network: &NetworkRef,
        command: UpdateCommand,
        section: NetworkSection,
        parent: Option<u32>,
        flags: NetworkUpdateFlags,
    ) -> Result<()>;

    /// Sets title, description or a foreign element, or removes it with `None`.
    async fn set_metadata(
        &self,
        network: &NetworkRef,
        kind: MetadataKind,
        value: Option<String>,
        key: Option<String>,
        impact: NetworkUpdateFlags,
    ) -> Result<()>;

    /// The leases in force; `mac` (in any spelling of case) picks one client's.
    async fn leases(&self, network: &NetworkRef, mac: Option<&str>) -> Result<Vec<Lease>>;

    /// What happens to networks from now on.
    fn events(&self) -> broadcast::Receiver<NetworkEvent>;
}
