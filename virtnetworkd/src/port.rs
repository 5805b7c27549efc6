//! What a network gives a port, by its kind: a bridge, a device of its pool, a virtual function; with what the network and the
//! port group say for all their ports. It decides; making it so is others' work.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;
use virtbus_api::{Error, Result};
use virtbus_schema::{
    Network, NetworkPort,
    domain::device::address::PciAddress,
    network::{Forward, ForwardDevice, ForwardMode, Portgroup, VirtualPort, VirtualPortKind},
    network_port::{BridgePlug, DirectMode, Plug, PortBandwidth},
};

use crate::fault::{self, Faults as _};
use crate::network::view::direct_mode;

/// The ports of a network.
pub(crate) type Ports = BTreeMap<Uuid, Arc<NetworkPort>>;

/// What all ports are guaranteed together, in KiB/s.
pub(crate) fn floor_sum<'a>(ports: impl Iterator<Item = &'a NetworkPort>) -> u64 {
    ports.map(floor_of).fold(0, u64::saturating_add)
}

/// What a port is guaranteed, in KiB/s; 0 for nothing.
pub(crate) fn floor_of(port: &NetworkPort) -> u64 {
    port.bandwidth.as_ref().and_then(|it| it.limits.inbound?.floor).unwrap_or(0)
}

/// Gives a port what it lacks, and something to plug into.
///
/// # Errors
/// `CONFIG_UNSUPPORTED` for what this kind of network cannot give; `INTERNAL_ERROR` when the pool is used up.
pub(crate) fn allocate(network: &Network, ports: &Ports, port: &mut NetworkPort) -> Result<()> {
    inherit(network, network.portgroup(port.group.as_deref()), port);
    port.plug = Some(choose(network, ports, port)?);
    Ok(())
}

/// Takes up a port of a guest that runs: what it is plugged into must be of this network.
///
/// # Errors
/// `INVALID_ARG` without a plug; `INTERNAL_ERROR` for a plug of another network.
pub(crate) fn reclaim(network: &Network, port: &NetworkPort) -> Result<()> {
    let foreign = |what: &str| Err(fault::internal(format!("network '{}' doesn't have {what}", network.name)));
    match &port.plug {
        None => Err(Error::invalid_arg("Port reclaim requested but plug type is none").of_networks()),
        Some(Plug::Network(_) | Plug::Bridge(_)) if network.bridge_name().is_none() => foreign("a bridge"),
        Some(Plug::Direct { dev, .. }) if !devices(network).any(|it| it == dev) => foreign(&format!("dev='{dev}'")),
        Some(Plug::HostdevPci { address, .. }) if !functions(network).any(|it| it == address) => {
            foreign("this PCI device")
        }
        Some(_) => Ok(()),
    }
}

/// What the port does not say, its group does; else the network.
fn inherit(network: &Network, group: Option<&Portgroup>, port: &mut NetworkPort) {
    if port.bandwidth.is_none() {
        let limits = group.and_then(|it| it.bandwidth.clone());
        port.bandwidth = limits.map(|limits| PortBandwidth { class_id: None, limits });
    }
    port.vlan = port.vlan.take().or_else(|| group?.vlan.clone()).or_else(|| network.vlan.clone());
    for more in [group.and_then(|it| it.virtual_port.as_ref()), network.virtual_port.as_ref()].into_iter().flatten() {
        merge(port.virtual_port.get_or_insert_default(), more);
    }
    let trusts = port.trust_guest_rx_filters.or(group.and_then(|it| it.trust_guest_rx_filters));
    port.trust_guest_rx_filters = trusts.or(network.trust_guest_rx_filters);
    port.isolated = port.isolated.or(network.isolated);
}

/// Fills what one virtual port leaves open from another of its type.
fn merge(port: &mut VirtualPort, more: &VirtualPort) {
    if port.kind.is_some() && more.kind.is_some() && port.kind != more.kind {
        return;
    }
    port.kind = port.kind.or(more.kind);
    let Some(more) = &more.parameters else { return };
    let own = port.parameters.get_or_insert_default();
    own.managerid = own.managerid.or(more.managerid);
    own.typeid = own.typeid.or(more.typeid);
    own.typeidversion = own.typeidversion.or(more.typeidversion);
    own.instanceid = own.instanceid.or(more.instanceid);
    own.interfaceid = own.interfaceid.or(more.interfaceid);
    own.profileid = own.profileid.take().or_else(|| more.profileid.clone());
}

fn choose(network: &Network, ports: &Ports, port: &NetworkPort) -> Result<Plug> {
    let kind = port.virtual_port.as_ref().and_then(|it| it.kind);
    use VirtualPortKind::{Midonet, Openvswitch, Qbg, Qbh};
    let only = |allowed: &[VirtualPortKind], what: &str| match kind {
        Some(kind) if !allowed.contains(&kind) => {
            let name = &network.name;
            let text = format!("<virtualport type='{kind}'> not supported for network '{name}' which uses {what}");
            Err(Error::unsupported_config(text).of_networks())
        }
        _ => Ok(()),
    };
    let bridge = network
        .bridge
        .as_ref()
        .and_then(|it| Some(BridgePlug { bridge: it.name.clone()?, mac_table_manager: it.mac_table_manager }));
    let mode = network.mode();
    match (bridge, direct_mode(network)) {
        (Some(bridge), _) if mode.has_own_bridge() => {
            only(&[], "IP forwarding")?;
            Ok(Plug::Network(bridge))
        }
        (Some(bridge), _) => {
            only(&[Openvswitch, Midonet], "a bridge device")?;
            Ok(Plug::Bridge(bridge))
        }
        (None, Some(direct)) => {
            only(&[Qbg, Qbh], "a macvtap device")?;
            let exclusive = direct == DirectMode::Passthrough || direct == DirectMode::Private && kind == Some(Qbh);
            let dev = least_used(network, ports, exclusive)?;
            Ok(Plug::Direct { dev, mode: direct })
        }
        (None, None) if mode == ForwardMode::Hostdev => {
            only(&[Qbh], "an SR-IOV Virtual Function via PCI passthrough")?;
            free_function(network, ports)
        }
        (None, None) => Err(fault::internal(format!("network '{}' has no bridge", network.name))),
    }
}

fn devices(network: &Network) -> impl Iterator<Item = &String> {
    network.forward.iter().flat_map(|it| &it.interfaces).map(|it| &it.dev)
}

fn functions(network: &Network) -> impl Iterator<Item = &PciAddress> {
    network.forward.iter().flat_map(|it| &it.addresses).map(|it| {
        let ForwardDevice::Pci(address) = &it.device;
        address
    })
}

fn used_up(network: &Network) -> Error {
    let text = format!("network '{}' requires exclusive access to interfaces, but none are available", network.name);
    fault::internal(text)
}

/// The device of the pool with the fewest guests; with none where it cannot be shared.
fn least_used(network: &Network, ports: &Ports, exclusive: bool) -> Result<String> {
    let users = |dev: &String| {
        let uses = |it: &&Arc<NetworkPort>| matches!(&it.plug, Some(Plug::Direct { dev: own, .. }) if own == dev);
        ports.values().filter(uses).count()
    };
    let found = devices(network).map(|it| (users(it), it)).filter(|(users, _)| !exclusive || *users == 0);
    found.min_by_key(|(users, _)| *users).map(|(_, dev)| dev.clone()).ok_or_else(|| used_up(network))
}

fn free_function(network: &Network, ports: &Ports) -> Result<Plug> {
    let is_free = |address: &&PciAddress| {
        let has =
            |it: &Arc<NetworkPort>| matches!(&it.plug, Some(Plug::HostdevPci { address: own, .. }) if own == *address);
        !ports.values().any(has)
    };
    let address = functions(network).find(is_free).copied().ok_or_else(|| used_up(network))?;
    let forward: Option<&Forward> = network.forward.as_ref();
    let managed = forward.and_then(|it| it.managed).unwrap_or(virtbus_schema::xml::YesNo::No);
    Ok(Plug::HostdevPci { managed, driver: forward.and_then(|it| it.driver.clone()), address })
}

#[cfg(test)]
mod tests;
