//! A tap that is a port of a bridge: the host's own, or a network's.

use std::io;

use virtbus_api::{Error, Result};
use virtbus_host::netlink::{self, Netlink, Port};
use virtbus_host::{sysfs, tap};
use virtbus_schema::domain::device::interface::{Interface, InterfaceKind, Vlan, VlanNativeMode};
use virtbus_schema::network::MacTableManager;
use virtbus_schema::xml::YesNo;

use super::{Failure, is_virtio, named, queues};
use crate::device::Network;

/// The largest VLAN.
const LAST_VLAN: u32 = 4094;
/// The VLAN that every port is of at first.
const FIRST_VLAN: u16 = 1;

/// Refuses VLANs where nothing would keep them apart.
///
/// # Errors
/// `CONFIG_UNSUPPORTED` naming the card.
pub(super) fn check_vlan(card: &Interface) -> Result<()> {
    if card.vlan.as_ref().is_none_or(|it| it.tags.is_empty()) {
        return Ok(());
    }
    let mode = card.source.as_ref().and_then(|it| it.mode.as_deref());
    let can = match card.kind {
        InterfaceKind::Bridge | InterfaceKind::Hostdev => true,
        InterfaceKind::Direct => mode == Some("passthrough"),
        _ => false,
    };
    if can {
        return Ok(());
    }
    let mac = card.mac.map(|it| it.address.to_string()).unwrap_or_default();
    Err(Error::unsupported_config(format!("interface {mac} - vlan tag not supported for this connection type")))
}

/// Makes the tap and plugs it in.
pub(super) fn open(card: &Interface) -> std::result::Result<Network, Failure> {
    let bridge = card.source.as_ref().and_then(|it| it.bridge.as_deref());
    let bridge = bridge.ok_or_else(|| Error::xml("an interface of type 'bridge' needs a source bridge"))?;
    if !tap::is_bridge(bridge) {
        let missing = io::Error::from_raw_os_error(nix::libc::ENODEV);
        return Err(Error::system(format!("Cannot get interface MTU on '{bridge}'"), &missing).into());
    }
    let network = make(card)?;
    let name = named(card)?;
    let cannot = |what: String, error: &io::Error| Error::system(format!("Unable to {what}"), error);
    let mtu = match card.mtu {
        Some(mtu) => mtu,
        None => tap::mtu(bridge).map_err(|error| cannot(format!("read the MTU of '{bridge}'"), &error))?,
    };
    tap::set_mtu(name, mtu).map_err(|error| cannot(format!("set the MTU of '{name}'"), &error))?;
    tap::attach(bridge, name).map_err(|error| cannot(format!("add '{name}' to bridge '{bridge}'"), &error))?;
    settle(card, name, bridge)?;
    tap::set_up(name, true).map_err(|error| cannot(format!("take '{name}' up"), &error))?;
    Ok(network)
}

/// Makes a card's tap, with the address of the host's end. It goes when its descriptors are closed.
pub(super) fn make(card: &Interface) -> std::result::Result<Network, Failure> {
    let name = named(card)?;
    if tap::exists(name) {
        return Err(Failure::Taken(Error::invalid_operation(format!("The {name} interface already exists"))));
    }
    let made = tap::create(name, queues(card), is_virtio(card));
    let made = made.map_err(|error| Error::system(format!("Unable to create tap device {name}"), &error))?;
    if let Some(mac) = &card.mac {
        // The host's end must not have the guest's address; a high one keeps the bridge's own from changing.
        let mut address = mac.address.0;
        address[0] = 0xfe;
        tap::set_mac(name, address)
            .map_err(|error| Error::system(format!("Unable to set MAC address of '{name}'"), &error))?;
    }
    Ok(Network { taps: made.queues, vhosts: Vec::new() })
}

/// How the bridge is to treat its new port.
fn settle(card: &Interface, name: &str, bridge: &str) -> Result<()> {
    let isolated = card.isolated.is_some_and(YesNo::is_on);
    let ours = is_table_ours(card);
    let port = Port {
        isolated: isolated.then_some(true),
        learning: ours.then_some(false),
        unicast_flood: ours.then_some(false),
        ..Port::default()
    };
    let set = || Netlink::open()?.set_port(name, &port);
    set().map_err(|error| refused(&error))?;
    match &card.vlan {
        Some(vlan) if !vlan.tags.is_empty() => set_vlans(name, bridge, vlan),
        _ => Ok(()),
    }
}

/// Makes the port a member of the card's VLANs and of no other.
fn set_vlans(name: &str, bridge: &str, vlan: &Vlan) -> Result<()> {
    let memberships = memberships(vlan)?;
    let set = || {
        let mut netlink = Netlink::open()?;
        netlink.delete_vlan(name, FIRST_VLAN)?;
        memberships.iter().try_for_each(|it| netlink.add_vlan(name, *it))
    };
    match set() {
        Ok(()) => {}
        Err(error) if error.is_unsupported() => {
            return Err(Error::unsupported_config(format!(
                "VLANs of bridge port '{name}': this kernel has no VLAN filtering of bridges (CONFIG_BRIDGE_VLAN_FILTERING)"
            ))
            .caused_by(error));
        }
        Err(error) => return Err(refused(&error)),
    }
    let filters =
        sysfs::number::<u32>(&std::path::Path::new("/sys/class/net").join(bridge).join("bridge/vlan_filtering"));
    if filters == Some(0) {
        tracing::warn!(
            "bridge '{bridge}' has vlan_filtering 0: VLANs of its port '{name}' keep nothing apart until it is 1"
        );
    }
    Ok(())
}

/// What the kernel is told: without a trunk the one VLAN's frames come and go untagged.
fn memberships(vlan: &Vlan) -> Result<Vec<netlink::Vlan>> {
    let is_trunk = vlan.trunk.is_some_and(YesNo::is_on)
        || vlan.tags.len() > 1
        || vlan.tags.iter().any(|it| it.native_mode.is_some());
    let membership = |tag: &virtbus_schema::domain::device::interface::VlanTag| {
        let id = u16::try_from(tag.id).ok().filter(|_| (1..=LAST_VLAN).contains(&tag.id));
        let id = id.ok_or_else(|| {
            Error::unsupported_config(format!("VLAN {} cannot be kept apart by a bridge: 1 to {LAST_VLAN} can", tag.id))
        })?;
        Ok(netlink::Vlan {
            id,
            native: !is_trunk || tag.native_mode.is_some(),
            untagged: !is_trunk || tag.native_mode == Some(VlanNativeMode::Untagged),
        })
    };
    vlan.tags.iter().map(membership).collect()
}

/// Whether addresses behind the port are entered here, not learned.
pub(super) fn is_table_ours(card: &Interface) -> bool {
    let manager = card.source.as_ref().and_then(|it| it.mac_table_manager);
    manager == Some(MacTableManager::Libvirt)
}

/// Enters the guest's address in the bridge's table, or strikes it out.
pub(super) fn carry(card: &Interface, on: bool) -> Result<()> {
    let Some(mac) = card.mac.filter(|_| is_table_ours(card)) else { return Ok(()) };
    let name = named(card)?;
    let change = || {
        let mut netlink = Netlink::open()?;
        if on { netlink.add_to_table(name, mac.address.0) } else { netlink.delete_from_table(name, mac.address.0) }
    };
    change().map_err(|error| refused(&error))
}

pub(super) fn refused(error: &netlink::Error) -> Error {
    Error::system(error, &error.source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vlans(xml: &str) -> Result<Vec<(u16, bool, bool)>> {
        let xml = format!("<interface type='bridge'><source bridge='b'/>{xml}</interface>");
        let card = virtbus_schema::xml::from_str::<Interface>(&xml, "interface").expect("a card");
        let memberships = memberships(&card.vlan.expect("VLANs"))?;
        Ok(memberships.into_iter().map(|it| (it.id, it.native, it.untagged)).collect())
    }

    #[test]
    fn vlans_as_the_kernel_takes_them() {
        assert_eq!(vlans("<vlan><tag id='42'/></vlan>").expect("fine"), [(42, true, true)]);
        let trunk = "<vlan trunk='yes'><tag id='4'/><tag id='5' nativeMode='untagged'/><tag id='6'/></vlan>";
        assert_eq!(vlans(trunk).expect("fine"), [(4, false, false), (5, true, true), (6, false, false)]);
        let tagged = "<vlan trunk='yes'><tag id='5' nativeMode='tagged'/></vlan>";
        assert_eq!(vlans(tagged).expect("fine"), [(5, true, false)]);
        assert!(vlans("<vlan><tag id='4095'/></vlan>").is_err());
        assert!(vlans("<vlan><tag id='0'/></vlan>").is_err());
    }
}
