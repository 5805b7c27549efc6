//! SCSI devices of the host among the guest's drives: which place each takes, and the controllers they need.

use std::collections::BTreeSet;

use virtbus_schema::domain::device::address::DriveAddress;
use virtbus_schema::domain::device::controller::{Controller, ControllerKind};
use virtbus_schema::domain::device::disk::DiskBus;
use virtbus_schema::domain::device::hostdev::HostdevKind;
use virtbus_schema::domain::device::{Address, Devices};

use super::controller;

/// Units below one target of a controller, itself left out: of the old parallel chip, and of all others.
const NARROW: u32 = 7;
const WIDE: u32 = 16;
/// The number of the last controller that is made for a device; a larger one is a slip or an attack.
const MOST: u32 = 255;

/// The controllers they are known to need; they come before those that the board brings.
pub(super) fn controllers(devices: &mut Devices) {
    let scsi = devices.hostdevs.iter().filter(|it| it.device.kind == HostdevKind::Scsi);
    let numbers = scsi.map(|it| if let Some(Address::Drive(it)) = it.info.address { it.controller } else { 0 });
    if let Some(last) = numbers.max() {
        for index in 0..=last.min(MOST) {
            controller::ensure(&mut devices.controllers, ControllerKind::Scsi, index);
        }
    }
}

/// Places what has no place after all disks, on the first controller with room, then sees to the controllers.
pub(super) fn places(devices: &mut Devices) {
    let mut taken: BTreeSet<DriveAddress> = devices
        .disks
        .iter()
        .filter(|it| it.target.bus == Some(DiskBus::Scsi))
        .map(|it| &it.info.address)
        .chain(devices.hostdevs.iter().map(|it| &it.info.address))
        .filter_map(|it| if let Some(Address::Drive(it)) = it { Some(*it) } else { None })
        .collect();
    let mut controllers: BTreeSet<u32> = taken.iter().map(|it| it.controller).collect();
    let there = devices.controllers.iter().filter(|it| it.kind == ControllerKind::Scsi);
    controllers.extend(there.filter_map(|it| it.index));
    for it in devices.hostdevs.iter_mut().filter(|it| it.device.kind == HostdevKind::Scsi) {
        if it.info.address.is_none() {
            let room = |number: &u32| first_free(*number, &devices.controllers, &taken);
            let next = controllers.last().map_or(0, |it| it.saturating_add(1));
            let place = controllers.iter().find_map(room);
            let place = place.unwrap_or(DriveAddress { controller: next, ..DriveAddress::default() });
            taken.insert(place);
            controllers.insert(place.controller);
            it.info.address = Some(Address::Drive(place));
        }
        if let Some(Address::Drive(place)) = it.info.address {
            for index in 0..=place.controller.min(MOST) {
                controller::ensure(&mut devices.controllers, ControllerKind::Scsi, index);
            }
        }
    }
}

fn first_free(number: u32, controllers: &[Controller], taken: &BTreeSet<DriveAddress>) -> Option<DriveAddress> {
    let found = controllers.iter().find(|it| it.kind == ControllerKind::Scsi && it.index == Some(number));
    let model = found.and_then(|it| it.model.as_deref());
    let units = if matches!(model, None | Some("lsilogic" | "auto")) { NARROW } else { WIDE };
    let place = |unit| DriveAddress { controller: number, bus: 0, target: 0, unit };
    (0..units).map(place).find(|it| !taken.contains(it))
}
