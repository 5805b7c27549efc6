//! Names of volumes that are not done yet.
//!
//! A volume is made under a hidden name beside its own and renamed when it is complete, so that whoever lists the
//! directory sees whole volumes only. A daemon that is killed leaves hidden files; the next one on the same host takes them
//! away. The name tells host and process, since several hosts may share a directory.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// What all such names begin with.
const PREFIX: &str = ".virtbus-";

/// A path beside the volumes of `directory` that nobody else uses.
pub(crate) fn path_in(directory: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    directory.join(format!("{PREFIX}{}-{}-{number}", host(), std::process::id()))
}

/// Whether a file of this name is no volume yet.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Whether it was left behind by a process of this host that has ended.
pub(crate) fn is_leftover(name: &str) -> bool {
    let parts = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
    let Some((of_host, rest)) = parts else { return false };
    let pid = rest.split_once('-').and_then(|(pid, _)| pid.parse::<u32>().ok());
    let lives = |pid: u32| pid == std::process::id() || Path::new("/proc").join(pid.to_string()).exists();
    of_host == host() && pid.is_some_and(|it| !lives(it))
}

/// Tells this host from others that may see the same files.
fn host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| {
        let id = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
        let name = nix::unistd::gethostname().unwrap_or_default();
        let text = format!("{}{}", id.trim(), name.to_string_lossy());
        // FNV-1a: any spreading will do.
        let hash = text
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        format!("{hash:016x}")
    })
}

/// Removes what a path names when dropped, unless it was kept: what a failed creation has begun.
#[derive(Debug)]
pub(crate) struct Doomed(Option<PathBuf>);

impl Doomed {
    /// Dooms `path`, which need not exist yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(Some(path))
    }

    /// The path.
    pub(crate) fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    /// It is what was wanted.
    pub(crate) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
        let Some(path) = self.0.take() else { return };
        // The file system may not answer; whoever drops this must not wait for it.
        let remove = move || remove(&path);
        if let Err(why) = virtbus_host::abandon::start("storage tidy", remove) {
            tracing::warn!("an unfinished volume stays until the next start: {why}");
        }
    }
}

/// Removes an unfinished volume of any kind.
pub(crate) fn remove(path: &Path) {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(it) if it.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(_) => return,
    };
    if let Err(error) = removed {
        tracing::warn!("cannot remove the unfinished volume '{}': {error}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_process_left_is_known() {
        let own = path_in(Path::new("/x"));
        let name = own.file_name().and_then(|it| it.to_str()).expect("text");
        assert!(is_temporary(name) && !is_leftover(name) && name.len() < 64);
        assert_ne!(own, path_in(Path::new("/x")));
        // Beyond the kernel's largest pid.
        assert!(is_leftover(&format!("{PREFIX}{}-4194305-7", host())));
        assert!(!is_leftover(&format!("{PREFIX}{}-1-7", host())));
        assert!(!is_leftover(&format!("{PREFIX}0000000000000000-4194305-7")), "another host's");
        assert!(!is_temporary(".hidden") && !is_leftover(".hidden"));
    }
}
