//! `<iommu>`: the unit that keeps the guest's devices to the memory they were given.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::small::{Iommu, IommuDriver, IommuModel};
use virtbus_schema::xml::OnOff;

use super::address::{Place, place};
use super::chardev::on_off;
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, alias};

props! {
    struct Intel {
        driver: &'static str,
        id: String,
        intremap: Option<&'static str>,
        caching_mode: Option<bool>,
        eim: Option<&'static str>,
        device_iotlb: Option<bool>,
        aw_bits: Option<u32>,
        dma_translation: Option<bool>,
    }

    struct OnPci { driver: &'static str, id: String, #[serde(flatten)] place: Place }
}

impl QemuDevice for Iommu {
    fn address(&self) -> AddressKind {
        if self.model == IommuModel::Virtio { AddressKind::Pci } else { AddressKind::None }
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        let Iommu { model, driver, info } = self;
        let id = alias::of(self)?.to_owned();
        match model {
            IommuModel::Intel => {
                cx.needs("intel-iommu", "<iommu model='intel'>")?;
                // The last two are the AMD unit's.
                let IommuDriver {
                    intremap,
                    caching_mode,
                    eim,
                    iotlb,
                    aw_bits,
                    dma_translation,
                    xtsup: _,
                    passthrough: _,
                } = driver.unwrap_or_default();
                let flag = |it: Option<OnOff>| it.map(OnOff::is_on);
                let unit = Intel {
                    driver: "intel-iommu",
                    id: id.clone(),
                    intremap: intremap.map(|it| on_off(it.is_on())),
                    caching_mode: flag(caching_mode),
                    eim: eim.map(|it| on_off(it.is_on())),
                    device_iotlb: flag(iotlb),
                    aw_bits,
                    dma_translation: flag(dma_translation),
                };
                Ok(vec![Part::device(id, &unit)?])
            }
            IommuModel::Virtio => {
                cx.needs("virtio-iommu-pci", "<iommu model='virtio'>")?;
                let place = place(info.address.as_ref(), info.acpi_index, cx)?;
                let unit = OnPci { driver: "virtio-iommu", id: id.clone(), place };
                Ok(vec![Part::device(id, &unit)?])
            }
            IommuModel::Smmuv3 => {
                Err(Error::unsupported_config(format!("IOMMU device: '{model}' is not supported for this machine")))
            }
        }
    }
}
