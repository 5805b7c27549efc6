//! Drives.

use virtbus_api::{Error, ErrorCode, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::disk::{
    Disk, DiskBus, DiskCache, DiskDevice, DiskIo, DiskKind, DiskSgio, IoTune, Protocol,
};
use virtbus_schema::domain::memory::MemoryAccess;
use virtbus_schema::xml::OnOff;

use super::unsupported;
use crate::process::capabilities::QemuCaps;

/// QEMU takes no larger limit.
const MOST_THROTTLE: u64 = 1_000_000_000_000_000;

pub(super) fn check(domain: &Domain, caps: &QemuCaps) -> Result<()> {
    let shared = domain.memory_backing.as_ref().is_some_and(|it| it.access == Some(MemoryAccess::Shared));
    for disk in &domain.devices.disks {
        source(disk, shared, caps)?;
        driver(domain, disk)?;
    }
    Ok(())
}

fn source(disk: &Disk, shared: bool, caps: &QemuCaps) -> Result<()> {
    if disk.sgio == Some(DiskSgio::Unfiltered) {
        return unsupported("unfiltered sgio is no longer supported");
    }
    match disk.kind {
        DiskKind::VhostUser if !shared => return unsupported("'vhostuser' requires shared memory"),
        DiskKind::VhostVdpa if !caps.has("virtio-blk-vhost-vdpa") => {
            return unsupported("vhostvdpa disk is not supported with this QEMU binary");
        }
        _ => {}
    }
    let Some(source) = &disk.source else { return Ok(()) };
    match source.protocol {
        Some(Protocol::Sheepdog) => unsupported("'sheepdog' protocol is no longer supported by any hypervisor driver"),
        Some(protocol @ (Protocol::Tftp | Protocol::Vxhs)) => {
            unsupported(format!("'{protocol}' protocol is not supported with this QEMU binary"))
        }
        _ => Ok(()),
    }
}

fn driver(domain: &Domain, disk: &Disk) -> Result<()> {
    let dev = &disk.target.dev;
    if disk.serial.as_ref().is_some_and(|it| it.chars().any(|c| !is_safe(c))) {
        let serial = disk.serial.as_deref().unwrap_or_default();
        return Err(Error::internal(format!("driver serial '{serial}' contains unsafe characters")));
    }
    if let Some(tune) = &disk.iotune {
        throttle(tune)?;
    }
    let Some(driver) = &disk.driver else { return Ok(()) };
    if let Some(name) = driver.name.as_ref().filter(|it| *it != "qemu") {
        return unsupported(format!("unsupported driver name '{name}' for disk '{dev}'"));
    }
    let format = driver.format.as_deref().unwrap_or("raw");
    if driver.discard_no_unref == Some(OnOff::On) && format != "qcow2" {
        return unsupported("'discard_no_unref' only works with qcow2 disk format");
    }
    if disk.shareable && disk.device == DiskDevice::Disk && format != "raw" {
        return unsupported(format!("shared access for disk '{dev}' requires use of supported storage format"));
    }
    let cached =
        driver.cache.is_some_and(|it| !matches!(it, DiskCache::None | DiskCache::Directsync | DiskCache::Default));
    if driver.io == Some(DiskIo::Native) && (cached || driver.cache.is_none()) && driver.cache.is_some() {
        return unsupported("io='native' needs either no disk cache or directsync cache mode");
    }
    if let Some(thread) = driver.iothread {
        if disk.target.bus != Some(DiskBus::Virtio) {
            let bus = disk.target.bus.map_or("none", DiskBus::as_str);
            return unsupported(format!("IOThreads not available for bus {bus} target {dev}"));
        }
        if !threads(domain).contains(&thread) {
            return unsupported(format!("Disk iothread '{thread}' not defined in iothreadid"));
        }
    }
    Ok(())
}

/// The numbers of the guest's threads.
fn threads(domain: &Domain) -> Vec<u32> {
    let mut numbers: Vec<u32> = domain.iothreadids.iter().map(|it| it.id).collect();
    let wanted = domain.iothreads.and_then(|it| usize::try_from(it).ok()).unwrap_or(0);
    let mut next = 1;
    while numbers.len() < wanted {
        if !numbers.contains(&next) {
            numbers.push(next);
        }
        next += 1;
    }
    numbers
}

fn is_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-+ .,:".contains(c)
}

fn throttle(it: &IoTune) -> Result<()> {
    let limits = [
        it.total_bytes_sec,
        it.read_bytes_sec,
        it.write_bytes_sec,
        it.total_iops_sec,
        it.read_iops_sec,
        it.write_iops_sec,
        it.total_bytes_sec_max,
        it.read_bytes_sec_max,
        it.write_bytes_sec_max,
        it.total_iops_sec_max,
        it.read_iops_sec_max,
        it.write_iops_sec_max,
    ];
    if limits.into_iter().flatten().any(|it| it > MOST_THROTTLE) {
        return Err(Error::new(
            ErrorCode::ArgumentUnsupported,
            format!("block I/O throttle limit must be no more than {MOST_THROTTLE} using QEMU"),
        ));
    }
    Ok(())
}
