//! Pools that are an LVM volume group; their volumes are its logical volumes.
//!
//! All is done by LVM's tools; what they print is read by [`mod@report`].

mod report;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::{
    Result,
    flags::{PoolBuildFlags, PoolDeleteFlags, VolumeCreateFlags, VolumeDeleteFlags, VolumeResizeFlags},
    storage::WipeAlgorithm,
};
use virtbus_schema::StorageVolume;
use virtbus_schema::storage_pool::{PoolDevice, PoolFormat, PoolKind, PoolSource, SourceFormat, SourceList};

use super::{Backend, Cx, Found, Room, files, signature};
use crate::blocking;
use crate::fault;
use crate::pool::view::{Figures, Volumes};
use crate::tool::{LONG, SOON, Tool};
use crate::volume::{Volume, clone, create, transfer};

/// blkid's name of a device that LVM uses.
const MEMBER: &str = "LVM2_member";

/// An LVM volume group.
#[derive(Debug)]
pub(super) struct Logical;

/// The volume group's name.
fn group(cx: &Cx) -> &str {
    cx.pool.source.name.as_deref().unwrap_or(&cx.pool.name)
}

/// What LVM's tools report, in a form that is for programs.
async fn report(tool: &str, columns: &str, of: Option<&str>) -> Result<String> {
    let arguments = ["--reportformat", "json", "--units", "b", "--nosuffix", "-o", columns];
    Tool::new(tool).args(arguments).args(of).text(SOON).await
}

/// The volumes of what `of` names: the group, or one volume of it.
async fn volumes(cx: &Cx, of: &str) -> Result<Vec<Volume>> {
    let columns = "lv_name,origin,lv_uuid,lv_size,seg_size,seg_start_pe,devices,segtype,vg_extent_size,lv_attr";
    let found = report::volumes(&report("lvs", columns, Some(of)).await?, cx.pool.target_path().unwrap_or_default())?;
    let volume = |document| Volume { document: Arc::new(document), stamp: None, probed: None };
    Ok(found.into_iter().map(volume).collect())
}

async fn figures(cx: &Cx) -> Result<Figures> {
    report::group(&report("vgs", "vg_size,vg_free", Some(group(cx))).await?)
}

async fn physical_volumes() -> Result<Vec<report::Physical>> {
    report::physical(&report("pvs", "pv_name,vg_name", None).await?)
}

/// The group has to be there, on one of the devices that the document names if it names any.
async fn check_source(cx: &Cx) -> Result<()> {
    let name = group(cx);
    let all = physical_volumes().await?;
    let devices: Vec<_> = all.iter().filter(|it| it.group == name).map(|it| it.device.as_str()).collect();
    if devices.is_empty() {
        return Err(fault::unsupported(format!("cannot find logical volume group name '{name}'")));
    }
    let named = &cx.pool.source.devices;
    if named.is_empty() || named.iter().any(|it| devices.contains(&it.path.as_str())) {
        return Ok(());
    }
    Err(fault::unsupported(format!("cannot find any matching source devices for logical volume group '{name}'")))
}

#[async_trait]
impl Backend for Logical {
    fn kind(&self) -> PoolKind {
        PoolKind::Logical
    }

    async fn is_active(&self, cx: &Cx) -> Result<bool> {
        Ok(physical_volumes().await?.iter().any(|it| it.group == group(cx)))
    }

    async fn build(&self, cx: &Cx, flags: PoolBuildFlags) -> Result<()> {
        signature::check_overwrite(flags, "virStorageBackendLogicalBuildPool")?;
        let devices: Vec<&str> = cx.pool.source.devices.iter().map(|it| it.path.as_str()).collect();
        if !flags.contains(PoolBuildFlags::OVERWRITE) {
            for device in &devices {
                signature::refuse_used(device, MEMBER).await?;
            }
        }
        for device in &devices {
            // Told to overwrite, or seen to be empty: nothing is left to ask.
            Tool::new("pvcreate").args(["--force", "--force", "--yes", device]).run(LONG).await?;
        }
        Tool::new("vgcreate").arg(group(cx)).args(devices).run(SOON).await.map(drop)
    }

    async fn start(&self, cx: &Cx) -> Result<()> {
        check_source(cx).await?;
        Tool::new("vgchange").args(["-aly", group(cx)]).run(SOON).await.map(drop)
    }

    async fn stop(&self, cx: &Cx) -> Result<()> {
        if !self.is_active(cx).await? {
            return Ok(());
        }
        Tool::new("vgchange").args(["-aln", group(cx)]).run(SOON).await.map(drop)
    }

    async fn delete(&self, cx: &Cx, flags: PoolDeleteFlags) -> Result<()> {
        if !flags.is_empty() {
            return Err(fault::unknown_flags(flags.bits(), "virStorageBackendLogicalDeletePool"));
        }
        Tool::new("vgremove").args(["-f", group(cx)]).run(SOON).await?;
        for device in &cx.pool.source.devices {
            if let Err(error) = Tool::new("pvremove").arg(&device.path).run(SOON).await {
                tracing::warn!(device = device.path, "it keeps LVM's label: {error}");
            }
        }
        Ok(())
    }

    async fn refresh(&self, cx: &Cx, _known: Volumes) -> Result<Found> {
        let figures = figures(cx).await?;
        let volumes = volumes(cx, group(cx)).await?.into_iter().map(|it| (it.name().to_owned(), Arc::new(it)));
        Ok(Found { figures, volumes: volumes.collect(), ..Found::default() })
    }

    async fn room(&self, cx: &Cx) -> Option<Room> {
        let figures = figures(cx).await.ok()?;
        Some(Room { figures, free_extents: Vec::new() })
    }

    async fn look(&self, _cx: &Cx, volume: &Arc<Volume>, capacity: Option<u64>) -> Result<Arc<Volume>> {
        let mut seen = files::look(volume, capacity).await?;
        // Its device is as long as what a guest sees; how much of that it takes up, LVM has said.
        if seen.allocation() != volume.allocation() {
            Arc::make_mut(&mut Arc::make_mut(&mut seen).document).allocation = volume.document.allocation;
        }
        Ok(seen)
    }

    async fn probe(&self, cx: &Cx, volume: &Arc<Volume>) -> Result<Arc<Volume>> {
        // What is in it is never looked at: a volume of LVM's has no format.
        self.look(cx, volume, None).await
    }

    async fn wipe_volume(&self, _cx: &Cx, volume: &Arc<Volume>, algorithm: WipeAlgorithm) -> Result<()> {
        if volume.document.backing_store.is_none() && volume.allocation() < volume.capacity() {
            let path = volume.path().display();
            let text = format!("logical volume '{path}' is sparse, volume wipe not supported");
            return Err(fault::no_support(text));
        }
        files::wipe_volume(volume, algorithm).await
    }

    async fn create_volume(
        &self,
        cx: &Cx,
        document: Box<StorageVolume>,
        source: Option<&Arc<Volume>>,
        _flags: VolumeCreateFlags,
    ) -> Result<Arc<Volume>> {
        if document.target.encryption.is_some() {
            return Err(fault::unsupported("storage pool does not support encrypted volumes"));
        }
        let capacity = document.capacity_bytes().max(source.map_or(0, |it| it.capacity()));
        let allocation = document.allocation.map_or(capacity, |it| it.bytes);
        let path = format!("{}/{}", cx.pool.target_path().unwrap_or_default(), document.name);
        let kib = |bytes: u64| format!("{}K", bytes.div_ceil(1024));
        let mut tool = Tool::new("lvcreate").args(["--name", &document.name, "-L", &kib(allocation)]);
        if allocation < capacity {
            tool = tool.args(["--type", "snapshot", "--virtualsize", &kib(capacity)]);
        }
        tool = match &document.backing_store {
            Some(backing) => tool.args(["-s", &backing.path]),
            None => tool.arg(group(cx)),
        };
        tool = tool.arg("--yes");
        tool.run(SOON).await?;
        let made = match fill(&document, source, &path).await {
            Ok(()) => made_volume(cx, &document.name).await,
            Err(error) => Err(error),
        };
        if made.is_err() {
            // The reason is what counts; a volume that stays shows in the next refresh.
            let _ = Tool::new("lvremove").args(["-f", &path]).run(SOON).await;
        }
        made
    }

    async fn delete_volume(&self, _cx: &Cx, volume: &Arc<Volume>, flags: VolumeDeleteFlags) -> Result<()> {
        if !flags.is_empty() {
            return Err(fault::unknown_flags(flags.bits(), "virStorageBackendLogicalDeleteVol"));
        }
        Tool::new("lvremove").arg("-f").arg(volume.path()).run(SOON).await.map(drop)
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

    async fn find_sources(&self, _spec: Option<&PoolSource>) -> Result<SourceList> {
        let mut sources: Vec<PoolSource> = Vec::new();
        for found in physical_volumes().await?.into_iter().filter(|it| !it.group.is_empty()) {
            let device = PoolDevice { path: found.device, ..PoolDevice::default() };
            match sources.iter_mut().find(|it| it.name.as_deref() == Some(&found.group)) {
                Some(known) => known.devices.push(device),
                None => sources.push(PoolSource {
                    name: Some(found.group),
                    devices: vec![device],
                    format: Some(SourceFormat { kind: PoolFormat::Lvm2 }),
                    ..PoolSource::default()
                }),
            }
        }
        Ok(SourceList { sources })
    }
}

/// What has become of a new volume: LVM rounds sizes up, and says where it lies.
async fn made_volume(cx: &Cx, name: &str) -> Result<Arc<Volume>> {
    let found = volumes(cx, &format!("{}/{name}", group(cx))).await?;
    let made = found.into_iter().next();
    made.map(Arc::new).ok_or_else(|| fault::internal(format!("LVM has made volume '{name}' and does not show it")))
}

/// Gives a new logical volume its owner and content.
async fn fill(document: &StorageVolume, source: Option<&Arc<Volume>>, path: &str) -> Result<()> {
    let permissions = document.target.permissions.clone().unwrap_or_default();
    let (source, path) = (source.map(Arc::clone), path.to_owned());
    blocking::steady(format!("volume '{path}'"), move |progress| {
        let at = Path::new(&path);
        create::own(at, at, &permissions)?;
        let Some(source) = source else { return Ok(()) };
        let content = std::fs::OpenOptions::new().read(true).write(true).open(at);
        let content = content.map_err(fault::at("cannot open volume", at))?;
        let from = transfer::open(source.path(), false)?;
        clone::copy(&from, &content, true, at, progress)?;
        content.sync_all().map_err(fault::at("cannot sync data to", at))
    })
    .await
}
