//! Controllers among themselves: numbers given twice, and ports of USB. Where each sits was settled before.

use std::collections::BTreeSet;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Devices;
use virtbus_schema::domain::device::controller::{Controller, ControllerKind};

use super::unsupported;

/// Most ports of an xHCI controller.
const XHCI_PORTS: u32 = 15;

pub(super) fn check(devices: &Devices) -> Result<()> {
    let mut seen = BTreeSet::new();
    for it in devices.controllers.iter().filter(|it| !it.is_companion()) {
        let index = it.index.unwrap_or(0);
        if seen.insert((it.kind.as_str(), index)) {
            continue;
        }
        return Err(Error::xml(match it.kind {
            ControllerKind::Usb => format!("Duplicate USB controllers with index {index}"),
            kind => format!("Multiple '{kind}' controllers with index '{index}'"),
        }));
    }
    devices.controllers.iter().try_for_each(ports)
}

fn ports(it: &Controller) -> Result<()> {
    match (it.kind, it.model.as_deref(), it.ports) {
        (ControllerKind::Usb, Some(model @ ("nec-xhci" | "qemu-xhci")), Some(ports)) if ports > XHCI_PORTS => {
            unsupported(format!("'{model}' controller only supports up to '{XHCI_PORTS}' ports"))
        }
        _ => Ok(()),
    }
}
