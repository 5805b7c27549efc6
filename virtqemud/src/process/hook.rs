//! The administrator's scripts (`hooks/qemu`, `hooks/qemu.d/*`): run at the turns of a guest's life, with its document on their input.
//!
//! A script that fails before the guest runs keeps it from running; afterwards it is only logged. What a script prints is for
//! the operations that may change a document, which start and end cannot.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use virtbus_api::{Error, ErrorCode, Result};
use virtbus_host::process::Spawn;
use virtbus_schema::domain::Domain;
use virtbus_schema::xml::FormatOptions;

/// How long a script may take. The reference waits for ever, and everybody with it; here only its guest waits.
const PATIENCE: Duration = Duration::from_secs(600);
/// The environment of scripts besides the daemon's account.
const PATH: &str = "/sbin:/usr/sbin:/bin:/usr/bin";

/// A turn in a guest's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Before anything is made ready.
    Prepare,
    /// Before QEMU runs.
    Start,
    /// The guest runs.
    Started,
    /// QEMU has ended.
    Stopped,
    /// Everything is given back, and why it ended.
    Release(&'static str),
    /// A new daemon has taken the guest over.
    Reconnect,
}

impl Turn {
    /// The script's second to fourth argument.
    fn arguments(self) -> [&'static str; 3] {
        match self {
            Self::Prepare => ["prepare", "begin", "-"],
            Self::Start => ["start", "begin", "-"],
            Self::Started => ["started", "begin", "-"],
            Self::Stopped => ["stopped", "end", "-"],
            Self::Release(why) => ["release", "end", why],
            Self::Reconnect => ["reconnect", "begin", "-"],
        }
    }
}

/// Runs the scripts, one after the other; the first that fails is the last.
///
/// # Errors
/// `HOOK_SCRIPT_FAILED` with what the script said.
pub(crate) async fn run(directory: &Path, turn: Turn, document: &Domain) -> Result<()> {
    let scripts = scripts(directory);
    if scripts.is_empty() {
        return Ok(());
    }
    let xml = document.format(FormatOptions::default());
    for script in scripts {
        let failed = |what: String| {
            Error::new(
                ErrorCode::HookScriptFailed,
                format!("{} {}: {what}", script.display(), turn.arguments().join(" ")),
            )
        };
        let mut spawn = Spawn::new(&script).arg(&document.name).args(turn.arguments()).env_clear();
        spawn = spawn.env("LC_ALL", "C").env("PATH", PATH);
        for name in ["HOME", "USER", "LOGNAME"] {
            if let Some(value) = std::env::var_os(name) {
                spawn = spawn.env(name, value);
            }
        }
        let ran = spawn.cwd("/").output_with_input(xml.clone().into_bytes(), PATIENCE).await;
        let ran = ran.map_err(|error| failed("cannot be run".to_owned()).caused_by(error))?;
        if !ran.exit.success() {
            let said = String::from_utf8_lossy(&ran.stderr);
            return Err(failed(format!("{}: {}", ran.exit, said.trim())));
        }
    }
    Ok(())
}

/// As [`run`] where nothing can be kept from happening any more: a failure is logged.
pub(crate) async fn tell(directory: &Path, turn: Turn, document: &Domain) {
    if let Err(error) = run(directory, turn, document).await {
        tracing::warn!(domain = document.name, "{error}");
    }
}

/// The scripts that can be run: `qemu`, then those of `qemu.d` in the order of their names.
fn scripts(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(directory.join("qemu.d"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|it| it.path())
        .filter(|it| it.file_name().is_some_and(|it| !it.to_string_lossy().starts_with('.')))
        .collect();
    found.sort();
    found.insert(0, directory.join("qemu"));
    found.retain(|it| match std::fs::metadata(it) {
        Ok(meta) if meta.is_file() && meta.permissions().mode() & 0o111 != 0 => true,
        Ok(meta) if meta.is_file() => {
            tracing::warn!("hook script '{}' is not executable", it.display());
            false
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("hook script '{}': {error}", it.display());
            false
        }
        _ => false,
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(path: &Path, text: &str, mode: u32) {
        std::fs::write(path, format!("#!/bin/sh\n{text}\n")).expect("written");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
    }

    #[tokio::test]
    async fn scripts_are_run_in_order_and_the_first_failure_ends_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let text = "<domain type='qemu'><name>v m</name><memory>65536</memory>\
            <os><type arch='x86_64' machine='q35'>hvm</type></os></domain>";
        let document = Domain::parse(text).expect("a document");
        run(dir.path(), Turn::Prepare, &document).await.expect("nothing to run");
        let log = dir.path().join("log");
        let note =
            format!("echo \"$0|$*|$(grep -c '<name>v m</name>')|$LC_ALL|${{CARGO:-none}}\" >> {}", log.display());
        std::fs::create_dir(dir.path().join("qemu.d")).expect("a directory");
        script(&dir.path().join("qemu"), &note, 0o755);
        script(&dir.path().join("qemu.d/20-b"), &format!("{note}; echo no such luck >&2; exit 3"), 0o755);
        script(&dir.path().join("qemu.d/10-a"), &note, 0o755);
        script(&dir.path().join("qemu.d/30-c"), &note, 0o755);
        script(&dir.path().join("qemu.d/00-off"), &note, 0o644);
        let error = run(dir.path(), Turn::Release("destroyed"), &document).await.expect_err("the second fails");
        assert_eq!(error.code, ErrorCode::HookScriptFailed);
        assert!(error.message().ends_with("20-b release end destroyed: exit status 3: no such luck"), "{error}");
        let said = std::fs::read_to_string(log).expect("a log");
        let names: Vec<&str> = said.lines().filter_map(|it| it.rsplit('/').next()).collect();
        assert_eq!(
            names,
            [
                "qemu|v m release end destroyed|1|C|none",
                "10-a|v m release end destroyed|1|C|none",
                "20-b|v m release end destroyed|1|C|none"
            ]
        );
    }
}
