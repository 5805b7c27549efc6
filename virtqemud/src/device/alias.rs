//! Names of devices in QEMU: `net0`, `virtio-disk0`, `pci.1`. Names the user chose are kept.

use std::collections::BTreeSet;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::controller::{Controller, ControllerKind};
use virtbus_schema::domain::device::disk::{Disk, DiskBus};
use virtbus_schema::domain::device::{Address, Alias, Devices, Placed};

use crate::machine::Board;

/// The device's name in QEMU.
///
/// # Errors
/// `INTERNAL_ERROR` when it has none yet.
pub fn of(device: &dyn Placed) -> Result<&str> {
    let alias = device.alias().as_ref().map(|it| it.name.as_str());
    alias.ok_or_else(|| Error::internal(format!("no alias for <{}>", device.tag())))
}

/// Names every device that has no name.
pub fn assign(domain: &mut Domain) {
    let board = Board::of_domain(domain);
    let devices = &mut domain.devices;
    for at in 0..devices.disks.len() {
        let Some(disk) = devices.disks.get(at).filter(|it| it.info.alias.is_none()) else { continue };
        let name = disk_name(disk, &devices.controllers);
        if let Some(disk) = devices.disks.get_mut(at) {
            disk.info.alias = Some(Alias::new(name));
        }
    }
    for it in devices.controllers.iter_mut().filter(|it| it.info.alias.is_none()) {
        it.info.alias = Some(Alias::new(controller_name(it, board)));
    }
    count(devices);
    // The first console may be the first serial port.
    if let (Some(serial), Some(console)) = (devices.serials.first(), devices.consoles.first_mut())
        && crate::device::console::is_serial(console)
    {
        console.info.alias.clone_from(&serial.info.alias);
    }
}

/// Kinds whose names are a word and a number.
fn count(devices: &mut Devices) {
    let prefix = |tag: &'static str| match tag {
        "interface" => Some("net"),
        "redirdev" => Some("redir"),
        "filesystem" => Some("fs"),
        "memballoon" => Some("balloon"),
        "memory" => Some("dimm"),
        "disk" | "controller" => None,
        other => Some(other),
    };
    let mut used: BTreeSet<String> =
        devices.placed().iter().filter_map(|it| it.alias().as_ref()).map(|it| it.name.clone()).collect();
    for device in devices.placed_mut() {
        if device.alias().is_some() {
            continue;
        }
        let Some(prefix) = prefix(device.tag()) else { continue };
        let name = (0_u32..).map(|number| format!("{prefix}{number}")).find(|name| !used.contains(name));
        let Some(name) = name else { continue };
        used.insert(name.clone());
        *device.alias_mut() = Some(Alias::new(name));
    }
}

fn disk_name(disk: &Disk, controllers: &[Controller]) -> String {
    let bus = disk.target.bus.unwrap_or(DiskBus::Ide);
    if let Some(Address::Drive(it)) = &disk.info.address {
        let model = controllers
            .iter()
            .find(|controller| controller.kind == ControllerKind::Scsi && controller.index == Some(it.controller))
            .and_then(|controller| controller.model.as_deref());
        let narrow = bus != DiskBus::Scsi || model == Some("lsilogic");
        return if narrow {
            format!("{bus}{}-{}-{}", it.controller, it.bus, it.unit)
        } else {
            format!("{bus}{}-{}-{}-{}", it.controller, it.bus, it.target, it.unit)
        };
    }
    format!("{bus}-disk{}", disk.target.index().unwrap_or(0))
}

fn controller_name(it: &Controller, board: Board) -> String {
    let index = it.index.unwrap_or(0);
    match it.kind {
        ControllerKind::Pci => match it.model.as_deref() {
            Some("pcie-root") => format!("pcie.{index}"),
            _ => format!("pci.{index}"),
        },
        // The board's own first ones are there under QEMU's names.
        ControllerKind::Ide if index == 0 && board == Board::I440fx => "ide".to_owned(),
        ControllerKind::Sata if index == 0 && board == Board::Q35 => "ide".to_owned(),
        ControllerKind::Usb if index == 0 => "usb".to_owned(),
        ControllerKind::Scsi if it.model.as_deref() == Some("ncr53c90") => "scsi".to_owned(),
        kind => format!("{kind}{index}"),
    }
}
