//! Ports: one for each interface that is plugged into a network.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;
use virtbus_schema::NetworkPort;

use crate::{
    error::Result,
    flags::PortCreateFlags,
    params::TypedParam,
    refs::{NetworkRef, PortRef},
};

/// Making, reading, tuning and deleting ports. An unknown port is `NO_NETWORK_PORT`.
#[async_trait]
pub trait Ports: Send + Sync {
    /// The ports of a network.
    fn ports(&self, network: &NetworkRef) -> Result<Vec<PortRef>>;

    /// The port with this UUID.
    fn lookup_port(&self, network: &NetworkRef, port: Uuid) -> Result<PortRef>;

    /// The document, with the plug the network chose (bridge, device, address).
    fn port_xml(&self, port: &PortRef) -> Result<Arc<NetworkPort>>;

    /// The bandwidth: `inbound.average` and so on, in KiB/s and KiB.
    fn port_parameters(&self, port: &PortRef) -> Result<Vec<TypedParam>>;

    /// Plugs in: reserves what the network's kind gives (a bridge, a device of its pool) and says so in the document.
    async fn create_port(
        &self,
        network: &NetworkRef,
        port: Box<NetworkPort>,
        flags: PortCreateFlags,
    ) -> Result<PortRef>;

    /// Changes the bandwidth.
    async fn set_port_parameters(&self, port: &PortRef, params: Vec<TypedParam>) -> Result<()>;

    /// Unplugs, and gives back what was reserved.
    async fn delete_port(&self, port: &PortRef) -> Result<()>;
}
