//! Drives: their order, their bus by target name, their place on the controller.

use std::collections::HashMap;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::Address;
use virtbus_schema::domain::device::address::DriveAddress;
use virtbus_schema::domain::device::disk::{Disk, DiskBus, DiskDevice, DiskDriver, DiskKind, Encryption};

/// Prefixes of target names and the bus each stands for.
const PREFIXES: &[(&str, DiskBus)] = &[
    ("fd", DiskBus::Fdc),
    ("hd", DiskBus::Ide),
    ("vd", DiskBus::Virtio),
    ("sd", DiskBus::Scsi),
    ("xvd", DiskBus::Xen),
    ("ubd", DiskBus::Uml),
];

/// Bus and number of a target name: `sdb` is the second of SCSI, `sdaa` the twenty-seventh.
fn parse_target(name: &str) -> Option<(DiskBus, u32)> {
    let (letters, bus) = PREFIXES.iter().find_map(|(prefix, bus)| Some((name.strip_prefix(prefix)?, *bus)))?;
    let letters = letters.trim_end_matches(|c: char| c.is_ascii_digit());
    if letters.is_empty() || !letters.bytes().all(|it| it.is_ascii_lowercase()) {
        return None;
    }
    let number =
        letters.bytes().try_fold(0_u32, |all, it| all.checked_mul(26)?.checked_add(u32::from(it - b'a') + 1))?;
    Some((bus, number - 1))
}

/// The number in a target name, 0 where there is none.
pub(crate) fn number(name: &str) -> Option<u32> {
    parse_target(name).map(|(_, number)| number)
}

/// Puts disks in the order of their target names within each bus, as far as the document names the bus; a disk that comes
/// later moves up behind its predecessor.
pub(super) fn order(disks: &mut Vec<Disk>) {
    let unordered = std::mem::take(disks);
    // Bus, rank and number of each disk: thousands are ordered without looking at their names again.
    let mut ordered: Vec<(Option<DiskBus>, i64, usize)> = Vec::with_capacity(unordered.len());
    let mut highest: HashMap<Option<DiskBus>, i64> = HashMap::new();
    for (which, new) in unordered.iter().enumerate() {
        let (bus, rank) = (new.target.bus, number(&new.target.dev).map_or(-1, i64::from));
        let highest = highest.entry(bus).or_insert(rank);
        let is_next = rank >= *highest && ordered.last().is_none_or(|it| it.0 == bus);
        *highest = rank.max(*highest);
        let at = if is_next { ordered.len() } else { place_among(&ordered, bus, rank) };
        ordered.insert(at, (bus, rank, which));
    }
    let mut unordered: Vec<Option<Disk>> = unordered.into_iter().map(Some).collect();
    disks.extend(ordered.iter().filter_map(|(_, _, which)| unordered.get_mut(*which)?.take()));
}

/// Before the first of its bus that is to come later, else behind the last of its bus.
fn place_among(ordered: &[(Option<DiskBus>, i64, usize)], bus: Option<DiskBus>, rank: i64) -> usize {
    let mut at = None;
    for (position, it) in ordered.iter().enumerate().rev().filter(|(_, it)| it.0 == bus) {
        if it.1 > rank {
            at = Some(position);
        } else if at.is_none() {
            at = Some(position + 1);
        }
    }
    at.unwrap_or(ordered.len())
}

/// Driver, bus and place of each drive.
///
/// # Errors
/// A target name says nothing about a place.
pub(super) fn defaults(disks: &mut [Disk]) -> Result<()> {
    for disk in disks.iter_mut() {
        let bus = disk.target.bus.unwrap_or_else(|| match (disk.device, parse_target(&disk.target.dev)) {
            (DiskDevice::Floppy, _) => DiskBus::Fdc,
            (_, Some((bus, _))) => bus,
            (_, None) => DiskBus::Ide,
        });
        disk.target.bus = Some(bus);
        decrypted_by_qemu(disk);
        if disk.kind != DiskKind::VhostUser {
            let driver = disk.driver.get_or_insert_with(DiskDriver::default);
            driver.name.get_or_insert_with(|| "qemu".to_owned());
            // An image whose format is not named is raw, whatever it holds; of a volume the pool may know.
            if disk.kind != DiskKind::Volume {
                driver.format.get_or_insert_with(|| "raw".to_owned());
            }
        }
        if let Some(removable) = &mut disk.target.removable {
            removable.written = bus == DiskBus::Usb;
        }
    }
    places(disks)
}

/// QEMU itself decrypts unless another is named.
fn decrypted_by_qemu(disk: &mut Disk) {
    let by_qemu = |it: &mut Encryption| {
        it.engine.get_or_insert_with(|| "qemu".to_owned());
    };
    disk.encryption.iter_mut().for_each(by_qemu);
    disk.source.iter_mut().filter_map(|it| it.encryption.as_mut()).for_each(by_qemu);
    let mut below = disk.backing_store.as_mut();
    while let Some(it) = below {
        it.source.iter_mut().filter_map(|it| it.encryption.as_mut()).for_each(by_qemu);
        below = it.below.as_deref_mut();
    }
}

fn places(disks: &mut [Disk]) -> Result<()> {
    for at in 0..disks.len() {
        let Some(disk) = disks.get(at) else { continue };
        let Some(bus) = disk.target.bus else { continue };
        if disk.info.address.is_some() || !matches!(bus, DiskBus::Ide | DiskBus::Scsi | DiskBus::Sata | DiskBus::Fdc) {
            continue;
        }
        let Some(number) = number(&disk.target.dev) else {
            return Err(Error::xml(format!("Unknown disk name '{}' and no address specified", disk.target.dev)));
        };
        let place = match bus {
            DiskBus::Scsi => DriveAddress { controller: number / 7, bus: 0, target: 0, unit: number % 7 },
            DiskBus::Ide => DriveAddress { controller: number / 4, bus: number % 4 / 2, target: 0, unit: number % 2 },
            DiskBus::Sata => DriveAddress { controller: number / 6, bus: 0, target: 0, unit: number % 6 },
            _ => DriveAddress { controller: number / 2, bus: 0, target: 0, unit: number % 2 },
        };
        if let Some(disk) = disks.get_mut(at) {
            disk.info.address = Some(Address::Drive(place));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_names() {
        assert_eq!(parse_target("sda"), Some((DiskBus::Scsi, 0)));
        assert_eq!(parse_target("vdaa"), Some((DiskBus::Virtio, 26)));
        assert_eq!(parse_target("xvdb1"), Some((DiskBus::Xen, 1)));
        for bad in ["sd", "sd1", "nvme0n1", "", "hdA", "sdaaaaaaaaaaaaaaaa"] {
            assert_eq!(parse_target(bad), None, "{bad}");
        }
    }
}
