//! What cannot work is refused when the guest is defined, under the reference's code for the same fault.
//!
//! Whether the document is sound in itself was checked when it was read; here it is held against the emulator and the machine.

mod chardev;
mod controller;
mod device;
mod disk;
mod domain;
mod drive;
mod feature;
mod filesystem;
mod hostdev;
mod interface;
mod memory;
mod place;
mod small;

use std::collections::BTreeSet;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::{Domain, DomainKind};

use super::Board;
use crate::process::capabilities::{Accel, QemuCaps};

fn unsupported<T>(text: impl Into<String>) -> Result<T> {
    Err(Error::unsupported_config(text))
}

/// Whether the emulator can run this kind of guest at all.
///
/// # Errors
/// `CONFIG_UNSUPPORTED` when it cannot.
pub(super) fn emulator(domain: &Domain, caps: &QemuCaps) -> Result<()> {
    let binary = caps.binary.display();
    let os = &domain.os.kind;
    if os.value != "hvm" {
        return unsupported(format!("Emulator '{binary}' does not support os type '{}'", os.value));
    }
    architecture(domain, caps)?;
    let accel = match domain.kind {
        DomainKind::Qemu => Some(Accel::Tcg),
        DomainKind::Kvm => Some(Accel::Kvm),
        _ => None,
    };
    if accel.and_then(|it| caps.cpus(it)).is_none() {
        return unsupported(format!("Emulator '{binary}' does not support virt type '{}'", domain.kind));
    }
    Ok(())
}

/// Whether a machine can be chosen for a document that names none: an accelerator of other systems prefers none here.
///
/// # Errors
/// `INVALID_ARG` when not.
pub(super) fn preferred(domain: &Domain, caps: &QemuCaps) -> Result<()> {
    if domain.kind == DomainKind::Hvf && domain.os.kind.machine.is_none() {
        let text = format!("no machine of '{}' is preferred for guests of type hvf", caps.binary.display());
        return Err(Error::invalid_arg(text));
    }
    Ok(())
}

/// Whether the emulator is of the guest's architecture: what follows is about its boards.
///
/// # Errors
/// `CONFIG_UNSUPPORTED` when it is not.
pub(super) fn architecture(domain: &Domain, caps: &QemuCaps) -> Result<()> {
    match domain.os.kind.arch.as_deref().filter(|it| !is_supported(it, &caps.arch)) {
        Some(arch) => unsupported(format!("Emulator '{}' does not support arch '{arch}'", caps.binary.display())),
        None => Ok(()),
    }
}

/// A 64-bit PC is a 32-bit PC as well.
fn is_supported(guest: &str, emulator: &str) -> bool {
    guest == emulator || (guest == "i686" && emulator == "x86_64")
}

/// Whether the emulator has the machine.
///
/// # Errors
/// `CONFIG_UNSUPPORTED` when not.
pub(super) fn machine(domain: &Domain, caps: &QemuCaps) -> Result<()> {
    let name = domain.os.kind.machine.as_deref().unwrap_or_default();
    if caps.machine(name).is_none_or(|it| it.name == "none") {
        let binary = caps.binary.display();
        return unsupported(format!("Emulator '{binary}' does not support machine type '{name}'"));
    }
    Ok(())
}

/// Turns in the boot order are given once.
///
/// # Errors
/// `CONFIG_UNSUPPORTED` when one is given twice.
pub(super) fn boot_order(domain: &Domain) -> Result<()> {
    let devices = &domain.devices;
    let orders = devices
        .disks
        .iter()
        .map(|it| &it.info.boot)
        .chain(devices.interfaces.iter().map(|it| &it.info.boot))
        .chain(devices.filesystems.iter().map(|it| &it.info.boot))
        .chain(devices.hostdevs.iter().map(|it| &it.info.boot))
        .chain(devices.redirdevs.iter().map(|it| &it.info.boot));
    let mut seen = BTreeSet::new();
    for order in orders.flatten().map(|it| it.order) {
        if !domain.os.boot.is_empty() {
            return unsupported("per-device boot elements cannot be used together with os/boot elements");
        }
        if !seen.insert(order) {
            return unsupported(format!("boot order '{order}' used for more than one device"));
        }
    }
    Ok(())
}

/// The rest, once everything is filled in.
///
/// # Errors
/// `CONFIG_UNSUPPORTED` and others, each naming what is wrong.
pub(super) fn domain(domain: &Domain, caps: &QemuCaps) -> Result<()> {
    let board = Board::of_domain(domain);
    controller::check(&domain.devices)?;
    domain::check(domain, board, caps)?;
    feature::check(domain, board)?;
    place::check(domain)?;
    drive::check(domain, board)?;
    disk::check(domain, caps)?;
    interface::check(domain)?;
    hostdev::check(domain)?;
    chardev::check(&domain.devices, board != Board::Other)?;
    device::check(domain, board, caps)?;
    filesystem::check(domain)?;
    small::check(domain, board, caps)?;
    if !domain.devices.memories.is_empty() {
        memory::check(domain)?;
    }
    // Displays come last: of several faults the devices' are named.
    device::displays(&domain.devices, caps)
}
