//! `<memballoon>`: a virtio balloon, or none.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::memballoon::{Memballoon, MemballoonModel};
use virtbus_schema::xml::OnOff;

use super::address::{Place, Virtio, place, virtio, virtio_device};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, alias};

props! {
    struct Balloon {
        driver: String,
        #[serde(flatten)]
        virtio: Virtio,
        id: String,
        deflate_on_oom: Option<bool>,
        free_page_reporting: Option<bool>,
        #[serde(flatten)]
        place: Place,
    }
}

impl QemuDevice for Memballoon {
    fn address(&self) -> AddressKind {
        if self.model == MemballoonModel::None { AddressKind::None } else { AddressKind::Pci }
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        // The period is told to the running device, not to its making.
        let Memballoon { model, autodeflate, free_page_reporting, stats_period: _, info, driver } = self;
        match model {
            MemballoonModel::None => return Ok(Vec::new()),
            MemballoonModel::Xen => {
                return Err(Error::unsupported_config("memballoon model 'xen' is not supported by QEMU"));
            }
            MemballoonModel::Virtio | MemballoonModel::VirtioTransitional | MemballoonModel::VirtioNonTransitional => {}
        }
        let id = alias::of(self)?;
        let balloon = Balloon {
            driver: virtio_device("virtio-balloon", model.as_str(), info.address.as_ref())?,
            virtio: virtio(driver.as_ref()),
            id: id.to_owned(),
            deflate_on_oom: autodeflate.map(OnOff::is_on),
            free_page_reporting: free_page_reporting.map(OnOff::is_on),
            place: place(info.address.as_ref(), info.acpi_index, cx)?,
        };
        Ok(vec![Part::device(id, &balloon)?])
    }
}
