//! A QEMU process: started by this daemon or found again after a restart.

use std::io;

use nix::sys::signal::Signal;
use virtbus_host::process::{self as host, Child, Exit};

/// QEMU, as long as it is watched. Dropping it leaves the guest running.
#[derive(Debug)]
pub(crate) struct Process {
    held: Held,
    exit: Option<Exit>,
}

#[derive(Debug)]
enum Held {
    Own(Child),
    Found(host::Process),
}

impl From<Child> for Process {
    fn from(child: Child) -> Self {
        Self { held: Held::Own(child), exit: None }
    }
}

impl Process {
    /// Takes hold of a QEMU that an earlier daemon started.
    ///
    /// # Errors
    /// `NotFound` when it has ended.
    pub(crate) fn find(pid: i32, start_time: u64) -> io::Result<Self> {
        Ok(Self { held: Held::Found(host::Process::open(pid, start_time)?), exit: None })
    }

    /// Takes hold of a QEMU that libvirt started: its status files have no start time, so its command line must name
    /// the guest.
    ///
    /// # Errors
    /// `NotFound` when it has ended or the pid is another program's.
    pub(crate) fn find_qemu(pid: i32, name: &str) -> io::Result<Self> {
        let process = host::Process::open_pid(pid)?;
        let words = process.cmdline()?;
        let wanted = format!("guest={name}");
        let is_it = |word: &Vec<u8>| {
            let text = String::from_utf8_lossy(word);
            text.split(',').any(|part| part == wanted)
        };
        if !words.iter().any(is_it) {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("process {pid} is not the QEMU of '{name}'")));
        }
        Ok(Self { held: Held::Found(process), exit: None })
    }

    fn process(&self) -> &host::Process {
        match &self.held {
            Held::Own(child) => child,
            Held::Found(process) => process,
        }
    }

    /// The pid.
    pub(crate) fn pid(&self) -> i32 {
        self.process().pid()
    }

    /// Its start time, which with the pid names it for good.
    pub(crate) fn start_time(&self) -> u64 {
        self.process().start_time()
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&self) -> bool {
        self.process().is_alive()
    }

    /// Whether it is stopped by a signal or a debugger, and so can act on nothing but SIGKILL.
    pub(crate) fn is_stopped(&self) -> bool {
        self.process().stat().is_ok_and(|stat| matches!(stat.state, 'T' | 't'))
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// `ESRCH` when it has ended.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        self.process().signal(signal)
    }

    /// Waits for its end; an own child is reaped. Cancel-safe.
    pub(crate) async fn ended(&mut self) {
        let watched = match &mut self.held {
            Held::Own(child) => child.exited().await.map(|exit| self.exit = Some(exit)),
            Held::Found(process) => process.ended().await,
        };
        if let Err(error) = watched {
            // Without the pidfd its end can only be looked for. This needs a table full of descriptors.
            tracing::warn!("cannot watch process {}: {error}", self.pid());
            while self.is_alive() {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        }
    }

    /// How it ended, in words.
    pub(crate) fn how(&self) -> String {
        self.exit.map_or_else(|| "exit status unknown".to_owned(), |exit| exit.to_string())
    }
}

/// A process of a start that may still fail: dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Tentative(Option<Process>);

impl Tentative {
    /// A process that is killed unless it is [`Tentative::keep`]pt.
    pub(crate) fn new(process: Process) -> Self {
        Self(Some(process))
    }

    /// The pid.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.0.as_ref().map(Process::pid)
    }

    /// Waits for its end. Cancel-safe.
    pub(crate) async fn ended(&mut self) {
        match &mut self.0 {
            Some(process) => process.ended().await,
            None => std::future::pending().await,
        }
    }

    /// The start has succeeded.
    pub(crate) fn keep(mut self) -> Option<Process> {
        self.0.take()
    }
}

impl Drop for Tentative {
    fn drop(&mut self) {
        if let Some(process) = &self.0 {
            // Gone already: nothing to undo. An own child is reaped with the other orphans.
            let _ = process.signal(Signal::SIGKILL);
        }
    }
}
