//! `<hostdev>`: devices of the host handed to the guest: PCI, USB, SCSI, mediated, and adapters of vhost.
//!
//! What a document leaves open (a USB device by vendor and product) was settled before; here it must be definite.

use std::path::Path;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::address::PciAddress;
use virtbus_schema::domain::device::disk::{DiskSource, Protocol};
use virtbus_schema::domain::device::hostdev::{
    GuestReset, HostSource, Hostdev, HostdevMode, HostdevModel, PciSource, ScsiHostAddress, ScsiSource, UsbHostAddress,
    UsbSource,
};
use virtbus_schema::domain::device::interface::{HostdevDriver, HostdevDriverName, Teaming};
use virtbus_schema::domain::device::{Address, Rom};
use virtbus_schema::xml::OnOff;

use super::address::{Place, place, virtio_device};
use super::chardev::on_off;
use super::disk::storage::iscsi_unit;
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, Resource, alias};

props! {
    struct Vfio<'a> {
        driver: &'static str,
        host: Option<String>,
        id: &'a str,
        sysfsdev: Option<String>,
        bootindex: Option<u32>,
        #[serde(rename = "failover_pair_id")]
        failover: Option<&'a str>,
        display: Option<&'static str>,
        ramfb: Option<bool>,
        #[serde(flatten)]
        place: Place,
        rombar: Option<u32>,
        romfile: Option<String>,
    }

    struct Usb<'a> {
        driver: &'static str,
        hostdevice: String,
        id: &'a str,
        bootindex: Option<u32>,
        guest_reset: Option<bool>,
        guest_resets_all: Option<bool>,
        #[serde(flatten)]
        place: Place,
    }

    struct Scsi<'a> {
        driver: &'static str,
        drive: String,
        id: &'a str,
        bus: String,
        channel: Option<u32>,
        scsi_id: u32,
        lun: Option<u32>,
        bootindex: Option<u32>,
    }

    struct Node<'a> { driver: &'static str, filename: String, node_name: &'a str, read_only: bool }

    struct ScsiHost<'a> {
        driver: String,
        wwpn: &'a str,
        vhostfd: String,
        id: &'a str,
        #[serde(flatten)]
        place: Place,
    }
}

impl QemuDevice for Hostdev {
    fn resources(&self, _: &Cx<'_>) -> Vec<Resource> {
        match &self.source {
            HostSource::Usb(it) => usb_node(it).map(|path| Resource::Device { path }).into_iter().collect(),
            HostSource::Scsi(it) if it.protocol.is_none() => {
                generic_node(it).map(|path| Resource::Device { path }).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn address(&self) -> AddressKind {
        match self.source {
            HostSource::Usb(_) => AddressKind::Usb,
            HostSource::Scsi(_) => AddressKind::Drive,
            HostSource::Pci(_) | HostSource::ScsiHost(_) | HostSource::Mdev(_) => AddressKind::Pci,
            HostSource::Capability(_) | HostSource::Absent => AddressKind::None,
        }
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        if self.mode == HostdevMode::Capabilities {
            return Err(Error::unsupported_config("hostdev mode 'capabilities' is not supported in QEMU"));
        }
        match &self.source {
            HostSource::Pci(source) => pci(self, source, cx),
            HostSource::Usb(source) => usb(self, source, cx),
            HostSource::Scsi(source) => scsi(self, source, cx),
            HostSource::ScsiHost(source) => scsi_host(self, source.wwpn.as_deref().unwrap_or_default(), cx),
            HostSource::Mdev(source) => mediated(self, source.uuid, cx),
            HostSource::Capability(_) | HostSource::Absent => {
                Err(Error::xml("Missing <source> element in hostdev device"))
            }
        }
    }
}

/// Whether and which ROM the guest sees: `rombar`, `romfile`.
pub(super) fn rom(it: Option<&Rom>) -> (Option<u32>, Option<String>) {
    let Some(Rom { enabled, bar, file }) = it else { return (None, None) };
    if enabled.is_some_and(|it| !it.is_on()) {
        return (None, Some(String::new()));
    }
    (bar.map(|it| u32::from(it.is_on())), file.clone())
}

/// The host's name of a PCI device: `0000:06:12.5`.
pub(crate) fn pci_name(it: &PciAddress) -> String {
    let PciAddress { domain, bus, slot, function, multifunction: _, zpci: _ } = it;
    format!("{domain:04x}:{bus:02x}:{slot:02x}.{function:x}")
}

/// Whether a PCI device can be handed over with this driver.
///
/// # Errors
/// `INTERNAL_ERROR` for a driver of another hypervisor, `CONFIG_UNSUPPORTED` where the host has no VFIO.
pub(crate) fn check_driver(name: Option<HostdevDriverName>, model: Option<&str>) -> Result<()> {
    match name {
        Some(HostdevDriverName::Vfio) => Ok(()),
        Some(other) => Err(Error::internal(format!("invalid PCI passthrough type '{other}'"))),
        None if model.is_some() || Path::new("/dev/vfio/vfio").exists() => Ok(()),
        None => Err(Error::unsupported_config("host doesn't support passthrough of host PCI devices")),
    }
}

fn pci(it: &Hostdev, source: &PciSource, cx: &Cx<'_>) -> Result<Vec<Part>> {
    let HostdevDriver { name, model } = it.driver.clone().unwrap_or_default();
    check_driver(name, model.as_deref())?;
    cx.needs("vfio-pci", "<hostdev type='pci'>")?;
    let id = alias::of(it)?;
    let PciSource { startup_policy: _, write_filtering: _, address } = source;
    let (rombar, romfile) = rom(it.info.rom.as_ref());
    let device = Vfio {
        driver: "vfio-pci",
        host: Some(pci_name(address)),
        id,
        bootindex: cx.boot_index(id),
        failover: it.teaming.as_ref().and_then(|it| pair(it)),
        place: place(it.info.address.as_ref(), it.info.acpi_index, cx)?,
        rombar,
        romfile,
        ..Vfio::default()
    };
    Ok(vec![Part::device(id, &device)?])
}

fn pair(it: &Teaming) -> Option<&str> {
    it.persistent.as_deref()
}

fn mediated(it: &Hostdev, uuid: uuid::Uuid, cx: &Cx<'_>) -> Result<Vec<Part>> {
    let id = alias::of(it)?;
    match it.model {
        Some(HostdevModel::VfioPci) | None => {}
        Some(other) => {
            let text = format!("<hostdev type='mdev' model='{other}'> is not supported by this version of QEMU");
            return Err(Error::unsupported_config(text));
        }
    }
    let ramfb = it.ramfb.is_some_and(OnOff::is_on);
    // A frame buffer in memory is the firmware's; it cannot come and go.
    let driver = if ramfb { "vfio-pci-nohotplug" } else { "vfio-pci" };
    cx.needs(driver, "<hostdev type='mdev'>")?;
    let (rombar, romfile) = rom(it.info.rom.as_ref());
    let device = Vfio {
        driver,
        id,
        sysfsdev: Some(format!("/sys/bus/mdev/devices/{}", uuid.hyphenated())),
        bootindex: cx.boot_index(id),
        display: it.display.map(|it| on_off(it.is_on())),
        ramfb: ramfb.then_some(true),
        place: place(it.info.address.as_ref(), it.info.acpi_index, cx)?,
        rombar,
        romfile,
        ..Vfio::default()
    };
    Ok(vec![Part::device(id, &device)?])
}

/// The node of a USB device whose place on the host is known.
fn usb_node(it: &UsbSource) -> Option<String> {
    match it.address {
        Some(UsbHostAddress { bus: Some(bus), device: Some(device), .. }) => {
            Some(format!("/dev/bus/usb/{bus:03}/{device:03}"))
        }
        _ => None,
    }
}

fn usb(it: &Hostdev, source: &UsbSource, cx: &Cx<'_>) -> Result<Vec<Part>> {
    let id = alias::of(it)?;
    if source.missing.is_some_and(|it| it.is_on()) {
        return Ok(Vec::new());
    }
    let hostdevice =
        usb_node(source).ok_or_else(|| Error::internal("USB host device is missing bus/device information"))?;
    cx.needs("usb-host", "<hostdev type='usb'>")?;
    let (guest_reset, guest_resets_all) = match source.guest_reset {
        None => (None, None),
        Some(GuestReset::Off) => (Some(false), None),
        Some(GuestReset::Uninitialized) => (Some(true), Some(false)),
        Some(GuestReset::On) => (Some(true), Some(true)),
    };
    let device = Usb {
        driver: "usb-host",
        hostdevice,
        id,
        bootindex: cx.boot_index(id),
        guest_reset,
        guest_resets_all,
        place: place(it.info.address.as_ref(), it.info.acpi_index, cx)?,
    };
    Ok(vec![Part::device(id, &device)?])
}

/// The directory that names the node by which a SCSI device is reached as it is.
fn generic_directory(it: &ScsiSource) -> Option<String> {
    let host = it.adapter.as_deref()?.strip_prefix("scsi_host")?;
    let ScsiHostAddress { bus, target, unit } = it.address?;
    Some(format!("/sys/bus/scsi/devices/{host}:{bus}:{target}:{unit}/scsi_generic"))
}

fn generic_node(it: &ScsiSource) -> Option<String> {
    let directory = generic_directory(it)?;
    let name = std::fs::read_dir(directory).ok()?.flatten().next()?.file_name();
    Some(format!("/dev/{}", name.to_string_lossy()))
}

fn scsi(it: &Hostdev, source: &ScsiSource, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
    let id = alias::of(it)?;
    cx.needs("scsi-generic", "<hostdev type='scsi'>")?;
    let node = format!("libvirt-{}-backend", ordinal(it, cx));
    let mut parts = if source.protocol.is_some() {
        let ScsiSource { protocol: _, name, hosts, auth, initiator, adapter_kind: _, adapter: _, address: _ } =
            source.clone();
        let unit =
            DiskSource { protocol: Some(Protocol::Iscsi), name, hosts, auth, initiator, ..DiskSource::default() };
        iscsi_unit(&unit, &node, it.readonly, cx)?
    } else {
        let directory = generic_directory(source).unwrap_or_default();
        let filename = generic_node(source).ok_or_else(|| {
            let missing = std::io::Error::from_raw_os_error(nix::libc::ENOENT);
            Error::system(format!("cannot open directory '{directory}'"), &missing)
        })?;
        let unit = Node { driver: "host_device", filename, node_name: &node, read_only: it.readonly };
        vec![Part::blockdev(node.clone(), &unit)?]
    };
    let Some(Address::Drive(at)) = it.info.address else {
        return Err(Error::internal(format!("{id} has no place on a SCSI bus yet")));
    };
    let kind = virtbus_schema::domain::device::controller::ControllerKind::Scsi;
    let controller = cx.controller_name(kind, at.controller)?;
    let narrow = cx.controller(kind, at.controller).is_some_and(|it| it.model.as_deref() == Some("lsilogic"));
    let device = if narrow {
        // That chip knows no units.
        let (bus, scsi_id) = (format!("{controller}.{}", at.bus), at.unit);
        Scsi { driver: "scsi-generic", drive: node, id, bus, scsi_id, bootindex: cx.boot_index(id), ..Scsi::default() }
    } else {
        Scsi {
            driver: "scsi-generic",
            drive: node,
            id,
            bus: format!("{controller}.0"),
            channel: Some(at.bus),
            scsi_id: at.target,
            lun: Some(at.unit),
            bootindex: cx.boot_index(id),
        }
    };
    parts.push(Part::device(id, &device)?);
    Ok(parts)
}

/// The number of its node: after those of all images, in the document's order.
fn ordinal(it: &Hostdev, cx: &Cx<'_>) -> u32 {
    let devices = &cx.domain.devices;
    let is_scsi = |it: &&Hostdev| matches!(it.source, HostSource::Scsi(_));
    let before = devices.hostdevs.iter().take_while(|other| !std::ptr::eq(*other, it)).filter(is_scsi).count();
    super::disk::count_images(cx.domain).saturating_add(u32::try_from(before).unwrap_or(0)).saturating_add(1)
}

fn scsi_host(it: &Hostdev, wwpn: &str, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
    let id = alias::of(it)?;
    let open = cx.host.descriptors.remove(id).and_then(|it| it.into_iter().next());
    let Some(open) = open else {
        return Err(Error::unsupported_config("vhost-scsi device file '/dev/vhost-scsi' cannot be found"));
    };
    let model = it.model.map_or("virtio", HostdevModel::as_str);
    let device = ScsiHost {
        driver: virtio_device("vhost-scsi", model, it.info.address.as_ref())?,
        wwpn,
        vhostfd: cx.pass(open).to_string(),
        id,
        place: place(it.info.address.as_ref(), it.info.acpi_index, cx)?,
    };
    Ok(vec![Part::device(id, &device)?])
}
