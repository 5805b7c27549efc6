//! Ports, and their rates as typed parameters.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;
use virtbus_api::{Error, NetworkRef, ParamValue, PortRef, Result, TypedParam, flags::PortCreateFlags, network::Ports};
use virtbus_schema::{
    NetworkPort,
    network::{Bandwidth, BandwidthLimit},
};

use super::Networkd;
use crate::fault::{self, Faults as _};
use crate::network::command::Command;

impl Networkd {
    fn port(&self, network: &NetworkRef, uuid: Uuid) -> Result<(PortRef, Arc<NetworkPort>)> {
        let view = self.view(network)?;
        let port = view.live.as_ref().and_then(|it| it.ports.get(&uuid)).ok_or_else(|| fault::no_port(uuid))?;
        Ok((PortRef { network: view.network_ref(), uuid }, Arc::clone(port)))
    }
}

#[async_trait]
impl Ports for Networkd {
    fn ports(&self, network: &NetworkRef) -> Result<Vec<PortRef>> {
        let view = self.view(network)?;
        let network = view.network_ref();
        let ports = view.live.iter().flat_map(|it| it.ports.keys());
        Ok(ports.map(|uuid| PortRef { network: network.clone(), uuid: *uuid }).collect())
    }

    fn lookup_port(&self, network: &NetworkRef, port: Uuid) -> Result<PortRef> {
        self.port(network, port).map(|(port, _)| port)
    }

    fn port_xml(&self, port: &PortRef) -> Result<Arc<NetworkPort>> {
        self.port(&port.network, port.uuid).map(|(_, document)| document)
    }

    fn port_parameters(&self, port: &PortRef) -> Result<Vec<TypedParam>> {
        let (_, document) = self.port(&port.network, port.uuid)?;
        Ok(document.bandwidth.as_ref().map(|it| params_of(&it.limits)).unwrap_or_default())
    }

    async fn create_port(
        &self,
        network: &NetworkRef,
        port: Box<NetworkPort>,
        flags: PortCreateFlags,
    ) -> Result<PortRef> {
        let uuid = port.uuid;
        let handle = self.find(network)?;
        handle.tell(&self.shared, Command::CreatePort(port, flags)).await?;
        Ok(PortRef { network: handle.view().network_ref(), uuid })
    }

    async fn set_port_parameters(&self, port: &PortRef, params: Vec<TypedParam>) -> Result<()> {
        let limits = limits_of(&params)?;
        self.tell(&port.network, Command::SetPort(port.uuid, limits)).await
    }

    async fn delete_port(&self, port: &PortRef) -> Result<()> {
        self.tell(&port.network, Command::DeletePort(port.uuid)).await
    }
}

/// Rates as libvirt names them; of a direction that has none, nothing.
fn params_of(limits: &Bandwidth) -> Vec<TypedParam> {
    let mut params = Vec::new();
    for (direction, limit) in [("inbound", limits.inbound), ("outbound", limits.outbound)] {
        let Some(BandwidthLimit { average, peak, floor, burst }) = limit else { continue };
        let floor = (direction == "inbound").then_some(("floor", floor));
        for (name, value) in [("average", average), ("peak", peak)].into_iter().chain(floor).chain([("burst", burst)]) {
            let value = u32::try_from(value.unwrap_or(0)).unwrap_or(u32::MAX);
            params.push(TypedParam::new(format!("{direction}.{name}"), ParamValue::Uint(value)));
        }
    }
    params
}

/// The rates that parameters say; a direction without average and floor has none.
fn limits_of(params: &[TypedParam]) -> Result<Option<Bandwidth>> {
    let mut limits = Bandwidth::default();
    for TypedParam { field, value } in params {
        let unknown = || Error::invalid_arg(format!("parameter '{field}' not supported")).of_networks();
        let ParamValue::Uint(value) = value else {
            return Err(
                Error::invalid_arg(format!("invalid type for parameter '{field}', expected 'uint'")).of_networks()
            );
        };
        let value = Some(u64::from(*value)).filter(|it| *it > 0);
        let (direction, name) = field.split_once('.').ok_or_else(unknown)?;
        let limit = match direction {
            "inbound" => limits.inbound.get_or_insert_default(),
            "outbound" => limits.outbound.get_or_insert_default(),
            _ => return Err(unknown()),
        };
        match name {
            "average" => limit.average = value,
            "peak" => limit.peak = value,
            "floor" if direction == "inbound" => limit.floor = value,
            "burst" => limit.burst = value,
            _ => return Err(unknown()),
        }
    }
    let says = |it: &BandwidthLimit| it.average.is_some() || it.floor.is_some();
    limits.inbound = limits.inbound.filter(says);
    limits.outbound = limits.outbound.filter(says);
    Ok(Some(limits).filter(|it| it.inbound.is_some() || it.outbound.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_as_parameters_and_back() {
        let param = |name: &str, value| TypedParam::new(name, ParamValue::Uint(value));
        let given = [param("inbound.average", 99), param("inbound.floor", 7), param("outbound.average", 0)];
        let limits = limits_of(&given).expect("they are known").expect("they say something");
        assert!(limits.outbound.is_none());
        let shown = params_of(&limits);
        let names: Vec<&str> = shown.iter().map(|it| it.field.as_str()).collect();
        assert_eq!(names, ["inbound.average", "inbound.peak", "inbound.floor", "inbound.burst"]);
        assert!(limits_of(&[param("outbound.floor", 1)]).is_err());
        assert!(limits_of(&[]).expect("nothing is known").is_none());
    }
}
