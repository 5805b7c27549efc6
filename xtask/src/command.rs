//! Running a program and saying well what went wrong with it. No shell, and nothing about any program in particular.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// The workspace's top directory: the one above this crate.
#[must_use]
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Cargo's output directory: `CARGO_TARGET_DIR`, or `target` in the workspace.
#[must_use]
pub fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => workspace().join(dir),
        None => workspace().join("target"),
    }
}

/// Runs a program with the terminal's own output; an exit status other than 0 is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start {}", said(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", said(command));
    }
    Ok(())
}

/// Runs a program and returns what it printed; on failure the error carries what it said on standard error.
pub fn output(command: &mut Command) -> Result<String> {
    let bytes = output_bytes(command)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// As [`output`], for output that is no text.
pub fn output_bytes(command: &mut Command) -> Result<Vec<u8>> {
    let out = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", said(command)))?;
    if !out.status.success() {
        let why = String::from_utf8_lossy(&out.stderr);
        bail!("{} failed: {}: {}", said(command), out.status, why.trim_end());
    }
    Ok(out.stdout)
}

/// True when a program of that name is on the path.
#[must_use]
pub fn is_installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .any(|dir| dir.join(name).is_file())
}

/// A program by name, with the directories of system programs on its path (a user's path may lack them).
#[must_use]
pub fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/local/sbin:/usr/sbin:/sbin");
    command.env("PATH", path);
    command
}

/// Waits until `ready` says something, looking every 10 ms; `None` after the deadline.
pub fn wait_for<T>(deadline: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(it) = ready() {
            return Some(it);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn said(command: &Command) -> String {
    let args = command.get_args().map(OsStr::to_string_lossy);
    let words: Vec<_> = std::iter::once(command.get_program().to_string_lossy()).chain(args).collect();
    words.join(" ")
}
