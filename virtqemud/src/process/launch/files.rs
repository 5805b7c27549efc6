//! Files of the host that a guest uses: found in its devices, and below its images.

use std::path::Path;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::{
    Domain,
    device::disk::{BackingStore, Disk, DiskKind, DiskSource, Format},
};

use super::nvram_file;
use crate::config::User;
use crate::device::{Cx, QemuDevice, Resource};
use crate::image;
use crate::process::capabilities::QemuCaps;
use crate::security::Use;

/// Follows the images of disks down to where they end, for those whose document does not say; the live document says it
/// then, and QEMU opens exactly what is in it. Blocks on the file system.
///
/// # Errors
/// When an image cannot be read or a chain is broken.
pub(super) fn follow_images(document: &mut Domain, user: Option<&User>) -> Result<()> {
    for disk in &mut document.devices.disks {
        let Some(path) = file_of(disk) else { continue };
        if let Err(error) = std::fs::metadata(&path) {
            let who = user.map(|it| format!(" (as uid:{}, gid:{})", it.uid, it.gid)).unwrap_or_default();
            return Err(Error::system(format!("Cannot access storage file '{path}'{who}"), &error));
        }
        let format = disk.driver.as_ref().and_then(|it| it.format.clone()).unwrap_or_else(|| "raw".to_owned());
        if disk.backing_store.is_some() || disk.kind != DiskKind::File {
            continue;
        }
        let layers = image::chain(Path::new(&path), &format)
            .map_err(|error| Error::internal(format!("disk {}", disk.target.dev)).caused_by(error))?;
        let end = BackingStore::default();
        disk.backing_store = Some(layers.into_iter().rev().fold(end, |below, layer| BackingStore {
            kind: Some(DiskKind::File),
            format: Some(Format { kind: layer.format, metadata_cache: None }),
            source: Some(DiskSource { file: Some(layer.path.to_string_lossy().into_owned()), ..DiskSource::default() }),
            below: Some(Box::new(below)),
            ..BackingStore::default()
        }));
    }
    Ok(())
}

fn file_of(disk: &Disk) -> Option<String> {
    let source = disk.source.as_ref()?;
    match disk.kind {
        DiskKind::File => source.file.clone(),
        DiskKind::Block => source.dev.clone(),
        _ => None,
    }
    .filter(|it| !it.is_empty())
}

/// What is to be given to QEMU's user.
pub(super) fn used(document: &Domain, caps: &QemuCaps) -> Vec<Use> {
    let cx = Cx::new(document, caps);
    let devices = &document.devices;
    let mut files = Vec::new();
    for disk in &devices.disks {
        let shared = disk.shareable || disk.readonly;
        add(&mut files, disk.resources(&cx), shared);
    }
    let others = devices.serials.iter().flat_map(|it| it.resources(&cx));
    let others = others.chain(devices.parallels.iter().flat_map(|it| it.resources(&cx)));
    let others = others.chain(devices.consoles.iter().flat_map(|it| it.resources(&cx)));
    let others = others.chain(devices.inputs.iter().flat_map(|it| it.resources(&cx)));
    let others = others.chain(devices.rngs.iter().flat_map(|it| it.resources(&cx)));
    add(&mut files, others.collect(), false);
    let os = &document.os;
    for path in [&os.kernel, &os.initrd, &os.dtb, &os.shim].into_iter().flatten() {
        files.push(Use { path: path.into(), write: false, shared: true, device: false });
    }
    if let Some(nvram) = nvram_file(document) {
        files.push(Use { path: nvram, write: true, shared: false, device: false });
    }
    files
}

fn add(files: &mut Vec<Use>, resources: Vec<Resource>, shared: bool) {
    for resource in resources {
        match resource {
            Resource::File { path, write } => {
                files.push(Use { path: path.into(), write, shared: shared || !write, device: false });
            }
            Resource::Device { path } => files.push(Use { path: path.into(), write: true, shared, device: true }),
            // Made by QEMU itself.
            Resource::Socket { .. } => {}
        }
    }
}
