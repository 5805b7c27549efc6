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
            claims.add_plugged(PluggedPort {
                network: network.to_owned(),
                uuid: port.uuid,
                mac: Some(port.mac),
                group: port.group.clone(),
                mac_table_manager: None,
            });
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
            let manager = card.source.as_ref().and_then(|it| it.mac_table_manager);
            claims.plugged_mut().iter_mut().filter(|it| it.uuid == uuid).for_each(|it| it.mac_table_manager = manager);
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
    card.isolated = port.isolated;
    card.trust_guest_rx_filters = port.trust_guest_rx_filters;
    let source = card.source.get_or_insert_with(InterfaceSource::default);
    source.portid = Some(port.uuid.to_string());
    match plug {
        Plug::Network(plug) => (source.bridge, source.mac_table_manager) = (Some(plug.bridge), plug.mac_table_manager),
        Plug::Bridge(plug) => {
            card.kind = InterfaceKind::Bridge;
            (source.bridge, source.mac_table_manager) = (Some(plug.bridge), plug.mac_table_manager);
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

/// Completes the cards of a document that was read from a status file: written as what they are plugged into, they do not say
/// which network gave them that.
pub(crate) fn remember(document: &mut Domain, ports: &[PluggedPort]) {
    for port in ports {
        let is_it = |it: &&mut Interface| it.mac.is_some_and(|mac| Some(mac.address) == port.mac);
        let Some(card) = document.devices.interfaces.iter_mut().find(is_it) else { continue };
        let source = card.source.get_or_insert_with(InterfaceSource::default);
        source.network = Some(port.network.clone());
        source.portid = Some(port.uuid.to_string());
        source.portgroup.clone_from(&port.group);
        source.mac_table_manager = port.mac_table_manager;
    }
}

/// The document as it was defined: cards on networks are on networks again, whatever they are plugged into now. `None` when there
/// is nothing to change.
pub(crate) fn as_defined(document: &Domain) -> Option<Domain> {
    let is_other =
        |it: &Interface| it.kind != InterfaceKind::Network && it.source.as_ref().is_some_and(|it| it.network.is_some());
    if !document.devices.interfaces.iter().any(is_other) {
        return None;
    }
    let mut document = document.clone();
    for card in document.devices.interfaces.iter_mut().filter(|it| is_other(it)) {
        card.kind = InterfaceKind::Network;
        let source = card.source.take().unwrap_or_default();
        let InterfaceSource { network, portgroup, .. } = source;
        card.source = Some(InterfaceSource { network, portgroup, ..InterfaceSource::default() });
        card.managed = None;
    }
    Some(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_of_a_pool_is_shown_as_it_is_and_as_it_was_defined() {
        let card = "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='pool' portgroup='g'/></interface>";
        let xml = format!(
            "<domain type='qemu'><name>d</name><memory>1024</memory><os><type>hvm</type></os><devices>{card}</devices></domain>"
        );
        let mut document = Domain::parse(&xml).expect("a document");
        assert!(as_defined(&document).is_none());
        let owner = PortOwner { name: "d".to_owned(), uuid: Uuid::nil() };
        let made = super::port(&document.devices.interfaces[0], &owner).expect("a port");
        let plug = Plug::Direct { dev: "up0".to_owned(), mode: virtbus_schema::network_port::DirectMode::Bridge };
        settle(&mut document.devices.interfaces[0], &made, plug);
        let card = document.devices.interfaces[0].clone();
        assert_eq!(card.kind, InterfaceKind::Direct);
        // What a status file keeps of it.
        let source = document.devices.interfaces[0].source.as_mut().expect("a source");
        (source.network, source.portid, source.portgroup) = (None, None, None);
        let plugged = PluggedPort {
            network: "pool".to_owned(),
            uuid: made.uuid,
            mac: Some(made.mac),
            group: Some("g".to_owned()),
            mac_table_manager: None,
        };
        remember(&mut document, &[plugged]);
        assert_eq!(document.devices.interfaces[0], card);
        let defined = as_defined(&document).expect("changed");
        let source = defined.devices.interfaces[0].source.as_ref().expect("a source");
        assert_eq!(defined.devices.interfaces[0].kind, InterfaceKind::Network);
        assert_eq!((source.network.as_deref(), source.dev.as_deref()), (Some("pool"), None));
    }
}
