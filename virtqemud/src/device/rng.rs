//! `<rng>`: a virtio device and the object it draws from.

use virtbus_api::Result;
use virtbus_schema::domain::device::rng::{Rng, RngBackend, RngRate};

use super::address::{Place, Virtio, place, virtio, virtio_device};
use super::chardev::Chardev;
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, Resource, alias};

props! {
    struct Source<'a> { qom_type: &'static str, id: String, filename: Option<&'a str>, chardev: Option<String> }

    struct Device {
        driver: String,
        #[serde(flatten)]
        virtio: Virtio,
        rng: String,
        id: String,
        max_bytes: Option<u32>,
        period: Option<u32>,
        #[serde(flatten)]
        place: Place,
    }
}

impl QemuDevice for Rng {
    fn resources(&self, _: &Cx<'_>) -> Vec<Resource> {
        match &self.backend {
            RngBackend::Random { path: Some(path) } => vec![Resource::Device { path: path.clone() }],
            RngBackend::Random { path: None } | RngBackend::Egd(_) | RngBackend::Builtin => Vec::new(),
        }
    }

    fn address(&self) -> AddressKind {
        AddressKind::Pci
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        let Rng { model, rate, backend, driver, info } = self;
        let id = alias::of(self)?;
        let object = format!("obj{id}");
        let mut source = Source { qom_type: "", id: object.clone(), filename: None, chardev: None };
        let mut parts = Vec::new();
        match backend {
            RngBackend::Random { path } => {
                source.qom_type = "rng-random";
                source.filename = path.as_deref();
            }
            RngBackend::Egd(chardev) => {
                let chardev = Chardev::of(chardev, format!("char{id}"), cx)?;
                source.qom_type = "rng-egd";
                source.chardev = Some(chardev.id().to_owned());
                parts.extend(chardev.into_parts()?);
            }
            RngBackend::Builtin => source.qom_type = "rng-builtin",
        }
        parts.push(Part::object(object.clone(), &source)?);
        let device = Device {
            driver: virtio_device("virtio-rng", model.as_str(), info.address.as_ref())?,
            virtio: virtio(driver.as_ref()),
            rng: object,
            id: id.to_owned(),
            max_bytes: rate.map(|RngRate { bytes, .. }| bytes),
            // Without a period the reference counts per second.
            period: rate.map(|RngRate { period, .. }| period.unwrap_or(1000)),
            place: place(info.address.as_ref(), info.acpi_index, cx)?,
        };
        parts.push(Part::device(id, &device)?);
        Ok(parts)
    }
}
