//! Addresses in QEMU's terms: which bus, and where on it.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::address::Multifunction;
use virtbus_schema::domain::device::controller::ControllerKind;
use virtbus_schema::domain::device::{Address, VirtioOptions};
use virtbus_schema::xml::OnOff;

use super::cx::Cx;
use super::props::props;

props! {
    /// A place on a bus.
    pub struct Place {
        bus: Option<String>,
        multifunction: Option<bool>,
        addr: Option<String>,
        acpi_index: Option<u32>,
        port: Option<String>,
        nr: Option<u32>,
        iobase: Option<u32>,
        irq: Option<u32>,
    }

    /// Options all virtio devices share.
    pub struct Virtio {
        #[serde(rename = "iommu_platform")]
        iommu_platform: Option<bool>,
        ats: Option<bool>,
        packed: Option<bool>,
        page_per_vq: Option<bool>,
    }
}

impl Place {
    /// A bus by name, for devices that say the rest themselves.
    #[must_use]
    pub fn on(bus: String) -> Self {
        Self { bus: Some(bus), ..Self::default() }
    }
}

/// The place of a device; nothing for one without an address.
///
/// # Errors
/// The bus does not exist.
pub fn place(address: Option<&Address>, acpi_index: Option<u32>, cx: &Cx<'_>) -> Result<Place> {
    let mut place = Place { acpi_index, ..Place::default() };
    match address {
        None => {}
        Some(Address::Pci(it)) => {
            place.bus = Some(cx.controller_name(ControllerKind::Pci, it.bus)?.to_owned());
            place.multifunction = match it.multifunction {
                Some(Multifunction::On) => Some(true),
                Some(Multifunction::Off) => Some(false),
                None => None,
            };
            place.addr = Some(match it.function {
                0 => format!("{:#x}", it.slot),
                function => format!("{:#x}.{function:#x}", it.slot),
            });
        }
        Some(Address::Usb(it)) => {
            place.bus = Some(format!("{}.0", cx.controller_name(ControllerKind::Usb, it.bus)?));
            place.port = it.port.clone();
        }
        Some(Address::VirtioSerial(it)) => {
            let name = cx.controller_name(ControllerKind::VirtioSerial, it.controller)?;
            place.bus = Some(format!("{name}.{}", it.bus));
            place.nr = Some(it.port);
        }
        Some(Address::Isa(it)) => (place.iobase, place.irq) = (it.iobase, it.irq),
        Some(Address::Ccid(it)) => {
            place.bus = Some(format!("{}.0", cx.controller_name(ControllerKind::Ccid, it.controller)?));
        }
        Some(Address::VirtioMmio | Address::Unassigned | Address::Drive(_) | Address::Dimm(_)) => {}
        Some(Address::SpaprVio(_)) => return Err(Error::internal("Unexpected address type 'spapr-vio'")),
        Some(Address::VirtioS390 | Address::Ccw(_)) => {
            return Err(Error::unsupported_config("addresses of machines other than PCs are not supported yet"));
        }
    }
    Ok(place)
}

/// The name of a virtio device by its model's ending: `virtio-blk-pci`, `virtio-blk-pci-transitional`.
#[must_use]
pub fn virtio_driver(stem: &str, model: &str) -> String {
    if model.ends_with("non-transitional") {
        format!("{stem}-pci-non-transitional")
    } else if model.ends_with("transitional") {
        format!("{stem}-pci-transitional")
    } else {
        format!("{stem}-pci")
    }
}

/// The same by the place: devices of virtio's own bus have no transitional form.
///
/// # Errors
/// Virtio is not on a bus of this kind.
pub fn virtio_device(stem: &str, model: &str, address: Option<&Address>) -> Result<String> {
    match address {
        None | Some(Address::Pci(_) | Address::Unassigned) => Ok(virtio_driver(stem, model)),
        Some(Address::VirtioMmio) => Ok(format!("{stem}-device")),
        Some(other) => Err(Error::internal(format!("Unexpected address type '{}' for '{stem}'", other.name()))),
    }
}

/// The shared options in QEMU's words.
#[must_use]
pub fn virtio(options: Option<&VirtioOptions>) -> Virtio {
    let Some(&VirtioOptions { iommu, ats, packed, page_per_vq }) = options else { return Virtio::default() };
    let flag = |it: Option<OnOff>| it.map(OnOff::is_on);
    Virtio { iommu_platform: flag(iommu), ats: flag(ats), packed: flag(packed), page_per_vq: flag(page_per_vq) }
}
