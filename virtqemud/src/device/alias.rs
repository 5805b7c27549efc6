//! Names of devices in QEMU: `net0`, `virtio-disk0`, `pci.1`. Names the user chose are kept.

use std::collections::BTreeSet;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::address::DimmAddress;
use virtbus_schema::domain::device::controller::{Controller, ControllerKind};
use virtbus_schema::domain::device::disk::{Disk, DiskBus};
use virtbus_schema::domain::device::interface::InterfaceKind;
use virtbus_schema::domain::device::memory::MemoryModel;
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
    hostdevs(devices);
    count(devices);
    memories(devices);
    // The first console may be the first serial port.
    if let (Some(serial), Some(console)) = (devices.serials.first(), devices.consoles.first_mut())
        && crate::device::console::is_serial(console)
    {
        console.info.alias.clone_from(&serial.info.alias);
    }
}

/// Network cards that are the host's own are counted with the other devices of the host, before them.
fn hostdevs(devices: &mut Devices) {
    let used: BTreeSet<String> = names(devices);
    let mut free = (0_u32..).map(|number| format!("hostdev{number}")).filter(|it| !used.contains(it));
    let cards = devices.interfaces.iter_mut().filter(|it| it.kind == InterfaceKind::Hostdev);
    for card in cards.filter(|it| it.info.alias.is_none()) {
        card.info.alias = free.next().map(Alias::new);
    }
}

/// Modules of memory are named by their slots, the rest of the memory by kind and number.
fn memories(devices: &mut Devices) {
    let mut used = names(devices);
    for it in devices.memories.iter_mut().filter(|it| it.info.alias.is_none()) {
        let prefix = match it.model {
            MemoryModel::Dimm => "dimm",
            MemoryModel::Nvdimm => "nvdimm",
            MemoryModel::VirtioPmem => "virtiopmem",
            MemoryModel::VirtioMem => "virtiomem",
            MemoryModel::SgxEpc => "epc",
        };
        let slot = match &it.info.address {
            Some(Address::Dimm(DimmAddress { slot, .. })) => slot.map(|slot| format!("{prefix}{slot}")),
            _ => None,
        };
        let free = || (0_u32..).map(|number| format!("{prefix}{number}")).find(|name| !used.contains(name));
        let Some(name) = slot.or_else(free) else { continue };
        used.insert(name.clone());
        it.info.alias = Some(Alias::new(name));
    }
}

fn names(devices: &Devices) -> BTreeSet<String> {
    devices.placed().iter().filter_map(|it| it.alias().as_ref()).map(|it| it.name.clone()).collect()
}

/// Kinds whose names are a word and a number.
fn count(devices: &mut Devices) {
    let prefix = |tag: &'static str| match tag {
        "interface" => Some("net"),
        "redirdev" => Some("redir"),
        "filesystem" => Some("fs"),
        "memballoon" => Some("balloon"),
        "disk" | "controller" | "memory" => None,
        other => Some(other),
    };
    let mut used = names(devices);
    let mut places: std::collections::BTreeMap<&'static str, u32> = std::collections::BTreeMap::new();
    for device in devices.placed_mut() {
        let tag = device.tag();
        let place = places.entry(tag).or_insert(0);
        let number = *place;
        *place = place.saturating_add(1);
        if device.alias().is_some() {
            continue;
        }
        // These are numbered by their place in the document, whatever the others are called.
        if matches!(tag, "video" | "sound" | "hub" | "smartcard" | "tpm") {
            *device.alias_mut() = Some(Alias::new(format!("{tag}{number}")));
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

/// The name in QEMU of a controller that is part of the board: nobody gives it another.
pub(crate) fn on_board(it: &Controller, board: Board) -> Option<&'static str> {
    match (it.kind, it.index.unwrap_or(0), it.model.as_deref()) {
        (ControllerKind::Pci, 0, Some("pcie-root")) => Some("pcie.0"),
        (ControllerKind::Pci, 0, _) => Some("pci.0"),
        (ControllerKind::Ide, 0, _) if board == Board::I440fx => Some("ide"),
        (ControllerKind::Sata, 0, _) if board == Board::Q35 => Some("ide"),
        _ => None,
    }
}

fn controller_name(it: &Controller, board: Board) -> String {
    let index = it.index.unwrap_or(0);
    if let Some(name) = on_board(it, board) {
        return name.to_owned();
    }
    match it.kind {
        ControllerKind::Pci => format!("pci.{index}"),
        ControllerKind::Usb if index == 0 => "usb".to_owned(),
        ControllerKind::Scsi if it.model.as_deref() == Some("ncr53c90") => "scsi".to_owned(),
        kind => format!("{kind}{index}"),
    }
}
