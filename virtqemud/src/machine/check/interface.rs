//! Network cards: what each kind of host's end can do.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::VirtioOptions;
use virtbus_schema::domain::device::interface::{GuestIp, Interface, InterfaceKind, TeamingKind};
use virtbus_schema::xml::YesNo;

use super::{disk::shares_memory, unsupported};

pub(super) fn check(domain: &Domain) -> Result<()> {
    for it in &domain.devices.interfaces {
        one(it)?;
        if it.kind == InterfaceKind::VhostUser && !shares_memory(domain) {
            return unsupported("'interface' requires shared memory");
        }
    }
    Ok(())
}

fn one(it: &Interface) -> Result<()> {
    passt(it)?;
    addresses(it)?;
    let model = it.model.as_deref().unwrap_or_default();
    let driver = it.driver.clone().unwrap_or_default();
    for (what, size) in [("rx_queue_size", driver.rx_queue_size), ("tx_queue_size", driver.tx_queue_size)] {
        if size.is_some_and(|it| !it.is_power_of_two()) {
            return unsupported(format!("{what} has to be a power of two"));
        }
    }
    if let Some(option) = said(&driver.virtio).filter(|_| !model.starts_with("virtio")) {
        return unsupported(format!("{option} driver option is only supported for virtio devices"));
    }
    teaming(it)?;
    let is_switched = matches!(it.kind, InterfaceKind::Network | InterfaceKind::Bridge);
    if it.coalesce.is_some() && !is_switched {
        return unsupported(format!("coalesce settings on interface type {} are not supported", it.kind));
    }
    if it.isolated == Some(YesNo::Yes) && !is_switched {
        return unsupported(format!(
            "<port isolated='yes'/> is not supported for network interfaces with type='{}'",
            it.kind
        ));
    }
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

/// The option of virtio that is said, if any is.
fn said(options: &VirtioOptions) -> Option<&'static str> {
    let VirtioOptions { iommu, ats, packed, page_per_vq } = options;
    let all = [("iommu", iommu), ("ats", ats), ("packed", packed), ("page_per_vq", page_per_vq)];
    all.iter().find(|(_, value)| value.is_some()).map(|(name, _)| *name)
}

/// The card that stays is virtio's; the one that goes names it.
fn teaming(it: &Interface) -> Result<()> {
    let Some(teaming) = &it.teaming else { return Ok(()) };
    match teaming.kind {
        TeamingKind::Transient if teaming.persistent.is_none() => {
            unsupported("teaming persistent attribute must be set if teaming type is 'transient'")
        }
        TeamingKind::Transient if it.kind != InterfaceKind::Hostdev && it.kind != InterfaceKind::Network => {
            unsupported(format!("virtio-net teaming transient interface must be type='hostdev', not '{}'", it.kind))
        }
        TeamingKind::Persistent if it.model.as_deref() != Some("virtio") => unsupported(format!(
            "virtio-net teaming persistent interface must be <model type='virtio'/>, not '{}'",
            it.model.as_deref().unwrap_or_default()
        )),
        _ => Ok(()),
    }
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
    let odd = |it: &GuestIp| it.address.is_ipv4() && it.prefix.is_some_and(|it| it > 0 && !(4..=27).contains(&it));
    if !it.is_passt() && it.ips.iter().any(odd) {
        return Err(Error::xml("invalid prefix, must be in range of 4-27"));
    }
    for (six, name) in [(false, "IPv4"), (true, "IPv6")] {
        if it.ips.iter().filter(|it| it.address.is_ipv6() == six).count() > 1 {
            return unsupported(format!("Only one {name} address per interface is allowed"));
        }
    }
    Ok(())
}
