//! `<panic>`: a port the guest's kernel cries into when it dies.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::Address;
use virtbus_schema::domain::device::small::{Panic, PanicModel};

use super::address::{Place, place};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, alias};

props! {
    struct Device { driver: &'static str, ioport: Option<u32>, #[serde(flatten)] place: Place }
}

impl QemuDevice for Panic {
    fn address(&self) -> AddressKind {
        match self.model {
            Some(PanicModel::Pvpanic) => AddressKind::Pci,
            Some(PanicModel::Hyperv) => AddressKind::None,
            _ => AddressKind::Isa,
        }
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        let Panic { model, info } = self;
        let id = alias::of(self)?;
        let device = match model {
            None | Some(PanicModel::Isa) => {
                let ioport = match &info.address {
                    Some(Address::Isa(it)) => it.iobase,
                    _ => None,
                };
                Device { driver: "pvpanic", ioport, place: Place::default() }
            }
            Some(PanicModel::Pvpanic) => {
                let place = place(info.address.as_ref(), info.acpi_index, cx)?;
                Device { driver: "pvpanic-pci", ioport: None, place }
            }
            // The processor has it: see `-cpu`.
            Some(PanicModel::Hyperv) => return Ok(Vec::new()),
            Some(model @ (PanicModel::Pseries | PanicModel::S390)) => {
                return Err(Error::unsupported_config(format!("panic device of model '{model}' is not supported yet")));
            }
        };
        Ok(vec![Part::device(id, &device)?])
    }
}
