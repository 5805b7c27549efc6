//! Small devices: IOMMUs, TPMs, shared memory, last words, cryptography, smart cards, redirected USB.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::chardev::Chardev;
use virtbus_schema::domain::device::graphics::Graphics;
use virtbus_schema::domain::device::redirected::SmartcardKind;
use virtbus_schema::domain::device::rng::RngBackend;
use virtbus_schema::domain::device::small::{
    CryptoBackendModel, Iommu, IommuDriver, IommuModel, Pstore, Shmem, ShmemModel,
};
use virtbus_schema::domain::device::tpm::{Tpm, TpmBackend, TpmModel, TpmVersion};
use virtbus_schema::domain::device::{Address, Devices};
use virtbus_schema::domain::features::IoapicDriver;
use virtbus_schema::xml::OnOff;

use super::super::Board;
use super::super::devices::MOST_WITHOUT_EIM;
use super::unsupported;
use crate::process::capabilities::QemuCaps;

pub(super) fn check(domain: &Domain, board: Board, caps: &QemuCaps) -> Result<()> {
    let devices = &domain.devices;
    let acpi = domain.features.as_ref().is_some_and(|it| it.acpi);
    for it in &devices.iommus {
        iommu(it, board, acpi)?;
        let driver = it.driver.unwrap_or_default();
        let split = domain.features.as_ref().and_then(|it| it.ioapic).and_then(|it| it.driver);
        if driver.intremap.is_some_and(OnOff::is_on) && split != Some(IoapicDriver::Qemu) {
            return unsupported("IOMMU interrupt remapping requires split I/O APIC (ioapic driver='qemu')");
        }
        if domain.vcpu.count > MOST_WITHOUT_EIM && !driver.eim.is_some_and(OnOff::is_on) {
            return unsupported("more than 255 vCPUs require extended interrupt mode enabled on the iommu device");
        }
    }
    for it in &devices.tpms {
        tpm(it, caps)?;
    }
    for it in &devices.shmems {
        shmem(it)?;
    }
    if devices.pstores.len() > 1 {
        return Err(Error::xml("only a single pstore device is supported"));
    }
    for it in &devices.pstores {
        pstore(it)?;
    }
    if devices.cryptos.iter().any(|it| it.backend.model == CryptoBackendModel::Lkcf)
        && !caps.has("cryptodev-backend-lkcf")
    {
        return unsupported("crypto backend lkcf is not supported");
    }
    viewers(devices)
}

fn iommu(it: &Iommu, board: Board, acpi: bool) -> Result<()> {
    let says_more = it.driver.is_some_and(|it| it != IommuDriver::default());
    match it.model {
        IommuModel::Smmuv3 | IommuModel::Virtio if says_more => {
            return Err(Error::xml(format!("iommu model '{}' doesn't support additional attributes", it.model)));
        }
        IommuModel::Intel if board != Board::Q35 => {
            return unsupported("IOMMU device: 'intel' is only supported with Q35 machines");
        }
        IommuModel::Virtio if board != Board::Q35 => {
            return unsupported("IOMMU device: 'virtio' is only supported with Q35 and ARM Virt machines");
        }
        IommuModel::Smmuv3 => return unsupported("IOMMU device: 'smmuv3' is only supported with ARM Virt machines"),
        IommuModel::Virtio if !acpi => return unsupported("IOMMU device: 'virtio' requires ACPI"),
        IommuModel::Virtio if !matches!(it.info.address, None | Some(Address::Pci(_))) => {
            return unsupported("IOMMU device: 'virtio' needs a PCI address");
        }
        IommuModel::Intel if it.info.address.is_some() => {
            return Err(Error::xml("iommu model 'intel' can't have address"));
        }
        IommuModel::Intel | IommuModel::Virtio => {}
    }
    let driver = it.driver.unwrap_or_default();
    if driver.eim.is_some_and(OnOff::is_on) && driver.intremap != Some(OnOff::On) {
        return unsupported("IOMMU eim requires interrupt remapping to be enabled");
    }
    Ok(())
}

fn tpm(it: &Tpm, caps: &QemuCaps) -> Result<()> {
    let model = it.model.unwrap_or(TpmModel::TpmTis);
    if matches!(it.backend, TpmBackend::External { source: None, .. }) {
        return Err(Error::xml("missing external TPM backend source type"));
    }
    if let TpmBackend::Emulator(emulator) = &it.backend {
        let is_v1 = emulator.version == Some(TpmVersion::V1_2);
        if is_v1 && model == TpmModel::TpmCrb {
            return unsupported(format!("TPM 1.2 is not supported for model '{model}'"));
        }
        if is_v1 && emulator.active_pcr_banks.is_some() {
            return Err(Error::xml("<active_pcr_banks/> requires TPM version '2.0'"));
        }
    }
    if !caps.has(model.as_str()) {
        let binary = caps.binary.display();
        return unsupported(format!("The QEMU executable {binary} does not support TPM model {model}"));
    }
    Ok(())
}

fn shmem(it: &Shmem) -> Result<()> {
    if it.msi.is_some() && it.server.is_none() {
        return Err(Error::xml("msi option is only supported with a server"));
    }
    match it.model {
        None | Some(ShmemModel::Ivshmem) => unsupported("ivshmem device is no longer supported"),
        Some(ShmemModel::IvshmemPlain) if it.server.is_some() => {
            unsupported("shmem model 'ivshmem-plain' is supported only with server option disabled")
        }
        Some(ShmemModel::IvshmemDoorbell) if it.server.is_none() => {
            unsupported("shmem model 'ivshmem-doorbell' is supported only with server option enabled")
        }
        Some(ShmemModel::IvshmemDoorbell) if it.size.is_some() => {
            unsupported("shmem model 'ivshmem-doorbell' does not support size setting")
        }
        Some(_) => Ok(()),
    }
}

/// KiB of a record of ACPI's error store.
const RECORD_KIB: u64 = 4;

fn pstore(it: &Pstore) -> Result<()> {
    if !matches!(it.info.address, None | Some(Address::Pci(_))) {
        return unsupported("ACPI ERST device must reside on a PCI bus");
    }
    let Some(size) = it.size else { return Err(Error::xml("missing element or attribute './size'")) };
    if size.kib < RECORD_KIB || !size.kib.is_power_of_two() {
        return Err(Error::xml("invalid size of ACPI ERST pstore device"));
    }
    Ok(())
}

fn viewers(devices: &Devices) -> Result<()> {
    let first = Address::Ccid(virtbus_schema::domain::device::address::CcidAddress { controller: 0, slot: 0 });
    if devices.smartcards.len() > 1 || devices.smartcards.iter().any(|it| it.info.address.as_ref() != Some(&first)) {
        return unsupported("this QEMU binary lacks multiple smartcard support");
    }
    let spice = devices.graphics.iter().any(|it| matches!(it, Graphics::Spice(_)));
    let cards = devices.smartcards.iter().filter_map(|it| match &it.card {
        SmartcardKind::Passthrough(chardev) => Some(chardev),
        _ => None,
    });
    let mut all = cards.chain(devices.redirdevs.iter().map(|it| &it.chardev));
    let egd = devices.rngs.iter().any(|it| matches!(&it.backend, RngBackend::Egd(Chardev::Spicevmc { .. })));
    if !spice && egd {
        return unsupported("chardev 'spicevmc' not supported without spice graphics");
    }
    if !spice && all.any(|it| matches!(it, Chardev::Spicevmc { .. })) {
        return unsupported("chardev 'spicevmc' not supported without spice graphics");
    }
    Ok(())
}
