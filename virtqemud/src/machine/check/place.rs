//! Where devices are, and what only devices on PCI have.

use std::collections::{HashMap, HashSet};

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::address::{DriveAddress, Info, PciAddress, Rom, RomInfo};
use virtbus_schema::domain::device::disk::{Disk, DiskBus};
use virtbus_schema::domain::device::hostdev::{HostSource, Hostdev, HostdevModel};
use virtbus_schema::domain::device::{Address, Devices};

use super::unsupported;

pub(super) fn check(domain: &Domain) -> Result<()> {
    let devices = &domain.devices;
    kinds(domain)?;
    for device in devices.placed() {
        if matches!(device.address(), Some(Address::Pci(PciAddress { zpci: Some(_), .. }))) {
            return unsupported("zPCI addresses are of s390x machines");
        }
        if matches!(device.address(), Some(Address::Unassigned)) && device.tag() != "hostdev" {
            return unsupported("address of type 'unassigned' is supported only for hostdevs");
        }
    }
    drives(domain)?;
    for (index, address) in indexed(devices) {
        if index && !matches!(address, Some(Address::Pci(_))) {
            return unsupported("ACPI index is only supported for PCI devices");
        }
    }
    let cards = devices.interfaces.iter().map(|it| &it.info).chain(devices.hostdevs.iter().map(|it| &it.info));
    for info in cards {
        let rom = info.rom.clone().unwrap_or_default();
        if rom.enabled.is_some_and(|it| !it.is_on()) && (rom.bar.is_some() || rom.file.is_some()) {
            return unsupported("ROM tuning is not supported when ROM is disabled");
        }
        if rom != Rom::default() && info.address.as_ref().is_some_and(|it| !matches!(it, Address::Pci(_))) {
            return unsupported("ROM tuning is only supported for PCI devices");
        }
    }
    Ok(())
}

/// The kinds of places each device can have.
fn kinds(domain: &Domain) -> Result<()> {
    for it in &domain.devices.hostdevs {
        hostdev(it)?;
    }
    for it in &domain.devices.disks {
        disk(it)?;
    }
    Ok(())
}

fn hostdev(it: &Hostdev) -> Result<()> {
    let Some(address) = &it.info.address else { return Ok(()) };
    let name = address.name();
    match (&it.source, address) {
        (HostSource::Pci(_), Address::Pci(_) | Address::Unassigned)
        | (HostSource::Usb(_), Address::Usb(_))
        | (HostSource::Scsi(_), Address::Drive(_))
        | (HostSource::ScsiHost(_), Address::Pci(_) | Address::Ccw(_))
        | (HostSource::Capability(_) | HostSource::Absent, _) => Ok(()),
        (HostSource::Pci(_), _) => Err(Error::internal("PCI host devices must use 'pci' or 'unassigned' address type")),
        (HostSource::Usb(_), _) => unsupported("USB host device must use 'usb' address type"),
        (HostSource::Scsi(_), _) => unsupported("SCSI host device must use 'drive' address type"),
        (HostSource::ScsiHost(_), _) => unsupported("SCSI_host host device must use 'pci' or 'ccw' address type"),
        (HostSource::Mdev(_), address) => {
            let fits = match it.model {
                Some(HostdevModel::VfioPci) => matches!(address, Address::Pci(_)),
                Some(HostdevModel::VfioCcw) => matches!(address, Address::Ccw(_)),
                _ => true,
            };
            let model = it.model.map_or("", HostdevModel::as_str);
            if fits {
                return Ok(());
            }
            Err(Error::xml(format!("Unsupported address type '{name}' with mediated device model '{model}'")))
        }
    }
}

fn disk(it: &Disk) -> Result<()> {
    let (Some(bus), Some(address)) = (it.target.bus, &it.info.address) else { return Ok(()) };
    let (name, dev) = (address.name(), &it.target.dev);
    match (bus, address) {
        (DiskBus::Scsi | DiskBus::Ide | DiskBus::Sata | DiskBus::Fdc, Address::Drive(_))
        | (DiskBus::Virtio, Address::Pci(_) | Address::Ccw(_) | Address::VirtioMmio)
        | (DiskBus::Usb, Address::Usb(_)) => Ok(()),
        (DiskBus::Scsi | DiskBus::Ide | DiskBus::Sata | DiskBus::Fdc, _) => {
            unsupported(format!("Invalid address type '{name}' for the disk '{dev}' with the bus type '{bus}'"))
        }
        (DiskBus::Virtio, _) => unsupported(format!("virtio disk cannot have an address of type '{name}'")),
        (DiskBus::Usb, _) => Err(Error::internal(format!("unexpected address type '{name}' for USB disk '{dev}'"))),
        _ => Ok(()),
    }
}

/// No two drives of a bus share a place, the host's own among them.
fn drives(domain: &Domain) -> Result<()> {
    let mut taken: HashMap<(DiskBus, DriveAddress), &str> = HashMap::new();
    for it in &domain.devices.disks {
        let (Some(bus), Some(Address::Drive(place))) = (it.target.bus, &it.info.address) else { continue };
        if let Some(other) = taken.insert((bus, *place), &it.target.dev) {
            return unsupported(format!(
                "Found duplicate drive address for disk with target name '{other}': {}",
                said(place)
            ));
        }
    }
    let mut held = HashSet::new();
    for it in &domain.devices.hostdevs {
        let (HostSource::Scsi(_), Some(Address::Drive(place))) = (&it.source, &it.info.address) else { continue };
        if let Some(dev) = taken.get(&(DiskBus::Scsi, *place)) {
            return unsupported(format!(
                "using disk target name '{dev}' conflicts with SCSI host device address {}",
                said(place)
            ));
        }
        if !held.insert(*place) {
            return unsupported(format!("SCSI host address {} in use by another SCSI host device", said(place)));
        }
    }
    Ok(())
}

fn said(it: &DriveAddress) -> String {
    let DriveAddress { controller, bus, target, unit } = it;
    format!("controller='{controller}' bus='{bus}' target='{target}' unit='{unit}'")
}

/// Whether a device asks for an ACPI index, and where it is.
fn indexed(devices: &Devices) -> Vec<(bool, Option<&Address>)> {
    fn plain(it: &Info) -> (bool, Option<&Address>) {
        (it.acpi_index.is_some(), it.address.as_ref())
    }
    fn with_rom(it: &RomInfo) -> (bool, Option<&Address>) {
        (it.acpi_index.is_some(), it.address.as_ref())
    }
    let mut all: Vec<(bool, Option<&Address>)> = Vec::new();
    all.extend(devices.disks.iter().map(|it| with_rom(&it.info)));
    all.extend(devices.interfaces.iter().map(|it| with_rom(&it.info)));
    all.extend(devices.hostdevs.iter().map(|it| with_rom(&it.info)));
    all.extend(devices.filesystems.iter().map(|it| with_rom(&it.info)));
    all.extend(devices.redirdevs.iter().map(|it| with_rom(&it.info)));
    all.extend(devices.sounds.iter().map(|it| plain(&it.info)));
    all.extend(devices.videos.iter().map(|it| plain(&it.info)));
    all.extend(devices.smartcards.iter().map(|it| plain(&it.info)));
    all.extend(devices.serials.iter().map(|it| plain(&it.info)));
    all.extend(devices.parallels.iter().map(|it| plain(&it.info)));
    all.extend(devices.channels.iter().map(|it| plain(&it.info)));
    all.extend(devices.inputs.iter().map(|it| plain(&it.info)));
    all.extend(devices.watchdogs.iter().map(|it| plain(&it.info)));
    all.extend(devices.memballoons.iter().map(|it| plain(&it.info)));
    all.extend(devices.rngs.iter().map(|it| plain(&it.info)));
    all.extend(devices.shmems.iter().map(|it| plain(&it.info)));
    all.extend(devices.memories.iter().map(|it| plain(&it.info)));
    all.extend(devices.vsocks.iter().map(|it| plain(&it.info)));
    all
}
