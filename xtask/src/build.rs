//! Building the daemons, and where cargo left them.

use std::path::PathBuf;

use anyhow::Result;

use crate::command::{program, run, target_dir, workspace};

/// How the daemons are compiled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Fast to build, with overflow checks: tests.
    #[default]
    Debug,
    /// As shipped: benches.
    Release,
}

impl Profile {
    /// The directory of the built programs.
    ///
    /// `VIRTBUS_BIN_DIR` names another: a package's binaries can be tested with it.
    #[must_use]
    pub fn bin_dir(self) -> PathBuf {
        if let Some(dir) = std::env::var_os("VIRTBUS_BIN_DIR") {
            return PathBuf::from(dir);
        }
        target_dir().join(match self {
            Profile::Debug => "debug",
            Profile::Release => "release",
        })
    }
}

/// Builds the daemons. Cargo finds out by itself when there is nothing to do.
pub fn daemons(profile: Profile) -> Result<()> {
    if std::env::var_os("VIRTBUS_BIN_DIR").is_some() {
        return Ok(());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = program(cargo);
    command.current_dir(workspace()).args(["build", "--bins"]);
    for package in ["virtqemud", "virtstoraged", "virtnetworkd", "virtproxyd"] {
        command.args(["-p", package]);
    }
    if profile == Profile::Release {
        command.arg("--release");
    }
    run(&mut command)
}
