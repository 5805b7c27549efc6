//! Files that belong to a domain beside its definition: what of them keeps it from being undefined, and what goes with it.

use std::io;
use std::path::{Path, PathBuf};

use virtbus_api::{Error, Result, flags::UndefineFlags};
use virtbus_schema::domain::Domain;

use crate::config::Layout;
use crate::process::helper::swtpm;

/// The files.
pub(super) struct Belongings {
    save: PathBuf,
    snapshots: PathBuf,
    checkpoints: PathBuf,
    nvram: Option<PathBuf>,
    /// States of TPMs: those that go with their guest unless they are to be kept, and all.
    tpms: (Vec<swtpm::State>, Vec<swtpm::State>),
}

/// Refuses flags that contradict each other.
///
/// # Errors
/// `INVALID_ARG` in the reference's words.
pub(super) fn exclusive(flags: UndefineFlags) -> Result<()> {
    let pairs = [
        (
            UndefineFlags::NVRAM,
            "VIR_DOMAIN_UNDEFINE_NVRAM",
            UndefineFlags::KEEP_NVRAM,
            "VIR_DOMAIN_UNDEFINE_KEEP_NVRAM",
        ),
        (UndefineFlags::TPM, "VIR_DOMAIN_UNDEFINE_TPM", UndefineFlags::KEEP_TPM, "VIR_DOMAIN_UNDEFINE_KEEP_TPM"),
    ];
    for (one, name, other, other_name) in pairs {
        if flags.contains(one | other) {
            let text = format!("Flags '{name}' and '{other_name}' are mutually exclusive");
            return Err(Error::invalid_arg(text));
        }
    }
    Ok(())
}

impl Belongings {
    /// Those that depend on the name alone.
    pub(super) fn of_name(layout: &Layout, name: &str) -> Self {
        Self {
            save: layout.save.join(format!("{name}.save")),
            snapshots: layout.snapshots.join(name),
            checkpoints: layout.checkpoints.join(name),
            nvram: None,
            tpms: (Vec::new(), Vec::new()),
        }
    }

    /// All of a definition's.
    pub(super) fn of(layout: &Layout, definition: &Domain) -> Self {
        let nvram = crate::process::launch::nvram_file(definition);
        let tpms = (swtpm::states(definition, layout, false), swtpm::states(definition, layout, true));
        Self { nvram, tpms, ..Self::of_name(layout, &definition.name) }
    }

    /// Whether the domain can be undefined. Blocks on the file system.
    ///
    /// # Errors
    /// `OPERATION_INVALID`, naming what it has.
    pub(super) fn check(&self, flags: UndefineFlags, active: bool) -> Result<()> {
        let kept = [
            (&self.snapshots, "snapshots", UndefineFlags::SNAPSHOTS_METADATA),
            (&self.checkpoints, "checkpoints", UndefineFlags::CHECKPOINTS_METADATA),
        ];
        // Those of a running guest stay with it.
        for (directory, what, flag) in kept.into_iter().filter(|_| !active) {
            let count = entries(directory);
            if count > 0 && !flags.contains(flag) {
                return Err(Error::invalid_operation(format!("cannot delete inactive domain with {count} {what}")));
            }
        }
        if self.save.exists() && !flags.contains(UndefineFlags::MANAGED_SAVE) {
            return Err(Error::invalid_operation("Refusing to undefine while domain managed save image exists"));
        }
        let decided = flags.intersects(UndefineFlags::NVRAM | UndefineFlags::KEEP_NVRAM);
        if self.nvram.as_ref().is_some_and(|it| it.exists()) && !decided {
            return Err(Error::invalid_operation("cannot undefine domain with nvram"));
        }
        Ok(())
    }

    /// Whether the domain can have another name. Blocks on the file system.
    ///
    /// # Errors
    /// As [`Belongings::check`].
    pub(super) fn check_rename(&self) -> Result<()> {
        if self.save.exists() {
            return Err(Error::invalid_operation("domain with a managed saved state can't be renamed"));
        }
        if entries(&self.snapshots) > 0 {
            return Err(Error::invalid_operation("cannot rename domain with snapshots"));
        }
        if entries(&self.checkpoints) > 0 {
            return Err(Error::invalid_operation("cannot rename domain with checkpoints"));
        }
        Ok(())
    }

    /// Removes what the flags name. The definition is gone already, so a leftover is only worth a warning. A running guest
    /// goes on with its TPM, whose state goes with it in the end.
    pub(super) fn remove(&self, flags: UndefineFlags, active: bool) {
        if flags.contains(UndefineFlags::MANAGED_SAVE) {
            warn(&self.save, std::fs::remove_file(&self.save));
        }
        if flags.contains(UndefineFlags::SNAPSHOTS_METADATA) && !active {
            warn(&self.snapshots, std::fs::remove_dir_all(&self.snapshots));
        }
        if flags.contains(UndefineFlags::CHECKPOINTS_METADATA) && !active {
            warn(&self.checkpoints, std::fs::remove_dir_all(&self.checkpoints));
        }
        if let (true, Some(nvram)) = (flags.contains(UndefineFlags::NVRAM), &self.nvram) {
            warn(nvram, std::fs::remove_file(nvram));
        }
        if active || flags.contains(UndefineFlags::KEEP_TPM) {
            return;
        }
        let (usual, all) = &self.tpms;
        remove_states(if flags.contains(UndefineFlags::TPM) { all } else { usual });
    }
}

/// Throws away what a guest without a definition leaves when it ends. Blocks on the file system.
pub(super) fn forget(layout: &Layout, document: &Domain) {
    remove_states(&swtpm::states(document, layout, false));
}

fn remove_states(states: &[swtpm::State]) {
    for state in states {
        if let Err(error) = state.remove() {
            tracing::warn!("cannot remove the state of a TPM: {error}");
        }
    }
}

fn warn(path: &Path, result: io::Result<()>) {
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("cannot remove {}: {error}", path.display());
        }
        _ => {}
    }
}

fn entries(directory: &Path) -> usize {
    std::fs::read_dir(directory).map_or(0, |entries| entries.flatten().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_that_contradict_each_other_are_refused() {
        exclusive(UndefineFlags::NVRAM | UndefineFlags::KEEP_TPM).expect("no contradiction");
        let error = exclusive(UndefineFlags::TPM | UndefineFlags::KEEP_TPM).expect_err("a contradiction");
        assert_eq!(error.code, virtbus_api::ErrorCode::InvalidArg);
        assert!(error.message().contains("'VIR_DOMAIN_UNDEFINE_KEEP_TPM' are mutually exclusive"), "{error}");
    }
}
