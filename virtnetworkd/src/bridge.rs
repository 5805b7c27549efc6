//! The bridge of a network, and what is plugged into it.
//!
//! A bridge outlives the daemon: a start that was interrupted leaves at most one, which the next start of the network takes
//! over. Addresses are [`crate::address`]'s, rates [`crate::bandwidth`]'s.

use std::collections::BTreeSet;

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_host::netlink::{self, Netlink, Vlan};
use virtbus_schema::Network;
use virtbus_schema::network::MacTableManager;
use virtbus_schema::xml::{OnOff, YesNo};

use crate::address::refused;

/// Bridges are named `virbr0` and on.
const NAME: &str = "virbr";
/// More names are not tried.
const MOST: u32 = 65_536;

/// How a guest's device is plugged into a bridge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortSettings {
    /// Whether it reaches only what is not isolated: the host, not other guests.
    pub isolated: bool,
    /// Whether its MAC address is entered in the bridge's table by the daemon, with learning and flooding off.
    pub mac_table_ours: bool,
    /// The VLANs it is a member of; empty on a bridge that does not filter.
    pub vlans: Vec<Vlan>,
}

impl PortSettings {
    /// What a network says of all its ports.
    pub fn of(network: &Network) -> Self {
        let manager = network.bridge.as_ref().and_then(|bridge| bridge.mac_table_manager);
        Self {
            isolated: network.isolated == Some(YesNo::Yes),
            mac_table_ours: manager == Some(MacTableManager::Libvirt),
            vlans: Vec::new(),
        }
    }
}

/// The first free name for a bridge: neither a device's nor one of `taken` (the names of networks that are not started).
///
/// # Errors
/// `INTERNAL_ERROR` when there are too many.
pub fn free_name(taken: &BTreeSet<String>) -> Result<String> {
    free_name_like(NAME, "", taken)
}

/// The same of names that begin and end in a way, with a number between.
///
/// # Errors
/// As [`free_name`].
pub fn free_name_like(before: &str, after: &str, taken: &BTreeSet<String>) -> Result<String> {
    let links = Netlink::open().and_then(|mut netlink| netlink.links()).map_err(|error| refused(&error))?;
    let is_free = |name: &String| !taken.contains(name) && !links.iter().any(|link| link.name == *name);
    (0..MOST).map(|number| format!("{before}{number}{after}")).find(is_free).ok_or_else(|| {
        Error::internal(format!("Bridge generation exceeded max id {}", MOST - 1)).in_domain(ErrorDomain::Network)
    })
}

/// Makes the bridge of `network`: down, and without addresses.
///
/// A bridge of this name without ports, and with the network's own MAC address, is taken over and set as told: it is what
/// an interrupted start leaves.
///
/// # Errors
/// `INTERNAL_ERROR` when the name is that of another device; `CONFIG_UNSUPPORTED` when the kernel cannot filter by VLAN;
/// `SYSTEM_ERROR` as the kernel refuses the rest.
pub fn create(network: &Network, bridge: &str) -> Result<()> {
    let settings = settings(network);
    let mut netlink = Netlink::open().map_err(|error| refused(&error))?;
    let made = match netlink.add_bridge(bridge, &settings) {
        Err(error) if error.exists() => {
            check_ours(&mut netlink, bridge, settings.mac)?;
            netlink.set_up(bridge, false).and_then(|()| netlink.set_bridge(bridge, &settings))
        }
        other => other,
    };
    made.map_err(|error| explained(bridge, settings.vlan_filtering == Some(true), &error))
}

/// Makes a bridge of the host's own as a network says that guests are plugged into: it is left in all else.
///
/// # Errors
/// As [`create`].
pub fn prepare(network: &Network, bridge: &str) -> Result<()> {
    let manager = network.bridge.as_ref().and_then(|bridge| bridge.mac_table_manager);
    if manager != Some(MacTableManager::Libvirt) {
        return Ok(());
    }
    let settings = netlink::Bridge { vlan_filtering: Some(true), ..netlink::Bridge::default() };
    let set = Netlink::open().and_then(|mut netlink| netlink.set_bridge(bridge, &settings));
    set.map_err(|error| explained(bridge, true, &error))
}

/// A kernel that lacks the filtering says no more than that it does not do it.
fn explained(bridge: &str, filters: bool, error: &netlink::Error) -> Error {
    if filters && error.is_unsupported() {
        let text = format!(
            "bridge '{bridge}': macTableManager='libvirt' needs a kernel that filters by VLAN (CONFIG_BRIDGE_VLAN_FILTERING)"
        );
        return Error::new(ErrorCode::ConfigUnsupported, text).in_domain(ErrorDomain::Network);
    }
    refused(error)
}

fn settings(network: &Network) -> netlink::Bridge {
    let bridge = network.bridge.clone().unwrap_or_default();
    let ours = bridge.mac_table_manager == Some(MacTableManager::Libvirt);
    let delay = bridge.delay.unwrap_or(0).saturating_mul(1000);
    netlink::Bridge {
        mac: network.mac.map(|mac| mac.0),
        mtu: network.mtu,
        stp: Some(bridge.stp != Some(OnOff::Off)),
        forward_delay: Some(u32::try_from(delay).unwrap_or(u32::MAX)),
        vlan_filtering: ours.then_some(true),
    }
}

/// Refuses a device that no start of ours has left. Nobody else's bridge has the MAC address made up for the network.
fn check_ours(netlink: &mut Netlink, bridge: &str, mac: Option<[u8; 6]>) -> Result<()> {
    let links = netlink.links().map_err(|error| refused(&error))?;
    let taken = |why: &str| {
        Err(Error::internal(format!("bridge name '{bridge}' already in use{why}")).in_domain(ErrorDomain::Network))
    };
    let Some(found) = links.iter().find(|link| link.name == bridge) else { return Ok(()) };
    if found.kind.as_deref() != Some("bridge") {
        let exists = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        let text = format!("error creating bridge interface {bridge}: another device has the name");
        return Err(Error::system(text, &exists).in_domain(ErrorDomain::Network));
    }
    if mac.is_none() || found.mac != mac {
        return taken("");
    }
    match links.iter().find(|link| link.controller == Some(found.index)) {
        Some(port) => taken(&format!(": '{}' is plugged into it", port.name)),
        None => Ok(()),
    }
}

/// Removes the bridge, with its addresses, routes and rates; what is plugged in is unplugged. One that is gone is as good.
///
/// # Errors
/// `SYSTEM_ERROR` as the kernel refuses.
pub fn remove(bridge: &str) -> Result<()> {
    Netlink::open().and_then(|mut netlink| netlink.delete_link(bridge)).map_err(|error| refused(&error))
}

/// Plugs `device` into `bridge`. Its MTU becomes the bridge's, lest it make the bridge's smaller.
///
/// # Errors
/// `SYSTEM_ERROR` as the kernel refuses; the device may then be plugged in already.
pub fn attach(bridge: &str, device: &str, settings: &PortSettings) -> Result<()> {
    let plug = || -> netlink::Result<()> {
        let mut netlink = Netlink::open()?;
        let mtu = netlink.link(bridge)?.mtu;
        if netlink.link(device)?.mtu != mtu {
            netlink.set_mtu(device, mtu)?;
        }
        netlink.set_bridge_of(device, Some(bridge))?;
        let port = netlink::Port {
            isolated: settings.isolated.then_some(true),
            learning: settings.mac_table_ours.then_some(false),
            unicast_flood: settings.mac_table_ours.then_some(false),
            ..netlink::Port::default()
        };
        netlink.set_port(device, &port)?;
        settings.vlans.iter().try_for_each(|vlan| netlink.add_vlan(device, *vlan))
    };
    plug().map_err(|error| refused(&error))
}

/// Unplugs `device`. One that is gone is as good as unplugged.
///
/// # Errors
/// `SYSTEM_ERROR` as the kernel refuses.
pub fn detach(device: &str) -> Result<()> {
    match Netlink::open().and_then(|mut netlink| netlink.set_bridge_of(device, None)) {
        Err(error) if !error.is_absent() => Err(refused(&error)),
        _ => Ok(()),
    }
}

/// Whether a bridge of this name is there.
pub fn exists(bridge: &str) -> bool {
    let link = Netlink::open().and_then(|mut netlink| netlink.link(bridge));
    link.is_ok_and(|link| link.kind.as_deref() == Some("bridge"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::alone;

    fn network(bridge: &str) -> Network {
        let xml = format!(
            "<network><name>n</name>{bridge}<mac address='52:54:00:31:00:01'/><mtu size='1400'/>\
             <port isolated='yes'/><ip address='10.1.1.1' prefix='24'/></network>"
        );
        Network::parse(&xml).expect("a network")
    }

    #[test]
    fn a_bridge_is_made_once_and_taken_over_only_from_ourselves() {
        alone(async {
            let network = network("<bridge name='virbr0' delay='3'/>");
            create(&network, "virbr0").expect("made");
            assert!(exists("virbr0") && !exists("lo"));
            assert_eq!(free_name(&BTreeSet::from(["virbr1".to_owned()])).expect("free"), "virbr2");
            create(&network, "virbr0").expect("taken over");
            let mut netlink = Netlink::open().expect("a socket");
            netlink.add_veth("vba", "vbb").expect("made");
            attach("virbr0", "vba", &PortSettings::of(&network)).expect("plugged");
            assert_eq!(netlink.link("vba").expect("there").mtu, 1400);
            let refused = create(&network, "virbr0").expect_err("in use");
            assert_eq!(refused.code, ErrorCode::InternalError);
            assert!(refused.detail.contains("'vba'"), "{refused}");
            detach("vba").expect("unplugged");
            detach("no-such").expect("as good as unplugged");
            assert!(create(&network, "lo").is_err());
            let mut other = network.clone();
            other.mac = Some("52:54:00:31:00:02".parse().expect("an address"));
            assert!(create(&other, "virbr0").is_err());
            remove("virbr0").expect("removed");
            remove("virbr0").expect("already gone");
        });
    }

    #[test]
    fn what_the_kernel_lacks_is_named() {
        alone(async {
            let network = network("<bridge name='virbr0' macTableManager='libvirt'/>");
            if let Err(error) = create(&network, "virbr0") {
                assert_eq!(error.code, ErrorCode::ConfigUnsupported);
                assert!(error.detail.contains("macTableManager"), "{error}");
            }
        });
    }
}
