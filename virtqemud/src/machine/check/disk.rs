//! Drives.

use virtbus_api::{Error, ErrorCode, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::cpu::{MemAccess, NumaCell};
use virtbus_schema::domain::device::VirtioOptions;
use virtbus_schema::domain::device::disk::{
    Disk, DiskBus, DiskCache, DiskDevice, DiskDriver, DiskIo, DiskIoThread, DiskKind, DiskSgio, DiskSource, Encryption,
    EncryptionFormat, IoTune, Protocol,
};
use virtbus_schema::domain::memory::MemoryAccess;
use virtbus_schema::xml::OnOff;

use super::unsupported;
use crate::process::capabilities::QemuCaps;

/// QEMU takes no larger limit.
const MOST_THROTTLE: u64 = 1_000_000_000_000_000;

/// Letters in the model of an ATA drive.
const MOST_MODEL: usize = 40;

/// Formats the reference has a name for; QEMU reads them all, or says what it lacks.
const FORMATS: &[&str] = &[
    "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "cow", "qcow", "qcow2", "qed",
    "vmdk",
];

pub(super) fn check(domain: &Domain, caps: &QemuCaps) -> Result<()> {
    let shared = shares_memory(domain);
    for disk in &domain.devices.disks {
        kind_of_drive(disk)?;
        source(disk, shared, caps)?;
        driver(domain, disk)?;
        drive(disk)?;
        limits(domain, disk)?;
        if disk.device == DiskDevice::Disk && disk.is_empty() {
            return Err(Error::new(ErrorCode::NoSource, disk.target.dev.clone()));
        }
        images(disk)?;
    }
    Ok(())
}

/// Whether another process can be given the guest's memory.
pub(super) fn shares_memory(domain: &Domain) -> bool {
    let by_default = domain.memory_backing.as_ref().is_some_and(|it| it.access == Some(MemoryAccess::Shared));
    let cells = domain.cpu.as_ref().and_then(|it| it.numa.as_ref()).map(|it| it.cells.as_slice()).unwrap_or_default();
    let shared = |it: &NumaCell| it.mem_access.map_or(by_default, |it| it == MemAccess::Shared);
    if cells.is_empty() { by_default } else { cells.iter().all(shared) }
}

fn source(disk: &Disk, shared: bool, caps: &QemuCaps) -> Result<()> {
    if disk.sgio == Some(DiskSgio::Unfiltered) {
        return unsupported("unfiltered sgio is no longer supported");
    }
    if disk.target.tray.is_some() && !disk.is_removable() {
        return unsupported("tray is only valid for cdrom and floppy");
    }
    let bus = disk.target.bus;
    let reserves = disk.source.as_ref().is_some_and(|it| it.reservations.is_some());
    if reserves && disk.device != DiskDevice::Lun {
        return unsupported("<reservations/> allowed only for lun devices");
    }
    if let Some(model) = disk.model.filter(|_| bus != Some(DiskBus::Virtio)) {
        let bus = bus.map_or("none", DiskBus::as_str);
        return unsupported(format!("disk model '{model}' not supported for bus '{bus}'"));
    }
    if disk.kind == DiskKind::Nvme && disk.source.as_ref().is_some_and(|it| it.namespace == Some(0)) {
        return unsupported("NVMe namespace can't be zero");
    }
    if disk.device == DiskDevice::Lun {
        lun(disk)?;
    }
    if disk.transient.is_some() && disk.readonly {
        return unsupported(format!("transient disk '{}' must not be read-only", disk.target.dev));
    }
    if disk.rawio.is_some() && disk.device != DiskDevice::Lun {
        return unsupported("rawio can be used only with device='lun'");
    }
    match disk.kind {
        DiskKind::VhostUser if disk.target.bus != Some(DiskBus::Virtio) => {
            return unsupported("vhostuser disk supports only virtio bus");
        }
        DiskKind::VhostUser if !shared => return unsupported("'vhostuser' requires shared memory"),
        DiskKind::VhostUser => served_elsewhere(disk)?,
        DiskKind::VhostVdpa if !caps.has("virtio-blk-vhost-vdpa") => {
            return unsupported("vhostvdpa disk is not supported with this QEMU binary");
        }
        _ => {}
    }
    let Some(source) = &disk.source else { return Ok(()) };
    if let Some(protocol) = source.protocol.filter(|it| disk.device == DiskDevice::Lun && *it != Protocol::Iscsi) {
        return unsupported(format!("disk device='lun' is not supported for protocol='{protocol}'"));
    }
    let knows_users =
        [Protocol::Rbd, Protocol::Iscsi, Protocol::Http, Protocol::Https, Protocol::Ftp, Protocol::Ftps, Protocol::Ssh];
    if let Some(protocol) = source.protocol.filter(|it| !knows_users.contains(it))
        && (source.auth.is_some() || disk.auth.is_some())
    {
        return unsupported(format!("authentication is not supported for protocol '{protocol}'"));
    }
    match source.protocol {
        Some(Protocol::Sheepdog) => unsupported("'sheepdog' protocol is no longer supported by any hypervisor driver"),
        Some(protocol @ Protocol::Tftp) => {
            unsupported(format!("'{protocol}' protocol is not supported with this QEMU binary"))
        }
        _ => Ok(()),
    }
}

/// Floppy drives are on their own bus, and no other is; what is ejected is not on virtio.
fn kind_of_drive(disk: &Disk) -> Result<()> {
    let Some(bus) = disk.target.bus else { return Ok(()) };
    let dev = &disk.target.dev;
    match (disk.device, bus) {
        (DiskDevice::Floppy, _) if !dev.starts_with("fd") => {
            Err(Error::internal(format!("Invalid floppy device name: {dev}")))
        }
        (DiskDevice::Floppy, bus) if bus != DiskBus::Fdc => {
            Err(Error::internal(format!("Invalid bus type '{bus}' for floppy disk")))
        }
        (device, DiskBus::Fdc) if device != DiskDevice::Floppy => {
            Err(Error::internal("Invalid bus type 'fdc' for disk"))
        }
        (DiskDevice::Cdrom, DiskBus::Virtio) => {
            unsupported(format!("disk type of '{dev}' does not support ejectable media"))
        }
        _ => Ok(()),
    }
}

/// A LUN is a device of the host behind SCSI.
fn lun(disk: &Disk) -> Result<()> {
    match disk.target.bus {
        Some(DiskBus::Scsi) => {}
        Some(DiskBus::Virtio) => {
            return unsupported("This QEMU doesn't support SCSI emulation with 'virtio-blk' device");
        }
        other => {
            let bus = other.map_or("none", DiskBus::as_str);
            return unsupported(format!("disk device='lun' is not supported for bus='{bus}'"));
        }
    }
    let source = disk.source.as_ref();
    let is_block = match disk.kind {
        DiskKind::Block => source.is_some(),
        DiskKind::Volume => source.is_some_and(|it| it.pool.is_some()),
        DiskKind::Network => true,
        _ => false,
    };
    if is_block { Ok(()) } else { unsupported("disk device='lun' is only valid for block type disk source") }
}

/// What QEMU does with an image it cannot do for a disk that another process serves.
fn served_elsewhere(disk: &Disk) -> Result<()> {
    let none = DiskDriver::default();
    let driver = disk.driver.as_ref().unwrap_or(&none);
    let asked = [
        ("serial", disk.serial.is_some()),
        ("wwn", disk.wwn.is_some()),
        ("vendor", disk.vendor.is_some()),
        ("product", disk.product.is_some()),
        ("iotune", disk.iotune.is_some()),
        ("blockio", disk.blockio.is_some()),
        ("geometry", disk.geometry.is_some()),
        ("encryption", disk.encryption.is_some()),
        ("cache", driver.cache.is_some()),
        ("error_policy", driver.error_policy.is_some()),
        ("rerror_policy", driver.rerror_policy.is_some()),
        ("io", driver.io.is_some()),
        ("ioeventfd", driver.ioeventfd.is_some()),
        ("event_idx", driver.event_idx.is_some()),
        ("copy_on_read", driver.copy_on_read.is_some()),
        ("discard", driver.discard.is_some()),
        ("iothread", driver.iothread.is_some()),
        ("detect_zeroes", driver.detect_zeroes.is_some()),
        ("readonly", disk.readonly),
        ("shareable", disk.shareable),
        ("transient", disk.transient.is_some()),
    ];
    match asked.iter().find(|(_, asked)| *asked) {
        Some((what, _)) => unsupported(format!("{what} is not supported with vhostuser disk")),
        None => Ok(()),
    }
}

/// The images of a chain, the topmost first.
fn images(disk: &Disk) -> Result<()> {
    let format = disk.driver.as_ref().and_then(|it| it.format.as_deref()).unwrap_or("raw");
    image(disk, disk.kind, disk.source.as_ref(), format, disk.encryption.as_ref())?;
    let mut below = disk.backing_store.as_ref();
    while let Some(it) = below {
        if let Some(kind) = it.kind {
            let format = it.format.as_ref().map_or("raw", |it| it.kind.as_str());
            image(disk, kind, it.source.as_ref(), format, None)?;
        }
        below = it.below.as_deref();
    }
    Ok(())
}

fn image(
    disk: &Disk,
    kind: DiskKind,
    source: Option<&DiskSource>,
    format: &str,
    beside: Option<&Encryption>,
) -> Result<()> {
    if !FORMATS.contains(&format) {
        return unsupported(format!("unknown driver format value '{format}'"));
    }
    match format {
        "iso" => return unsupported("storage format 'iso' is not directly supported by QEMU, use 'raw' instead"),
        "fat" if kind != DiskKind::Dir && kind != DiskKind::Volume => {
            return unsupported("storage format 'fat' is supported only with 'dir' storage type");
        }
        "fat" if !disk.readonly => return unsupported("virtual FAT storage can't be accessed in read-write mode"),
        "fat" | "raw" | "qcow" | "qcow2" | "qed" | "vmdk" | "bochs" | "cloop" | "dmg" | "vpc" | "vdi" | "ploop" => {}
        other => return unsupported(format!("storage format '{other}' is not supported")),
    }
    if kind == DiskKind::Dir && format != "fat" {
        return unsupported("storage type 'dir' requires use of storage format 'fat'");
    }
    let encryption = source.and_then(|it| it.encryption.as_ref()).or(beside);
    if let Some(encryption) = encryption {
        encrypted(encryption, source, format)?;
    }
    if let Some(store) = source.and_then(|it| it.data_store.as_ref()) {
        if format != "qcow2" {
            return unsupported("<dataStore> feature available only with qcow2 images");
        }
        if store.format.as_ref().is_some_and(|it| it.kind != "raw") {
            return unsupported("only 'raw' images supported as <dataStore>");
        }
    }
    Ok(())
}

fn encrypted(it: &Encryption, source: Option<&DiskSource>, format: &str) -> Result<()> {
    if it.cipher.is_some() {
        return unsupported("<cipher> is for new volumes: an image has its own");
    }
    if it.engine.as_deref() == Some("librbd") {
        if source.and_then(|it| it.protocol) != Some(Protocol::Rbd) {
            return unsupported("librbd encryption is supported only with RBD backed disks");
        }
        if it.format == EncryptionFormat::Qcow {
            return unsupported("'qcow' is currently not supported by the librbd encryption engine");
        }
        return Ok(());
    }
    match it.format {
        EncryptionFormat::Default | EncryptionFormat::Qcow => {
            return unsupported("old qcow/qcow2 encryption is not supported");
        }
        EncryptionFormat::Luks => {}
        other @ (EncryptionFormat::Luks2 | EncryptionFormat::LuksAny) => {
            return unsupported(format!("'{other}' is currently not supported by the qemu encryption engine"));
        }
    }
    if !matches!(format, "raw" | "qcow2") {
        return unsupported("encryption is supported only with 'raw' and 'qcow2' image format");
    }
    if it.secrets.len() > 1 {
        return unsupported("qemu encryption engine expects only a single secret");
    }
    Ok(())
}

/// What the guest sees of the drive.
fn drive(disk: &Disk) -> Result<()> {
    let bus = disk.target.bus.unwrap_or(DiskBus::Virtio);
    let goes = bus == DiskBus::Usb || (bus == DiskBus::Scsi && disk.device == DiskDevice::Disk);
    if disk.target.removable.is_some() && !goes {
        return Err(Error::xml("removable is only valid for usb or scsi disks"));
    }
    let driver = disk.driver.clone().unwrap_or_default();
    let of_virtio = [
        ("ioeventfd mode", driver.ioeventfd.is_some()),
        ("event_idx mode", driver.event_idx.is_some()),
        ("queues", driver.queues.is_some()),
        ("queue_size", driver.queue_size.is_some()),
    ];
    if bus != DiskBus::Virtio && driver.virtio != VirtioOptions::default() {
        return unsupported("virtio driver options are only supported for virtio devices");
    }
    if let Some((what, _)) = of_virtio.iter().find(|(_, said)| *said && bus != DiskBus::Virtio) {
        return unsupported(format!("disk {what} supported only for virtio bus"));
    }
    if disk.target.rotation_rate.is_some() && !matches!(bus, DiskBus::Scsi | DiskBus::Ide | DiskBus::Sata) {
        return Err(Error::internal("rotation rate is only valid for SCSI/IDE/SATA bus"));
    }
    if disk.geometry.is_some_and(|it| it.trans.is_some()) && bus != DiskBus::Ide {
        return unsupported(format!("CHS translation mode can only be set for 'ide' bus not '{bus}'"));
    }
    if disk.wwn.is_some() && !matches!(bus, DiskBus::Scsi | DiskBus::Ide | DiskBus::Sata) {
        return unsupported("Only ide and scsi disk support wwn");
    }
    let ata = matches!(bus, DiskBus::Ide | DiskBus::Sata);
    for (what, text, most, known) in [
        ("vendor", &disk.vendor, 8, bus == DiskBus::Scsi),
        ("product", &disk.product, if ata { MOST_MODEL } else { 16 }, bus == DiskBus::Scsi || ata),
    ] {
        let Some(text) = text else { continue };
        if text.len() > most {
            return unsupported(format!("disk {what} is more than {most} characters"));
        }
        if !known {
            return unsupported(format!("{what} of a disk is not known to bus '{bus}'"));
        }
    }
    Ok(())
}

/// Limits of the disk, alone and with others.
fn limits(domain: &Domain, disk: &Disk) -> Result<()> {
    let dev = &disk.target.dev;
    let group = |it: &Disk| it.iotune.as_ref().and_then(|it| it.group_name.clone());
    if let Some(name) = group(disk) {
        let same = domain.devices.disks.iter().filter(|it| group(it).as_ref() == Some(&name));
        if let Some(other) = same.into_iter().find(|it| it.iotune != disk.iotune) {
            return unsupported(format!("different iotunes for disks {dev} and {}", other.target.dev));
        }
    }
    if disk.throttlefilters.is_empty() {
        return Ok(());
    }
    if disk.iotune.is_some() {
        let text = format!("block 'throttlefilters' can't be used together with 'iotune' for disk '{dev}'");
        return Err(Error::new(ErrorCode::OperationUnsupported, text));
    }
    let known = |name: &str| {
        let groups = domain.throttlegroups.iter().flat_map(|it| &it.groups);
        groups.into_iter().any(|it| it.group_name == name)
    };
    match disk.throttlefilters.iter().find(|it| !known(&it.group)) {
        Some(stray) => Err(Error::xml(format!("throttle group '{}' not found", stray.group))),
        None => Ok(()),
    }
}

fn driver(domain: &Domain, disk: &Disk) -> Result<()> {
    let dev = &disk.target.dev;
    if disk.serial.as_ref().is_some_and(|it| it.chars().any(|c| !is_safe(c))) {
        let serial = disk.serial.as_deref().unwrap_or_default();
        return Err(Error::internal(format!("driver serial '{serial}' contains unsafe characters")));
    }
    if let Some(tune) = &disk.iotune {
        throttle(tune)?;
    }
    let Some(driver) = &disk.driver else { return Ok(()) };
    if let Some(name) = driver.name.as_ref().filter(|it| *it != "qemu") {
        return unsupported(format!("unsupported driver name '{name}' for disk '{dev}'"));
    }
    let format = driver.format.as_deref().unwrap_or("raw");
    if driver.discard_no_unref == Some(OnOff::On) && format != "qcow2" {
        return unsupported("'discard_no_unref' only works with qcow2 disk format");
    }
    if driver.copy_on_read == Some(OnOff::On) && disk.readonly {
        return unsupported(format!("copy_on_read is not compatible with read-only disk '{dev}'"));
    }
    if disk.shareable && disk.device == DiskDevice::Disk && format != "raw" {
        return unsupported(format!("shared access for disk '{dev}' requires use of supported storage format"));
    }
    let uncached = matches!(driver.cache, Some(DiskCache::None | DiskCache::Directsync))
        || (disk.shareable && driver.cache.is_none_or(|it| it == DiskCache::Default));
    if driver.io == Some(DiskIo::Native) && !uncached {
        return unsupported("io='native' needs either no disk cache or directsync cache mode");
    }
    spread(domain, disk, &driver.iothreads, driver.queues)?;
    if let Some(thread) = driver.iothread {
        if disk.target.bus != Some(DiskBus::Virtio) {
            let bus = disk.target.bus.map_or("none", DiskBus::as_str);
            return unsupported(format!("IOThreads not available for bus {bus} target {dev}"));
        }
        if !threads(domain).contains(&thread) {
            return unsupported(format!("Disk iothread '{thread}' not defined in iothreadid"));
        }
    }
    Ok(())
}

/// Queues dealt out to threads: to all of them or to none, each queue once.
fn spread(domain: &Domain, disk: &Disk, mapped: &[DiskIoThread], queues: Option<u32>) -> Result<()> {
    let Some(first) = mapped.first() else { return Ok(()) };
    if disk.target.bus != Some(DiskBus::Virtio) {
        let bus = disk.target.bus.map_or("none", DiskBus::as_str);
        return unsupported(format!("IOThreads not available for bus {bus} target {}", disk.target.dev));
    }
    let known = threads(domain);
    let mut seen = std::collections::BTreeSet::new();
    let mut assigned = std::collections::BTreeSet::new();
    for it in mapped {
        if !known.contains(&it.id) {
            return unsupported(format!("iothread '{}' not defined in iothreadid", it.id));
        }
        if !seen.insert(it.id) {
            return unsupported(format!("Duplicate mapping for iothread '{}'", it.id));
        }
        if it.queues.is_empty() != first.queues.is_empty() {
            return unsupported("iothread to queue mapping must be provided for all iothreads or for none");
        }
        for queue in &it.queues {
            if queues.is_none_or(|most| queue.id >= most) {
                return unsupported(format!("iothread queue '{}' is out of range", queue.id));
            }
            if !assigned.insert(queue.id) {
                return unsupported(format!("iothread queue '{}' is already assigned", queue.id));
            }
        }
    }
    let all = queues.and_then(|it| usize::try_from(it).ok());
    if !assigned.is_empty() && all != Some(assigned.len()) {
        return unsupported("missing iothread mapping for some queues");
    }
    Ok(())
}

/// The numbers of the guest's threads.
fn threads(domain: &Domain) -> Vec<u32> {
    let mut numbers: Vec<u32> = domain.iothreadids.iter().map(|it| it.id).collect();
    let wanted = domain.iothreads.and_then(|it| usize::try_from(it).ok()).unwrap_or(0);
    let mut next = 1;
    while numbers.len() < wanted {
        if !numbers.contains(&next) {
            numbers.push(next);
        }
        next += 1;
    }
    numbers
}

fn is_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-+ .,:".contains(c)
}

fn throttle(it: &IoTune) -> Result<()> {
    let limits = [
        it.total_bytes_sec,
        it.read_bytes_sec,
        it.write_bytes_sec,
        it.total_iops_sec,
        it.read_iops_sec,
        it.write_iops_sec,
        it.total_bytes_sec_max,
        it.read_bytes_sec_max,
        it.write_bytes_sec_max,
        it.total_iops_sec_max,
        it.read_iops_sec_max,
        it.write_iops_sec_max,
    ];
    if limits.into_iter().flatten().any(|it| it > MOST_THROTTLE) {
        return Err(Error::new(
            ErrorCode::ArgumentUnsupported,
            format!("block I/O throttle limit must be no more than {MOST_THROTTLE} using QEMU"),
        ));
    }
    Ok(())
}
