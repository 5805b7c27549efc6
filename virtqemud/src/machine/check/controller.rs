//! Controllers among themselves: numbers given twice, and ports of USB. Where each sits was settled before.

use std::collections::BTreeSet;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Devices;
use virtbus_schema::domain::device::controller::{
    Controller, ControllerKind, ControllerTarget, PciControllerModelName,
};

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
    for it in &devices.controllers {
        ports(it)?;
        if it.kind == ControllerKind::Pci {
            options(it)?;
        }
    }
    Ok(())
}

/// What a PCI controller of a model can be told, and by which chip it may be played.
fn options(it: &Controller) -> Result<()> {
    use PciControllerModelName as Chip;
    let model = it.model.as_deref().unwrap_or_default();
    let (may, chips): (&[&str], &[Chip]) = match model {
        "pci-root" => (&["hotplug"], &[]),
        "pci-bridge" => (&["chassisNr", "memReserve"], &[Chip::PciBridge]),
        "dmi-to-pci-bridge" => (&[], &[Chip::I82801b11Bridge]),
        "pcie-to-pci-bridge" => (&[], &[Chip::PciePciBridge]),
        "pcie-root-port" => (&["chassis", "port", "hotplug", "memReserve"], &[Chip::PcieRootPort, Chip::Ioh3420]),
        "pcie-switch-upstream-port" => (&[], &[Chip::X3130Upstream]),
        "pcie-switch-downstream-port" => (&["chassis", "port", "hotplug"], &[Chip::Xio3130Downstream]),
        "pci-expander-bus" => (&["busNr", "node"], &[Chip::Pxb]),
        "pcie-expander-bus" => (&["busNr", "node"], &[Chip::PxbPcie]),
        _ => (&[], &[]),
    };
    let index = it.index.unwrap_or(0);
    if let Some(chip) = it.model_name.filter(|it| !chips.contains(it)) {
        return unsupported(format!("PCI controller {index} of model {model} cannot be of chip '{chip}'"));
    }
    let ControllerTarget { chassis_nr, chassis, port, bus_nr, index: number, hotplug, mem_reserve, node } =
        it.target.clone().unwrap_or_default();
    let said = [
        ("chassisNr", chassis_nr.is_some()),
        ("chassis", chassis.is_some()),
        ("port", port.is_some()),
        ("busNr", bus_nr.is_some()),
        ("index", number.is_some()),
        ("hotplug", hotplug.is_some()),
        ("memReserve", mem_reserve.is_some()),
        ("node", node.is_some()),
    ];
    match said.into_iter().find(|(name, is_said)| *is_said && !may.contains(name)) {
        Some((name, _)) => unsupported(format!("'{name}' is nothing for PCI controller {index} of model {model}")),
        None => Ok(()),
    }
}

fn ports(it: &Controller) -> Result<()> {
    match (it.kind, it.model.as_deref(), it.ports) {
        (ControllerKind::Usb, Some(model @ ("nec-xhci" | "qemu-xhci")), Some(ports)) if ports > XHCI_PORTS => {
            unsupported(format!("'{model}' controller only supports up to '{XHCI_PORTS}' ports"))
        }
        _ => Ok(()),
    }
}
