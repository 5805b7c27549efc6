//! Pools that are a disk; their volumes are its partitions.
//!
//! parted(8) reads and changes the table; what it prints is read by [`table`].

mod table;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::{
    Error, ErrorCode, Result,
    flags::{PoolBuildFlags, PoolDeleteFlags, VolumeCreateFlags, VolumeDeleteFlags, VolumeResizeFlags},
};
use virtbus_schema::StorageVolume;
use virtbus_schema::storage_pool::{FreeExtent, PoolFormat, PoolKind};
use virtbus_schema::storage_vol::{VolumeDevice, VolumeExtent, VolumeFormat, VolumeSize, VolumeSource, VolumeType};

use super::{Backend, Cx, Found, Room, signature};
use crate::blocking;
use crate::fault::{self, Faults as _};
use crate::pool::view::{Figures, Volumes};
use crate::tool::{SOON, Tool};
use crate::volume::{Volume, clone, create, describe, transfer};

use table::{Partition, Table};

/// A disk.
#[derive(Debug)]
pub(super) struct Disk;

fn device(cx: &Cx) -> Result<&str> {
    match cx.pool.source.devices.as_slice() {
        [one] => Ok(&one.path),
        _ => Err(fault::internal("expected exactly 1 device for the storage pool")),
    }
}

/// parted's name of the partition table that is wanted; `None`: any.
fn label(cx: &Cx) -> Option<&'static str> {
    match cx.pool.source_format() {
        None | Some(PoolFormat::Unknown) => None,
        Some(PoolFormat::Dos) => Some("msdos"),
        Some(other) => Some(other.as_str()),
    }
}

async fn read_table(cx: &Cx) -> Result<Option<Table>> {
    let device = device(cx)?;
    let output = Tool::new("parted").args(["-m", "-s", device, "unit", "B", "print", "free"]).output(SOON).await?;
    if !output.exit.success() {
        let said = output.last_error_line();
        if said.contains("unrecognised disk label") {
            return Ok(None);
        }
        return Err(fault::internal(format!("cannot read the partitions of '{device}': {said}")));
    }
    table::parse(&String::from_utf8_lossy(&output.stdout)).map(Some)
}

fn unrecognized(cx: &Cx) -> Error {
    let device = device(cx).unwrap_or_default();
    let detail = format!("Device '{device}' is unrecognized, requires build");
    Error::new(ErrorCode::StorageProbeFailed, detail).of_storage()
}

/// The partition's name: a `p` stands between a digit and the number, or where the document asks for it.
fn partition_name(cx: &Cx, number: u32) -> Result<String> {
    use virtbus_schema::xml::YesNo;
    let device = device(cx)?;
    let base = Path::new(device).file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    let separated = cx.pool.source.devices.first().and_then(|it| it.part_separator);
    let ends_in_digit = base.ends_with(|it: char| it.is_ascii_digit());
    let separator = match separated {
        Some(YesNo::Yes) => "p",
        Some(YesNo::No) => "",
        None if ends_in_digit => "p",
        None => "",
    };
    Ok(format!("{base}{separator}{number}"))
}

fn partition_path(cx: &Cx, name: &str) -> PathBuf {
    Path::new(cx.pool.target_path().unwrap_or("/dev")).join(name)
}

/// A partition as a volume. Blocks.
fn volume(cx: &Cx, device: &str, partition: &Partition) -> Result<Volume> {
    let name = partition_name(cx, partition.number)?;
    let path = partition_path(cx, &name);
    let mut document = StorageVolume::new(&name);
    let size = VolumeSize::of(partition.end.saturating_sub(partition.start));
    document.kind = VolumeType::Block;
    document.key = Some(path.to_string_lossy().into_owned());
    document.capacity = Some(size);
    document.physical = Some(size);
    // An extended partition holds others and nothing else.
    document.allocation = Some(if partition.extended { VolumeSize::of(0) } else { size });
    let extents = vec![VolumeExtent { start: partition.start, end: partition.end }];
    document.source = Some(VolumeSource { devices: vec![VolumeDevice { path: device.to_owned(), extents }] });
    let format = if partition.extended { VolumeFormat::Extended } else { VolumeFormat::Unnamed };
    document.target.format = Some(format.into());
    if let Ok(about) = std::fs::metadata(&path) {
        document.target.permissions = Some(describe::permissions(&about));
        document.target.timestamps = Some(describe::timestamps(&about));
    }
    document.target.path = Some(path.to_string_lossy().into_owned());
    Ok(Volume { document: Arc::new(document), stamp: None, probed: None })
}

#[async_trait]
impl Backend for Disk {
    fn kind(&self) -> PoolKind {
        PoolKind::Disk
    }

    async fn is_active(&self, cx: &Cx) -> Result<bool> {
        let device = PathBuf::from(device(cx)?);
        blocking::look(device.display().to_string(), move || Ok(device.exists())).await
    }

    async fn build(&self, cx: &Cx, flags: PoolBuildFlags) -> Result<()> {
        signature::check_overwrite(flags, "virStorageBackendDiskBuildPool")?;
        let (device, format) = (device(cx)?, cx.pool.source_format().unwrap_or(PoolFormat::Unknown));
        if !flags.contains(PoolBuildFlags::OVERWRITE) {
            signature::refuse_used(device, format.as_str()).await?;
        }
        let label = label(cx).unwrap_or("msdos");
        Tool::new("parted").args(["-s", device, "mklabel", label]).run(SOON).await.map(drop)
    }

    async fn start(&self, cx: &Cx) -> Result<()> {
        if !self.is_active(cx).await? {
            return Err(fault::internal(format!("device path '{}' doesn't exist", device(cx)?)));
        }
        let Some(table) = read_table(cx).await? else { return Err(unrecognized(cx)) };
        if label(cx).is_some_and(|it| it != table.label) {
            let (device, format) = (device(cx)?, cx.pool.source_format().unwrap_or(PoolFormat::Unknown));
            let detail = format!(
                "Format of device '{device}' does not match the expected format '{format}', \
                 forced overwrite is necessary"
            );
            return Err(Error::new(ErrorCode::StoragePoolBuilt, detail).of_storage());
        }
        Ok(())
    }

    async fn stop(&self, _cx: &Cx) -> Result<()> {
        Ok(())
    }

    async fn delete(&self, cx: &Cx, flags: PoolDeleteFlags) -> Result<()> {
        if !flags.is_empty() {
            return Err(fault::unknown_flags(flags.bits(), "virStorageBackendDiskDeletePool"));
        }
        let device = PathBuf::from(device(cx)?);
        let zeroed = device.clone();
        blocking::look(device.display().to_string(), move || {
            zero_table(&zeroed).map_err(fault::at("failed to clear the partition table of", &zeroed))
        })
        .await?;
        settle().await;
        Ok(())
    }

    async fn room(&self, cx: &Cx) -> Option<Room> {
        let found = self.refresh(cx, Volumes::default()).await.ok()?;
        Some(Room { figures: found.figures, free_extents: found.free_extents })
    }

    async fn refresh(&self, cx: &Cx, _known: Volumes) -> Result<Found> {
        let table = read_table(cx).await?.ok_or_else(|| unrecognized(cx))?;
        let cx = cx.clone();
        blocking::look(device(&cx)?.to_owned(), move || {
            let mut found = Found::default();
            for partition in &table.partitions {
                let volume = volume(&cx, device(&cx)?, partition)?;
                found.figures.allocation = found.figures.allocation.saturating_add(volume.allocation());
                found.volumes.insert(volume.name().to_owned(), Arc::new(volume));
            }
            let free = table.free.iter().map(|it| it.end.saturating_sub(it.start)).fold(0, u64::saturating_add);
            let end = table.end();
            found.figures = Figures { capacity: end, available: free, ..found.figures };
            found.free_extents = table.free.iter().map(|it| FreeExtent { start: it.start, end: it.end }).collect();
            Ok(found)
        })
        .await
    }

    async fn create_volume(
        &self,
        cx: &Cx,
        document: Box<StorageVolume>,
        source: Option<&Arc<Volume>>,
        _flags: VolumeCreateFlags,
    ) -> Result<Arc<Volume>> {
        if document.target.encryption.is_some() {
            return Err(fault::unsupported("storage pool only supports LUKS encrypted volumes"));
        }
        let table = read_table(cx).await?.ok_or_else(|| unrecognized(cx))?;
        let capacity = document.capacity_bytes().max(source.map_or(0, |it| it.capacity()));
        let plan = table.plan(capacity, document.target.volume_format())?;
        let expected = partition_name(cx, plan.number)?;
        if document.name != expected {
            let text = format!("invalid partition name '{}', expected '{expected}'", document.name);
            return Err(fault::bad_argument(text));
        }
        let disk = device(cx)?;
        // The table of a disk has room for one change at a time, and parted locks it.
        let mut tool = Tool::new("parted").args(["-s", "-a", "none", disk, "mkpart", plan.kind]);
        tool = tool.args(plan.file_system);
        tool.arg(format!("{}B", plan.start)).arg(format!("{}B", plan.end - 1)).run(SOON).await?;
        let made = fill(cx, document, source, plan.number).await;
        if made.is_err() {
            // The reason is what counts; a partition that stays shows in the next refresh.
            let _ = Tool::new("parted").args(["-s", disk, "rm", &plan.number.to_string()]).run(SOON).await;
        }
        made
    }

    async fn delete_volume(&self, cx: &Cx, volume: &Arc<Volume>, flags: VolumeDeleteFlags) -> Result<()> {
        if !flags.is_empty() {
            return Err(fault::unknown_flags(flags.bits(), "virStorageBackendDiskDeleteVol"));
        }
        let table = read_table(cx).await?.ok_or_else(|| unrecognized(cx))?;
        for partition in &table.partitions {
            if partition_name(cx, partition.number)? == volume.name() {
                let number = partition.number.to_string();
                Tool::new("parted").args(["-s", device(cx)?, "rm", &number]).run(SOON).await?;
                settle().await;
                return Ok(());
            }
        }
        Ok(())
    }

    async fn resize_volume(
        &self,
        _cx: &Cx,
        _volume: &Arc<Volume>,
        _capacity: u64,
        _flags: VolumeResizeFlags,
    ) -> Result<()> {
        Err(fault::no_support("storage pool does not support changing of volume capacity"))
    }

    async fn probe(&self, cx: &Cx, volume: &Arc<Volume>) -> Result<Arc<Volume>> {
        self.look(cx, volume, None).await
    }

    async fn look(&self, _cx: &Cx, volume: &Arc<Volume>, _capacity: Option<u64>) -> Result<Arc<Volume>> {
        // A partition is what the table says; its device may come later than it.
        Ok(Arc::clone(volume))
    }
}

/// Gives a new partition its content.
async fn fill(cx: &Cx, document: Box<StorageVolume>, source: Option<&Arc<Volume>>, number: u32) -> Result<Arc<Volume>> {
    let table = read_table(cx).await?.ok_or_else(|| unrecognized(cx))?;
    let made = table.partitions.iter().find(|it| it.number == number).cloned();
    let made = made.ok_or_else(|| fault::internal(format!("partition {number} has not come into being")))?;
    let extended =
        document.target.format.clone().filter(|_| document.target.volume_format() == Some(VolumeFormat::Extended));
    let (cx, source) = (cx.clone(), source.map(Arc::clone));
    settle().await;
    blocking::steady(format!("volume '{}'", document.name), move |progress| {
        let mut volume = volume(&cx, device(&cx)?, &made)?;
        // Empty, it looks like any other.
        if let Some(extended) = extended {
            Arc::make_mut(&mut volume.document).target.format = Some(extended);
        }
        if let Some(source) = source {
            let to = std::fs::OpenOptions::new().write(true).open(volume.path());
            let to = to.map_err(fault::at("cannot open volume", volume.path()))?;
            let from = transfer::open(source.path(), false)?;
            clone::copy(&from, &to, true, volume.path(), progress)?;
            to.sync_all().map_err(fault::at("cannot sync data to", volume.path()))?;
            if let Some(permissions) = &document.target.permissions {
                create::own(volume.path(), volume.path(), permissions)?;
            }
        }
        Ok(Arc::new(volume))
    })
    .await
}

/// The devices of partitions come, go and get their owners by udev, a moment later.
async fn settle() {
    if let Err(error) = Tool::new("udevadm").arg("settle").output(SOON).await {
        tracing::debug!("{error}");
    }
}

/// Overwrites what partition tables and their copies lie in: the first and the last MiB. Blocks.
fn zero_table(device: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    const LENGTH: u64 = 1 << 20;
    let disk = std::fs::OpenOptions::new().write(true).open(device)?;
    let end = virtbus_host::file::length(&disk)?;
    let zeroes = vec![0; usize::try_from(LENGTH.min(end)).unwrap_or(0)];
    disk.write_all_at(&zeroes, 0)?;
    disk.write_all_at(&zeroes, end.saturating_sub(LENGTH))?;
    disk.sync_all()
}
