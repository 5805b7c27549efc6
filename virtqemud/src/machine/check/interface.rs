//! Network cards: what each kind of host's end can do.

use virtbus_api::Result;
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::interface::{Interface, InterfaceKind};

use super::{filesystem::is_shared, unsupported};

pub(super) fn check(domain: &Domain) -> Result<()> {
    for it in &domain.devices.interfaces {
        one(it)?;
        if it.kind == InterfaceKind::VhostUser && !is_shared(domain) {
            return unsupported("'interface' requires shared memory");
        }
    }
    Ok(())
}

fn one(it: &Interface) -> Result<()> {
    let is_v6 = |address: &str| address.contains(':');
    for (six, name) in [(false, "IPv4"), (true, "IPv6")] {
        let count = it.ips.iter().filter(|it| is_v6(&it.address) == six).count();
        if it.kind == InterfaceKind::User && count > 1 {
            return unsupported(format!("Only one {name} address per interface is allowed"));
        }
    }
    let model = it.model.as_deref().unwrap_or_default();
    if matches!(it.kind, InterfaceKind::VhostUser | InterfaceKind::Vdpa) && !model.starts_with("virtio") {
        return unsupported(format!("invalid model for interface of type '{}': '{model}' - must be 'virtio'", it.kind));
    }
    let takes_mtu = matches!(
        it.kind,
        InterfaceKind::Network
            | InterfaceKind::Bridge
            | InterfaceKind::Ethernet
            | InterfaceKind::VhostUser
            | InterfaceKind::Direct
            | InterfaceKind::Vdpa
    );
    if it.mtu.is_some() && !takes_mtu {
        return unsupported(format!("setting MTU on interface type {} is not supported yet", it.kind));
    }
    Ok(())
}
