//! Where devices are, and what only devices on PCI have.

use virtbus_api::Result;
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::address::{Info, Rom, RomInfo};
use virtbus_schema::domain::device::{Address, Devices};

use super::unsupported;

pub(super) fn check(domain: &Domain) -> Result<()> {
    let devices = &domain.devices;
    for device in devices.placed() {
        if matches!(device.address(), Some(Address::Unassigned)) && device.tag() != "hostdev" {
            return unsupported("address of type 'unassigned' is supported only for hostdevs");
        }
    }
    for (index, address) in indexed(devices) {
        if index && !matches!(address, Some(Address::Pci(_))) {
            return unsupported("ACPI index is only supported for PCI devices");
        }
    }
    let cards = devices.interfaces.iter().map(|it| &it.info).chain(devices.hostdevs.iter().map(|it| &it.info));
    for info in cards {
        let rom = info.rom.clone().unwrap_or_default();
        if rom.enabled.is_some_and(|it| !it.is_on()) && (rom.bar.is_some() || rom.file.is_some()) {
            return unsupported("ROM tuning is not supported when ROM is disabled");
        }
        if rom != Rom::default() && info.address.as_ref().is_some_and(|it| !matches!(it, Address::Pci(_))) {
            return unsupported("ROM tuning is only supported for PCI devices");
        }
    }
    Ok(())
}

/// Whether a device asks for an ACPI index, and where it is.
fn indexed(devices: &Devices) -> Vec<(bool, Option<&Address>)> {
    fn plain(it: &Info) -> (bool, Option<&Address>) {
        (it.acpi_index.is_some(), it.address.as_ref())
    }
    fn with_rom(it: &RomInfo) -> (bool, Option<&Address>) {
        (it.acpi_index.is_some(), it.address.as_ref())
    }
    let mut all: Vec<(bool, Option<&Address>)> = Vec::new();
    all.extend(devices.disks.iter().map(|it| with_rom(&it.info)));
    all.extend(devices.interfaces.iter().map(|it| with_rom(&it.info)));
    all.extend(devices.hostdevs.iter().map(|it| with_rom(&it.info)));
    all.extend(devices.filesystems.iter().map(|it| with_rom(&it.info)));
    all.extend(devices.redirdevs.iter().map(|it| with_rom(&it.info)));
    all.extend(devices.sounds.iter().map(|it| plain(&it.info)));
    all.extend(devices.videos.iter().map(|it| plain(&it.info)));
    all.extend(devices.smartcards.iter().map(|it| plain(&it.info)));
    all.extend(devices.serials.iter().map(|it| plain(&it.info)));
    all.extend(devices.parallels.iter().map(|it| plain(&it.info)));
    all.extend(devices.channels.iter().map(|it| plain(&it.info)));
    all.extend(devices.inputs.iter().map(|it| plain(&it.info)));
    all.extend(devices.watchdogs.iter().map(|it| plain(&it.info)));
    all.extend(devices.memballoons.iter().map(|it| plain(&it.info)));
    all.extend(devices.rngs.iter().map(|it| plain(&it.info)));
    all.extend(devices.shmems.iter().map(|it| plain(&it.info)));
    all.extend(devices.memories.iter().map(|it| plain(&it.info)));
    all.extend(devices.vsocks.iter().map(|it| plain(&it.info)));
    all
}
