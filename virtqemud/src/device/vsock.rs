//! `<vsock>`: sockets between guest and host, by way of the kernel's vhost.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::disk::DiskModel;
use virtbus_schema::domain::device::small::{Vsock, VsockCid};

use super::address::{Place, Virtio, place, virtio, virtio_device};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, alias};

props! {
    struct Device {
        driver: String,
        #[serde(flatten)]
        virtio: Virtio,
        id: String,
        guest_cid: u32,
        vhostfd: String,
        #[serde(flatten)]
        place: Place,
    }
}

impl QemuDevice for Vsock {
    fn address(&self) -> AddressKind {
        AddressKind::Pci
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        let Vsock { model, cid, driver, info } = self;
        let id = alias::of(self)?.to_owned();
        cx.needs("vhost-vsock-pci", "<vsock>")?;
        let descriptor = cx.host.descriptors.remove(&id).and_then(|it| it.into_iter().next());
        let vhostfd = match descriptor {
            Some(fd) => cx.pass(fd),
            None if cx.only_shown => -1,
            None => return Err(Error::internal(format!("{id}: vhost-vsock is not open"))),
        };
        let VsockCid { auto: _, address } = cid.unwrap_or_default();
        let device = Device {
            driver: virtio_device("vhost-vsock", model.map_or("virtio", DiskModel::as_str), info.address.as_ref())?,
            virtio: virtio(driver.as_ref()),
            id: id.clone(),
            // Which one is free is known once the guest starts.
            guest_cid: address.unwrap_or(0),
            vhostfd: vhostfd.to_string(),
            place: place(info.address.as_ref(), info.acpi_index, cx)?,
        };
        Ok(vec![Part::device(id, &device)?])
    }
}
