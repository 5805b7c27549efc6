//! Who gets which place: what the chipset fixes first, then everything else in one order.

use std::collections::HashSet;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::address::{Multifunction, PciAddress};
use virtbus_schema::domain::device::controller::{
    Controller, ControllerKind, ControllerTarget, PciControllerModelName,
};
use virtbus_schema::domain::device::sound::SoundModel;
use virtbus_schema::domain::device::video::VideoKind;
use virtbus_schema::domain::device::{Address, Devices};

use super::bus::{Buses, Model, Place};
use super::connect::{Connect, Seat};
use crate::machine::{Board, controller};

/// Places all PCI devices that have no place, adding controllers where needed. `fresh` is a guest being defined: it gets one
/// spare port to plug into, if its document leaves PCI controllers to us.
///
/// # Errors
/// No room, or places of the document that cannot be.
pub(crate) fn addresses(domain: &mut Domain, fresh: bool) -> Result<()> {
    let board = Board::of_domain(domain);
    if !board.has_pci() {
        return without_pci(domain);
    }
    let last = |domain: &Domain| {
        let pci = domain.devices.controllers.iter().filter(|it| it.kind == ControllerKind::Pci);
        pci.filter_map(|it| it.index).max().unwrap_or(0)
    };
    let asked = last(domain);
    // A rehearsal on a copy finds out how many buses are needed; then the controllers are added, and all is done for real.
    let mut rehearsal = domain.clone();
    let mut buses = buses_of(&rehearsal, board, true)?;
    collect(&mut rehearsal, &mut buses)?;
    chipset(&mut rehearsal, &mut buses, board)?;
    if board == Board::I440fx && !buses.full() {
        // One slot for a bridge, so that a guest that outgrows its bus can have one.
        buses.find(Connect::PCI_BRIDGE | Connect::HOTPLUG, 0)?;
    }
    serve(&mut rehearsal, &mut buses, board)?;
    if fresh && board == Board::Q35 && asked == 0 && buses.len() > 1 {
        buses.find(Connect::PCIE | Connect::HOTPLUG, 0)?;
    }
    for index in 1..buses.len() {
        let Some(model) = buses.model(index) else { continue };
        let known =
            domain.devices.controllers.iter().any(|it| it.kind == ControllerKind::Pci && it.index == Some(index));
        if !known {
            let mut new = Controller::new(ControllerKind::Pci, index);
            new.model = Some(name_of(model).to_owned());
            controller::insert(&mut domain.devices.controllers, new);
        }
    }
    let mut buses = buses_of(domain, board, false)?;
    collect(domain, &mut buses)?;
    chipset(domain, &mut buses, board)?;
    serve(domain, &mut buses, board)?;
    for at in 0..domain.devices.controllers.len() {
        settle(&mut domain.devices.controllers, at);
    }
    share(domain);
    Ok(())
}

/// A machine without PCI can have no device that wants it.
fn without_pci(domain: &mut Domain) -> Result<()> {
    let devices = &mut domain.devices;
    if devices.controllers.iter().any(|it| it.kind == ControllerKind::Pci && it.model.is_none()) {
        return Err(Error::internal("PCI controller model was not set correctly"));
    }
    for seat in Seat::all(devices) {
        if matches!(seat.address(devices), Some(Address::Pci(it)) if !it.is_empty()) {
            return Err(Error::xml("No PCI buses available"));
        }
        // Whether there can be IDE is a question of the machine.
        if !seat.is_ide(devices) && seat.wants(devices, Board::Other).is_some() && wanted(seat.address(devices)) {
            return Err(Error::xml("No PCI buses available"));
        }
    }
    Ok(())
}

fn model_of(it: &Controller) -> Option<Model> {
    Some(match it.model.as_deref()? {
        "pci-root" => Model::PciRoot,
        "pcie-root" => Model::PcieRoot,
        "pci-bridge" => Model::PciBridge,
        "dmi-to-pci-bridge" => Model::DmiToPciBridge,
        "pcie-to-pci-bridge" => Model::PcieToPciBridge,
        "pcie-root-port" => Model::PcieRootPort,
        "pcie-switch-upstream-port" => Model::SwitchUpstream,
        "pcie-switch-downstream-port" => Model::SwitchDownstream,
        "pci-expander-bus" => Model::PciExpander,
        "pcie-expander-bus" => Model::PcieExpander,
        _ => return None,
    })
}

fn name_of(model: Model) -> &'static str {
    match model {
        Model::PciRoot => "pci-root",
        Model::PcieRoot => "pcie-root",
        Model::PciBridge => "pci-bridge",
        Model::DmiToPciBridge => "dmi-to-pci-bridge",
        Model::PcieToPciBridge => "pcie-to-pci-bridge",
        Model::PcieRootPort => "pcie-root-port",
        Model::SwitchUpstream => "pcie-switch-upstream-port",
        Model::SwitchDownstream => "pcie-switch-downstream-port",
        Model::PciExpander => "pci-expander-bus",
        Model::PcieExpander => "pcie-expander-bus",
    }
}

/// The highest number of a PCI bus: it has eight bits.
const MOST_BUSES: u32 = 255;

/// The buses of the controllers there are. A hole in their numbers is filled with what the board has most of.
fn buses_of(domain: &Domain, board: Board, growing: bool) -> Result<Buses> {
    let mut buses = Buses::new(growing);
    let controllers = || domain.devices.controllers.iter().filter(|it| it.kind == ControllerKind::Pci);
    let last = controllers().filter_map(|it| it.index).max().unwrap_or(0);
    if last > MOST_BUSES {
        return Err(Error::internal(format!(
            "a PCI slot is needed for each bus up to index {last} of a PCI controller, but a guest has no more than {MOST_BUSES}"
        )));
    }
    for index in 0..=last {
        let mut here = controllers().filter(|it| it.index == Some(index));
        let Some(found) = here.next() else {
            buses.push(if board == Board::Q35 { Model::PcieRootPort } else { Model::PciBridge });
            continue;
        };
        if here.next().is_some() {
            return Err(Error::xml(format!("Multiple 'pci' controllers with index '{index}'")));
        }
        let Some(model) = model_of(found) else {
            return Err(Error::internal("PCI controller model was not set correctly"));
        };
        buses.push(model);
    }
    Ok(buses)
}

/// Takes the places the document names.
fn collect(domain: &mut Domain, buses: &mut Buses) -> Result<()> {
    let board = Board::of_domain(domain);
    for seat in Seat::all(&domain.devices) {
        let Some(Address::Pci(it)) = seat.address(&mut domain.devices).clone() else { continue };
        if it.is_empty() {
            continue;
        }
        if it.domain != 0 {
            return Err(Error::xml(format!(
                "Invalid PCI address {:04x}:{:02x}:{:02x}.{:x}. Only PCI domain 0 is available",
                it.domain, it.bus, it.slot, it.function
            )));
        }
        let place = Place { bus: it.bus, slot: it.slot, function: it.function };
        if board == Board::I440fx && seat.is_part_of_piix3(&domain.devices) && place.bus == 0 && place.slot == 1 {
            // Slot 1 is taken as a whole below.
            continue;
        }
        let Some(wants) = seat.wants(&domain.devices, board) else { continue };
        buses.reserve(place, wants, true)?;
    }
    Ok(())
}

/// What the chipset fixes.
fn chipset(domain: &mut Domain, buses: &mut Buses, board: Board) -> Result<()> {
    match board {
        Board::I440fx => piix3(domain, buses),
        Board::Q35 => ich9(domain, buses),
        _ => Ok(()),
    }
}

fn serve(domain: &mut Domain, buses: &mut Buses, board: Board) -> Result<()> {
    for seat in Seat::in_order_of_service(&domain.devices) {
        if !wanted(seat.address(&mut domain.devices)) {
            continue;
        }
        let Some(wants) = seat.wants(&domain.devices, board) else { continue };
        let place = match companion(&domain.devices, seat) {
            Some((function, Some(with))) => {
                let place = Place { function, ..with };
                buses.reserve(place, PCI, true)?;
                place
            }
            Some((function, None)) => buses.find(wants, function)?,
            None => buses.find(wants, 0)?,
        };
        let is_first = companion(&domain.devices, seat).is_some_and(|(function, _)| function == 0);
        put(seat.address(&mut domain.devices), place);
        if let (true, Some(Address::Pci(it))) = (is_first, seat.address(&mut domain.devices)) {
            // The rest of the set may come later.
            it.multifunction.get_or_insert(Multifunction::On);
        }
    }
    Ok(())
}

/// The controllers of an ICH9 USB set share a slot, each with a function of its own: that function, and where another of the
/// set is already.
fn companion(devices: &Devices, seat: Seat) -> Option<(u32, Option<Place>)> {
    let Seat::Controller(at) = seat else { return None };
    let function = |it: &Controller| match (it.kind, it.model.as_deref()?) {
        (ControllerKind::Usb, "ich9-ehci1") => Some(7),
        (ControllerKind::Usb, "ich9-uhci1") => Some(0),
        (ControllerKind::Usb, "ich9-uhci2") => Some(1),
        (ControllerKind::Usb, "ich9-uhci3") => Some(2),
        _ => None,
    };
    let it = devices.controllers.get(at)?;
    let own = function(it)?;
    let others = devices.controllers.iter().filter(|other| other.index == it.index && function(other).is_some());
    let with = others.into_iter().find_map(|other| match &other.info.address {
        Some(Address::Pci(there)) if !there.is_empty() => Some(Place { bus: there.bus, slot: there.slot, function: 0 }),
        _ => None,
    });
    Some((own, with))
}

/// Whether a place on PCI is still to be found.
fn wanted(address: &Option<Address>) -> bool {
    match address {
        None => true,
        Some(Address::Pci(it)) => it.is_empty(),
        Some(_) => false,
    }
}

fn put(address: &mut Option<Address>, place: Place) {
    let mut it = PciAddress::new(place.bus, place.slot, place.function);
    if let Some(Address::Pci(old)) = address {
        it.zpci = old.zpci;
    }
    *address = Some(Address::Pci(it));
}

/// Gives a device a place the chipset fixes for it, or complains about another.
fn fix(address: &mut Option<Address>, place: Place, what: &str) -> Result<()> {
    if wanted(address) {
        put(address, place);
        return Ok(());
    }
    let there = matches!(address, Some(Address::Pci(it)) if it.bus == place.bus && it.slot == place.slot && it.function == place.function);
    if there {
        return Ok(());
    }
    Err(Error::internal(format!("{what} must have PCI address 0:0:{:x}.{:x}", place.slot, place.function)))
}

const PCI: Connect = Connect::PCI;

/// Slot 1 of i440FX machines is the PIIX3: ISA bridge, IDE, USB. The first screen is in slot 2.
fn piix3(domain: &mut Domain, buses: &mut Buses) -> Result<()> {
    for it in &mut domain.devices.controllers {
        match it.kind {
            ControllerKind::Ide if it.index == Some(0) => {
                let place = Place::root(1, 1);
                let free = wanted(&it.info.address);
                fix(&mut it.info.address, place, "Primary IDE controller")?;
                if free {
                    buses.reserve(place, PCI, true)?;
                }
            }
            ControllerKind::Usb
                if it.index == Some(0) && it.model.as_deref() == Some("piix3-uhci") && wanted(&it.info.address) =>
            {
                buses.reserve(Place::root(1, 2), PCI, true)?;
                put(&mut it.info.address, Place::root(1, 2));
            }
            ControllerKind::Usb if it.index == Some(0) && it.model.as_deref() == Some("piix3-uhci") => {
                fix(&mut it.info.address, Place::root(1, 2), "PIIX3 USB controller at index 0")?;
            }
            _ => {}
        }
    }
    // The bridge itself, and its power management.
    buses.reserve(Place::root(1, 0), PCI, true)?;
    buses.reserve(Place::root(1, 3), PCI, true)?;
    screen(domain, buses, Place::root(2, 0))
}

/// The first screen has a place of its own, if nothing else is there.
fn screen(domain: &mut Domain, buses: &mut Buses, place: Place) -> Result<()> {
    let Some(video) = domain.devices.videos.first() else { return Ok(()) };
    let kind = video.model.as_ref().map_or(VideoKind::Default, |it| it.kind);
    if matches!(kind, VideoKind::None | VideoKind::Ramfb | VideoKind::Gop) || !wanted(&video.info.address) {
        return Ok(());
    }
    let place = if buses.in_use(place) {
        // Whatever sits there was put there by the document; the screen is still the first to be served.
        let Some(wants) = Seat::Video(0).wants(&domain.devices, Board::of_domain(domain)) else { return Ok(()) };
        buses.find(wants, 0)?
    } else {
        buses.reserve(place, PCI, false)?;
        place
    };
    if let Some(video) = domain.devices.videos.first_mut() {
        put(&mut video.info.address, place);
    }
    Ok(())
}

/// The ICH9 of Q35 machines is in slot 1f: LPC bridge, SATA, SMBus; its USB likes 1d and 1a, its sound 1b.
fn ich9(domain: &mut Domain, buses: &mut Buses) -> Result<()> {
    for it in &mut domain.devices.controllers {
        match (it.kind, it.model.as_deref()) {
            (ControllerKind::Sata, _) if it.index == Some(0) => {
                let place = Place::root(0x1f, 2);
                let free = wanted(&it.info.address);
                fix(&mut it.info.address, place, "Primary SATA controller")?;
                if free {
                    buses.reserve(place, PCI, true)?;
                }
            }
            (ControllerKind::Usb, Some("ich9-uhci1")) if wanted(&it.info.address) => {
                let slots = [0x1d, 0x1a].map(|slot| Place::root(slot, 0));
                if let Some(place) = slots.into_iter().find(|place| !buses.in_use(*place)) {
                    buses.reserve(place, PCI, false)?;
                    put(&mut it.info.address, place);
                    if let Some(Address::Pci(it)) = &mut it.info.address {
                        it.multifunction.get_or_insert(Multifunction::On);
                    }
                }
            }
            (ControllerKind::Pci, Some("dmi-to-pci-bridge")) if wanted(&it.info.address) => {
                let place = Place::root(0x1e, 0);
                if !buses.in_use(place) {
                    buses.reserve(place, Connect::DMI_TO_PCI, false)?;
                    put(&mut it.info.address, place);
                }
            }
            _ => {}
        }
    }
    buses.reserve(Place::root(0x1f, 0), PCI, true)?;
    buses.reserve(Place::root(0x1f, 3), PCI, true)?;
    for it in domain.devices.sounds.iter_mut().filter(|it| it.model == SoundModel::Ich9 && wanted(&it.info.address)) {
        let place = Place::root(0x1b, 0);
        if !buses.in_use(place) {
            buses.reserve(place, PCI, false)?;
            put(&mut it.info.address, place);
        }
    }
    screen(domain, buses, Place::root(1, 0))
}

/// The chip of a PCI controller, and how the guest counts it.
fn settle(controllers: &mut [Controller], at: usize) {
    let used: Vec<u32> = controllers
        .iter()
        .filter(|it| it.kind == ControllerKind::Pci)
        .filter_map(|it| it.target.as_ref().and_then(|target| target.bus_nr))
        .collect();
    let Some(it) = controllers.get_mut(at).filter(|it| it.kind == ControllerKind::Pci) else { return };
    let index = it.index.unwrap_or(0);
    let place = match &it.info.address {
        Some(Address::Pci(place)) => (place.slot << 3) | place.function,
        _ => 0,
    };
    let Some(model) = model_of(it) else { return };
    use PciControllerModelName as Chip;
    let chip = match model {
        Model::PciRoot | Model::PcieRoot => return,
        Model::PciBridge => Chip::PciBridge,
        Model::DmiToPciBridge => Chip::I82801b11Bridge,
        Model::PcieToPciBridge => Chip::PciePciBridge,
        Model::PcieRootPort => Chip::PcieRootPort,
        Model::SwitchUpstream => Chip::X3130Upstream,
        Model::SwitchDownstream => Chip::Xio3130Downstream,
        Model::PciExpander => Chip::Pxb,
        Model::PcieExpander => Chip::PxbPcie,
    };
    it.model_name.get_or_insert(chip);
    match model {
        Model::PciBridge => {
            it.target.get_or_insert_with(ControllerTarget::default).chassis_nr.get_or_insert(index);
        }
        Model::PcieRootPort | Model::SwitchDownstream => {
            let target = it.target.get_or_insert_with(ControllerTarget::default);
            target.chassis.get_or_insert(index);
            // Ports of a switch have its slots to themselves; root ports share slots.
            target.port.get_or_insert(if model == Model::SwitchDownstream { place >> 3 } else { place });
        }
        Model::PciExpander | Model::PcieExpander => {
            let target = it.target.get_or_insert_with(ControllerTarget::default);
            if target.bus_nr.is_none() {
                // From the top down, leaving room for the buses below each expander.
                let lowest = used.iter().copied().min().unwrap_or(256);
                target.bus_nr = Some(lowest.saturating_sub(2).max(1));
            }
        }
        _ => {}
    }
}

/// Function 0 of a slot says whether the slot has more.
fn share(domain: &mut Domain) {
    let mut shared: HashSet<(u32, u32)> = HashSet::new();
    let seats = Seat::all(&domain.devices);
    for seat in &seats {
        if let Some(Address::Pci(it)) = seat.address(&mut domain.devices)
            && it.function != 0
        {
            shared.insert((it.bus, it.slot));
        }
    }
    for seat in &seats {
        if let Some(Address::Pci(it)) = seat.address(&mut domain.devices)
            && it.function == 0
            && !it.is_empty()
            && shared.contains(&(it.bus, it.slot))
        {
            it.multifunction.get_or_insert(Multifunction::On);
        }
    }
}
