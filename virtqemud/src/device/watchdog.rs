//! `<watchdog>`: a card, or the one in the chipset.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::watchdog::{Watchdog, WatchdogModel};

use super::address::{Place, place};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, alias};

props! {
    struct Device { driver: &'static str, id: String, #[serde(flatten)] place: Place }
}

impl QemuDevice for Watchdog {
    fn address(&self) -> AddressKind {
        if self.model == WatchdogModel::I6300esb { AddressKind::Pci } else { AddressKind::None }
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        // What a watchdog does is one option for all of them: see `process::argv`.
        let Watchdog { model, action: _, info } = self;
        let driver = match model {
            // Always there; only its pin has to be let out.
            WatchdogModel::Itco => return Ok(vec![Part::Option("-global", "ICH9-LPC.noreboot=off".to_owned())]),
            WatchdogModel::I6300esb => "i6300esb",
            WatchdogModel::Ib700 => "ib700",
            WatchdogModel::Diag288 => {
                return Err(Error::unsupported_config("diag288 model of watchdog is allowed for s390 and s390x only"));
            }
        };
        let id = alias::of(self)?;
        let place = place(info.address.as_ref(), info.acpi_index, cx)?;
        Ok(vec![Part::device(id, &Device { driver, id: id.to_owned(), place })?])
    }
}
