//! The chain below each disk, read from the images when a guest starts. What the document says of a chain is believed.

use std::path::Path;

use virtbus_api::{Error, ErrorCode, Result};
use virtbus_host::image::{self, ImageError, Layer};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::disk::{BackingStore, Disk, DiskKind, DiskSource, Format, StartupPolicy};

/// Completes the chains of all disks in the live document, and lets go of media that may be missing. Blocks on the file
/// system; an image on a dead server hangs the calling thread.
///
/// # Errors
/// `SYSTEM_ERROR` for a file that cannot be read, `INTERNAL_ERROR` for a damaged image or an endless chain.
pub fn read_chains(domain: &mut Domain) -> Result<()> {
    for disk in &mut domain.devices.disks {
        read_chain(disk)?;
    }
    Ok(())
}

fn read_chain(disk: &mut Disk) -> Result<()> {
    let Some(source) = &disk.source else { return Ok(()) };
    let path = match disk.kind {
        DiskKind::File => source.file.clone(),
        DiskKind::Block => source.dev.clone(),
        _ => return Ok(()),
    };
    let Some(path) = path else { return Ok(()) };
    if let Err(error) = std::fs::metadata(&path) {
        // A medium that need not be there is taken out of the drive.
        if disk.is_removable() && source.startup_policy == Some(StartupPolicy::Optional) {
            disk.source = None;
            return Ok(());
        }
        return Err(Error::system(format!("Cannot access storage file '{path}'"), &error));
    }
    let format = disk.driver.as_ref().and_then(|it| it.format.clone()).unwrap_or_else(|| "raw".to_owned());
    match &mut disk.backing_store {
        Some(below) => complete(below),
        None => {
            disk.backing_store = Some(found_below(&path, &format)?);
            Ok(())
        }
    }
}

/// Finds what is below the last image the document names.
fn complete(it: &mut BackingStore) -> Result<()> {
    let named = it.source.as_ref().and_then(|source| source.file.clone().or_else(|| source.dev.clone()));
    let (false, Some(path)) = (it.is_end(), named) else { return Ok(()) };
    match &mut it.below {
        Some(below) => complete(below),
        None => {
            let format = it.format.as_ref().map_or("raw", |it| it.kind.as_str());
            it.below = Some(Box::new(found_below(&path, format)?));
            Ok(())
        }
    }
}

fn found_below(path: &str, format: &str) -> Result<BackingStore> {
    image::chain(Path::new(path), format).map(|layers| store(&layers)).map_err(|error| match error {
        ImageError::Read { path, source } => {
            Error::system(format!("Cannot access storage file '{}'", path.display()), &source)
        }
        other => Error::new(ErrorCode::InternalError, "image chain").caused_by(other),
    })
}

/// The chain as the document has it, with its end.
fn store(layers: &[Layer]) -> BackingStore {
    let Some((first, rest)) = layers.split_first() else { return BackingStore::default() };
    let device = std::fs::metadata(&first.path).is_ok_and(|it| {
        use std::os::unix::fs::FileTypeExt as _;
        it.file_type().is_block_device()
    });
    let path = Some(first.path.to_string_lossy().into_owned());
    let mut source = DiskSource::default();
    *(if device { &mut source.dev } else { &mut source.file }) = path;
    BackingStore {
        kind: Some(if device { DiskKind::Block } else { DiskKind::File }),
        index: None,
        format: Some(Format { kind: first.format.clone(), metadata_cache: None }),
        source: Some(source),
        below: Some(Box::new(store(rest))),
    }
}
