//! What QEMU's process may do beyond an ordinary one's, and what it may not: limits of resources, a capability.

use nix::sys::resource::{Resource, getrlimit};
use virtbus_host::process::{Rlimit, Spawn};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::disk::DiskKind;
use virtbus_schema::domain::device::hostdev::{HostSource, Hostdev};
use virtbus_schema::domain::device::interface::InterfaceKind;
use virtbus_schema::xml::YesNo;

use crate::config::Settings;

/// `linux/capability.h`: SCSI commands that the kernel does not let everybody send.
const CAP_SYS_RAWIO: u8 = 17;
/// What a guest with devices of the host's has locked beside its memory, as the reference reckons: 1 GiB of their registers.
const REGISTERS_KIB: u64 = 1024 * 1024;

/// Puts limits and rights on a process that is to be started.
pub(super) fn grant(spawn: Spawn, settings: &Settings, document: &Domain) -> Spawn {
    let raw =
        document.devices.disks.iter().map(|it| it.rawio).chain(document.devices.hostdevs.iter().map(|it| it.rawio));
    let spawn = spawn.rlimits(limits(settings, document));
    if raw.flatten().any(YesNo::is_on) { spawn.keep_capability(CAP_SYS_RAWIO) } else { spawn }
}

fn limits(settings: &Settings, document: &Domain) -> Vec<Rlimit> {
    let both = |resource, value| Rlimit { resource, soft: value, hard: value };
    let mut limits = Vec::new();
    if settings.max_files > 0 {
        limits.push(both(Resource::RLIMIT_NOFILE, settings.max_files));
    }
    if settings.max_processes > 0 {
        limits.push(both(Resource::RLIMIT_NPROC, settings.max_processes));
    }
    if settings.max_core != u64::MAX {
        limits.push(both(Resource::RLIMIT_CORE, settings.max_core));
    }
    if let Some(locked) = locked(document) {
        // What is allowed already need not be asked for: lifting a limit takes a right that a container may lack.
        let (soft, hard) = getrlimit(Resource::RLIMIT_MEMLOCK).unwrap_or((0, 0));
        if soft < locked {
            limits.push(Rlimit { resource: Resource::RLIMIT_MEMLOCK, soft: locked, hard: hard.max(locked) });
        }
    }
    limits
}

/// Bytes that the guest needs locked; `u64::MAX` is all it may come to.
fn locked(document: &Domain) -> Option<u64> {
    let times = times_mapped(document);
    let all = document.memory_backing.as_ref().is_some_and(|it| it.locked);
    if times == 0 && !all {
        return None;
    }
    if let Some(most) = document.memtune.as_ref().and_then(|it| it.hard_limit) {
        return Some(most.kib.saturating_mul(1024));
    }
    if all {
        return Some(u64::MAX);
    }
    let most = document.max_memory.map_or(document.memory.size.kib, |it| it.size.kib.max(document.memory.size.kib));
    Some(most.saturating_mul(times).saturating_add(REGISTERS_KIB).saturating_mul(1024))
}

/// How often the guest's memory is mapped for devices: once for all functions of the host, but for each of them where the
/// guest has an IOMMU of its own, and for each device of vDPA.
fn times_mapped(document: &Domain) -> u64 {
    let devices = &document.devices;
    let is_passed = |it: &&Hostdev| matches!(it.source, HostSource::Pci(_) | HostSource::Mdev(_));
    let cards = |kind: InterfaceKind| devices.interfaces.iter().filter(move |it| it.kind == kind).count();
    let passed = devices.hostdevs.iter().filter(is_passed).count() + cards(InterfaceKind::Hostdev);
    let passed = if devices.iommus.is_empty() { passed.min(1) } else { passed };
    let disks = devices.disks.iter().filter(|it| it.kind == DiskKind::VhostVdpa).count();
    u64::try_from(passed + disks + cards(InterfaceKind::Vdpa)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_locked_as_far_as_the_guest_needs() {
        let document = |inner: &str| {
            let text = format!(
                "<domain type='qemu'><name>v</name><memory>65536</memory>{inner}\
                 <os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
            );
            Domain::parse(&text).expect("a document")
        };
        assert_eq!(locked(&document("")), None);
        assert_eq!(locked(&document("<memtune><hard_limit>100</hard_limit></memtune>")), None);
        assert_eq!(locked(&document("<memoryBacking><locked/></memoryBacking>")), Some(u64::MAX));
        let both = "<memtune><hard_limit>100</hard_limit></memtune><memoryBacking><locked/></memoryBacking>";
        assert_eq!(locked(&document(both)), Some(102_400));
        let passed = "<devices><hostdev mode='subsystem' type='pci'><source><address domain='0' bus='1' slot='0' \
            function='0'/></source></hostdev></devices>";
        assert_eq!(locked(&document(passed)), Some((65_536 + 1024 * 1024) * 1024));
        let card = "<interface type='hostdev'><source><address type='pci' domain='0' bus='1' slot='16' function='0'/>\
            </source></interface>";
        let two = passed.replace("<devices>", &format!("<devices>{card}"));
        assert_eq!(locked(&document(&two)), Some((65_536 + 1024 * 1024) * 1024));
        let behind = two.replace("<devices>", "<devices><iommu model='intel'/>");
        assert_eq!(locked(&document(&behind)), Some((2 * 65_536 + 1024 * 1024) * 1024));
    }
}
