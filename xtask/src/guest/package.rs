//! The distribution's packages as files: downloaded once, never installed. What is in them is the caller's business.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::command::run;
use crate::setup::{apt_get, update_lists};

/// The package's file in `dir`, downloaded when it is not there yet.
pub(crate) fn fetch(dir: &Path, name: &str) -> Result<PathBuf> {
    fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let prefix = format!("{name}_");
    if let Ok(file) = only_file(dir, &prefix) {
        return Ok(file);
    }
    eprintln!("guest: downloading {name}");
    let download = || run(apt_get().current_dir(dir).args(["-q", "-o", "APT::Sandbox::User=", "download", name]));
    if download().is_err() {
        update_lists()?;
        download()?;
    }
    only_file(dir, &prefix)
}

/// The file in `dir` whose name begins so.
pub(crate) fn only_file(dir: &Path, prefix: &str) -> Result<PathBuf> {
    let mut found = fs::read_dir(dir)
        .with_context(|| dir.display().to_string())?
        .flatten()
        .map(|it| it.path())
        .filter(|it| it.file_name().and_then(|it| it.to_str()).is_some_and(|it| it.starts_with(prefix)));
    found.next().with_context(|| format!("no {prefix}* in {}", dir.display()))
}
