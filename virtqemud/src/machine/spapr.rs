//! Places on the bus of pSeries machines. The reference gives them to such devices on any machine, and so does this.
//!
//! What is on the bus is known by its model; whether the machine has one is asked nowhere here.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Devices;
use virtbus_schema::domain::device::Address;
use virtbus_schema::domain::device::address::SpaprVioAddress;
use virtbus_schema::domain::device::chardev::SerialTargetKind;
use virtbus_schema::domain::device::controller::{Controller, ControllerKind};

/// How far places are apart.
const STEP: u64 = 0x1000;
/// Where each kind begins.
const CARDS: u64 = 0x1000;
const DRIVES: u64 = 0x2000;
const SERIAL_PORTS: u64 = 0x3000_0000;

/// The model of SCSI controllers on this bus.
pub(super) const SCSI: &str = "ibmvscsi";

/// Places the devices that are on the bus.
///
/// # Errors
/// `XML_ERROR` for two devices in one place.
pub(super) fn addresses(devices: &mut Devices) -> Result<()> {
    let on_bus = Address::SpaprVio(SpaprVioAddress { reg: None });
    for it in devices.interfaces.iter_mut().filter(|it| it.model.as_deref() == Some("spapr-vlan")) {
        it.info.address.get_or_insert_with(|| on_bus.clone());
    }
    let is_scsi = |it: &Controller| it.kind == ControllerKind::Scsi && it.model.as_deref() == Some(SCSI);
    for it in devices.controllers.iter_mut().filter(|it| is_scsi(it)) {
        it.info.address.get_or_insert_with(|| on_bus.clone());
    }
    let cards = devices.interfaces.iter_mut().map(|it| (CARDS, &mut it.info.address));
    let drives = devices.controllers.iter_mut().map(|it| (DRIVES, &mut it.info.address));
    let ports = devices
        .serials
        .iter_mut()
        .filter(|it| it.target.as_ref().and_then(|it| it.kind) == Some(SerialTargetKind::SpaprVioSerial));
    let ports = ports.map(|it| (SERIAL_PORTS, &mut it.info.address));
    let mut places: Vec<(u64, &mut SpaprVioAddress)> = cards
        .chain(drives)
        .chain(ports)
        .filter_map(|(first, address)| match address {
            Some(Address::SpaprVio(place)) => Some((first, place)),
            _ => None,
        })
        .collect();
    let mut taken = std::collections::BTreeSet::new();
    for reg in places.iter().filter_map(|(_, place)| place.reg) {
        if !taken.insert(reg) {
            return Err(Error::xml(format!("spapr-vio address 0x{reg:x} already in use")));
        }
    }
    for (first, place) in places.iter_mut().filter(|(_, place)| place.reg.is_none()) {
        let mut reg = *first;
        while !taken.insert(reg) {
            reg = reg.saturating_add(STEP);
        }
        place.reg = Some(reg);
    }
    Ok(())
}
