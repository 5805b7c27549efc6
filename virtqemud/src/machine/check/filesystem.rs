//! File systems: what 9p can do, and what virtiofs needs.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::cpu::MemAccess;
use virtbus_schema::domain::device::filesystem::{
    AccessMode, Filesystem, FilesystemDriverKind as Driver, FilesystemKind, MultiDevs,
};
use virtbus_schema::domain::memory::{MemoryAccess, MemorySource};

use super::unsupported;
use crate::device::filesystem::is_virtiofs;

pub(super) fn check(domain: &Domain) -> Result<()> {
    let all = &domain.devices.filesystems;
    for (at, it) in all.iter().enumerate() {
        if it.kind != FilesystemKind::Mount {
            return unsupported("only supports mount filesystem type");
        }
        match it.driver.as_ref().and_then(|it| it.kind) {
            None | Some(Driver::Path) => nine_p(it)?,
            Some(Driver::Handle) => return unsupported("only supports passthrough accessmode"),
            Some(Driver::Virtiofs) => virtiofs(it, domain)?,
            // No bus has a place for these.
            Some(_) => {
                return Err(Error::internal(
                    "Cannot automatically add a new PCI bus for a device with connect flags 00",
                ));
            }
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
    if is_shared(domain) { Ok(()) } else { unsupported("'virtiofs' requires shared memory") }
}

/// Whether another process can map the guest's memory.
pub(super) fn is_shared(domain: &Domain) -> bool {
    let backing = domain.memory_backing.as_ref();
    let all = backing.and_then(|it| it.access) == Some(MemoryAccess::Shared);
    let cells = domain.cpu.as_ref().and_then(|it| it.numa.as_ref()).map(|it| it.cells.as_slice()).unwrap_or_default();
    let can = backing.is_some_and(|it| {
        it.hugepages.is_some() || matches!(it.source, Some(MemorySource::Memfd | MemorySource::File))
    });
    if cells.is_empty() {
        return all && can;
    }
    // Memory that is shared and not anonymous is in a file at least.
    cells.iter().all(|it| it.mem_access.map_or(all, |it| it == MemAccess::Shared))
}
