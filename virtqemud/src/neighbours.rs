//! The daemons that a guest's document may need: who has the networks, and who has pools and secrets.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;
use virtbus_api::{
    Error, ErrorCode, Result, SecretRef,
    flags::PortCreateFlags,
    neighbour::{NetworkNeighbour, SecretName, StorageNeighbour},
    network::Lease,
    storage::SecretValue,
};
use virtbus_schema::{Network, NetworkPort, StoragePool, StorageVolume};

/// Whom to ask.
#[derive(Debug, Clone)]
pub struct Neighbours {
    /// For ports of networks.
    pub networks: Arc<dyn NetworkNeighbour>,
    /// For volumes and secrets.
    pub storage: Arc<dyn StorageNeighbour>,
}

impl Neighbours {
    /// Nobody: every question is answered by an error.
    #[must_use]
    pub fn absent() -> Self {
        Self { networks: Arc::new(Absent), storage: Arc::new(Absent) }
    }
}

/// Nobody.
#[derive(Debug)]
struct Absent;

impl Absent {
    fn error(what: &str) -> Error {
        Error::new(ErrorCode::NoConnect, format!("no daemon for {what} is known here"))
    }
}

#[async_trait]
impl NetworkNeighbour for Absent {
    async fn plug(&self, network: &str, _: Box<NetworkPort>, _: PortCreateFlags) -> Result<Arc<NetworkPort>> {
        Err(Self::error(&format!("network '{network}'")))
    }

    async fn unplug(&self, network: &str, _: Uuid) -> Result<()> {
        Err(Self::error(&format!("network '{network}'")))
    }

    async fn network(&self, name: &str) -> Result<Arc<Network>> {
        Err(Self::error(&format!("network '{name}'")))
    }

    async fn leases(&self, network: &str, _: &str) -> Result<Vec<Lease>> {
        Err(Self::error(&format!("network '{network}'")))
    }
}

#[async_trait]
impl StorageNeighbour for Absent {
    async fn volume(&self, pool: &str, _: &str) -> Result<(Arc<StoragePool>, Arc<StorageVolume>)> {
        Err(Self::error(&format!("storage pool '{pool}'")))
    }

    async fn secret(&self, _: &SecretName) -> Result<(SecretRef, SecretValue)> {
        Err(Self::error("secrets"))
    }
}
