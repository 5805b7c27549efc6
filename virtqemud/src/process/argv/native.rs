//! A command line that is only shown (`virsh domxml-to-native`): what would have to be made on the host first is left out.

use virtbus_api::Result;
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::interface::{Interface, InterfaceKind, InterfaceMac, Script};

use crate::machine::pci;

/// Makes a complete guest one whose command line can be shown: network cards become plain taps with nothing but model and MAC
/// address, and take the first free places.
///
/// # Errors
/// There is no place for a network card.
pub fn as_shown(domain: &mut Domain) -> Result<()> {
    // A card that is handed over whole is no tap.
    for it in domain.devices.interfaces.iter_mut().filter(|it| it.kind != InterfaceKind::Hostdev) {
        let kept = Kept { mac: it.mac, model: it.model.take(), script: it.script.take() };
        *it = kept.into();
    }
    pci::assign::addresses(domain, false)?;
    crate::machine::usb_addresses(domain)
}

/// What is left of a network card.
struct Kept {
    mac: Option<InterfaceMac>,
    model: Option<String>,
    script: Option<Script>,
}

impl From<Kept> for Interface {
    fn from(it: Kept) -> Self {
        let Kept { mac, model, script } = it;
        let mut card = Self::new(InterfaceKind::Ethernet);
        (card.mac, card.model, card.script) = (mac, model, script);
        card
    }
}
