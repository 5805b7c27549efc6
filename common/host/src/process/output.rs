//! Running a tool (qemu-img, ip) to its end with a deadline, and keeping what it printed.
//!
//! What a tool prints is bounded, and a tool that is late is killed: neither can hold up or fill the daemon.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;

use super::{Child, Exit, Spawn, SpawnError};

/// Bytes kept of each stream; more is an error.
const MOST_OUTPUT: usize = 64 * 1024 * 1024;

/// What a tool left.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub exit: Exit,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// The last non-empty line of standard error, for an error message.
    pub fn last_error_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
    }
}

/// Why a tool gave no output.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// It could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// It was still running at the deadline and has been killed.
    #[error("{program} has not ended within {} s and was killed", .after.as_secs_f32())]
    Late {
        /// The program.
        program: String,
        /// The deadline that passed.
        after: Duration,
    },
    /// Its streams could not be read, or held too much.
    #[error("{program}: cannot read its output")]
    Io {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
}

impl Spawn {
    /// Runs the process to its end and captures both output streams; `deadline` counts from now. A process that is late,
    /// or whose caller goes away, is killed. An exit status other than 0 is not an error here.
    ///
    /// # Errors
    /// When it cannot be started, is late, or prints more than 64 MiB.
    pub async fn output(self, deadline: Duration) -> Result<Output, OutputError> {
        self.output_with_input(Vec::new(), deadline).await
    }

    /// As [`Spawn::output`], with `input` on standard input.
    ///
    /// # Errors
    /// As [`Spawn::output`]. A program that does not read all its input is no error.
    pub async fn output_with_input(self, input: Vec<u8>, deadline: Duration) -> Result<Output, OutputError> {
        let program = self.program.display().to_string();
        let failed = |source: io::Error| OutputError::Io { program: program.clone(), source };
        let (stdout, stdout_end) = pipe_from_child().map_err(failed)?;
        let (stderr, stderr_end) = pipe_from_child().map_err(failed)?;
        let mut spawn = self.stdout(stdout_end).stderr(stderr_end);
        let mut stdin = None;
        if !input.is_empty() {
            let (ours, childs) = pipe_to_child().map_err(failed)?;
            stdin = Some(ours);
            spawn = spawn.stdin(childs);
        }
        let work = async {
            // The program's file may lie on a slow disk: keep the worker out of it.
            let started = tokio::task::spawn_blocking(move || spawn.spawn().map(|child| KilledOnDrop(Some(child))));
            let mut child = started.await.map_err(|error| failed(io::Error::other(error)))??;
            let feed = async {
                if let Some(mut stdin) = stdin {
                    match stdin.write_all(&input).await {
                        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
                        _ => {}
                    }
                }
                Ok(())
            };
            let ((), stdout, stderr) = tokio::try_join!(feed, read_all(stdout), read_all(stderr)).map_err(failed)?;
            let exit = match &mut child.0 {
                Some(child) => child.exited().await.map_err(failed)?,
                None => return Err(failed(io::ErrorKind::NotFound.into())),
            };
            Ok(Output { exit, stdout, stderr })
        };
        match tokio::time::timeout(deadline, work).await {
            Ok(result) => result,
            Err(_) => Err(OutputError::Late { program, after: deadline }),
        }
    }
}

/// Kills the process when dropped, and has it reaped.
struct KilledOnDrop(Option<Child>);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        let Some(mut child) = self.0.take() else { return };
        if matches!(child.try_exited(), Ok(Some(_))) || child.signal(Signal::SIGKILL).is_err() {
            return;
        }
        if tokio::runtime::Handle::try_current().is_ok() {
            crate::task::spawn("reap a killed tool", async move { child.exited().await });
        }
    }
}

async fn read_all(pipe: pipe::Receiver) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let most = MOST_OUTPUT as u64 + 1;
    pipe.take(most).read_to_end(&mut content).await?;
    if content.len() > MOST_OUTPUT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {MOST_OUTPUT} bytes")));
    }
    Ok(content)
}

/// The most a user may ask for. A QEMU that is told to quit drops what it has said and the pipe had no room for, which is
/// most of its schema when this process is slow to read.
const PIPE_SIZE: i32 = 1 << 20;

fn pipe_from_child() -> io::Result<(pipe::Receiver, OwnedFd)> {
    let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
    // Refused to a user who holds very many pipes; then the usual size must do.
    let _ = nix::fcntl::fcntl(&write, nix::fcntl::FcntlArg::F_SETPIPE_SZ(PIPE_SIZE));
    Ok((pipe::Receiver::from_owned_fd(read)?, write))
}

fn pipe_to_child() -> io::Result<(pipe::Sender, OwnedFd)> {
    let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
    Ok((pipe::Sender::from_owned_fd(write)?, read))
}
