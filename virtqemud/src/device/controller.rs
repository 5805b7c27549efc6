//! `<controller>`: the buses devices sit on. Those that are part of the board are not made.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::Address;
use virtbus_schema::domain::device::address::SpaprVioAddress;
use virtbus_schema::domain::device::controller::{Controller, ControllerDriver, ControllerKind, ControllerTarget};
use virtbus_schema::xml::OnOff;

use super::address::{Place, Virtio, place, virtio, virtio_device};
use super::disk::iothread::{Mapping, mapping};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, alias};
use crate::machine::Board;

props! {
    struct Bridge {
        driver: &'static str,
        port: Option<u32>,
        chassis: Option<u32>,
        #[serde(rename = "chassis_nr")]
        chassis_nr: Option<u32>,
        #[serde(rename = "mem-reserve")]
        bridge_reserve: Option<u64>,
        #[serde(rename = "bus_nr")]
        bus_nr: Option<u32>,
        id: String,
        #[serde(rename = "numa_node")]
        numa_node: Option<u32>,
        hotplug: Option<bool>,
        mem_reserve: Option<u64>,
        #[serde(flatten)]
        place: Place,
    }

    struct Usb {
        driver: &'static str,
        masterbus: Option<String>,
        firstport: Option<u32>,
        p2: Option<u32>,
        p3: Option<u32>,
        id: Option<String>,
        #[serde(flatten)]
        place: Place,
    }

    struct VirtioBus {
        driver: String,
        #[serde(flatten)]
        virtio: Virtio,
        iothread: Option<String>,
        id: String,
        #[serde(rename = "max_ports")]
        max_ports: Option<u32>,
        vectors: Option<u32>,
        #[serde(rename = "num_queues")]
        num_queues: Option<u32>,
        #[serde(rename = "cmd_per_lun")]
        cmd_per_lun: Option<u32>,
        #[serde(rename = "max_sectors")]
        max_sectors: Option<u32>,
        ioeventfd: Option<bool>,
        iothread_vq_mapping: Vec<Mapping>,
        #[serde(flatten)]
        place: Place,
    }

    struct OnSpapr { driver: &'static str, id: String, reg: Option<u64> }

    struct Plain { driver: &'static str, id: String, #[serde(flatten)] place: Place }
}

impl QemuDevice for Controller {
    fn address(&self) -> AddressKind {
        match self.kind {
            ControllerKind::Fdc | ControllerKind::Isa | ControllerKind::Xenbus => AddressKind::None,
            ControllerKind::Ccid => AddressKind::Usb,
            _ => AddressKind::Pci,
        }
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        let Controller {
            kind,
            index,
            model,
            ports,
            vectors,
            max_grant_frames: _,
            max_event_channels: _,
            model_name,
            target,
            driver,
            // The root's window is an option of the process.
            pcihole64: _,
            info,
        } = self;
        let id = alias::of(self)?.to_owned();
        let index = index.unwrap_or(0);
        let model = model.as_deref();
        if let Some(Address::SpaprVio(SpaprVioAddress { reg })) = info.address
            && *kind == ControllerKind::Scsi
            && !model.is_some_and(|it| it.starts_with("virtio-"))
        {
            let device = OnSpapr { driver: "spapr-vscsi", id: id.clone(), reg };
            return Ok(vec![Part::device(id, &device)?]);
        }
        let place = place(info.address.as_ref(), info.acpi_index, cx)?;
        match kind {
            ControllerKind::Pci => {
                let Some(name) = model_name else { return Ok(Vec::new()) };
                bridge(name.as_str(), target.as_ref(), id, place, cx)
            }
            ControllerKind::Usb if model == Some("none") => Ok(Vec::new()),
            ControllerKind::Usb => {
                let master = match info.master_startport {
                    Some(first) => Some((master(self, cx)?, first)),
                    None => None,
                };
                usb(model, *ports, master, id, place, cx)
            }
            ControllerKind::Sata if index == 0 && cx.board == Board::Q35 => Ok(Vec::new()),
            ControllerKind::Sata => plain("ahci", id, place),
            ControllerKind::Ide if index == 0 && cx.board == Board::I440fx => Ok(Vec::new()),
            ControllerKind::Ide => {
                Err(Error::unsupported_config("Only a single IDE controller is supported for this machine type"))
            }
            // It comes right before its drives: see `disk::floppies`.
            ControllerKind::Fdc => Ok(Vec::new()),
            ControllerKind::Ccid => plain("usb-ccid", id, place),
            ControllerKind::Scsi if model.is_some_and(|it| it.starts_with("virtio-")) => {
                let mut bus =
                    virtio_bus("virtio-scsi", model, driver.as_ref(), id.clone(), (info.address.as_ref(), place))?;
                if let Some(ControllerDriver {
                    queues,
                    cmd_per_lun,
                    max_sectors,
                    ioeventfd,
                    iothread,
                    virtio: _,
                    iothreads,
                }) = driver
                {
                    bus.num_queues = *queues;
                    bus.cmd_per_lun = *cmd_per_lun;
                    bus.max_sectors = *max_sectors;
                    bus.ioeventfd = ioeventfd.map(OnOff::is_on);
                    bus.iothread = iothread.map(|number| format!("iothread{number}"));
                    bus.iothread_vq_mapping = mapping(iothreads);
                }
                Ok(vec![Part::device(id, &bus)?])
            }
            ControllerKind::Scsi => plain(scsi_chip(model, cx)?, id, place),
            ControllerKind::VirtioSerial => {
                let mut bus =
                    virtio_bus("virtio-serial", model, driver.as_ref(), id.clone(), (info.address.as_ref(), place))?;
                bus.max_ports = *ports;
                bus.vectors = *vectors;
                Ok(vec![Part::device(id, &bus)?])
            }
            ControllerKind::Isa => Ok(Vec::new()),
            ControllerKind::Xenbus => {
                Err(Error::unsupported_config(format!("controller type '{kind}' is not supported yet")))
            }
        }
    }
}

fn plain(driver: &'static str, id: String, place: Place) -> Result<Vec<Part>> {
    Ok(vec![Part::device(id.clone(), &Plain { driver, id, place })?])
}

fn bridge(
    driver: &'static str,
    target: Option<&ControllerTarget>,
    id: String,
    place: Place,
    cx: &Cx<'_>,
) -> Result<Vec<Part>> {
    if !cx.caps.has(driver) {
        return Err(Error::unsupported_config(format!("the {driver} controller is not supported in this QEMU binary")));
    }
    let ControllerTarget { chassis_nr, chassis, port, bus_nr, index: _, hotplug, mem_reserve, node } =
        target.cloned().unwrap_or_default();
    let reserve = mem_reserve.map(|kib| kib.saturating_mul(1024));
    let bridge = Bridge {
        driver,
        port,
        chassis,
        chassis_nr,
        bus_nr,
        id: id.clone(),
        numa_node: node,
        hotplug: hotplug.map(OnOff::is_on),
        bridge_reserve: reserve.filter(|_| driver == "pci-bridge"),
        mem_reserve: reserve.filter(|_| driver != "pci-bridge"),
        place,
    };
    Ok(vec![Part::device(id, &bridge)?])
}

/// The bus of the controller that a companion accompanies: the one with its number that is no companion.
fn master(companion: &Controller, cx: &Cx<'_>) -> Result<String> {
    let mut all = cx.domain.devices.controllers.iter().filter(|it| it.kind == ControllerKind::Usb);
    let Some(master) = all.find(|it| it.index == companion.index && !it.is_companion()) else {
        let index = companion.index.unwrap_or(0);
        return Err(Error::internal(format!("USB companion {index} accompanies no controller: masterbus not found")));
    };
    Ok(format!("{}.0", alias::of(master)?))
}

fn usb(
    model: Option<&str>,
    ports: Option<u32>,
    master: Option<(String, u32)>,
    id: String,
    place: Place,
    cx: &Cx<'_>,
) -> Result<Vec<Part>> {
    let driver = match model {
        None | Some("piix3-uhci") => "piix3-usb-uhci",
        Some("piix4-uhci") => "piix4-usb-uhci",
        Some("ehci") => "usb-ehci",
        Some("ich9-ehci1") => "ich9-usb-ehci1",
        Some("ich9-uhci1") => "ich9-usb-uhci1",
        Some("ich9-uhci2") => "ich9-usb-uhci2",
        Some("ich9-uhci3") => "ich9-usb-uhci3",
        Some("vt82c686b-uhci") => "vt82c686b-usb-uhci",
        Some("pci-ohci") => "pci-ohci",
        Some("nec-xhci") => "nec-usb-xhci",
        Some("qemu-xhci") => "qemu-xhci",
        Some(other) => {
            return Err(Error::unsupported_config(format!(
                "USB controller model type '{other}' is not supported in qemu"
            )));
        }
    };
    if !cx.caps.has(driver) {
        return Err(Error::unsupported_config(format!(
            "USB controller model '{}' not supported in this QEMU binary",
            model.unwrap_or("piix3-uhci")
        )));
    }
    if ports.is_some() && !driver.ends_with("xhci") {
        return Err(Error::unsupported_config(format!(
            "USB controller model '{}' has as many ports as it has: ports= is for xHCI",
            model.unwrap_or("piix3-uhci")
        )));
    }
    let device = Usb {
        driver,
        p2: ports,
        p3: ports,
        id: Some(id.clone()).filter(|_| master.is_none()),
        firstport: master.as_ref().map(|(_, first)| *first),
        masterbus: master.map(|(bus, _)| bus),
        place,
    };
    Ok(vec![Part::device(id, &device)?])
}

fn virtio_bus(
    stem: &str,
    model: Option<&str>,
    driver: Option<&ControllerDriver>,
    id: String,
    (address, place): (Option<&Address>, Place),
) -> Result<VirtioBus> {
    Ok(VirtioBus {
        driver: virtio_device(stem, model.unwrap_or_default(), address)?,
        virtio: virtio(driver.map(|it| &it.virtio)),
        id,
        place,
        ..VirtioBus::default()
    })
}

fn scsi_chip(model: Option<&str>, cx: &Cx<'_>) -> Result<&'static str> {
    let chip = match model {
        None | Some("lsilogic") => "lsi",
        Some("lsisas1068") => "mptsas1068",
        Some("lsisas1078") => "megasas",
        Some("vmpvscsi") => "pvscsi",
        Some("dc390") => "dc390",
        Some("am53c974") => "am53c974",
        Some(other) => return Err(Error::unsupported_config(format!("Unsupported controller model: {other}"))),
    };
    // The old name of the LSI chip is an alias that QEMU does not list.
    let known = if chip == "lsi" { "lsi53c895a" } else { chip };
    if !cx.caps.has(known) {
        return Err(Error::unsupported_config(format!("the {chip} controller is not supported in this QEMU binary")));
    }
    Ok(chip)
}

/// The controller an address means, for devices that name their bus themselves.
///
/// # Errors
/// The address is of another kind.
pub(super) fn drive_place(address: Option<&Address>) -> Result<virtbus_schema::domain::device::address::DriveAddress> {
    match address {
        Some(Address::Drive(it)) => Ok(*it),
        _ => Err(Error::internal("unexpected address type for a disk on a drive controller")),
    }
}
