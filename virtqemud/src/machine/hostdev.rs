//! SCSI devices of the host among the guest's drives: which place each takes, and the controllers they need.

use std::collections::BTreeSet;

use virtbus_schema::domain::device::address::DriveAddress;
use virtbus_schema::domain::device::controller::{Controller, ControllerKind};
use virtbus_schema::domain::device::disk::DiskBus;
use virtbus_schema::domain::device::hostdev::HostdevKind;
use virtbus_schema::domain::device::{Address, Devices};

use super::controller;

/// Devices that go on one controller unless the document says more: what the old parallel chip takes.
const UNITS: u32 = 7;
/// The number of the last controller that is made for a device; a larger one is a slip or an attack.
const MOST: u32 = 255;

/// The controllers they are known to need; they come before those that the board brings.
pub(super) fn controllers(devices: &mut Devices) {
    let scsi = devices.hostdevs.iter().filter(|it| it.device.kind == HostdevKind::Scsi);
    let mut scsi =
        scsi.map(|it| if let Some(Address::Drive(it)) = it.info.address { Some(it.controller) } else { None });
    // Where the first has no place yet, those behind it get theirs first, and controllers with it.
    let last = match scsi.next() {
        Some(Some(first)) => scsi.flatten().fold(first, u32::max),
        Some(None) => 0,
        None => return,
    };
    for index in 0..=last.min(MOST) {
        controller::ensure(&mut devices.controllers, ControllerKind::Scsi, index);
    }
}

/// Places what has no place after all disks, on the first controller with room, the lowest first, then sees to the controllers.
pub(super) fn places(devices: &mut Devices) {
    let mut taken: BTreeSet<DriveAddress> = devices
        .disks
        .iter()
        .filter(|it| it.target.bus == Some(DiskBus::Scsi))
        .map(|it| &it.info.address)
        .chain(devices.hostdevs.iter().map(|it| &it.info.address))
        .filter_map(|it| if let Some(Address::Drive(it)) = it { Some(*it) } else { None })
        .collect();
    // Controllers before this one are full.
    let mut number = 0;
    for it in devices.hostdevs.iter_mut().filter(|it| it.device.kind == HostdevKind::Scsi) {
        if it.info.address.is_none() {
            let place = loop {
                let unit = |unit| DriveAddress { controller: number, bus: 0, target: 0, unit };
                match (0..UNITS).map(unit).find(|it| !taken.contains(it)) {
                    Some(free) => break free,
                    None => number += 1,
                }
            };
            taken.insert(place);
            it.info.address = Some(Address::Drive(place));
        }
        if let Some(Address::Drive(place)) = it.info.address {
            for index in 0..=place.controller.min(MOST) {
                ensure_alike(&mut devices.controllers, index);
            }
        }
    }
}

/// Adds a controller unless it is there, of the model of the one before.
fn ensure_alike(controllers: &mut Vec<Controller>, index: u32) {
    let mut scsi = controllers.iter().filter(|it| it.kind == ControllerKind::Scsi);
    if scsi.clone().any(|it| it.index == Some(index)) {
        return;
    }
    let before = index.checked_sub(1).and_then(|before| scsi.find(|it| it.index == Some(before)));
    let mut new = Controller::new(ControllerKind::Scsi, index);
    new.model = before.and_then(|it| it.model.clone());
    controller::insert(controllers, new);
}
