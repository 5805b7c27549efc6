//! What a file in a directory is: its document as a volume, from stat(2) and the image's own header.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use nix::libc;
use virtbus_api::Result;
use virtbus_schema::storage_vol::{FormatName, StorageVolume, VolumeBacking, VolumeFormat, VolumeSize};

use super::{Stamp, Volume, describe};
use crate::fault;
use crate::header;

/// The volume that the file `name` of `directory` is; `known` if it has not changed since. `None` for what is no volume:
/// links that lead nowhere, pipes, sockets, terminals, files that may not be read. Blocks.
pub(crate) fn volume(directory: &Path, name: &str, known: Option<&Arc<Volume>>) -> Option<Arc<Volume>> {
    // Another process may hold an unreadable file or one that vanishes; neither is an error of the pool.
    let path = directory.join(name);
    let (content, about) = open(&path).ok()??;
    let stamp = Stamp::from(&about);
    if let Some(known) = known.filter(|it| it.probed == Some(stamp)) {
        return Some(Arc::clone(known));
    }
    let mut document = StorageVolume::new(name);
    let text = path.to_string_lossy().into_owned();
    document.key = Some(text.clone());
    document.target.path = Some(text);
    if about.is_dir() {
        document.target.format = Some(VolumeFormat::Dir.into());
    } else {
        let header = header::probe(&content).ok()?;
        put_header(&mut document, &path, header);
    }
    describe::put(&mut document, &content, &about).ok()?;
    Some(Arc::new(Volume { document: Arc::new(document), stamp: Some(stamp), probed: Some(stamp) }))
}

/// Opens a file, directory or block device; `None` for other things.
fn open(path: &Path) -> std::io::Result<Option<(File, std::fs::Metadata)>> {
    // Neither a pipe nor a terminal is to wait for anybody.
    let content = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    let about = content.metadata()?;
    let kind = about.file_type();
    Ok((kind.is_file() || kind.is_dir() || kind.is_block_device()).then_some((content, about)))
}

fn put_header(document: &mut StorageVolume, path: &Path, header: header::Header) {
    let target = &mut document.target;
    target.format = Some(header.format.into());
    target.encryption = header.encryption;
    target.compat = header.compat;
    target.cluster_size = header.cluster_size;
    target.features = header.features;
    document.capacity = header.capacity.filter(|it| *it > 0).map(VolumeSize::of);
    document.backing_store = header.backing.map(|it| backing(path, &it.0, it.1));
}

/// What a volume is based on. A format that the header does not name is raw: what a guest wrote does not decide.
fn backing(path: &Path, name: &str, format: Option<String>) -> VolumeBacking {
    let shown = header::shown(path, name);
    let format = format.filter(|_| shown.keeps_format).unwrap_or_else(|| VolumeFormat::Raw.as_str().to_owned());
    let about = shown.is_file.then(|| std::fs::metadata(&shown.name).ok()).flatten();
    VolumeBacking {
        path: shown.name,
        format: Some(FormatName { name: format }),
        permissions: about.as_ref().map(describe::permissions),
        timestamps: about.as_ref().map(describe::timestamps),
    }
}

/// Sizes, permissions and times of a volume now, and the capacity that its header says. The format is the one that is
/// known; the same volume comes back where nothing has changed. Blocks.
///
/// # Errors
/// When the file is gone or cannot be read.
pub(crate) fn again(volume: &Arc<Volume>, capacity: Option<u64>) -> Result<Arc<Volume>> {
    let path = volume.path();
    let opened = open(path).map_err(|error| match error.raw_os_error() {
        Some(libc::ENOENT) => super::no_volume_gone(path),
        _ => fault::at("cannot open volume", path)(error),
    })?;
    let Some((content, about)) = opened else {
        return Err(fault::internal(format!("volume '{}' is not a file any more", path.display())));
    };
    let stamp = Stamp::from(&about);
    if capacity.is_none() && volume.stamp == Some(stamp) {
        return Ok(Arc::clone(volume));
    }
    let mut document = StorageVolume::clone(&volume.document);
    let said = header::capacity(&content, &document);
    if let Some(bytes) = said.or(capacity) {
        // An image of nothing is as large as its file.
        document.capacity = Some(bytes).filter(|it| *it > 0).map(VolumeSize::of);
    }
    describe::put(&mut document, &content, &about).map_err(fault::at("cannot stat volume", path))?;
    Ok(Arc::new(Volume { document: Arc::new(document), stamp: Some(stamp), probed: volume.probed }))
}

/// The volume that has just been made at `path` from `document`. Blocks.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn made(mut document: StorageVolume, path: &Path) -> Result<Arc<Volume>> {
    let text = path.to_string_lossy().into_owned();
    document.key = Some(text.clone());
    document.target.path = Some(text);
    if let Some(backing) = &mut document.backing_store {
        let shown = header::shown(path, &backing.path);
        // As it was given, which for the reference is relative to nothing, until the image is read again.
        let is_seen = shown.is_file && backing.path.starts_with('/');
        let about = is_seen.then(|| std::fs::metadata(shown.name).ok()).flatten();
        // Of `/dev/null` and its like stays what was said.
        if about.as_ref().is_none_or(|it| !it.file_type().is_char_device()) {
            backing.permissions = about.as_ref().map(describe::permissions);
            backing.timestamps = about.as_ref().map(describe::timestamps);
        }
    }
    let volume = Arc::new(Volume { document: Arc::new(document), stamp: None, probed: None });
    again(&volume, None)
}
