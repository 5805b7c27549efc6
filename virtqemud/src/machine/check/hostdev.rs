//! Devices of the host.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::disk::DiskSgio;
use virtbus_schema::domain::device::hostdev::{HostSource, Hostdev, HostdevMode, HostdevModel};
use virtbus_schema::domain::device::interface::TeamingKind;
use virtbus_schema::xml::OnOff;

use super::unsupported;

pub(super) fn check(domain: &Domain) -> Result<()> {
    for it in &domain.devices.hostdevs {
        one(it, domain)?;
    }
    Ok(())
}

fn one(it: &Hostdev, domain: &Domain) -> Result<()> {
    if it.mode == HostdevMode::Capabilities {
        return unsupported("hostdev mode 'capabilities' is not supported in QEMU");
    }
    if it.sgio == Some(DiskSgio::Unfiltered) {
        return unsupported("unfiltered sgio is no longer supported");
    }
    if it.teaming.as_ref().is_some_and(|it| it.kind != TeamingKind::Transient) {
        return unsupported("teaming hostdev devices must have type='transient'");
    }
    match &it.source {
        HostSource::Absent => Err(Error::xml("Missing <source> element in hostdev device")),
        HostSource::Pci(source) if source.write_filtering.is_some() => {
            unsupported("Write filtering of PCI device configuration space is not supported by qemu")
        }
        HostSource::Usb(source) if source.address.as_ref().is_some_and(|it| it.device.is_none()) => {
            Err(Error::xml("Missing required attribute 'device' in element 'address'"))
        }
        HostSource::ScsiHost(_) if it.info.boot.is_some() => {
            unsupported("booting from assigned devices is not supported by vhost SCSI devices")
        }
        HostSource::ScsiHost(source) => {
            let name = source.wwpn.as_deref().unwrap_or_default();
            let digits = name.strip_prefix("naa.").unwrap_or_default();
            let is_name = digits.len() == 16 && digits.bytes().all(|it| it.is_ascii_hexdigit());
            if is_name { Ok(()) } else { Err(Error::xml("malformed 'wwpn' value")) }
        }
        HostSource::Mdev(_) => mediated(it, domain),
        HostSource::Pci(_) => shown(it, domain),
        _ => Ok(()),
    }
}

fn mediated(it: &Hostdev, domain: &Domain) -> Result<()> {
    match it.model {
        None => return Err(Error::xml("Missing required attribute 'model' in element 'hostdev'")),
        Some(HostdevModel::VfioCcw) => {
            return unsupported("VFIO CCW device assignment is not supported by this version of QEMU");
        }
        Some(HostdevModel::VfioAp) => {
            return unsupported("VFIO AP device assignment is not supported by this version of QEMU");
        }
        Some(_) => {}
    }
    if it.info.boot.is_some() {
        return unsupported("booting from assigned devices is not supported by mediated devices of model vfio-pci");
    }
    shown(it, domain)
}

/// A device that is also a display needs another that shows it.
fn shown(it: &Hostdev, domain: &Domain) -> Result<()> {
    if it.display.is_some_and(OnOff::is_on) && domain.devices.graphics.is_empty() {
        return unsupported("graphics device is needed for attribute value 'display=on' in <hostdev>");
    }
    Ok(())
}
