//! Running the host's tools: mount, mkfs, parted, lvcreate, qemu-img.
//!
//! What they are told to do is the backends'; here is how they are run: without a shell, in the C locale, killed when late
//! or when nobody wants the result any more, and with an error text that names the command and says what the tool said.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::time::Duration;

use virtbus_api::{Error, Result};
use virtbus_host::process::{Exit, Output, OutputError, Spawn, SpawnError, find_program};

use crate::fault;

/// How long a tool may take that changes little: mounting, activating, listing.
pub(crate) const SOON: Duration = Duration::from_secs(60);
/// How long a tool may take that writes much: qemu-img, mkfs. It is killed earlier when its caller goes away.
pub(crate) const LONG: Duration = Duration::from_secs(48 * 3600);

/// A command to be run.
#[derive(Debug)]
pub(crate) struct Tool {
    program: String,
    args: Vec<OsString>,
    fds: Vec<(OwnedFd, i32)>,
}

impl Tool {
    /// Runs `program`, found in PATH.
    pub(crate) fn new(program: &str) -> Self {
        Self { program: program.to_owned(), args: Vec::new(), fds: Vec::new() }
    }

    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub(crate) fn args<T: Into<OsString>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Gives it an open descriptor under this number.
    pub(crate) fn fd(mut self, fd: OwnedFd, number: i32) -> Self {
        self.fds.push((fd, number));
        self
    }

    /// The command as a user would type it.
    fn shown(&self) -> String {
        let program = find_program(&self.program).map_or_else(|| self.program.clone(), |it| it.display().to_string());
        let words = self.args.iter().map(|it| quoted(&it.to_string_lossy()));
        std::iter::once(program).chain(words).collect::<Vec<_>>().join(" ")
    }

    /// Runs it to its end, whatever that is.
    ///
    /// # Errors
    /// When it cannot be started or is late.
    pub(crate) async fn output(self, deadline: Duration) -> Result<Output> {
        let shown = self.shown();
        let program = self.program.clone();
        let mut spawn = Spawn::new(program.clone()).args(self.args).env("LC_ALL", "C");
        for (fd, number) in self.fds {
            spawn = spawn.fd(fd, number);
        }
        spawn.output(deadline).await.map_err(|error| match error {
            OutputError::Spawn(SpawnError::NoProgram(_)) => {
                let missing = std::io::Error::from_raw_os_error(nix::libc::ENOENT);
                fault::system(format!("Cannot find '{program}' in path"), &missing)
            }
            OutputError::Late { .. } => {
                fault::Faults::of_storage(Error::timeout(format!("{shown} has not ended in {} s", deadline.as_secs())))
            }
            other => fault::internal(format!("cannot run {shown}")).caused_by(other),
        })
    }

    /// Runs it and expects success.
    ///
    /// # Errors
    /// When it fails, with its own words.
    pub(crate) async fn run(self, deadline: Duration) -> Result<Output> {
        let shown = self.shown();
        let output = self.output(deadline).await?;
        if output.exit.success() { Ok(output) } else { Err(failure(&shown, &output)) }
    }

    /// As [`Tool::run`], and its output as text.
    ///
    /// # Errors
    /// As [`Tool::run`].
    pub(crate) async fn text(self, deadline: Duration) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.run(deadline).await?.stdout).into_owned())
    }
}

/// The word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || "+-_=./:,@%".contains(it);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The error for a tool that failed; the words before the tool's own are those that tools look for.
fn failure(shown: &str, output: &Output) -> Error {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim_end();
    let how = match output.exit {
        Exit::Code(code) => format!("exit status {code}"),
        Exit::Signal(number) => format!("fatal signal {number}"),
    };
    fault::internal(format!("Child process ({shown}) unexpected {how}: {said}"))
}
