//! `<transient/>` disks: what a guest writes goes into an image of its own over the disk's, and is gone with the guest.
//!
//! The image is named and noted in the status file before it is made, so that a daemon which ends in between takes it back. QEMU
//! gets the finished chain on its command line, also for disks that share the image below with other guests.

use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use virtbus_api::{Error, ErrorCode, Result, hypervisor::State};
use virtbus_host::image::{Header, ImageFormat};
use virtbus_host::process::Spawn;
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::disk::{BackingStore, Disk, DiskDriver, DiskKind, DiskSource, Format};

use super::Claims;
use crate::device::disk;

/// How long qemu-img may take; it writes a few clusters.
const MADE: Duration = Duration::from_secs(60);

/// Puts an image over each transient disk, empty so far. Blocks on the file system.
///
/// # Errors
/// `OPERATION_UNSUPPORTED` when the file is there already, `SYSTEM_ERROR` when it cannot be made.
pub(super) fn place(document: &mut Domain, claims: &mut Claims) -> Result<()> {
    let ours = suffix(&document.name);
    let mut next = disk::count_images(document);
    let mut files = Vec::new();
    for it in document.devices.disks.iter_mut().filter(|it| it.transient.is_some() && it.kind == DiskKind::File) {
        let Some(path) = it.source.as_ref().and_then(|it| it.file.as_deref()) else { continue };
        let file = format!("{path}{ours}");
        if Path::new(&file).exists() {
            let text = format!(
                "Overlay file '{file}' for transient disk '{}' already exists: it is a guest's that runs, or is to be removed",
                it.target.dev
            );
            return Err(Error::new(ErrorCode::OperationUnsupported, text));
        }
        next = next.saturating_add(1);
        cover(it, file.clone(), next);
        files.push(PathBuf::from(file));
    }
    if files.is_empty() {
        return Ok(());
    }
    claims
        .shared()
        .status
        .save(&super::status(claims, document, None, State::PausedStartingUp))
        .map_err(|error| Error::system(error.to_string(), &error.source))?;
    for file in files {
        let cannot = |error: io::Error| Error::system(format!("cannot make '{}'", file.display()), &error);
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file).map_err(cannot)?;
        claims.add_file(file);
    }
    Ok(())
}

/// Makes them images.
///
/// # Errors
/// `CONFIG_UNSUPPORTED` without qemu-img, else what it says, as of a full disk.
pub(super) async fn fill(document: &Domain) -> Result<()> {
    for it in document.devices.disks.iter().filter(|it| is_covered(it, &document.name)) {
        let (Some(file), Some(below)) = (it.source.as_ref().and_then(|it| it.file.as_ref()), &it.backing_store) else {
            continue;
        };
        let base = below.source.as_ref().and_then(|it| it.file.clone()).unwrap_or_default();
        let format = below.format.as_ref().map_or("raw", |it| it.kind.as_str());
        let mut spawn = Spawn::new("qemu-img").args(["create", "-q", "-f", "qcow2", "-b", &base, "-F", format]);
        // Its size being known, qemu-img need not open an image that its guest may have written anything into, or a sealed one.
        spawn = match below.source.as_ref().map(|it| size(it, format)).transpose()?.flatten() {
            Some(size) => spawn.arg("-u").arg(file).arg(size.to_string()),
            None => spawn.arg(file),
        };
        let what = format!("cannot make the overlay '{file}' of transient disk '{}'", it.target.dev);
        let done =
            spawn.output(MADE).await.map_err(|error| Error::unsupported_config(what.clone()).caused_by(error))?;
        if !done.exit.success() {
            return Err(Error::new(ErrorCode::OperationFailed, format!("{what}: {}", done.last_error_line())));
        }
    }
    Ok(())
}

/// The overlays of a running guest.
pub(super) fn files(document: &Domain) -> Vec<PathBuf> {
    let covered = document.devices.disks.iter().filter(|it| is_covered(it, &document.name));
    covered.filter_map(|it| it.source.as_ref()?.file.as_ref().map(PathBuf::from)).collect()
}

fn suffix(name: &str) -> String {
    format!(".TRANSIENT-{name}")
}

fn is_covered(disk: &Disk, name: &str) -> bool {
    let file = disk.source.as_ref().and_then(|it| it.file.as_deref());
    disk.transient.is_some() && disk.backing_store.is_some() && file.is_some_and(|it| it.ends_with(&suffix(name)))
}

/// The disk's image becomes the one below `file`.
fn cover(disk: &mut Disk, file: String, index: u32) {
    let over = DiskSource { file: Some(file), index: Some(index), ..DiskSource::default() };
    let mut below = disk.source.replace(over).unwrap_or_default();
    if let Some(beside) = disk.encryption.take() {
        below.encryption.get_or_insert(beside);
    }
    let driver = disk.driver.get_or_insert_with(DiskDriver::default);
    let format = driver.format.replace("qcow2".to_owned()).unwrap_or_else(|| "raw".to_owned());
    disk.backing_store = Some(BackingStore {
        kind: Some(disk.kind),
        index: below.index.take(),
        format: Some(Format { kind: format, metadata_cache: None }),
        source: Some(below),
        below: disk.backing_store.take().map(Box::new),
    });
}

/// What a guest sees of an image, in bytes, as far as its header says.
fn size(source: &DiskSource, format: &str) -> Result<Option<u64>> {
    if let Some(slice) = source.slices.iter().find(|it| it.kind == "storage") {
        return Ok(Some(slice.size));
    }
    let path = source.file.as_deref().unwrap_or_default();
    let cannot = |error: io::Error| Error::system(format!("Cannot access storage file '{path}'"), &error);
    let file = std::fs::File::open(path).map_err(cannot)?;
    // A guest may have put a header of its own on a raw disk, which is none of ours.
    if format == "raw" && source.encryption.is_none() {
        return Ok(Some(file.metadata().map_err(cannot)?.len()));
    }
    Ok(Header::of(&file, ImageFormat::from_name(format)).map_err(cannot)?.capacity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_the_one_below_afterwards() {
        let text = "<domain type='qemu'><name>v</name><memory>65536</memory>\
            <os><type arch='x86_64' machine='q35'>hvm</type></os><devices><disk type='file'><driver name='qemu' type='raw'/>\
            <source file='/a.raw' index='1'/><target dev='vda' bus='virtio'/><transient/></disk></devices></domain>";
        let mut document = Domain::parse(text).expect("a document");
        assert!(files(&document).is_empty());
        cover(&mut document.devices.disks[0], "/a.raw.TRANSIENT-v".to_owned(), 2);
        assert_eq!(files(&document), [PathBuf::from("/a.raw.TRANSIENT-v")]);
        let written = document.format(virtbus_schema::xml::FormatOptions::default());
        let again = Domain::parse(&written).expect("our own");
        let disk = &again.devices.disks[0];
        assert_eq!(disk.driver.as_ref().and_then(|it| it.format.as_deref()), Some("qcow2"));
        let below = disk.backing_store.as_ref().expect("the image");
        assert_eq!(below.format.as_ref().map(|it| it.kind.as_str()), Some("raw"));
        assert_eq!(below.source.as_ref().and_then(|it| it.file.as_deref()), Some("/a.raw"));
    }
}
