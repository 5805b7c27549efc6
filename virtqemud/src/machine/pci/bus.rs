//! Buses, slots and functions, and who has them.
//!
//! The first pass over a guest runs with [`Buses::growing`]: where nothing is free, a controller is thought up that would give a
//! place. The second pass runs over the buses of the controllers that exist then, and only fills them.

use virtbus_api::{Error, ErrorCode, Result};

use super::Connect;

/// Bus, slot and function; the PCI domain is always 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Index of the controller.
    pub bus: u32,
    /// 0 to 31.
    pub slot: u32,
    /// 0 to 7.
    pub function: u32,
}

impl Place {
    /// Function 0 of a slot of the root bus.
    #[must_use]
    pub const fn root(slot: u32, function: u32) -> Self {
        Self { bus: 0, slot, function }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "0000:{:02x}:{:02x}.{:x}", self.bus, self.slot, self.function)
    }
}

/// The PCI controllers, as far as addresses go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// The conventional root bus.
    PciRoot,
    /// The PCI Express root complex.
    PcieRoot,
    /// A conventional bridge.
    PciBridge,
    /// Conventional bridge on the root complex, of old guests.
    DmiToPciBridge,
    /// Conventional bridge below a PCI Express port.
    PcieToPciBridge,
    /// A port of the root complex.
    PcieRootPort,
    /// A switch.
    SwitchUpstream,
    /// A port of a switch.
    SwitchDownstream,
    /// A further conventional root.
    PciExpander,
    /// A further root complex.
    PcieExpander,
}

impl Model {
    /// What can be plugged into it: kinds, first and last slot.
    fn accepts(self) -> (Connect, u32, u32) {
        match self {
            Model::PciRoot => (Connect::HOTPLUG | Connect::PCI | Connect::PCI_BRIDGE | Connect::PCI_EXPANDER, 1, 31),
            // Slot 0 belongs to the bridge's hot-plug controller.
            Model::PciBridge | Model::PcieToPciBridge => (Connect::HOTPLUG | Connect::PCI | Connect::PCI_BRIDGE, 1, 31),
            Model::PciExpander => (Connect::HOTPLUG | Connect::PCI | Connect::PCI_BRIDGE, 0, 31),
            // Devices here cannot be plugged while the guest runs, so those that may are sent below a port.
            Model::PcieRoot => (
                Connect::PCI | Connect::PCIE | Connect::ROOT_PORT | Connect::DMI_TO_PCI | Connect::PCIE_EXPANDER,
                1,
                31,
            ),
            Model::DmiToPciBridge => (Connect::PCI | Connect::PCI_BRIDGE, 0, 31),
            Model::PcieRootPort | Model::SwitchDownstream => {
                (Connect::HOTPLUG | Connect::PCIE | Connect::SWITCH_UPSTREAM | Connect::PCIE_TO_PCI, 0, 0)
            }
            Model::SwitchUpstream => (Connect::SWITCH_DOWNSTREAM, 0, 31),
            Model::PcieExpander => (Connect::ROOT_PORT | Connect::DMI_TO_PCI, 0, 31),
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// One bit per function in use.
    functions: u8,
    /// Whether more functions may be put beside the first: so far only root ports share a slot.
    shared: bool,
}

#[derive(Debug, Clone)]
struct Bus {
    model: Model,
    accepts: Connect,
    first: u32,
    last: u32,
    slots: [Slot; 32],
}

impl Bus {
    fn new(model: Model) -> Self {
        let (accepts, first, last) = model.accepts();
        Self { model, accepts, first, last, slots: [Slot::default(); 32] }
    }

    fn slot(&mut self, number: u32) -> Option<&mut Slot> {
        usize::try_from(number).ok().and_then(|it| self.slots.get_mut(it))
    }

    /// A free function, from `from` on.
    fn free(&self, wants: Connect, function: u32) -> Option<(u32, u32)> {
        let numbered = (0..).zip(&self.slots).filter(|(number, _)| (self.first..=self.last).contains(number));
        for (number, slot) in numbered {
            if slot.functions == 0 {
                return Some((number, function));
            }
            if wants.contains(Connect::SHARE_SLOT) && slot.shared {
                let free = (function..8).find(|it| slot.functions & (1 << it) == 0);
                if let Some(free) = free {
                    return Some((number, free));
                }
            }
        }
        None
    }

    /// Whether nothing more fits.
    fn is_full(&self) -> bool {
        let numbered = (0..).zip(&self.slots).filter(|(number, _)| (self.first..=self.last).contains(number));
        numbered.into_iter().all(|(_, slot)| slot.functions != 0)
    }
}

/// All buses of a guest, by index; an index without a controller has no bus yet.
#[derive(Debug, Clone, Default)]
pub struct Buses {
    buses: Vec<Bus>,
    growing: bool,
}

impl Buses {
    /// No buses; `growing` allows to think up controllers.
    #[must_use]
    pub fn new(growing: bool) -> Self {
        Self { buses: Vec::new(), growing }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        u32::try_from(self.buses.len()).unwrap_or(u32::MAX)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buses.is_empty()
    }

    /// The model of a bus.
    #[must_use]
    pub fn model(&self, bus: u32) -> Option<Model> {
        self.buses.get(usize::try_from(bus).ok()?).map(|it| it.model)
    }

    /// Adds the bus of a controller at the end.
    pub fn push(&mut self, model: Model) {
        self.buses.push(Bus::new(model));
    }

    /// Whether every slot of every bus is taken.
    #[must_use]
    pub fn full(&self) -> bool {
        self.buses.iter().all(Bus::is_full)
    }

    fn bus(&mut self, number: u32) -> Option<&mut Bus> {
        usize::try_from(number).ok().and_then(|it| self.buses.get_mut(it))
    }

    /// Whether anything is in a slot.
    pub fn in_use(&mut self, place: Place) -> bool {
        self.bus(place.bus).and_then(|bus| bus.slot(place.slot)).is_some_and(|slot| slot.functions != 0)
    }

    /// Takes a place. `asked` tells a place of the document from one that was found here: the first is believed where the
    /// guest can work, and faults are the document's.
    ///
    /// # Errors
    /// There is no such place, it is taken, or the bus does not accept such a device.
    pub fn reserve(&mut self, place: Place, wants: Connect, asked: bool) -> Result<()> {
        if place.bus >= self.len() && self.growing {
            self.grow(place.bus - self.len() + 1, wants)?;
        }
        let known = self.len();
        let fault = |text: String| if asked { Error::xml(text) } else { Error::internal(text) };
        let Some(bus) = self.bus(place.bus) else {
            return Err(fault(format!(
                "Invalid PCI address {place}. Only PCI buses up to {} are available",
                known.saturating_sub(1)
            )));
        };
        if place.slot < bus.first || place.slot > bus.last {
            let (first, last) = (bus.first, bus.last);
            return Err(fault(format!("Invalid PCI address {place}. slot must be >= {first} and <= {last}")));
        }
        if !fits(wants, bus.accepts, asked) {
            return Err(fault(format!(
                "The device at PCI address {place} cannot be plugged into the PCI controller with index='{}'. It requires a controller that accepts a {}.",
                place.bus,
                wants.needed()
            )));
        }
        let Some(slot) = bus.slot(place.slot) else {
            return Err(fault(format!("Invalid PCI address {place}")));
        };
        let bit = 1u8
            .checked_shl(place.function)
            .ok_or_else(|| fault(format!("Invalid PCI address {place}. function must be <= 7")))?;
        if slot.functions & bit != 0 {
            return Err(fault(format!("Attempted double use of PCI Address {place}")));
        }
        if slot.functions == 0 && wants.contains(Connect::SHARE_SLOT) {
            slot.shared = true;
        }
        slot.functions |= bit;
        Ok(())
    }

    /// Finds a free place, function `function` of a slot, and takes it.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` when there is none and none can be made.
    pub fn find(&mut self, wants: Connect, function: u32) -> Result<Place> {
        if self.buses.is_empty() {
            return Err(Error::new(ErrorCode::XmlError, "No PCI buses available"));
        }
        if let Some(place) = self.search(wants, function) {
            self.reserve(place, wants, false)?;
            return Ok(place);
        }
        if self.growing {
            self.grow(1, wants)?;
            if let Some(place) = self.search(wants, function) {
                self.reserve(place, wants, false)?;
                return Ok(place);
            }
        }
        Err(Error::internal("No more available PCI slots"))
    }

    fn search(&self, wants: Connect, function: u32) -> Option<Place> {
        let mut buses = (0..).zip(&self.buses).filter(|(_, bus)| fits(wants, bus.accepts, false));
        buses.find_map(|(number, bus)| {
            let (slot, function) = bus.free(wants, function)?;
            Some(Place { bus: number, slot, function })
        })
    }

    /// Thinks up `count` controllers so that a device of this kind fits the last of them.
    fn grow(&mut self, count: u32, wants: Connect) -> Result<()> {
        let mut count = count;
        let refused = || {
            Error::internal(format!(
                "Cannot automatically add a new PCI bus for a device with connect flags {:x}",
                wants.bits()
            ))
        };
        let model = if wants.intersects(Connect::PCI | Connect::PCI_BRIDGE) {
            if !self.buses.iter().any(|bus| bus.accepts.contains(Connect::PCI_BRIDGE)) {
                // A machine with PCI Express only: the first conventional bus hangs below a port of its own.
                self.push(Model::PcieRootPort);
                if let Some(slot) = self.buses.last_mut().and_then(|port| port.slot(0)) {
                    slot.functions = 1;
                }
                self.push(Model::PcieToPciBridge);
                count = count.saturating_sub(2);
            }
            Model::PciBridge
        } else if wants.intersects(Connect::PCIE | Connect::SWITCH_UPSTREAM) {
            Model::PcieRootPort
        } else {
            return Err(refused());
        };
        if self.len().saturating_add(count) > 256 {
            return Err(Error::internal("No more available PCI slots"));
        }
        for _ in 0..count {
            self.push(model);
        }
        Ok(())
    }
}

/// Whether a device fits a bus. What the document asks for may disregard PCI versus PCI Express and plugging while running.
fn fits(wants: Connect, mut accepts: Connect, asked: bool) -> bool {
    if asked {
        if accepts.intersects(Connect::ENDPOINT) {
            // A bridge is a device to any slot that takes devices.
            accepts |= Connect::ENDPOINT | Connect::PCI_BRIDGE;
        }
        accepts |= Connect::HOTPLUG;
    }
    if wants.contains(Connect::HOTPLUG) && !accepts.contains(Connect::HOTPLUG) {
        return false;
    }
    wants.intersects(accepts & Connect::KINDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLUGGABLE_PCIE: Connect = Connect::PCIE.union(Connect::HOTPLUG);
    const PLUGGABLE_PCI: Connect = Connect::PCI.union(Connect::HOTPLUG);
    const PORT: Connect = Connect::ROOT_PORT.union(Connect::SHARE_SLOT);

    #[test]
    fn conventional_slots_in_order() {
        let mut buses = Buses::new(false);
        buses.push(Model::PciRoot);
        assert_eq!(buses.find(PLUGGABLE_PCI, 0).expect("free"), Place::root(1, 0));
        buses.reserve(Place::root(2, 0), PLUGGABLE_PCI, true).expect("free");
        assert_eq!(buses.find(PLUGGABLE_PCI, 0).expect("free"), Place::root(3, 0));
        let error = buses.reserve(Place::root(2, 0), PLUGGABLE_PCI, true).expect_err("taken");
        assert_eq!(error.code, ErrorCode::XmlError);
    }

    #[test]
    fn ports_share_slots_and_devices_make_ports() {
        let mut buses = Buses::new(true);
        buses.push(Model::PcieRoot);
        for bus in 1..4 {
            assert_eq!(buses.find(PLUGGABLE_PCIE, 0).expect("grows"), Place { bus, slot: 0, function: 0 });
        }
        for function in 0..8 {
            assert_eq!(buses.find(PORT, 0).expect("free"), Place::root(1, function));
        }
        assert_eq!(buses.find(PORT, 0).expect("free"), Place::root(2, 0));
    }

    #[test]
    fn a_conventional_device_on_express_gets_port_and_bridge() {
        let mut buses = Buses::new(true);
        buses.push(Model::PcieRoot);
        assert_eq!(buses.find(PLUGGABLE_PCI, 0).expect("grows"), Place { bus: 2, slot: 1, function: 0 });
        assert_eq!(buses.model(1), Some(Model::PcieRootPort));
        assert_eq!(buses.model(2), Some(Model::PcieToPciBridge));
        assert!(buses.find(Connect::PCIE_EXPANDER | Connect::HOTPLUG, 0).is_err());
    }
}
