//! `<serial>`: a port and what it leads to.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::chardev::{Serial, SerialModel, SerialTarget};

use super::address::{Place, place};
use super::chardev::{self, Chardev};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, Resource, alias};

props! {
    struct Port { driver: &'static str, chardev: String, id: String, index: Option<u32>, #[serde(flatten)] place: Place }
}

impl QemuDevice for Serial {
    fn resources(&self, _: &Cx<'_>) -> Vec<Resource> {
        chardev::resources(&self.chardev)
    }

    fn address(&self) -> AddressKind {
        match self.target.as_ref().and_then(|it| it.model) {
            Some(SerialModel::UsbSerial) => AddressKind::Usb,
            Some(SerialModel::PciSerial) => AddressKind::Pci,
            _ => AddressKind::Isa,
        }
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        let Serial { chardev, target, info } = self;
        let id = alias::of(self)?;
        let SerialTarget { kind: _, port, model } = target.clone().unwrap_or_default();
        let model = model.unwrap_or(SerialModel::IsaSerial);
        let backend = Chardev::of(chardev, format!("char{id}"), cx)?;
        if matches!(
            model,
            SerialModel::SpaprVty
                | SerialModel::Pl011
                | SerialModel::Uart16550a
                | SerialModel::Sclpconsole
                | SerialModel::Sclplmconsole
        ) {
            return Err(Error::unsupported_config(format!(
                "serial device model '{model}' is not supported by this machine"
            )));
        }
        let device = Port {
            driver: model.as_str(),
            chardev: backend.id().to_owned(),
            id: id.to_owned(),
            index: port.filter(|_| model == SerialModel::IsaSerial),
            place: place(info.address.as_ref(), info.acpi_index, cx)?,
        };
        Ok([backend.into_parts()?, vec![Part::device(id, &device)?]].concat())
    }
}
