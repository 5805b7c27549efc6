//! One program of the stack: started with a log file and a pid file, ready when it says so, ended politely first.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;

use super::PATIENCE;
use crate::command::wait_for;
use crate::processes;

/// A program that this process started.
#[derive(Debug)]
pub struct Service {
    name: &'static str,
    child: Child,
    root: PathBuf,
}

impl Service {
    /// Starts it in a session of its own, so that Ctrl-C at the terminal reaches only the one who looks after it.
    ///
    /// It is ready when `ready` says so, or without that when it has sent `READY=1` by sd_notify.
    pub(crate) fn start(
        root: &Path,
        name: &'static str,
        command: &Command,
        ready: Option<&dyn Fn() -> bool>,
    ) -> Result<Self> {
        let notify_path = root.join("run/stack").join(format!("{name}.notify"));
        let _ = fs::remove_file(&notify_path);
        let notify = UnixDatagram::bind(&notify_path).with_context(|| notify_path.display().to_string())?;
        notify.set_nonblocking(true)?;
        let log = fs::OpenOptions::new().create(true).append(true).open(log_file(root, name))?;
        let mut in_session = Command::new("setsid");
        in_session.arg(command.get_program()).args(command.get_args());
        in_session.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
        in_session.env("NOTIFY_SOCKET", &notify_path).current_dir("/");
        let child = in_session.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
        let child = child.with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
        fs::write(pid_file(root, name), format!("{}\n", child.id()))?;
        let mut service = Self { name, child, root: root.to_path_buf() };
        let is_ready = || match ready {
            Some(ready) => ready(),
            None => said_ready(&notify),
        };
        let end = Instant::now() + PATIENCE;
        while !is_ready() {
            if let Some(status) = service.child.try_wait()? {
                bail!("{name} ended before it was ready: {status}\n{}", service.last_words());
            }
            if Instant::now() > end {
                let _ = service.kill();
                bail!("{name} was not ready within {PATIENCE:?}\n{}", service.last_words());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(service)
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            processes::signal(pid, signal);
        }
    }

    /// Kills it at once, as `kill -9` does, and waits for its end.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::SIGKILL);
        Ok(self.child.wait()?)
    }

    /// Its exit status, when it has ended within the deadline.
    pub fn wait(&mut self, deadline: Duration) -> Option<ExitStatus> {
        wait_for(deadline, || self.child.try_wait().ok().flatten())
    }

    /// SIGTERM, and when that does not end it, SIGKILL: which is an error.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM);
        let status = self.wait(PATIENCE);
        let _ = fs::remove_file(pid_file(&self.root, self.name));
        match status {
            Some(status) => Ok(status),
            None => {
                self.kill()?;
                bail!("{} did not end within {PATIENCE:?} of SIGTERM", self.name)
            }
        }
    }

    fn last_words(&self) -> String {
        let text = fs::read(log_file(&self.root, self.name)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().rev().take(20).collect();
        lines.into_iter().rev().map(|it| format!("  {it}\n")).collect()
    }
}

/// Reads what has arrived: a datagram holds lines, and one of them may be `READY=1`.
fn said_ready(notify: &UnixDatagram) -> bool {
    let mut buffer = [0; 4096];
    while let Ok(length) = notify.recv(&mut buffer) {
        if buffer[..length].split(|it| *it == b'\n').any(|it| it == b"READY=1") {
            return true;
        }
    }
    false
}

pub(super) fn log_file(root: &Path, name: &str) -> PathBuf {
    root.join("log").join(format!("{name}.log"))
}

fn pid_file(root: &Path, name: &str) -> PathBuf {
    root.join("run/stack").join(format!("{name}.pid"))
}

/// Ends the program whose pid file is below `root`, if it still runs under its name.
pub(super) fn stop_by_pid_file(root: &Path, name: &str) -> Result<()> {
    let file = pid_file(root, name);
    let Ok(text) = fs::read_to_string(&file) else { return Ok(()) };
    let pid: i32 = text.trim().parse().with_context(|| file.display().to_string())?;
    let runs = fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|it| name.starts_with(it.trim()));
    if runs {
        processes::signal(pid, Signal::SIGTERM);
        if !processes::wait_gone(pid, PATIENCE) {
            processes::signal(pid, Signal::SIGKILL);
            if !processes::wait_gone(pid, PATIENCE) {
                bail!("{name} (process {pid}) does not die");
            }
        }
    }
    fs::remove_file(&file)?;
    Ok(())
}
