//! File systems: what 9p can do, and what virtiofs needs.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::filesystem::{
    AccessMode, Filesystem, FilesystemDriverKind as Driver, FilesystemKind, MultiDevs,
};

use super::{disk::shares_memory, unsupported};
use crate::device::filesystem::is_virtiofs;

pub(super) fn check(domain: &Domain) -> Result<()> {
    let all = &domain.devices.filesystems;
    for (at, it) in all.iter().enumerate() {
        if it.kind != FilesystemKind::Mount {
            return unsupported("only supports mount filesystem type");
        }
        match it.driver.as_ref().and_then(|it| it.kind) {
            None | Some(Driver::Path) => nine_p(it)?,
            Some(kind @ (Driver::Handle | Driver::Mtp))
                if it.accessmode.is_some_and(|it| it != AccessMode::Passthrough) =>
            {
                return unsupported(format!("{kind} only supports passthrough accessmode"));
            }
            Some(Driver::Handle) => nine_p(it)?,
            Some(Driver::Mtp) => {}
            Some(Driver::Virtiofs) => virtiofs(it, domain)?,
            // No bus has a place for these.
            Some(_) => {
                return Err(Error::internal(
                    "Cannot automatically add a new PCI bus for a device with connect flags 00",
                ));
            }
        }
        if it.info.boot.is_some() && !is_virtiofs(it) {
            return unsupported("boot order is only supported for virtiofs");
        }
        // By its name alone the guest finds it; of two that 9p serves it finds the first.
        let is_twin = |other: &Filesystem| is_virtiofs(it) && other.target == it.target;
        if all.iter().take(at).any(is_twin) {
            let target = it.target.as_deref().unwrap_or_default();
            return unsupported(format!("filesystem target '{target}' specified twice"));
        }
    }
    Ok(())
}

fn nine_p(it: &Filesystem) -> Result<()> {
    if it.accessmode != Some(AccessMode::Mapped) && (it.fmode.is_some() || it.dmode.is_some()) {
        return unsupported("fmode and dmode must be used with accessmode=mapped");
    }
    Ok(())
}

fn virtiofs(it: &Filesystem, domain: &Domain) -> Result<()> {
    if it.multidevs.is_some_and(|it| it != MultiDevs::Default) {
        return unsupported("virtiofs does not support multidevs");
    }
    if it.model.is_some() {
        return unsupported("virtiofs does not support model");
    }
    let by_us = it.source.as_ref().is_none_or(|it| it.socket.is_none());
    if by_us && it.accessmode.is_some_and(|it| it != AccessMode::Passthrough) {
        return unsupported("virtiofs only supports passthrough accessmode");
    }
    if it.driver.as_ref().is_some_and(|it| it.wrpolicy.is_some()) {
        return unsupported("virtiofs does not support wrpolicy");
    }
    if shares_memory(domain) { Ok(()) } else { unsupported("'virtiofs' requires shared memory") }
}
