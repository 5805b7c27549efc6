//! Where a software TPM keeps its state, and how that is thrown away.

use std::io;
use std::path::{Path, PathBuf};

use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::tpm::{TpmBackend, TpmEmulator, TpmState, TpmStateKind, TpmVersion};
use virtbus_schema::xml::YesNo;

use crate::config::Layout;

/// A TPM's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// In a directory of ours: all of it goes.
    Own {
        /// The directory of this version's state.
        directory: PathBuf,
        /// The guest's, with those of all versions.
        whole: PathBuf,
    },
    /// In a directory the document names: only what swtpm put there goes.
    Directory(PathBuf),
    /// In one file.
    File(PathBuf),
}

/// What swtpm calls its files.
const PREFIXES: [&str; 2] = ["tpm2-00.", "tpm-00."];
const LOCK: &str = ".lock";

impl State {
    /// Where an emulator's state is.
    pub(super) fn of(emulator: &TpmEmulator, layout: &Layout, uuid: uuid::Uuid) -> Self {
        match &emulator.source {
            Some(TpmState { kind: TpmStateKind::Dir, path }) => Self::Directory(path.into()),
            Some(TpmState { kind: TpmStateKind::File, path }) => Self::File(path.into()),
            None => {
                let above = layout.lib.parent().unwrap_or(&layout.lib);
                let version = if emulator.version == Some(TpmVersion::V1_2) { "tpm1.2" } else { "tpm2" };
                let whole = above.join("swtpm").join(uuid.hyphenated().to_string());
                Self::Own { directory: whole.join(version), whole }
            }
        }
    }

    /// What is to be made before swtpm runs, unless it is there.
    pub(super) fn directory(&self) -> Option<&Path> {
        match self {
            Self::Own { directory, .. } | Self::Directory(directory) => Some(directory),
            Self::File(_) => None,
        }
    }

    /// Whether there is any state yet. A lock alone is what an attempt to make one left behind.
    pub(super) fn is_known(&self) -> bool {
        match self {
            Self::Own { directory, .. } | Self::Directory(directory) => {
                let mut entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
                entries.any(|it| is_state(&it.file_name().to_string_lossy()))
            }
            Self::File(file) => std::fs::metadata(file).is_ok_and(|it| it.len() > 0),
        }
    }

    /// As `swtpm_setup --tpmstate` takes it.
    pub(super) fn for_setup(&self) -> String {
        match self {
            Self::Own { directory, .. } | Self::Directory(directory) => directory.to_string_lossy().into_owned(),
            Self::File(file) => format!("file://{}", file.display()),
        }
    }

    /// As `swtpm --tpmstate` takes it.
    pub(super) fn for_swtpm(&self) -> String {
        match self {
            Self::Own { directory, .. } | Self::Directory(directory) => {
                format!("dir={},mode=0600", directory.display())
            }
            Self::File(file) => format!("backend-uri=file://{}", file.display()),
        }
    }

    /// Throws it away. Blocks on the file system.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub(crate) fn remove(&self) -> io::Result<()> {
        let gone = |done: io::Result<()>| match done {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        match self {
            Self::Own { whole, .. } => gone(std::fs::remove_dir_all(whole)),
            Self::File(file) => gone(std::fs::remove_file(file)),
            Self::Directory(directory) => {
                for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                    if is_swtpms(&entry.file_name().to_string_lossy()) {
                        gone(std::fs::remove_file(entry.path()))?;
                    }
                }
                // It stays when there is more in it.
                let _ = std::fs::remove_dir(directory);
                Ok(())
            }
        }
    }
}

fn is_swtpms(name: &str) -> bool {
    name == LOCK || is_state(name)
}

fn is_state(name: &str) -> bool {
    PREFIXES.iter().any(|it| name.starts_with(it))
}

/// The states of a guest's TPMs: those that go with their guest, or all.
pub(crate) fn states(document: &Domain, layout: &Layout, kept_too: bool) -> Vec<State> {
    let uuid = document.uuid.unwrap_or_default();
    let one = |backend: &TpmBackend| match backend {
        TpmBackend::Emulator(it) if kept_too || it.persistent_state != Some(YesNo::Yes) => {
            Some(State::of(it, layout, uuid))
        }
        _ => None,
    };
    document.devices.tpms.iter().filter_map(|it| one(&it.backend)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_swtpms_is_thrown_away() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = State::Directory(dir.path().to_owned());
        for (name, known) in [(".lock", false), ("family.jpg", false), ("tpm2-00.permall", true)] {
            std::fs::write(dir.path().join(name), "x").expect("a file");
            assert_eq!(state.is_known(), known, "{name}");
        }
        state.remove().expect("removed");
        assert!(!state.is_known());
        let left: Vec<_> = std::fs::read_dir(dir.path()).expect("there").flatten().map(|it| it.file_name()).collect();
        assert_eq!(left, ["family.jpg"]);
        State::File(dir.path().join("none")).remove().expect("nothing to do");
    }
}
