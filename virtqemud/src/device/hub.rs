//! `<hub>`: a USB hub.

use virtbus_api::Result;
use virtbus_schema::domain::device::small::{Hub, HubKind};

use super::address::{Place, place};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, alias};

props! {
    struct Device { driver: &'static str, id: String, #[serde(flatten)] place: Place }
}

impl QemuDevice for Hub {
    fn address(&self) -> AddressKind {
        AddressKind::Usb
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        let Hub { kind: HubKind::Usb, info } = self;
        let id = alias::of(self)?;
        let place = place(info.address.as_ref(), info.acpi_index, cx)?;
        Ok(vec![Part::device(id, &Device { driver: "usb-hub", id: id.to_owned(), place })?])
    }
}
