//! The host's ends of a guest's network cards: taps, opened here and passed on.
//!
//! A tap lives as long as QEMU holds it; nothing is left to undo. A card on a network has its plug by now
//! ([`super::ports`]).

use std::collections::HashMap;
use std::io;
use std::path::Path;

use virtbus_api::{Error, Result};
use virtbus_host::netlink::{Netlink, Port};
use virtbus_host::tap;
use virtbus_schema::domain::{
    Domain,
    device::interface::{Interface, InterfaceKind, InterfaceTarget},
};
use virtbus_schema::xml::YesNo;

use crate::device::Network;

/// Opens what the cards need, by alias; notes the taps' names in the document. Blocks for some system calls.
///
/// # Errors
/// When a bridge does not exist or a tap cannot be made, naming it.
pub(super) fn open(document: &mut Domain) -> Result<HashMap<String, Network>> {
    let mut open = HashMap::new();
    for card in &mut document.devices.interfaces {
        let bridge = match card.kind {
            InterfaceKind::Bridge | InterfaceKind::Network => Some(bridge(card)?),
            InterfaceKind::Ethernet => None,
            // Refused by name: without its descriptor QEMU would be told of one that nobody has.
            InterfaceKind::Direct => {
                let on = card.source.as_ref().and_then(|it| it.dev.as_deref()).unwrap_or_default();
                return Err(Error::unsupported_config(format!(
                    "interface type 'direct' on '{on}' is not supported yet; a network or a bridge is"
                )));
            }
            _ => continue,
        };
        let alias = card.info.alias.as_ref().map(|it| it.name.clone()).unwrap_or_default();
        open.insert(alias, tap_for(card, bridge.as_deref())?);
    }
    Ok(open)
}

fn bridge(card: &Interface) -> Result<String> {
    let named = card.source.as_ref().and_then(|it| it.bridge.clone());
    let bridge = named.ok_or_else(|| Error::xml("an interface of type 'bridge' needs a source bridge"))?;
    if !tap::is_bridge(&bridge) {
        let missing = io::Error::from_raw_os_error(nix::libc::ENODEV);
        return Err(Error::system(format!("Cannot get interface MTU on '{bridge}'"), &missing));
    }
    Ok(bridge)
}

fn tap_for(card: &mut Interface, bridge: Option<&str>) -> Result<Network> {
    let virtio = card.model.as_deref().is_some_and(|it| it.starts_with("virtio"));
    let queues = card.driver.as_ref().and_then(|it| it.queues).unwrap_or(1).max(1);
    let count = usize::try_from(queues).unwrap_or(1);
    let wanted = card.target.as_ref().and_then(|it| it.dev.clone()).unwrap_or_else(|| "vnet%d".to_owned());
    let cannot = |what: &str, error: &io::Error| Error::system(format!("Unable to {what}"), error);
    let made = tap::create(&wanted, count, virtio).map_err(|error| cannot("create tap device", &error))?;
    let name = made.name.as_str();
    if let Some(mac) = &card.mac {
        // The host's end must not have the guest's address; a high one keeps the bridge's own from changing.
        let mut address = mac.address.0;
        address[0] = 0xfe;
        tap::set_mac(name, address).map_err(|error| cannot(&format!("set MAC address of '{name}'"), &error))?;
    }
    if let Some(bridge) = bridge {
        let mtu = tap::mtu(bridge).map_err(|error| cannot(&format!("read the MTU of '{bridge}'"), &error))?;
        tap::set_mtu(name, mtu).map_err(|error| cannot(&format!("set the MTU of '{name}'"), &error))?;
        tap::attach(bridge, name).map_err(|error| cannot(&format!("add '{name}' to bridge '{bridge}'"), &error))?;
        if card.isolated.is_some_and(YesNo::is_on) {
            let port = Port { isolated: Some(true), ..Port::default() };
            let set = Netlink::open().and_then(|mut it| it.set_port(name, &port));
            set.map_err(|error| Error::internal(format!("cannot isolate '{name}'")).caused_by(error))?;
        }
    }
    tap::set_up(name, true).map_err(|error| cannot(&format!("take '{name}' up"), &error))?;
    card.target.get_or_insert_with(InterfaceTarget::default).dev = Some(name.to_owned());
    let mut network = Network { taps: made.queues, vhosts: Vec::new() };
    if virtio {
        // Without the module QEMU moves the packets itself.
        for _ in &network.taps {
            match std::fs::OpenOptions::new().read(true).write(true).open(Path::new("/dev/vhost-net")) {
                Ok(file) => network.vhosts.push(file.into()),
                Err(_) => {
                    network.vhosts.clear();
                    break;
                }
            }
        }
    }
    Ok(network)
}
