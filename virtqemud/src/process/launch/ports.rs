//! Cards on networks: each gets a port, and with it what the network daemon gives it to plug into.
//!
//! Ports are noted in the status file before they are asked for, so that none is left behind by a daemon that ends between the
//! two; giving back a port that was never made is no error.

use std::sync::Arc;

use uuid::Uuid;
use virtbus_api::{Error, Result, flags::PortCreateFlags, hypervisor::State};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::interface::{HostdevAddress, Interface, InterfaceKind, InterfaceSource};
use virtbus_schema::domain_status::PluggedPort;
use virtbus_schema::network_port::{NetworkPort, Plug, PortBandwidth, PortOwner};
use virtbus_schema::xml::YesNo;

use super::Claims;
use crate::driver::Shared;

/// Plugs the cards in; the document has the plugs afterwards, as a live one does.
///
/// # Errors
/// What the network daemon says, or that it is absent or slow.
pub(super) async fn plug(document: &mut Domain, claims: &mut Claims) -> Result<()> {
    let shared = Arc::clone(claims.shared());
    let owner = PortOwner { name: document.name.clone(), uuid: document.uuid.unwrap_or_default() };
    let mut wanted = Vec::new();
    for (at, card) in document.devices.interfaces.iter().enumerate() {
        if let Some(network) = network_of(card) {
            let port = port(card, &owner)?;
            claims.add_plugged(PluggedPort { network: network.to_owned(), uuid: port.uuid });
            wanted.push((at, network.to_owned(), port));
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    note(&shared, claims, document).await?;
    for (at, network, port) in wanted {
        let uuid = port.uuid;
        let port = shared.neighbours.networks.plug(&network, Box::new(port), PortCreateFlags::empty()).await?;
        let plug = port.plug.clone().ok_or_else(|| {
            Error::internal(format!("network '{network}' made port {uuid} without anything to plug into"))
        })?;
        if let Some(card) = document.devices.interfaces.get_mut(at) {
            settle(card, &port, plug);
        }
    }
    Ok(())
}

async fn note(shared: &Arc<Shared>, claims: &Claims, document: &Domain) -> Result<()> {
    let status = super::status(claims, document, None, State::PausedStartingUp);
    let shared = Arc::clone(shared);
    let saved = tokio::task::spawn_blocking(move || shared.status.save(&status)).await;
    let saved = saved.map_err(|error| Error::internal("noting the ports").caused_by(error))?;
    saved.map_err(|error| Error::system(error.to_string(), &error.source))
}

fn network_of(card: &Interface) -> Option<&str> {
    let on_network = card.kind == InterfaceKind::Network;
    card.source.as_ref().filter(|_| on_network).and_then(|it| it.network.as_deref())
}

fn port(card: &Interface, owner: &PortOwner) -> Result<NetworkPort> {
    let mac = card.mac.as_ref().ok_or_else(|| Error::internal("an interface has no MAC address yet"))?.address;
    let mut port = NetworkPort::new(Uuid::new_v4(), owner.clone(), mac);
    port.group = card.source.as_ref().and_then(|it| it.portgroup.clone());
    port.virtual_port.clone_from(&card.virtual_port);
    port.bandwidth = card.bandwidth.clone().map(|limits| PortBandwidth { class_id: None, limits });
    port.vlan.clone_from(&card.vlan);
    port.isolated = card.isolated;
    port.trust_guest_rx_filters = card.trust_guest_rx_filters;
    Ok(port)
}

/// What the network said, in the words of a live document.
fn settle(card: &mut Interface, port: &NetworkPort, plug: Plug) {
    card.virtual_port.clone_from(&port.virtual_port);
    card.bandwidth = port.bandwidth.clone().map(|it| it.limits);
    card.vlan.clone_from(&port.vlan);
    card.trust_guest_rx_filters = port.trust_guest_rx_filters;
    let source = card.source.get_or_insert_with(InterfaceSource::default);
    source.portid = Some(port.uuid.to_string());
    match plug {
        Plug::Network(plug) => source.bridge = Some(plug.bridge),
        Plug::Bridge(plug) => {
            card.kind = InterfaceKind::Bridge;
            source.bridge = Some(plug.bridge);
        }
        Plug::Direct { dev, mode } => {
            card.kind = InterfaceKind::Direct;
            (source.dev, source.mode) = (Some(dev), Some(mode.to_string()));
        }
        Plug::HostdevPci { managed, driver: _, address } => {
            card.kind = InterfaceKind::Hostdev;
            card.managed = (managed == YesNo::Yes).then_some(managed);
            source.device = Some(HostdevAddress::Pci(address));
        }
    }
}
