//! `<disk>`: the block nodes of its images, and the drive the guest sees.

mod chain;
mod image;
pub(crate) mod iothread;
pub(crate) mod storage;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::controller::ControllerKind;
use virtbus_schema::domain::device::disk::{
    BlockIo, Disk, DiskBus, DiskCache, DiskDevice, DiskDriver, DiskErrorPolicy, DiskKind, DiskReadErrorPolicy,
    DiskTarget, Geometry,
};
use virtbus_schema::xml::{OnOff, YesNo};

use self::iothread::{Mapping, mapping};
use super::address::{Place, Virtio, place, virtio, virtio_device};
use super::chardev::{Backend, Chardev, Socket};
use super::controller::drive_place;
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, Resource, alias};
use crate::machine::Board;

pub use chain::read_chains;
pub use image::number_images;
pub(crate) use image::{count_images, nvram_storage};

props! {
    struct FloppyController {
        driver: &'static str,
        #[serde(rename = "bootindexA")]
        bootindex_a: Option<u32>,
        #[serde(rename = "bootindexB")]
        bootindex_b: Option<u32>,
    }

    struct Drive {
        driver: String,
        #[serde(flatten)]
        virtio: Virtio,
        ioeventfd: Option<bool>,
        #[serde(rename = "event_idx")]
        event_idx: Option<bool>,
        num_queues: Option<u32>,
        queue_size: Option<u32>,
        iothread: Option<String>,
        iothread_vq_mapping: Vec<Mapping>,
        #[serde(flatten)]
        place: Place,
        unit: Option<u32>,
        channel: Option<u32>,
        scsi_id: Option<u32>,
        lun: Option<u32>,
        #[serde(rename = "device_id")]
        device_id: Option<String>,
        share_rw: Option<bool>,
        drive: Option<String>,
        chardev: Option<String>,
        id: String,
        bootindex: Option<u32>,
        #[serde(rename = "logical_block_size")]
        logical_block_size: Option<u32>,
        #[serde(rename = "physical_block_size")]
        physical_block_size: Option<u32>,
        #[serde(rename = "discard_granularity")]
        discard_granularity: Option<u32>,
        wwn: Option<u64>,
        #[serde(rename = "rotation_rate")]
        rotation_rate: Option<u32>,
        vendor: Option<String>,
        product: Option<String>,
        model: Option<String>,
        removable: Option<bool>,
        write_cache: Option<&'static str>,
        cyls: Option<u32>,
        heads: Option<u32>,
        secs: Option<u32>,
        bios_chs_trans: Option<&'static str>,
        serial: Option<String>,
        werror: Option<&'static str>,
        rerror: Option<&'static str>,
    }
}

impl QemuDevice for Disk {
    fn resources(&self, _: &Cx<'_>) -> Vec<Resource> {
        image::resources(self)
    }

    fn address(&self) -> AddressKind {
        match self.target.bus {
            Some(DiskBus::Virtio) => AddressKind::Pci,
            Some(DiskBus::Usb) => AddressKind::Usb,
            _ => AddressKind::Drive,
        }
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        account_for(self);
        // The reference plugs a disk that shares its backing image in later; here it is there from the start.
        if cx.only_shown && self.transient.is_some_and(|it| it.share_backing == Some(YesNo::Yes)) {
            return Ok(Vec::new());
        }
        if self.kind == DiskKind::VhostUser {
            return vhost_user(self, cx);
        }
        let (mut parts, node) = image::nodes(self, cx)?;
        let drive = drive(self, node, cx)?;
        parts.push(Part::device(alias::of(self)?, &drive)?);
        Ok(parts)
    }
}

/// Where each part of a disk is used. A new field does not build before it is named here.
fn account_for(disk: &Disk) {
    let Disk {
        // What the guest sees is made below, the nodes of its images in `image`.
        kind: _,
        device: _,
        model: _,
        driver: _,
        auth: _,
        source: _,
        backing_store: _,
        target: _,
        geometry: _,
        blockio: _,
        throttlefilters: _,
        readonly: _,
        shareable: _,
        serial: _,
        wwn: _,
        vendor: _,
        product: _,
        encryption: _,
        info: _,
        // `process::launch`: the right to send any SCSI command, limits that are told to the running QEMU, the image over it.
        rawio: _,
        iotune: _,
        transient: _,
        // Filtered is all there is.
        sgio: _,
        // Of running guests and their snapshots.
        snapshot: _,
        mirror: _,
        // Of Xen.
        backend_domain: _,
    } = disk;
}

/// A disk that another process serves: the guest sees a drive, QEMU a socket.
fn vhost_user(disk: &Disk, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
    let source = disk.source.as_ref();
    let path = source.and_then(|it| it.path.clone());
    let path = path.ok_or_else(|| Error::internal(format!("disk {}: the source has no path", disk.target.dev)))?;
    let reconnect_ms = source.and_then(|it| it.reconnect).and_then(|it| match it.enabled {
        Some(YesNo::Yes) => Some(u64::from(it.timeout.unwrap_or(0)).saturating_mul(1000)),
        Some(YesNo::No) => Some(0),
        None => None,
    });
    let id = format!("chr-vu-{}", alias::of(disk)?);
    let socket = Socket { server: false, waits: false, reconnect_ms };
    let chardev = Chardev::new(id.clone(), Backend::Unix { path, socket });
    let mut device = drive(disk, None, cx)?;
    device.driver =
        virtio_device("vhost-user-blk", disk.model.map_or("", |it| it.as_str()), disk.info.address.as_ref())?;
    device.chardev = Some(id);
    Ok(vec![Part::Chardev(chardev), Part::device(alias::of(disk)?, &device)?])
}

/// What comes before the floppy drives: a PC has their controller, Q35 gets one. The turns of the drives are the controller's.
pub(crate) fn floppies(disks: &[Disk], cx: &Cx<'_>) -> Result<Vec<Part>> {
    let mut turns: [Option<u32>; 2] = [None; 2];
    let mut found = false;
    for disk in disks.iter().filter(|it| it.target.bus == Some(DiskBus::Fdc)) {
        found = true;
        let unit = usize::try_from(drive_place(disk.info.address.as_ref())?.unit).unwrap_or(usize::MAX);
        if let Some(turn) = turns.get_mut(unit) {
            *turn = cx.boot_index(alias::of(disk)?);
        }
    }
    let [a, b] = turns;
    if found && cx.board == Board::Q35 {
        let controller = FloppyController { driver: "isa-fdc", bootindex_a: a, bootindex_b: b };
        return Ok(vec![Part::device("isa-fdc", &controller)?]);
    }
    let turns = [("A", a), ("B", b)].into_iter().filter_map(|(drive, turn)| Some((drive, turn?)));
    Ok(turns.map(|(drive, turn)| Part::Option("-global", format!("isa-fdc.bootindex{drive}={turn}"))).collect())
}

/// The drive the guest sees, on top of block node `node`.
fn drive(disk: &Disk, node: Option<String>, cx: &Cx<'_>) -> Result<Drive> {
    let Disk {
        device, model, target, geometry, blockio, shareable, serial, wwn, vendor, product, info, driver, ..
    } = disk;
    let id = alias::of(disk)?;
    let bus = target.bus.ok_or_else(|| Error::internal(format!("disk {} has no bus yet", target.dev)))?;
    let mut it = Drive {
        drive: node,
        id: id.to_owned(),
        bootindex: cx.boot_index(id),
        share_rw: shareable.then_some(true),
        wwn: wwn.as_deref().map(parse_wwn).transpose()?,
        vendor: vendor.clone(),
        // What SCSI calls product is ATA's model.
        product: product.clone().filter(|_| bus == DiskBus::Scsi),
        model: product.clone().filter(|_| bus != DiskBus::Scsi),
        // Guests know their disks by what the reference makes of a blank.
        serial: serial.as_ref().map(|it| it.replace(' ', "\\ ")),
        ..Drive::default()
    };
    let DiskTarget { dev: _, bus: _, tray: _, removable, rotation_rate } = target;
    it.rotation_rate = *rotation_rate;
    match bus {
        DiskBus::Virtio => {
            it.driver = virtio_device("virtio-blk", model.map_or("", |it| it.as_str()), disk.info.address.as_ref())?;
            it.place = place(info.address.as_ref(), info.acpi_index, cx)?;
            if let Some(driver) = driver {
                virtio_options(&mut it, driver);
            }
        }
        DiskBus::Usb => {
            it.driver = "usb-storage".to_owned();
            it.place = place(info.address.as_ref(), info.acpi_index, cx)?;
            it.removable = Some(removable.is_some_and(|it| it.state.is_on()));
        }
        DiskBus::Scsi => scsi(&mut it, disk, cx)?,
        DiskBus::Ide | DiskBus::Sata => ata(&mut it, disk, bus, cx)?,
        DiskBus::Fdc => {
            it.driver = "floppy".to_owned();
            let address = drive_place(info.address.as_ref())?;
            it.unit = Some(address.unit);
            // Its controller boots from it.
            it.bootindex = None;
            it.wwn = None;
        }
        DiskBus::Xen | DiskBus::Uml | DiskBus::Sd => {
            return Err(Error::internal(format!("unsupported disk bus '{bus}' with device setup")));
        }
    }
    if let Some(BlockIo { logical_block_size, physical_block_size, discard_granularity }) = blockio {
        // Nothing and zero are the same to QEMU.
        it.logical_block_size = logical_block_size.filter(|it| *it > 0);
        it.physical_block_size = physical_block_size.filter(|it| *it > 0);
        it.discard_granularity = *discard_granularity;
    }
    if let Some(Geometry { cyls, heads, secs, trans }) = geometry {
        (it.cyls, it.heads, it.secs) = (Some(*cyls), Some(*heads), Some(*secs));
        it.bios_chs_trans = trans.map(|it| it.as_str());
    }
    if let Some(driver) = driver {
        let alone = matches!(device, DiskDevice::Disk | DiskDevice::Lun) && !disk.readonly;
        it.write_cache = write_cache(driver.cache, *shareable && alone);
        (it.werror, it.rerror) = error_policies(driver);
    }
    Ok(it)
}

fn parse_wwn(text: &str) -> Result<u64> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).map_err(|_| Error::xml(format!("malformed wwn: {text}")))
}

fn virtio_options(it: &mut Drive, driver: &DiskDriver) {
    it.virtio = virtio(Some(&driver.virtio));
    it.ioeventfd = driver.ioeventfd.map(OnOff::is_on);
    it.event_idx = driver.event_idx.map(OnOff::is_on);
    it.num_queues = driver.queues;
    it.queue_size = driver.queue_size;
    it.iothread = driver.iothread.map(|number| format!("iothread{number}"));
    it.iothread_vq_mapping = mapping(&driver.iothreads);
}

fn scsi(it: &mut Drive, disk: &Disk, cx: &Cx<'_>) -> Result<()> {
    let address = drive_place(disk.info.address.as_ref())?;
    let controller = cx.controller(ControllerKind::Scsi, address.controller);
    let narrow = controller.is_some_and(|it| matches!(it.model.as_deref(), Some("lsilogic" | "dc390" | "am53c974")));
    it.driver = match disk.device {
        DiskDevice::Cdrom => "scsi-cd",
        DiskDevice::Lun => "scsi-block",
        DiskDevice::Disk | DiskDevice::Floppy => "scsi-hd",
    }
    .to_owned();
    it.place = Place::on(format!("{}.0", cx.controller_name(ControllerKind::Scsi, address.controller)?));
    if narrow {
        it.scsi_id = Some(address.unit);
    } else {
        it.channel = Some(address.bus);
        it.scsi_id = Some(address.target);
        it.lun = Some(address.unit);
    }
    it.removable = disk.target.removable.map(|it| it.state.is_on());
    if disk.device != DiskDevice::Lun {
        // What the guest finds on the device's identification page must not change with the way the image is opened.
        it.device_id = Some(disk.serial.clone().unwrap_or_else(|| format!("drive-{}", it.id)));
    }
    Ok(())
}

fn ata(it: &mut Drive, disk: &Disk, bus: DiskBus, cx: &Cx<'_>) -> Result<()> {
    let address = drive_place(disk.info.address.as_ref())?;
    it.driver = match disk.device {
        DiskDevice::Cdrom => "ide-cd",
        DiskDevice::Disk | DiskDevice::Floppy | DiskDevice::Lun => "ide-hd",
    }
    .to_owned();
    let (kind, port) = match bus {
        DiskBus::Sata => (ControllerKind::Sata, address.unit),
        _ => (ControllerKind::Ide, address.bus),
    };
    it.place = Place::on(format!("{}.{port}", cx.controller_name(kind, address.controller)?));
    it.unit = (bus == DiskBus::Ide).then_some(address.unit);
    Ok(())
}

/// Whether the guest's cache is written back: said only where the document chooses a mode.
fn write_cache(mode: Option<DiskCache>, shareable: bool) -> Option<&'static str> {
    match mode.unwrap_or(DiskCache::Default) {
        DiskCache::Default => shareable.then_some("on"),
        DiskCache::None | DiskCache::Writeback | DiskCache::Unsafe => Some("on"),
        DiskCache::Writethrough | DiskCache::Directsync => Some("off"),
    }
}

fn error_policies(driver: &DiskDriver) -> (Option<&'static str>, Option<&'static str>) {
    let write = driver.error_policy.map(|it| match it {
        DiskErrorPolicy::Stop => "stop",
        DiskErrorPolicy::Report => "report",
        DiskErrorPolicy::Ignore => "ignore",
        DiskErrorPolicy::Enospace => "enospc",
    });
    let read = driver.rerror_policy.map(|it| match it {
        DiskReadErrorPolicy::Stop => "stop",
        DiskReadErrorPolicy::Report => "report",
        DiskReadErrorPolicy::Ignore => "ignore",
    });
    // Reads follow writes unless they have a policy of their own; running out of room is no fault of reading.
    (write, read.or(write.filter(|it| *it != "enospc")))
}
