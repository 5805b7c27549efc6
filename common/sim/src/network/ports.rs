//! Ports: documents that are kept while their network is active.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;
use virtbus_api::{
    Error, ErrorCode, ErrorDomain, NetworkRef, PortRef, Result, TypedParam, flags::PortCreateFlags, network::Ports,
};
use virtbus_schema::NetworkPort;

use super::{Port, SimNetwork, active_mut, known, known_mut};

fn unknown(port: Uuid) -> Error {
    let detail = format!("Network port with UUID {port} does not exist");
    Error::new(ErrorCode::NoNetworkPort, detail).in_domain(ErrorDomain::Network)
}

impl SimNetwork {
    fn read_port<T>(&self, port: &PortRef, read: impl FnOnce(&Port) -> T) -> Result<T> {
        known(&self.table(), &port.network)?.ports.get(&port.uuid).map(read).ok_or_else(|| unknown(port.uuid))
    }
}

#[async_trait]
impl Ports for SimNetwork {
    fn ports(&self, network: &NetworkRef) -> Result<Vec<PortRef>> {
        let mut table = self.table();
        let (network, it) = known_mut(&mut table, network)?;
        Ok(it.ports.keys().map(|uuid| PortRef { network: network.clone(), uuid: *uuid }).collect())
    }

    fn lookup_port(&self, network: &NetworkRef, port: Uuid) -> Result<PortRef> {
        let mut table = self.table();
        let (network, it) = known_mut(&mut table, network)?;
        if it.ports.contains_key(&port) { Ok(PortRef { network, uuid: port }) } else { Err(unknown(port)) }
    }

    fn port_xml(&self, port: &PortRef) -> Result<Arc<NetworkPort>> {
        self.read_port(port, |it| it.document.clone())
    }

    fn port_parameters(&self, port: &PortRef) -> Result<Vec<TypedParam>> {
        self.read_port(port, |it| it.params.clone())
    }

    async fn create_port(
        &self,
        network: &NetworkRef,
        port: Box<NetworkPort>,
        _flags: PortCreateFlags,
    ) -> Result<PortRef> {
        let mut table = self.table();
        let (network, it) = active_mut(&mut table, network)?;
        let uuid = port.uuid;
        if it.ports.contains_key(&uuid) {
            return Err(Error::new(ErrorCode::NetworkPortExist, uuid.to_string()).in_domain(ErrorDomain::Network));
        }
        it.ports.insert(uuid, Port { document: Arc::from(port), params: Vec::new() });
        let port = PortRef { network: network.clone(), uuid };
        self.turnover(&network, vec![port.clone()], Vec::new());
        Ok(port)
    }

    async fn set_port_parameters(&self, port: &PortRef, params: Vec<TypedParam>) -> Result<()> {
        let mut table = self.table();
        let (_, it) = known_mut(&mut table, &port.network)?;
        it.ports.get_mut(&port.uuid).ok_or_else(|| unknown(port.uuid))?.params = params;
        Ok(())
    }

    async fn delete_port(&self, port: &PortRef) -> Result<()> {
        let mut table = self.table();
        let (network, it) = known_mut(&mut table, &port.network)?;
        it.ports.remove(&port.uuid).ok_or_else(|| unknown(port.uuid))?;
        self.turnover(&network, Vec::new(), vec![port.clone()]);
        Ok(())
    }
}
