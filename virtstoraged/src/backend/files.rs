//! Volumes that are files of a directory: what the backends dir, fs and netfs have in common.

mod making;
mod scan;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use virtbus_api::{
    Result,
    flags::{PoolDeleteFlags, VolumeDeleteFlags, VolumeResizeFlags},
    storage::{VolumeKind, WipeAlgorithm},
};
use virtbus_host::file;
use virtbus_schema::storage_vol::VolumeFormat;

use super::Cx;
use crate::blocking;
use crate::fault;
use crate::pool::view::Figures;
use crate::volume::{Volume, probe, qemu_img, resize, wipe};

pub(super) use making::create_volume;
pub(super) use scan::refresh;

/// The mode of a target directory that is made here.
const DIRECTORY_MODE: u32 = 0o711;

/// The pool's directory.
pub(super) fn target(cx: &Cx) -> PathBuf {
    PathBuf::from(cx.pool.target_path().unwrap_or_default())
}

/// How much a file system holds. Blocks.
fn figures(directory: &Path) -> Result<Figures> {
    let about = nix::sys::statvfs::statvfs(directory).map_err(|error| {
        fault::system(format!("cannot statvfs path '{}'", directory.display()), &std::io::Error::from(error))
    })?;
    let unit = about.fragment_size();
    let capacity = unit.saturating_mul(about.blocks());
    let available = unit.saturating_mul(about.blocks_free());
    Ok(Figures { capacity, allocation: capacity.saturating_sub(available), available })
}

/// Makes the target directory with the permissions that the document says; one that is there is given them.
pub(super) async fn make_directory(cx: &Cx) -> Result<()> {
    let target = target(cx);
    let wanted = cx.pool.target.as_ref().and_then(|it| it.permissions.clone()).unwrap_or_default();
    let cow = cx.pool.features.and_then(|it| it.cow);
    let name = target.display().to_string();
    blocking::look(name, move || {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        let failed = |what: &'static str| fault::at(what, &target);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).map_err(failed("cannot create path"))?;
        }
        let mode = wanted.mode.map(|it| it.0);
        let made = match std::fs::DirBuilder::new().mode(mode.unwrap_or(DIRECTORY_MODE)).create(&target) {
            Ok(()) => true,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && target.is_dir() => false,
            Err(error) => return Err(failed("failed to create directory")(error)),
        };
        let (owner, group) = (wanted.owner.map(|it| it.0), wanted.group.map(|it| it.0));
        if owner.is_some() || group.is_some() {
            std::os::unix::fs::chown(&target, owner, group).map_err(failed("cannot change owner of"))?;
        }
        if let Some(mode) = mode.or(made.then_some(DIRECTORY_MODE)) {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&target, permissions).map_err(failed("cannot set mode of"))?;
        }
        set_cow(&target, cow)
    })
    .await
}

/// New files of the directory are copied on write or not, as the document says; where it says nothing, images are not.
fn set_cow(target: &Path, cow: Option<virtbus_schema::xml::YesNo>) -> Result<()> {
    use virtbus_schema::xml::YesNo;
    let directory = std::fs::File::open(target).map_err(fault::at("cannot open directory", target))?;
    if !file::is_on_btrfs(&directory).unwrap_or(false) {
        return match cow {
            None => Ok(()),
            Some(_) => {
                let unknown = std::io::Error::from_raw_os_error(nix::libc::ENOSYS);
                let text = format!("unable to control COW flag on '{}', not btrfs", target.display());
                Err(fault::system(text, &unknown))
            }
        };
    }
    if cow == Some(YesNo::Yes) {
        return Ok(());
    }
    file::disable_copy_on_write(&directory).map_err(fault::at("cannot set COW flag of", target))
}

/// Removes the target directory, which must be empty.
pub(super) async fn delete(cx: &Cx, flags: PoolDeleteFlags) -> Result<()> {
    if !flags.is_empty() {
        return Err(fault::unknown_flags(flags.bits(), "virStorageBackendDeleteLocal"));
    }
    let target = target(cx);
    let name = target.display().to_string();
    blocking::look(name, move || std::fs::remove_dir(&target).map_err(fault::at("failed to remove pool", &target)))
        .await
}

/// Sizes and permissions of a volume now.
pub(super) async fn look(volume: &Arc<Volume>, capacity: Option<u64>) -> Result<Arc<Volume>> {
    let volume = Arc::clone(volume);
    let name = format!("volume '{}'", volume.path().display());
    blocking::look(name, move || probe::again(&volume, capacity)).await
}

/// All of a volume anew.
pub(super) async fn probe(cx: &Cx, volume: &Arc<Volume>) -> Result<Arc<Volume>> {
    let (directory, volume) = (target(cx), Arc::clone(volume));
    let name = format!("volume '{}'", volume.path().display());
    blocking::look(name, move || {
        let read = probe::volume(&directory, volume.name(), None);
        read.ok_or_else(|| crate::volume::no_volume_gone(volume.path()))
    })
    .await
}

/// Deletes the file. One that is gone already is as good as deleted.
pub(super) async fn delete_volume(volume: &Arc<Volume>, flags: VolumeDeleteFlags) -> Result<()> {
    if !flags.is_empty() {
        return Err(fault::unknown_flags(flags.bits(), "virStorageBackendVolDeleteLocal"));
    }
    let path = volume.path().to_owned();
    let kind = volume.kind();
    if !matches!(kind, VolumeKind::File | VolumeKind::Dir | VolumeKind::Ploop) {
        let text = format!("removing block or network volumes is not supported: {}", path.display());
        return Err(fault::no_support(text));
    }
    blocking::look(format!("volume '{}'", path.display()), move || {
        let is_directory = std::fs::symlink_metadata(&path).is_ok_and(|it| it.is_dir());
        let (removed, what) = if is_directory {
            (std::fs::remove_dir(&path), "cannot remove directory")
        } else {
            (std::fs::remove_file(&path), "cannot unlink file")
        };
        match removed {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(fault::at(what, &path)),
        }
    })
    .await
}

/// Gives an image another capacity.
pub(super) async fn resize_volume(
    cx: &Cx,
    volume: &Arc<Volume>,
    capacity: u64,
    flags: VolumeResizeFlags,
) -> Result<()> {
    let allocate = flags.contains(VolumeResizeFlags::ALLOCATE);
    let target = &volume.document.target;
    if target.volume_format() == Some(VolumeFormat::Raw) && target.encryption.is_none() {
        let path = volume.path().to_owned();
        let name = format!("volume '{}'", path.display());
        return blocking::steady(name, move |progress| resize::raw(&path, capacity, allocate, progress)).await;
    }
    if allocate {
        let text = "preallocate is only supported for raw type volume";
        let code = virtbus_api::ErrorCode::OperationUnsupported;
        return Err(fault::Faults::of_storage(virtbus_api::Error::new(code, text)));
    }
    qemu_img::resize(volume, capacity, &cx.secrets).await
}

/// Overwrites a file or device.
pub(super) async fn wipe_volume(volume: &Arc<Volume>, algorithm: WipeAlgorithm) -> Result<()> {
    let path = volume.path().to_owned();
    let name = format!("volume '{}'", path.display());
    blocking::steady(name, move |progress| wipe::wipe(&path, algorithm, progress)).await
}
