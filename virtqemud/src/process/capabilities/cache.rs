//! Capabilities by binary: in memory, else from a file that names the binary's identity, else by probing.
//!
//! A file that does not fit or does not read is no error, only a reason to probe again. One probe runs per binary at a time;
//! whoever asks meanwhile waits for that one.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use virtbus_api::{Error, ErrorCode, Result};

use super::QemuCaps;
use super::probe::{ProbeError, probe};

/// What must be unchanged for kept capabilities to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    path: PathBuf,
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds; an update in place within one second would be missed by seconds alone.
    modified: (i64, i64),
    /// The time /dev/kvm was made, where it is: KVM may come and go with a module or a boot option.
    kvm: Option<i64>,
    /// The kernel's release: what KVM offers changes with it.
    kernel: String,
    /// Who QEMU runs as: access to /dev/kvm hangs on it.
    user: Option<(u32, u32)>,
    /// Ours: another version may ask other questions.
    version: String,
}

impl Identity {
    fn of(binary: &Path, user: Option<(u32, u32)>) -> io::Result<Self> {
        let file = std::fs::metadata(binary)?;
        if !file.is_file() || file.mode() & 0o111 == 0 {
            return Err(nix::errno::Errno::EACCES.into());
        }
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Ok(Self {
            path: binary.to_owned(),
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            kvm: std::fs::metadata("/dev/kvm").ok().map(|it| it.ctime()),
            kernel,
            user,
            version: format!("{} {FORMAT}", env!("CARGO_PKG_VERSION")),
        })
    }
}

/// Raised when the questions or [`QemuCaps`] change within a version.
const FORMAT: u32 = 2;

#[derive(Serialize, Deserialize)]
struct Kept {
    identity: Identity,
    caps: QemuCaps,
}

/// What is known of one binary; locked while it is probed.
type Slot = Arc<Mutex<Option<(Identity, Arc<QemuCaps>)>>>;

/// Where capabilities of binaries are found.
#[derive(Debug)]
pub struct Cache {
    directory: PathBuf,
    user: Option<(u32, u32)>,
    binaries: Mutex<HashMap<PathBuf, Slot>>,
}

impl Cache {
    /// A cache that keeps its files in `directory` (`.../cache/libvirt/qemu/capabilities`), made when first needed. QEMU is
    /// probed as `user`, uid and gid, where given.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>, user: Option<(u32, u32)>) -> Self {
        Self { directory: directory.into(), user, binaries: Mutex::default() }
    }

    /// The capabilities of a binary. Waits for a probe at worst; the daemon calls this at its start for the binaries it
    /// knows, so that a client's call rarely does.
    ///
    /// # Errors
    /// `SYSTEM_ERROR` when there is no such executable, `INTERNAL_ERROR` when it is no QEMU that can be served.
    pub async fn find(&self, binary: &Path) -> Result<Arc<QemuCaps>> {
        let slot = Arc::clone(self.binaries.lock().await.entry(binary.to_owned()).or_default());
        // The map is free again here: a slow probe of one binary holds up nobody who asks for another.
        let mut slot = slot.lock().await;
        let identity = self.identity(binary).await?;
        if let Some((known, caps)) = slot.as_ref()
            && *known == identity
        {
            return Ok(Arc::clone(caps));
        }
        let caps = Arc::new(self.load_or_probe(&identity).await?);
        *slot = Some((identity, Arc::clone(&caps)));
        Ok(caps)
    }

    async fn identity(&self, binary: &Path) -> Result<Identity> {
        let (path, user) = (binary.to_owned(), self.user);
        let found = tokio::task::spawn_blocking(move || Identity::of(&path, user)).await;
        found.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|error| {
            let what = match error.kind() {
                io::ErrorKind::PermissionDenied => format!("QEMU binary {} is not executable", binary.display()),
                _ => format!("Cannot check QEMU binary {}", binary.display()),
            };
            Error::system(what, &error)
        })
    }

    async fn load_or_probe(&self, identity: &Identity) -> Result<QemuCaps> {
        let file = self.file(&identity.path);
        let (path, expected) = (file.clone(), identity.clone());
        let kept = tokio::task::spawn_blocking(move || {
            let kept: Kept = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
            (kept.identity == expected).then_some(kept.caps)
        });
        if let Ok(Some(caps)) = kept.await {
            return Ok(caps);
        }
        tracing::info!(binary = %identity.path.display(), "probing QEMU");
        let caps = probe(&identity.path, self.user).await.map_err(|error| {
            // A program that ends without a word is a fault of the system, not of ours.
            let code = match &error {
                ProbeError::Silent(_) => ErrorCode::SystemError,
                _ => ErrorCode::InternalError,
            };
            Error::new(code, format!("QEMU binary {}", identity.path.display())).caused_by(error)
        })?;
        let kept = Kept { identity: identity.clone(), caps };
        let (kept, written) = tokio::task::spawn_blocking(move || {
            let written = keep(&file, &kept);
            (kept.caps, written)
        })
        .await
        .map_err(|error| Error::internal(format!("keeping the capabilities: {error}")))?;
        if let Err(error) = written {
            tracing::warn!(binary = %identity.path.display(), "cannot keep the capabilities: {error}");
        }
        Ok(kept)
    }

    /// One file per binary, named by its path so that an administrator can tell them apart.
    fn file(&self, binary: &Path) -> PathBuf {
        let name = binary.to_string_lossy().trim_start_matches('/').replace(['/', '%'], "%");
        self.directory.join(format!("{name}.json"))
    }
}

/// Writes the file under another name first: a reader sees all of it or nothing. Not synced: it can be made again.
fn keep(file: &Path, kept: &Kept) -> io::Result<()> {
    if let Some(directory) = file.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let temporary = file.with_extension(format!("{}.new", std::process::id()));
    std::fs::write(&temporary, serde_json::to_vec(kept)?)?;
    std::fs::rename(&temporary, file)
}

#[cfg(test)]
mod tests {
    use virtbus_api::ErrorCode;

    use super::*;

    #[tokio::test]
    async fn a_missing_binary_is_the_callers_mistake() {
        let directory = tempfile::tempdir().expect("a directory");
        let cache = Cache::new(directory.path(), None);
        let error = cache.find(Path::new("/nonexistent/qemu")).await.expect_err("there is none");
        assert_eq!(error.code, ErrorCode::SystemError);
    }

    #[tokio::test]
    async fn what_is_no_qemu_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let cache = Cache::new(directory.path(), None);
        let error = cache.find(Path::new("/bin/true")).await.expect_err("it is not QEMU");
        assert_eq!(error.code, ErrorCode::SystemError);
        assert!(error.message().contains("/bin/true"), "{error}");
    }
}
