//! Places on USB: root ports by controller, a hub where they do not suffice.

use std::collections::BTreeSet;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::Address;
use virtbus_schema::domain::device::address::UsbAddress;
use virtbus_schema::domain::device::chardev::SerialTargetKind;
use virtbus_schema::domain::device::controller::{Controller, ControllerKind};
use virtbus_schema::domain::device::disk::DiskBus;
use virtbus_schema::domain::device::input::InputBus;
use virtbus_schema::domain::device::sound::SoundModel;
use virtbus_schema::domain::{Devices, Domain};

/// Root ports of a controller model.
fn ports(it: &Controller) -> u32 {
    match it.model.as_deref() {
        Some("piix3-uhci" | "piix4-uhci" | "ich9-uhci1" | "ich9-uhci2" | "ich9-uhci3" | "vt82c686b-uhci") => 2,
        Some("ehci" | "ich9-ehci1") => 6,
        Some("pci-ohci") => 3,
        Some("nec-xhci" | "qemu-xhci") => it.ports.unwrap_or(4),
        Some("qusb1" | "qusb2") => it.ports.unwrap_or(8),
        _ => 0,
    }
}

/// A root hub and what is taken on it, ports as written, `1` or `1.2`.
struct Bus {
    number: u32,
    ports: u32,
    taken: BTreeSet<String>,
}

/// All devices of a document that sit on USB, in the order they are served.
fn each(devices: &mut Devices, visit: &mut dyn FnMut(&mut Option<Address>) -> Result<()>) -> Result<()> {
    for it in devices.disks.iter_mut().filter(|it| it.target.bus == Some(DiskBus::Usb)) {
        visit(&mut it.info.address)?;
    }
    for it in devices.interfaces.iter_mut().filter(|it| it.model.as_deref() == Some("usb-net")) {
        visit(&mut it.info.address)?;
    }
    for it in devices.sounds.iter_mut().filter(|it| it.model == SoundModel::Usb) {
        visit(&mut it.info.address)?;
    }
    for it in devices.controllers.iter_mut().filter(|it| it.kind == ControllerKind::Ccid) {
        visit(&mut it.info.address)?;
    }
    let is_usb = |kind: Option<SerialTargetKind>| kind == Some(SerialTargetKind::UsbSerial);
    for it in devices.serials.iter_mut().filter(|it| is_usb(it.target.as_ref().and_then(|it| it.kind))) {
        visit(&mut it.info.address)?;
    }
    for it in devices.inputs.iter_mut().filter(|it| it.bus == Some(InputBus::Usb)) {
        visit(&mut it.info.address)?;
    }
    Ok(())
}

/// Places what has none.
///
/// # Errors
/// USB is switched off, a port is taken twice or does not exist, or there is no port left.
pub(super) fn addresses(domain: &mut Domain) -> Result<()> {
    let devices = &mut domain.devices;
    let mut buses: Vec<Bus> = Vec::new();
    for it in devices.controllers.iter().filter(|it| it.kind == ControllerKind::Usb) {
        let number = it.index.unwrap_or(0);
        // UHCI companions give their ports through the controller they accompany.
        match buses.iter_mut().find(|bus| bus.number == number) {
            Some(bus) => bus.ports = bus.ports.max(ports(it)),
            None => buses.push(Bus { number, ports: ports(it), taken: BTreeSet::new() }),
        }
    }
    let mut without = 0_u32;
    each(devices, &mut |address| match address {
        Some(Address::Usb(it)) if it.port.is_some() => take(&mut buses, it),
        _ => {
            without += 1;
            Ok(())
        }
    })?;
    if without == 0 {
        return Ok(());
    }
    if buses.iter().all(|bus| bus.ports == 0) {
        return Err(Error::unsupported_config("USB is disabled for this domain, but USB devices are present in the domain XML"));
    }
    each(devices, &mut |address| {
        let bus = match address {
            Some(Address::Usb(it)) if it.port.is_some() => return Ok(()),
            Some(Address::Usb(it)) if it.bus != 0 => Some(it.bus),
            _ => None,
        };
        *address = Some(Address::Usb(free(&mut buses, bus)?));
        Ok(())
    })
}

fn take(buses: &mut [Bus], address: &UsbAddress) -> Result<()> {
    let Some(port) = &address.port else { return Ok(()) };
    let Some(bus) = buses.iter_mut().find(|bus| bus.number == address.bus) else {
        return Err(Error::xml(format!("Missing USB bus {}", address.bus)));
    };
    let first = address.ports().next().unwrap_or(0);
    if first == 0 || first > bus.ports {
        return Err(Error::xml(format!("port {port} out of range in USB address bus: {} port: {port}", address.bus)));
    }
    if !bus.taken.insert(port.clone()) {
        return Err(Error::xml(format!("Duplicate USB address bus {} port {port}", address.bus)));
    }
    Ok(())
}

fn free(buses: &mut [Bus], wanted: Option<u32>) -> Result<UsbAddress> {
    for bus in buses.iter_mut().filter(|bus| wanted.is_none_or(|it| it == bus.number)) {
        let port = (1..=bus.ports).map(|it| it.to_string()).find(|it| !bus.taken.contains(it));
        if let Some(port) = port {
            bus.taken.insert(port.clone());
            return Ok(UsbAddress { bus: bus.number, port: Some(port) });
        }
    }
    Err(Error::internal("No free USB ports"))
}
