//! `<pstore>`: memory for a dying kernel's last words, kept in a file.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::small::{Pstore, PstoreBackend};

use super::address::{Place, place};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, Resource, alias};

props! {
    struct Memory<'a> { qom_type: &'static str, id: String, mem_path: &'a str, size: u64, share: bool }

    struct Device { driver: &'static str, id: String, memdev: String, #[serde(flatten)] place: Place }
}

impl QemuDevice for Pstore {
    fn resources(&self, _: &Cx<'_>) -> Vec<Resource> {
        self.path.iter().map(|path| Resource::File { path: path.clone(), write: true }).collect()
    }

    fn address(&self) -> AddressKind {
        AddressKind::Pci
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        let Pstore { backend: PstoreBackend::AcpiErst, path, size, info } = self;
        let id = alias::of(self)?;
        let (Some(path), Some(size)) = (path, size) else {
            return Err(Error::internal(format!("{id} has no path or size yet")));
        };
        cx.needs("acpi-erst", "<pstore>")?;
        let memdev = format!("mem{id}");
        let memory = Memory {
            qom_type: "memory-backend-file",
            id: memdev.clone(),
            mem_path: path,
            size: size.kib.saturating_mul(1024),
            share: true,
        };
        let device = Device {
            driver: "acpi-erst",
            id: id.to_owned(),
            memdev: memdev.clone(),
            place: place(info.address.as_ref(), info.acpi_index, cx)?,
        };
        Ok(vec![Part::object(memdev, &memory)?, Part::device(id, &device)?])
    }
}
