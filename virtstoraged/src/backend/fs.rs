//! Pools that are a file system on a device of this host, or in an image file, which mount(8) puts on a loop device.

use async_trait::async_trait;
use virtbus_api::{
    Result,
    flags::{PoolBuildFlags, PoolDeleteFlags},
};
use virtbus_schema::storage_pool::{PoolFormat, PoolKind};

use super::{Backend, Cx, files, mounts, signature};
use crate::blocking;
use crate::fault;
use crate::tool::{LONG, Tool};

/// What a pool of foreign images is mounted with.
const SAFE_OPTIONS: [&str; 3] = ["nodev", "nosuid", "noexec"];

/// A file system on a device.
#[derive(Debug)]
pub(super) struct Fs;

/// The device that is mounted.
fn device(cx: &Cx) -> Result<&str> {
    match cx.pool.source.devices.as_slice() {
        [one] => Ok(&one.path),
        [] => Err(fault::internal("missing source device")),
        _ => Err(fault::internal("expected exactly 1 device for the storage pool")),
    }
}

/// Options for mount(8): the safe ones, then what the document adds.
pub(super) fn mount_options(cx: &Cx) -> Vec<String> {
    let more = cx.pool.fs.mount_opts.iter().flat_map(|it| &it.options).map(|it| it.name.clone());
    SAFE_OPTIONS.iter().map(|it| (*it).to_owned()).chain(more).collect()
}

/// The format's name for mount, mkfs and blkid.
fn format(cx: &Cx) -> &'static str {
    cx.pool.source_format().unwrap_or(PoolFormat::Auto).as_str()
}

/// How mkfs of each format is told not to ask: what is there has been looked at before.
fn without_asking(format: &str) -> &'static [&'static str] {
    match format {
        "ext2" | "ext3" | "ext4" => &["-F", "-q"],
        "xfs" => &["-f", "-q"],
        "vfat" => &["-I"],
        _ => &[],
    }
}

async fn make_file_system(cx: &Cx, overwrite: bool) -> Result<()> {
    let device = device(cx)?.to_owned();
    let there = {
        let device = std::path::PathBuf::from(&device);
        blocking::look(device.display().to_string(), move || Ok(device.exists())).await?
    };
    if !there {
        let text = format!("Source device does not exist when formatting pool '{}'", cx.pool.name);
        return Err(fault::invalid(text));
    }
    let format = format(cx);
    if !overwrite {
        signature::refuse_used(&device, format).await?;
    }
    let tool = Tool::new("mkfs").args(["-t", format]).args(without_asking(format)).arg(&device);
    tool.run(LONG).await.map(drop)
}

#[async_trait]
impl Backend for Fs {
    fn kind(&self) -> PoolKind {
        PoolKind::Fs
    }

    async fn is_active(&self, cx: &Cx) -> Result<bool> {
        mounts::at(&files::target(cx).to_string_lossy()).map(|it| it.is_some())
    }

    async fn build(&self, cx: &Cx, flags: PoolBuildFlags) -> Result<()> {
        signature::check_overwrite(flags, "virStorageBackendFileSystemBuild")?;
        files::make_directory(cx).await?;
        if flags.is_empty() {
            return Ok(());
        }
        make_file_system(cx, flags.contains(PoolBuildFlags::OVERWRITE)).await
    }

    async fn start(&self, cx: &Cx) -> Result<()> {
        let target = files::target(cx);
        let (device, target) = (device(cx)?, target.to_string_lossy());
        if mounts::is_mounted_from(&target, device)? {
            return Ok(());
        }
        let format = Some(format(cx)).filter(|it| *it != PoolFormat::Auto.as_str());
        mounts::mount(device, &target, format, &mount_options(cx)).await
    }

    async fn stop(&self, cx: &Cx) -> Result<()> {
        mounts::unmount(&files::target(cx).to_string_lossy()).await
    }

    async fn delete(&self, cx: &Cx, flags: PoolDeleteFlags) -> Result<()> {
        files::delete(cx, flags).await
    }
}
