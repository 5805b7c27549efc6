//! Places on USB: root ports by controller, and hubs where they do not suffice.

use std::collections::BTreeMap;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::address::UsbAddress;
use virtbus_schema::domain::device::chardev::SerialTargetKind;
use virtbus_schema::domain::device::controller::{Controller, ControllerKind};
use virtbus_schema::domain::device::disk::DiskBus;
use virtbus_schema::domain::device::hostdev::HostdevKind;
use virtbus_schema::domain::device::input::InputBus;
use virtbus_schema::domain::device::small::{Hub, HubKind};
use virtbus_schema::domain::device::sound::SoundModel;
use virtbus_schema::domain::device::{Address, Info};
use virtbus_schema::domain::{Devices, Domain};

use crate::device::filesystem::is_mtp;

/// Ports of a hub.
const HUB_PORTS: u32 = 8;

/// Root ports of a controller model.
fn root_ports(it: &Controller) -> u32 {
    match it.model.as_deref() {
        Some("piix3-uhci" | "piix4-uhci" | "ich9-uhci1" | "ich9-uhci2" | "ich9-uhci3" | "vt82c686b-uhci") => 2,
        Some("ehci" | "ich9-ehci1") => 6,
        Some("pci-ohci") => 3,
        Some("nec-xhci" | "qemu-xhci") => it.ports.unwrap_or(4),
        Some("qusb1" | "qusb2") => it.ports.unwrap_or(8),
        _ => 0,
    }
}

/// A root hub or hub: what sits on which of its ports.
struct Ports {
    count: u32,
    taken: BTreeMap<u32, Option<Ports>>,
}

impl Ports {
    fn new(count: u32) -> Self {
        Self { count, taken: BTreeMap::new() }
    }

    /// How many ports are free, hubs below included.
    fn free(&self) -> u32 {
        let own = self.count.saturating_sub(u32::try_from(self.taken.len()).unwrap_or(u32::MAX));
        self.taken.values().flatten().map(Ports::free).fold(own, u32::saturating_add)
    }

    /// The first free port: here, else below.
    fn find(&mut self, path: &mut Vec<u32>, hub: bool) -> bool {
        if let Some(port) = (1..=self.count).find(|port| !self.taken.contains_key(port)) {
            self.taken.insert(port, hub.then(|| Ports::new(HUB_PORTS)));
            path.push(port);
            return true;
        }
        for (port, below) in &mut self.taken {
            let Some(below) = below else { continue };
            path.push(*port);
            if below.find(path, hub) {
                return true;
            }
            path.pop();
        }
        false
    }

    /// Takes a port by its path.
    fn take(&mut self, path: &[u32], hub: bool, shown: &UsbAddress) -> Result<()> {
        let said = || format!("USB address bus: {} port: {}", shown.bus, shown.port.as_deref().unwrap_or_default());
        let Some((port, rest)) = path.split_first() else { return Ok(()) };
        if *port == 0 || *port > self.count {
            return Err(Error::xml(format!("port {port} out of range in {}", said())));
        }
        if rest.is_empty() {
            if self.taken.contains_key(port) {
                return Err(Error::xml(format!("Duplicate {}", said())));
            }
            self.taken.insert(*port, hub.then(|| Ports::new(HUB_PORTS)));
            return Ok(());
        }
        match self.taken.get_mut(port) {
            Some(Some(below)) => below.take(rest, hub, shown),
            _ => Err(Error::xml(format!("there is no hub at port {port} in {}", said()))),
        }
    }
}

/// All devices of a document that sit on USB, hubs apart, in the order they are served.
fn each(devices: &mut Devices, visit: &mut dyn FnMut(&mut Option<Address>) -> Result<()>) -> Result<()> {
    // Another place than on USB is complained of later, or means nothing.
    let mut ask = |it: &mut Option<Address>| match it {
        None | Some(Address::Usb(_)) => visit(it),
        Some(_) => Ok(()),
    };
    for it in devices.disks.iter_mut().filter(|it| it.target.bus == Some(DiskBus::Usb)) {
        ask(&mut it.info.address)?;
    }
    for it in devices.interfaces.iter_mut().filter(|it| it.model.as_deref() == Some("usb-net")) {
        ask(&mut it.info.address)?;
    }
    for it in devices.sounds.iter_mut().filter(|it| it.model == SoundModel::Usb) {
        ask(&mut it.info.address)?;
    }
    for it in devices.hostdevs.iter_mut().filter(|it| it.device.kind == HostdevKind::Usb) {
        ask(&mut it.info.address)?;
    }
    for it in devices.controllers.iter_mut().filter(|it| it.kind == ControllerKind::Ccid) {
        ask(&mut it.info.address)?;
    }
    let is_usb = |kind: Option<SerialTargetKind>| kind == Some(SerialTargetKind::UsbSerial);
    for it in devices.serials.iter_mut().filter(|it| is_usb(it.target.as_ref().and_then(|it| it.kind))) {
        ask(&mut it.info.address)?;
    }
    for it in devices.inputs.iter_mut().filter(|it| it.bus == Some(InputBus::Usb)) {
        ask(&mut it.info.address)?;
    }
    for it in devices.filesystems.iter_mut().filter(|it| is_mtp(it)) {
        ask(&mut it.info.address)?;
    }
    for it in &mut devices.redirdevs {
        ask(&mut it.info.address)?;
    }
    Ok(())
}

fn is_placed(address: &Option<Address>) -> bool {
    matches!(address, Some(Address::Usb(it)) if it.port.is_some())
}

/// Places what has no place, adding hubs to the first bus where ports are short.
///
/// # Errors
/// USB is switched off, a port is taken twice or does not exist, or there is no port left.
pub(super) fn addresses(domain: &mut Domain) -> Result<()> {
    let devices = &mut domain.devices;
    let mut buses = buses(&devices.controllers);
    let (mut all, mut wanting) = (devices.hubs.len(), 0_u32);
    each(devices, &mut |address| {
        all += 1;
        wanting += u32::from(!is_placed(address));
        Ok(())
    })?;
    if all > 0 && buses.values().all(|it| it.count == 0) {
        return Err(Error::unsupported_config(
            "USB is disabled for this domain, but USB devices are present in the domain XML",
        ));
    }
    // Hubs first: what is below them needs them there.
    for it in devices.hubs.iter().filter(|it| is_placed(&it.info.address)) {
        take(&mut buses, &it.info.address, true)?;
    }
    each(devices, &mut |address| if is_placed(address) { take(&mut buses, address, false) } else { Ok(()) })?;
    for it in devices.hubs.iter_mut().filter(|it| !is_placed(&it.info.address)) {
        let wanted = bus_of(&it.info.address);
        it.info.address = Some(Address::Usb(find(&mut buses, wanted, true)?));
    }
    let free = buses.values().map(Ports::free).fold(0, u32::saturating_add);
    let missing = wanting.saturating_sub(free);
    // A hub takes a port and gives eight. The reference asks for one port more than is missing, and places are for good.
    let hubs = if missing > 0 { missing.saturating_add(1).div_ceil(HUB_PORTS - 1) } else { 0 };
    for _ in 0..hubs {
        let place = find(&mut buses, None, true)?;
        devices
            .hubs
            .push(Hub { kind: HubKind::Usb, info: Info { address: Some(Address::Usb(place)), ..Info::default() } });
    }
    each(devices, &mut |address| {
        if is_placed(address) {
            return Ok(());
        }
        let wanted = bus_of(address);
        *address = Some(Address::Usb(find(&mut buses, wanted, false)?));
        Ok(())
    })
}

/// The bus an address names.
fn bus_of(address: &Option<Address>) -> Option<u32> {
    match address {
        Some(Address::Usb(it)) => Some(it.bus),
        _ => None,
    }
}

/// Root hubs by number of their bus.
fn buses(controllers: &[Controller]) -> BTreeMap<u32, Ports> {
    let mut buses: BTreeMap<u32, Ports> = BTreeMap::new();
    for it in controllers.iter().filter(|it| it.kind == ControllerKind::Usb) {
        // UHCI companions give their ports through the controller they accompany.
        let bus = buses.entry(it.index.unwrap_or(0)).or_insert_with(|| Ports::new(0));
        bus.count = bus.count.max(root_ports(it));
    }
    buses
}

fn take(buses: &mut BTreeMap<u32, Ports>, address: &Option<Address>, hub: bool) -> Result<()> {
    let Some(Address::Usb(it)) = address else { return Ok(()) };
    let Some(bus) = buses.get_mut(&it.bus) else {
        return Err(Error::xml(format!("Missing USB bus {}", it.bus)));
    };
    bus.take(&it.ports().collect::<Vec<_>>(), hub, it)
}

fn find(buses: &mut BTreeMap<u32, Ports>, wanted: Option<u32>, hub: bool) -> Result<UsbAddress> {
    if let Some(number) = wanted.filter(|it| !buses.contains_key(it)) {
        return Err(Error::xml(format!("USB bus {number} requested but no controller with that index is present")));
    }
    for (number, bus) in buses.iter_mut().filter(|(number, _)| wanted.is_none_or(|it| it == **number)) {
        let mut path = Vec::new();
        if bus.find(&mut path, hub) {
            let port = path.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
            return Ok(UsbAddress { bus: *number, port: Some(port) });
        }
    }
    Err(Error::internal("No free USB ports"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hubs_give_ports_below_theirs() {
        let mut bus = Ports::new(2);
        let mut place = |hub| {
            let mut path = Vec::new();
            bus.find(&mut path, hub).then_some(path)
        };
        assert_eq!(place(true), Some(vec![1]));
        assert_eq!(place(false), Some(vec![2]));
        for port in 1..=8 {
            assert_eq!(place(false), Some(vec![1, port]));
        }
        assert_eq!(place(false), None);
    }
}
