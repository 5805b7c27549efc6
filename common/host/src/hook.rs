//! Hooks: an administrator's scripts that are told when something happens, as libvirt has them.
//!
//! `DIRECTORY/DRIVER`, then what can be run in `DIRECTORY/DRIVER.d`, by name. Each gets the object's name, what happens, which part
//! of it and `-` as arguments, and a document on its standard input. All are run even if one fails; what a failure means, the
//! caller knows. A script must not call the daemon that runs it: it waits.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::{OutputError, Spawn};

/// What a script has until it is ended.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the scripts of all drivers lie. They are looked for each time: one that is added is run from then on.
#[derive(Debug, Clone)]
pub struct Hooks(PathBuf);

/// What happens: `start` `begin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Happening {
    /// The operation.
    pub operation: &'static str,
    /// `begin`, `end`, `release`...
    pub part: &'static str,
}

/// A script that failed.
#[derive(Debug)]
pub struct Error {
    /// Which one, with its arguments.
    pub command: String,
    /// How.
    pub how: How,
}

/// How a script failed.
#[derive(Debug)]
pub enum How {
    /// It could not be run, or did not end.
    NotRun(OutputError),
    /// It said so: how it ended, and its last line.
    Said(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.how {
            How::NotRun(error) => write!(f, "{}: {error}", self.command),
            How::Said(words) => write!(f, "{}: unexpected {words}", self.command),
        }
    }
}

impl std::error::Error for Error {}

impl Hooks {
    /// The scripts below `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
    }

    /// The scripts of a driver, in the order they are run in. Blocks for a look at a directory.
    pub fn of(&self, driver: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.0.join(format!("{driver}.d"))).into_iter().flatten().flatten();
        let mut scripts: Vec<PathBuf> = entries.map(|it| it.path()).collect();
        scripts.sort_unstable();
        scripts.insert(0, self.0.join(driver));
        scripts.retain(|it| can_be_run(it));
        scripts
    }
}

/// Runs `scripts`, of [`Hooks::of`], for what happens to `object`.
///
/// # Errors
/// The first failure; the others have been run all the same.
pub async fn run(scripts: Vec<PathBuf>, object: &str, what: Happening, input: &str) -> Result<(), Error> {
    run_because(scripts, object, what, "-", input).await
}

/// As [`run`], with why it happens as the last argument.
///
/// # Errors
/// As [`run`].
pub async fn run_because(
    scripts: Vec<PathBuf>,
    object: &str,
    what: Happening,
    why: &str,
    input: &str,
) -> Result<(), Error> {
    let mut first = None;
    for script in scripts {
        if let Err(error) = run_one(&script, [object, what.operation, what.part, why], input).await {
            first.get_or_insert(error);
        }
    }
    first.map_or(Ok(()), Err)
}

async fn run_one(script: &Path, arguments: [&str; 4], input: &str) -> Result<(), Error> {
    let command = format!("{} {}", script.display(), arguments.join(" "));
    let mut spawn = Spawn::new(script).args(arguments).env_clear().env("LC_ALL", "C").cwd("/");
    for name in ["PATH", "HOME", "USER", "LOGNAME", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            spawn = spawn.env(name, value);
        }
    }
    let how = match spawn.output_with_input(input.as_bytes().to_vec(), PATIENCE).await {
        Ok(output) if output.exit.success() => return Ok(()),
        Ok(output) => How::Said(format!("{}: {}", output.exit, output.last_error_line())),
        Err(error) => How::NotRun(error),
    };
    Err(Error { command, how })
}

fn can_be_run(script: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(script).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const START: Happening = Happening { operation: "start", part: "begin" };

    fn put(path: &Path, text: &str, mode: u32) {
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        std::fs::write(path, text).expect("written");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
    }

    #[tokio::test]
    async fn all_scripts_are_run_in_order_and_the_first_failure_is_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("log");
        let say = |word: &str| format!("#!/bin/sh\n(echo {word} \"$@\"; cat) >> {}\n", log.display());
        let hooks = Hooks::new(dir.path().join("hooks"));
        assert!(hooks.of("network").is_empty());
        put(&dir.path().join("hooks/network.d/20"), &say("late"), 0o755);
        put(&dir.path().join("hooks/network.d/10"), &(say("early") + "echo no >&2\nexit 3\n"), 0o755);
        put(&dir.path().join("hooks/network.d/15"), &say("not this one"), 0o644);
        put(&dir.path().join("hooks/network"), &say("first"), 0o755);
        let error = run(hooks.of("network"), "net1", START, "<x/>\n").await.expect_err("one fails");
        assert!(
            error.to_string().ends_with("/network.d/10 net1 start begin -: unexpected exit status 3: no"),
            "{error}"
        );
        let said = std::fs::read_to_string(&log).expect("written");
        let expected =
            "first net1 start begin -\n<x/>\nearly net1 start begin -\n<x/>\nlate net1 start begin -\n<x/>\n";
        assert_eq!(said, expected);
    }
}
