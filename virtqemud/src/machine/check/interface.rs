//! Network cards: what each kind of host's end can do.

use virtbus_api::Result;
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::interface::{Interface, InterfaceKind};
use virtbus_schema::xml::YesNo;

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
    passt(it)?;
    addresses(it)?;
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
    let is_unmanaged = it.target.as_ref().is_some_and(|it| it.managed == Some(YesNo::No));
    if is_unmanaged && it.kind != InterfaceKind::Ethernet {
        return unsupported(format!("unmanaged target dev is not supported on interfaces of type '{}'", it.kind));
    }
    Ok(())
}

/// What passt alone can do, and where it can be.
fn passt(it: &Interface) -> Result<()> {
    if it.is_passt() && !matches!(it.kind, InterfaceKind::User | InterfaceKind::VhostUser) {
        return unsupported("The 'passt' backend can only be used with interface type='user' or type='vhostuser'");
    }
    if !it.port_forwards.is_empty() && !it.is_passt() {
        return unsupported(
            "The <portForward> element can only be used with the 'passt' backend of interface type='user' or \
             type='vhostuser'",
        );
    }
    Ok(())
}

/// Only what is NAT of QEMU or passt hands out addresses.
fn addresses(it: &Interface) -> Result<()> {
    if !it.routes.is_empty() {
        return unsupported("Invalid attempt to set network interface guest-side IP route, not supported by QEMU");
    }
    if it.kind != InterfaceKind::User && !it.is_passt() {
        return if it.ips.is_empty() {
            Ok(())
        } else {
            unsupported("Invalid attempt to set network interface guest-side IP address info, not supported by QEMU")
        };
    }
    for (six, name) in [(false, "IPv4"), (true, "IPv6")] {
        if it.ips.iter().filter(|it| it.address.is_ipv6() == six).count() > 1 {
            return unsupported(format!("Only one {name} address per interface is allowed"));
        }
    }
    Ok(())
}
