//! USB devices of the host that a document names by vendor and product: where they are plugged in now.

use std::fs;
use std::path::Path;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::disk::StartupPolicy;
use virtbus_schema::domain::device::hostdev::{HostSource, UsbHostAddress, UsbSource};
use virtbus_schema::xml::YesNo;

/// Fills in bus and device. An optional device that is not there is marked missing.
///
/// # Errors
/// `INTERNAL_ERROR` for a device that must be there and is not, or is there several times.
pub(super) fn settle(document: &mut Domain) -> Result<()> {
    for it in &mut document.devices.hostdevs {
        let HostSource::Usb(source) = &mut it.source else { continue };
        if source.address.as_ref().is_some_and(|it| it.bus.is_some() && it.device.is_some()) {
            continue;
        }
        match find(source) {
            Ok(address) => source.address = Some(address),
            Err(_) if source.startup_policy == Some(StartupPolicy::Optional) => source.missing = Some(YesNo::Yes),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn find(source: &UsbSource) -> Result<UsbHostAddress> {
    let (Some(vendor), Some(product)) = (source.vendor, source.product) else {
        return Err(Error::internal("USB host device is missing bus/device information"));
    };
    let entries = fs::read_dir("/sys/bus/usb/devices").into_iter().flatten().flatten();
    let number = |at: &Path, name: &str, radix: u32| {
        let text = fs::read_to_string(at.join(name)).ok()?;
        u32::from_str_radix(text.trim(), radix).ok()
    };
    let is_it = |at: &Path| {
        number(at, "idVendor", 16) == Some(vendor.id.into()) && number(at, "idProduct", 16) == Some(product.id.into())
    };
    let mut found = entries.map(|it| it.path()).filter(|it| is_it(it));
    let (vendor, product) = (vendor.id, product.id);
    let Some(at) = found.next() else {
        return Err(Error::internal(format!("Did not find USB device {vendor:04x}:{product:04x}")));
    };
    if found.next().is_some() {
        let text = format!("Multiple USB devices for {vendor:x}:{product:x}, use <address> to specify one");
        return Err(Error::new(virtbus_api::ErrorCode::OperationFailed, text));
    }
    Ok(UsbHostAddress { bus: number(&at, "busnum", 10), device: number(&at, "devnum", 10), port: None })
}
