//! What one daemon asks of another: the few questions that virtqemud has for virtnetworkd and virtstoraged.
//!
//! A whole driver answers them as it is; over D-Bus `virtbus-dbus-remote` does. Every question has a deadline there, and an
//! error names the daemon that is absent or slow. The objects are named as a guest's document names them.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use uuid::Uuid;
use virtbus_schema::{Network, NetworkPort, StoragePool, StorageVolume};

use crate::{
    error::Result,
    flags::{NetworkXmlFlags, PoolXmlFlags, PortCreateFlags},
    network::{Lease, NetworkDriver},
    refs::{PortRef, SecretRef},
    storage::{SecretValue, StorageDriver},
};

/// Questions to whoever has the networks.
#[async_trait]
pub trait NetworkNeighbour: fmt::Debug + Send + Sync {
    /// Plugs a guest's interface into the network of this name: the port's document comes back with its UUID and the plug that
    /// the network chose. `RECLAIM` takes up the port of a guest that already runs.
    async fn plug(&self, network: &str, port: Box<NetworkPort>, flags: PortCreateFlags) -> Result<Arc<NetworkPort>>;

    /// Unplugs. A port that is not there any more is none to be unplugged: that is success.
    async fn unplug(&self, network: &str, port: Uuid) -> Result<()>;

    /// The network's live document.
    async fn network(&self, name: &str) -> Result<Arc<Network>>;

    /// The addresses that the network has given to this MAC address.
    async fn leases(&self, network: &str, mac: &str) -> Result<Vec<Lease>>;
}

/// Questions to whoever has pools and secrets.
#[async_trait]
pub trait StorageNeighbour: fmt::Debug + Send + Sync {
    /// The volume of this name in the active pool of that name, and the pool.
    async fn volume(&self, pool: &str, volume: &str) -> Result<(Arc<StoragePool>, Arc<StorageVolume>)>;

    /// A secret and its value, also of a private one: it goes to QEMU and to nobody else.
    async fn secret(&self, secret: &SecretName) -> Result<(SecretRef, SecretValue)>;
}

/// How a document names a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretName {
    /// By its UUID.
    Uuid(Uuid),
    /// By what it is for.
    Usage {
        /// As in [`crate::SecretRef::usage_type`].
        usage_type: i32,
        /// What it is for, within its usage type.
        usage_id: String,
    },
}

/// A driver in the same process as its own neighbour.
#[derive(Debug)]
pub struct Local<D: ?Sized>(pub Arc<D>);

#[async_trait]
impl<D: NetworkDriver + fmt::Debug + ?Sized> NetworkNeighbour for Local<D> {
    async fn plug(&self, network: &str, port: Box<NetworkPort>, flags: PortCreateFlags) -> Result<Arc<NetworkPort>> {
        let network = self.0.lookup_by_name(network)?;
        let port = self.0.create_port(&network, port, flags).await?;
        self.0.port_xml(&port)
    }

    async fn unplug(&self, network: &str, port: Uuid) -> Result<()> {
        let Ok(network) = self.0.lookup_by_name(network) else { return Ok(()) };
        match self.0.lookup_port(&network, port) {
            Ok(PortRef { network, uuid }) => self.0.delete_port(&PortRef { network, uuid }).await,
            Err(_) => Ok(()),
        }
    }

    async fn network(&self, name: &str) -> Result<Arc<Network>> {
        self.0.xml(&self.0.lookup_by_name(name)?, NetworkXmlFlags::empty())
    }

    async fn leases(&self, network: &str, mac: &str) -> Result<Vec<Lease>> {
        self.0.leases(&self.0.lookup_by_name(network)?, Some(mac)).await
    }
}

#[async_trait]
impl<D: StorageDriver + fmt::Debug + ?Sized> StorageNeighbour for Local<D> {
    async fn volume(&self, pool: &str, volume: &str) -> Result<(Arc<StoragePool>, Arc<StorageVolume>)> {
        let pool = self.0.lookup_by_name(pool)?;
        let volume = self.0.lookup_volume(&pool, volume)?;
        Ok((self.0.xml(&pool, PoolXmlFlags::empty())?, self.0.volume_xml(&volume).await?))
    }

    async fn secret(&self, secret: &SecretName) -> Result<(SecretRef, SecretValue)> {
        let found = match secret {
            SecretName::Uuid(uuid) => self.0.lookup_secret(*uuid)?,
            SecretName::Usage { usage_type, usage_id } => self.0.lookup_secret_by_usage(*usage_type, usage_id)?,
        };
        let value = self.0.secret_value_for_use(&found)?;
        Ok((found, value))
    }
}
