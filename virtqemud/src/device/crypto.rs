//! `<crypto>`: a virtio device that encrypts, and the back end that does it.

use virtbus_api::Result;
use virtbus_schema::domain::device::small::{Crypto, CryptoBackend, CryptoBackendModel, CryptoKind, CryptoModel};

use super::address::{Place, Virtio, place, virtio, virtio_device};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, alias};

props! {
    struct Backend { qom_type: &'static str, id: String, queues: Option<u32> }

    struct Device {
        driver: String,
        #[serde(flatten)]
        virtio: Virtio,
        cryptodev: String,
        id: String,
        #[serde(flatten)]
        place: Place,
    }
}

impl QemuDevice for Crypto {
    fn address(&self) -> AddressKind {
        AddressKind::Pci
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        // Each of these has one value so far.
        let Crypto { model: CryptoModel::Virtio, kind: CryptoKind::Qemu, backend, driver, info } = self;
        let CryptoBackend { model, queues } = *backend;
        let id = alias::of(self)?;
        let object = format!("obj{id}");
        let qom_type = match model {
            CryptoBackendModel::Builtin => "cryptodev-backend-builtin",
            CryptoBackendModel::Lkcf => "cryptodev-backend-lkcf",
        };
        cx.needs(qom_type, "<crypto>")?;
        let backend = Backend { qom_type, id: object.clone(), queues };
        let device = Device {
            driver: virtio_device("virtio-crypto", "virtio", info.address.as_ref())?,
            virtio: virtio(driver.as_ref()),
            cryptodev: object.clone(),
            id: id.to_owned(),
            place: place(info.address.as_ref(), info.acpi_index, cx)?,
        };
        Ok(vec![Part::object(object, &backend)?, Part::device(id, &device)?])
    }
}
