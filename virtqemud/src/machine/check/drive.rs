//! Where drives are: on places of their bus, each on one of its own, and under names that are no partitions'.

use std::collections::BTreeMap;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::address::DriveAddress;
use virtbus_schema::domain::device::controller::ControllerKind;
use virtbus_schema::domain::device::disk::{Disk, DiskBus, DiskDevice};
use virtbus_schema::domain::device::hostdev::HostdevKind;
use virtbus_schema::domain::device::{Address, Devices};

use super::super::Board;
use super::unsupported;

/// Refuses drives that are nowhere or where another is.
pub(super) fn check(domain: &Domain, board: Board) -> Result<()> {
    let devices = &domain.devices;
    let mut taken = BTreeMap::new();
    for disk in &devices.disks {
        place(disk, devices, board)?;
        if let (Some(bus), Some(Address::Drive(place))) = (disk.target.bus, &disk.info.address)
            && let Some(other) = taken.insert((bus.as_str(), *place), &disk.target.dev)
        {
            let dev = &disk.target.dev;
            return unsupported(format!("Found duplicate drive address for disk '{dev}': {} has it", other));
        }
    }
    scsi_of_the_host(devices)
}

/// What is passed through shares the addresses of SCSI disks.
fn scsi_of_the_host(devices: &Devices) -> Result<()> {
    let mut taken: Vec<DriveAddress> = Vec::new();
    for it in devices.hostdevs.iter().filter(|it| it.device.kind == HostdevKind::Scsi) {
        let Some(Address::Drive(place)) = it.info.address else { continue };
        let here = |disk: &&Disk| disk.target.bus == Some(DiskBus::Scsi) && disk.info.address == it.info.address;
        let said = format!(
            "controller='{}' bus='{}' target='{}' unit='{}'",
            place.controller, place.bus, place.target, place.unit
        );
        if let Some(disk) = devices.disks.iter().find(here) {
            let dev = &disk.target.dev;
            return unsupported(format!("disk '{dev}' conflicts with SCSI host device address {said}"));
        }
        if taken.contains(&place) {
            return unsupported(format!("SCSI host address {said} in use by another SCSI host device"));
        }
        taken.push(place);
    }
    Ok(())
}

fn place(disk: &Disk, devices: &Devices, board: Board) -> Result<()> {
    let Some(bus) = disk.target.bus else { return Ok(()) };
    let dev = &disk.target.dev;
    let partition = dev.trim_start_matches(|it: char| !it.is_ascii_digit());
    if partition.bytes().any(|it| it != b'0') {
        return unsupported(format!("invalid disk target '{dev}', partitions can't appear in disk targets"));
    }
    let address = disk.info.address.as_ref();
    let place = match (bus, address) {
        (DiskBus::Ide | DiskBus::Fdc | DiskBus::Scsi | DiskBus::Sata, Some(Address::Drive(it))) => *it,
        (DiskBus::Ide | DiskBus::Fdc | DiskBus::Scsi | DiskBus::Sata, Some(other)) => {
            return unsupported(format!(
                "Invalid address type '{}' for the disk '{dev}' with the bus type '{bus}'",
                other.tag()
            ));
        }
        (
            DiskBus::Virtio,
            Some(other @ (Address::Drive(_) | Address::Usb(_) | Address::Isa(_) | Address::VirtioSerial(_))),
        ) => {
            return unsupported(format!("virtio disk cannot have an address of type '{}'", other.tag()));
        }
        _ => return only_as_whole(disk, bus),
    };
    let at_most = |what: &str| Err(Error::internal(format!("Only 1 {what} is supported (disk '{dev}')")));
    match bus {
        DiskBus::Fdc if place.controller > 0 => return at_most("fdc controller"),
        DiskBus::Fdc if place.bus > 0 => return at_most("fdc bus"),
        DiskBus::Ide if place.controller > 0 && board == Board::I440fx => return at_most("IDE controller"),
        DiskBus::Sata if place.bus > 0 => return unsupported("bus must be 0 for sata controller"),
        DiskBus::Scsi if place.bus > 0 => return at_most("bus of a SCSI controller"),
        _ => {}
    }
    let of_controller = devices
        .controllers
        .iter()
        .find(|it| it.kind == ControllerKind::Scsi && it.index == Some(place.controller))
        .and_then(|it| it.model.as_deref());
    let flat = match bus {
        DiskBus::Scsi => of_controller.filter(|it| *it == "lsilogic"),
        _ => Some(bus.as_str()),
    };
    match flat.filter(|_| place.target > 0) {
        Some(flat) => unsupported(format!("target must be 0 for controller {flat} (disk '{dev}')")),
        None => only_as_whole(disk, bus),
    }
}

/// What a bus cannot do with a drive.
fn only_as_whole(disk: &Disk, bus: DiskBus) -> Result<()> {
    if disk.readonly && disk.device == DiskDevice::Disk && matches!(bus, DiskBus::Ide | DiskBus::Sata) {
        return unsupported(format!("readonly {bus} disks are not supported"));
    }
    if bus == DiskBus::Usb && disk.is_removable() && disk.is_empty() {
        return unsupported(format!("'usb' disk '{}' must not be empty", disk.target.dev));
    }
    if bus != DiskBus::Sd {
        return Ok(());
    }
    if disk.device == DiskDevice::Cdrom {
        return unsupported(format!("disk type of '{}' does not support ejectable media", disk.target.dev));
    }
    if disk.serial.is_some() {
        return Err(Error::internal("Serial property not supported for drive bus 'sd'"));
    }
    if disk.iotune.is_some() {
        return unsupported("<iotune> is not supported with bus='sd'");
    }
    if disk.geometry.is_some() {
        return unsupported("CHS geometry can not be set for 'sd' bus");
    }
    Ok(())
}
