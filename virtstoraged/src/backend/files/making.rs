//! Making a volume in a directory: under a hidden name, then in one step under its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use virtbus_api::{Error, Result, flags::VolumeCreateFlags};
use virtbus_host::file;
use virtbus_schema::storage_vol::{StorageVolume, VolumeFormat};

use super::Cx;
use crate::blocking;
use crate::fault;
use crate::volume::{
    Volume, clone, create,
    create::Raw,
    probe,
    qemu_img::{self, Wanted},
    temporary::{self, Doomed},
    transfer,
};

/// Makes a volume.
pub(crate) async fn create_volume(
    cx: &Cx,
    mut document: Box<StorageVolume>,
    source: Option<&Arc<Volume>>,
    flags: VolumeCreateFlags,
) -> Result<Arc<Volume>> {
    let path = check_place(cx, &document.name).await?;
    let format = document.target.volume_format().unwrap_or(VolumeFormat::Raw);
    let plain = document.target.encryption.is_none();
    settle_sizes(&mut document, source);
    let (unfinished, at) = begin(&path, format).await?;
    match format {
        VolumeFormat::Dir => make_directory(&document, source, &unfinished, &path).await?,
        VolumeFormat::Raw if plain && source.is_none_or(|it| is_raw(it)) => {
            make_raw(&document, source, flags, &unfinished, &path).await?;
        }
        _ => make_image(cx, &mut document, source, flags, (&unfinished, &at, &path)).await?,
    }
    finish(*document, unfinished, at, path).await
}

fn is_raw(volume: &Volume) -> bool {
    let target = &volume.document.target;
    target.encryption.is_none() && target.volume_format().is_none_or(|it| it == VolumeFormat::Raw)
}

/// A description of the image, which VMware's format holds, names the file: that one gets its name at once, in a
/// hidden directory.
fn has_own_name(format: VolumeFormat) -> bool {
    format == VolumeFormat::Vmdk
}

/// A hidden path that goes away unless it is kept, and the path at which the image is made.
async fn begin(path: &Path, format: VolumeFormat) -> Result<(Doomed, PathBuf)> {
    let hidden = temporary::path_in(path.parent().unwrap_or(Path::new("/")));
    let name = path.file_name().filter(|_| has_own_name(format));
    let Some(name) = name else { return Ok((Doomed::new(hidden.clone()), hidden)) };
    let at = hidden.join(name);
    let doomed = Doomed::new(hidden.clone());
    let shown = path.to_owned();
    blocking::look(format!("volume '{}'", path.display()), move || {
        std::fs::create_dir(&hidden).map_err(fault::at("Failed to create file", &shown))
    })
    .await?;
    Ok((doomed, at))
}

/// Where the volume will be, if nothing is there. The reference's texts.
async fn check_place(cx: &Cx, name: &str) -> Result<PathBuf> {
    if name.contains('/') {
        return Err(fault::invalid(format!("volume name '{name}' cannot contain '/'")));
    }
    let path = super::target(cx).join(name);
    let asked = path.clone();
    blocking::look(format!("volume '{}'", path.display()), move || match std::fs::symlink_metadata(&asked) {
        Ok(_) => Err(taken(&asked)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(fault::at("Failed to create file", &asked)(error)),
    })
    .await?;
    if temporary::is_temporary(name) {
        return Err(fault::invalid(format!("volume name '{name}' is reserved for volumes that are being made")));
    }
    Ok(path)
}

fn taken(path: &Path) -> Error {
    fault::invalid(format!("volume target path '{}' already exists", path.display()))
}

/// What is not said: a clone is at least as large as its source, a volume takes all its room unless told otherwise.
fn settle_sizes(document: &mut StorageVolume, source: Option<&Arc<Volume>>) {
    use virtbus_schema::storage_vol::VolumeSize;
    if let Some(source) = source {
        let least = VolumeSize::of(source.capacity());
        document.capacity = Some(document.capacity.unwrap_or_default().max(least));
    }
    if document.allocation.is_none() {
        document.allocation = document.capacity;
    }
}

async fn make_directory(
    document: &StorageVolume,
    source: Option<&Arc<Volume>>,
    unfinished: &Doomed,
    path: &Path,
) -> Result<()> {
    if source.is_some() {
        return Err(fault::internal("cannot copy from volume to a directory volume"));
    }
    if document.backing_store.is_some() {
        return Err(fault::no_support("backing storage not supported for directories volumes"));
    }
    let wanted = document.target.permissions.clone().unwrap_or_default();
    let (hidden, shown) = (unfinished.path().to_owned(), path.to_owned());
    let name = format!("volume '{}'", path.display());
    blocking::look(name, move || create::directory(&hidden, &shown, &wanted)).await
}

async fn make_raw(
    document: &StorageVolume,
    source: Option<&Arc<Volume>>,
    flags: VolumeCreateFlags,
    unfinished: &Doomed,
    path: &Path,
) -> Result<()> {
    if flags.contains(VolumeCreateFlags::PREALLOC_METADATA) {
        return Err(fault::unsupported("metadata preallocation is not supported for raw volumes"));
    }
    if document.backing_store.is_some() {
        return Err(fault::no_support("backing storage not supported for raw volumes"));
    }
    let share = flags.contains(VolumeCreateFlags::REFLINK);
    let capacity = document.capacity_bytes();
    let wanted = Raw {
        capacity,
        // Blocks that will be shared need no room of their own.
        allocation: if share { 0 } else { document.allocation.map_or(capacity, |it| it.bytes) },
        nocow: document.target.nocow,
        permissions: document.target.permissions.clone().unwrap_or_default(),
    };
    let source = source.map(Arc::clone);
    let (hidden, shown) = (unfinished.path().to_owned(), path.to_owned());
    let name = format!("volume '{}'", path.display());
    blocking::steady(name, move |progress| {
        let content = create::raw(&hidden, &shown, &wanted, progress)?;
        if let Some(source) = source {
            let from = transfer::open(source.path(), false)?;
            if share {
                clone::reflink(&from, &content, source.path(), &shown)?;
                content.set_len(wanted.capacity).map_err(fault::at("cannot extend file", &shown))?;
            } else {
                clone::copy(&from, &content, wanted.allocation >= wanted.capacity, &shown, progress)?;
            }
        }
        content.sync_all().map_err(fault::at("cannot sync data to file", &shown))
    })
    .await
}

async fn make_image(
    cx: &Cx,
    document: &mut StorageVolume,
    source: Option<&Arc<Volume>>,
    flags: VolumeCreateFlags,
    (unfinished, at, path): (&Doomed, &Path, &Path),
) -> Result<()> {
    qemu_img::check_encryption(document, cx.secrets.as_ref())?;
    let metadata = flags.contains(VolumeCreateFlags::PREALLOC_METADATA);
    check_image(document, metadata)?;
    if document.target.volume_format() == Some(VolumeFormat::Raw) && document.backing_store.is_some() {
        return Err(fault::no_support("backing storage not supported for raw volumes"));
    }
    if let Some(backing) = &document.backing_store {
        check_backing(path, &backing.path).await?;
    }
    tracing::debug!("making '{}' as '{}'", path.display(), unfinished.path().display());
    let wanted = Wanted { document, path: at, shown: path, metadata };
    match source {
        Some(source) => wanted.convert(source, &cx.secrets).await?,
        None => wanted.create(&cx.secrets).await?,
    }
    let permissions = document.target.permissions.clone().unwrap_or_default();
    let (hidden, shown) = (at.to_owned(), path.to_owned());
    let name = format!("volume '{}'", path.display());
    blocking::look(name, move || create::own(&hidden, &shown, &permissions)).await
}

fn check_image(document: &StorageVolume, metadata: bool) -> Result<()> {
    let format = document.target.volume_format();
    if metadata && document.backing_store.is_some() {
        return Err(fault::unsupported("metadata preallocation conflicts with backing store"));
    }
    if metadata && format != Some(VolumeFormat::Qcow2) {
        return Err(fault::unsupported("metadata preallocation only available with qcow2"));
    }
    // Features imply a version.
    if document.target.compat.is_some() && format != Some(VolumeFormat::Qcow2) {
        return Err(fault::unsupported("compatibility option only available with qcow2"));
    }
    let lazy = document.target.features.is_some_and(|it| it.lazy_refcounts);
    if lazy && document.target.compat.as_deref() == Some("0.10") {
        return Err(fault::unsupported("lazy_refcounts not supported with compat level 0.10"));
    }
    Ok(())
}

/// What the volume is based on has to be there.
async fn check_backing(path: &Path, backing: &str) -> Result<()> {
    let shown = backing.to_owned();
    let inaccessible = move |error| fault::system(format!("inaccessible backing store volume {shown}"), &error);
    let Some(resolved) = virtbus_host::image::resolve(path, backing) else {
        // The reference looks for a file of that name, whatever it is.
        return Err(inaccessible(std::io::Error::from_raw_os_error(nix::libc::ENOENT)));
    };
    let look = move || std::fs::File::open(&resolved).map(drop).map_err(inaccessible);
    blocking::look(format!("'{backing}'"), look).await
}

/// The volume is complete: it gets its name, unless another has taken it meanwhile.
async fn finish(document: StorageVolume, unfinished: Doomed, at: PathBuf, path: PathBuf) -> Result<Arc<Volume>> {
    let name = format!("volume '{}'", path.display());
    let (done, unfinished) = blocking::look(name, move || {
        file::rename_new(&at, &path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => taken(&path),
            _ => fault::at("Failed to create file", &path)(error),
        })?;
        // It has to survive a crash of the host from now on; its content is synced already.
        if let Some(directory) = path.parent() {
            let synced = std::fs::File::open(directory).and_then(|it| it.sync_all());
            synced.map_err(fault::at("cannot sync directory", directory))?;
        }
        let empty_directory = unfinished.path() != at;
        Ok((probe::made(document, &path)?, (unfinished, empty_directory)))
    })
    .await?;
    // A hidden directory is left empty and goes; a hidden file has become the volume.
    if let (unfinished, false) = unfinished {
        unfinished.keep();
    }
    Ok(done)
}
