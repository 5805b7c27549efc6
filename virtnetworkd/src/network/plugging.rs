//! Guests are plugged in and out.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;
use virtbus_api::{Error, ErrorCode, Result, flags::PortCreateFlags};
use virtbus_schema::{
    Network, NetworkPort,
    network::Bandwidth,
    network_port::{Plug, PortBandwidth},
};

use super::{Owner, view::Live};
use crate::bandwidth::{self, Guarantee};
use crate::blocking::call;
use crate::dhcp::macs;
use crate::fault::{self, Faults as _};
use crate::hook::{self, Operation};
use crate::port;

impl Owner {
    pub(super) async fn create_port(&mut self, mut port: Box<NetworkPort>, flags: PortCreateFlags) -> Result<()> {
        let live = self.view.running()?.clone();
        if live.ports.contains_key(&port.uuid) {
            let text = format!("Network port with UUID {} already exists", port.uuid);
            return Err(Error::new(ErrorCode::NetworkPortExist, text).of_networks());
        }
        if flags.contains(PortCreateFlags::RECLAIM) {
            port::reclaim(&live.document, &port)?;
        } else if port.plug.is_some() {
            let text = "Port reclaim not requested but plug type is not none";
            return Err(Error::invalid_arg(text).of_networks());
        } else {
            port::allocate(&live.document, &live.ports, &mut port)?;
        }
        self.check_rates(&live, &port)?;
        let port = Arc::new(self.with_guarantee(&live, *port).await?);
        if let Err(error) = self.save_port(&port).await {
            self.end_guarantee(&live.document, &port, port::floor_sum(live.ports.values().map(|it| &**it))).await;
            return Err(error);
        }
        self.note_mac(&port, true).await;
        let mut ports = live.ports;
        ports.insert(port.uuid, Arc::clone(&port));
        self.set_ports(ports).await?;
        let told = self.tell_hooks(Operation::PortCreated, &port).await;
        if told.is_err()
            && let Err(error) = self.unplug(port.uuid).await
        {
            tracing::error!(network = %self.view.name, "port {} stays: {error}", port.uuid);
        }
        told
    }

    async fn tell_hooks(&self, what: Operation, port: &NetworkPort) -> Result<()> {
        let Some(live) = &self.view.live else { return Ok(()) };
        hook::tell(&self.shared.config.hooks, what, &live.shown, Some(port)).await
    }

    pub(super) async fn set_port(&mut self, uuid: Uuid, limits: Option<Bandwidth>) -> Result<()> {
        let live = self.view.running()?.clone();
        let old = live.ports.get(&uuid).ok_or_else(|| fault::no_port(uuid))?;
        let class_id = old.bandwidth.as_ref().and_then(|it| it.class_id);
        let mut port = NetworkPort::clone(old);
        port.bandwidth = limits.map(|limits| PortBandwidth { class_id, limits });
        let mut others = live.clone();
        others.ports.remove(&uuid);
        self.check_rates(&others, &port)?;
        let sum = port::floor_sum(others.ports.values().map(|it| &**it));
        if port::floor_of(&port) == 0 {
            self.end_guarantee(&live.document, old, sum).await;
            if let Some(bandwidth) = &mut port.bandwidth {
                bandwidth.class_id = None;
            }
        } else {
            port = self.with_guarantee(&others, port).await?;
        }
        let port = Arc::new(port);
        self.save_port(&port).await?;
        others.ports.insert(uuid, port);
        self.set_ports(others.ports).await
    }

    pub(super) async fn delete_port(&mut self, uuid: Uuid) -> Result<()> {
        let port = self.unplug(uuid).await?;
        if let Err(error) = self.tell_hooks(Operation::PortDeleted, &port).await {
            tracing::warn!(network = %self.view.name, "{error}");
        }
        Ok(())
    }

    async fn unplug(&mut self, uuid: Uuid) -> Result<Arc<NetworkPort>> {
        let mut live = self.view.running()?.clone();
        let port = live.ports.remove(&uuid).ok_or_else(|| fault::no_port(uuid))?;
        let (files, name) = (self.shared.status.clone(), self.view.name.to_string());
        call(format!("port {uuid}"), move || files.remove_port(&name, uuid)).await?;
        self.end_guarantee(&live.document, &port, port::floor_sum(live.ports.values().map(|it| &**it))).await;
        self.note_mac(&port, false).await;
        self.set_ports(live.ports).await?;
        Ok(port)
    }

    async fn set_ports(&mut self, ports: port::Ports) -> Result<()> {
        let Some(live) = &self.view.live else { return Ok(()) };
        let had = port::floor_sum(live.ports.values().map(|it| &**it));
        let has = port::floor_sum(ports.values().map(|it| &**it));
        self.view.live = Some(Live::new(Arc::clone(&live.document), ports));
        if had == has { Ok(()) } else { self.save_status().await }
    }

    fn check_rates(&self, live: &Live, port: &NetworkPort) -> Result<()> {
        let Some(bandwidth) = &port.bandwidth else { return Ok(()) };
        let floors = port::floor_sum(live.ports.values().map(|it| &**it));
        bandwidth::check(&live.document, &bandwidth.limits, &port.mac.to_string(), floors)
    }

    /// The port with a class for its floor, if it asks for one, which the bridge then guarantees.
    async fn with_guarantee(&self, live: &Live, mut port: NetworkPort) -> Result<NetworkPort> {
        let floor = port::floor_of(&port);
        let (Some(bridge), Some(bandwidth)) = (bridge_of(&live.document), &mut port.bandwidth) else { return Ok(port) };
        if floor == 0 {
            return Ok(port);
        }
        let class = |it: &Arc<NetworkPort>| u16::try_from(it.bandwidth.as_ref()?.class_id?).ok();
        let taken: BTreeSet<u16> = live.ports.values().filter_map(class).collect();
        let own = bandwidth.class_id.and_then(|it| u16::try_from(it).ok()).filter(|it| !taken.contains(it));
        let class = match own {
            Some(own) => own,
            None => bandwidth::free_class(&taken)?,
        };
        bandwidth.class_id = Some(class.into());
        let average = bandwidth.limits.inbound.and_then(|it| it.average).unwrap_or(0);
        let guarantee = Guarantee { class, mac: port.mac.0, floor, average };
        let floors = port::floor_sum(live.ports.values().map(|it| &**it)).saturating_add(floor);
        bandwidth::guarantee(&live.document, bridge, &guarantee, floors).await?;
        Ok(port)
    }

    /// Gives a port's class back. The port goes all the same: what is left is only worth a warning.
    async fn end_guarantee(&self, network: &Network, port: &NetworkPort, floors: u64) {
        let class = port.bandwidth.as_ref().and_then(|it| it.class_id).and_then(|it| u16::try_from(it).ok());
        let (Some(bridge), Some(class)) = (bridge_of(network), class.filter(|_| port::floor_of(port) > 0)) else {
            return;
        };
        if let Err(error) = bandwidth::end_guarantee(network, bridge, class, floors).await {
            tracing::warn!(network = %self.view.name, "the guarantee of port {} stays: {error}", port.uuid);
        }
    }

    async fn save_port(&self, port: &Arc<NetworkPort>) -> Result<()> {
        let (files, name, port) = (self.shared.status.clone(), self.view.name.to_string(), Arc::clone(port));
        call(format!("port {}", port.uuid), move || files.save_port(&name, &port)).await
    }

    /// Tells the name service which guest has which address; it is only worth a warning if it cannot be told.
    async fn note_mac(&self, port: &NetworkPort, plugged: bool) {
        let Some(Plug::Network(plug)) = &port.plug else { return };
        let file = self.shared.config.dnsmasq.macs(&plug.bridge);
        let (guest, mac) = (port.owner.name.clone(), port.mac.to_string());
        let shown = file.display().to_string();
        let change = move || {
            let change = if plugged { macs::add } else { macs::remove };
            change(&file, &guest, &mac).map_err(|error| Error::system(format!("cannot write '{shown}'"), &error))
        };
        if let Err(error) = call("names of guests", change).await {
            tracing::warn!(network = %self.view.name, "{error}");
        }
    }
}

fn bridge_of(network: &Network) -> Option<&str> {
    network.bridge_name().filter(|_| network.mode().has_own_bridge())
}
