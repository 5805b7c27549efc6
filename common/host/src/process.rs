//! Processes: starting them, watching them end, signalling them, and finding them again after a restart.
//!
//! A process is named by a pidfd, so neither a signal nor a wait can ever reach another process that was given the same
//! pid. A process found again by number is believed only when its start time agrees. Nothing here polls: the end of a
//! process makes its pidfd readable.
//!
//! It does not know what the processes are for, and offers no parent-death signal: the kernel binds that to the thread
//! that started the child, and worker threads come and go.

mod output;
mod spawn;
mod stat;
mod vfork;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

pub use output::{Output, OutputError};
pub use spawn::{Rlimit, Spawn, SpawnError, Stdio, find_program};
pub use stat::{CpuTime, Stat};
pub(crate) use stat::{page_size, ticks};

/// Children of this process that a [`Child`] still answers for: [`reap_orphans`] leaves them alone.
static OWN_CHILDREN: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It called exit with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

impl Exit {
    /// Whether it exited with code 0.
    pub fn success(self) -> bool {
        self == Exit::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit status {code}"),
            Exit::Signal(number) => match Signal::try_from(*number) {
                Ok(signal) => write!(f, "ended by {signal}"),
                Err(_) => write!(f, "ended by signal {number}"),
            },
        }
    }
}

/// A process, own child or not, held by a pidfd.
#[derive(Debug)]
pub struct Process {
    pid: i32,
    start_time: u64,
    pidfd: OwnedFd,
}

impl Process {
    /// Takes hold of the process `pid` that started at `start_time` (as [`Process::start_time`] gave it).
    ///
    /// # Errors
    /// `NotFound` when there is no such process, when it is a zombie, or when the pid has passed to another process.
    pub fn open(pid: i32, start_time: u64) -> io::Result<Self> {
        let process = Self::open_pid(pid)?;
        if process.start_time == start_time {
            Ok(process)
        } else {
            Err(io::Error::new(io::ErrorKind::NotFound, format!("pid {pid} now belongs to another process")))
        }
    }

    /// Takes hold of whatever process has `pid` now. The caller must know by other means (its command line, a locked
    /// pid file) that it is the one meant.
    ///
    /// # Errors
    /// `NotFound` when there is no such process or only a zombie is left of it.
    pub fn open_pid(pid: i32) -> io::Result<Self> {
        let pidfd = pidfd_open(pid)?;
        // Read after the pidfd is held: if it still is alive afterwards, the numbers are those of the process held.
        let stat = Stat::read(pid)?;
        let process = Self { pid, start_time: stat.start_time, pidfd };
        if stat.is_zombie() || !process.is_alive() {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("process {pid} has ended")));
        }
        Ok(process)
    }

    /// The pid. Only for display and for files that other programs read; it may be reused once the process is gone.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Start time in clock ticks since boot (field 22 of `/proc/PID/stat`); with the pid it names a process for good.
    pub fn start_time(&self) -> u64 {
        self.start_time
    }

    /// Whether it still runs. A zombie does not: a pidfd is readable as soon as its process ends, reaped or not.
    pub fn is_alive(&self) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        loop {
            let mut fds = [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::ZERO) {
                // A signal that arrives cuts short even a call that does not wait.
                Err(nix::Error::EINTR) => {}
                result => return matches!(result, Ok(0)),
            }
        }
    }

    /// Sends `signal`.
    ///
    /// # Errors
    /// `ESRCH` (as `io::Error`) when the process has been reaped; a zombie takes the signal silently.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        pidfd_send_signal(self.pidfd.as_fd(), signal as i32)
    }

    /// Waits until the process has ended. Cancel-safe; may be called by several tasks.
    ///
    /// # Errors
    /// Only when the descriptor cannot be watched (no descriptors left).
    pub async fn ended(&self) -> io::Result<()> {
        // A descriptor of its own: epoll takes each number once.
        let own = self.pidfd.try_clone()?;
        // SAFETY: the AsyncFd owns `own`, which stays open and the same until both are dropped together.
        #[allow(unsafe_code)]
        let watched = unsafe { AsyncFd::register_with_interest(own, Interest::READABLE) }?;
        watched.readable().await?.retain_ready();
        Ok(())
    }

    /// Its `/proc/PID/stat` now.
    ///
    /// # Errors
    /// `NotFound` when it has been reaped.
    pub fn stat(&self) -> io::Result<Stat> {
        let stat = Stat::read(self.pid)?;
        if stat.start_time == self.start_time {
            Ok(stat)
        } else {
            Err(io::Error::new(io::ErrorKind::NotFound, format!("process {} has ended", self.pid)))
        }
    }

    /// Its argument vector; empty for a zombie and for threads of the kernel. In the moment between the start of a
    /// program and its first instruction the kernel shows none either: that moment is waited for, 100 ms at most.
    ///
    /// # Errors
    /// `NotFound` when it has been reaped.
    pub fn cmdline(&self) -> io::Result<Vec<Vec<u8>>> {
        let path = format!("/proc/{}/cmdline", self.pid);
        let mut text = std::fs::read(&path)?;
        // A thread of the kernel has no program file, a zombie has it no longer.
        for _ in 0..100 {
            if !text.is_empty() || self.executable().is_err() {
                break;
            }
            #[allow(clippy::disallowed_methods, reason = "no event tells of it, and it takes microseconds")]
            std::thread::sleep(Duration::from_millis(1));
            text = std::fs::read(&path)?;
        }
        let text = text.strip_suffix(b"\0").unwrap_or(&text);
        if text.is_empty() {
            return Ok(Vec::new());
        }
        Ok(text.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect())
    }

    /// The program file it runs.
    ///
    /// # Errors
    /// When it has ended or may not be looked at.
    pub fn executable(&self) -> io::Result<PathBuf> {
        std::fs::read_link(format!("/proc/{}/exe", self.pid))
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// A process that this one started and is to reap. Derefs to [`Process`].
///
/// Dropping it leaves the process running; when that ends, [`reap_orphans`] may collect it.
#[derive(Debug)]
pub struct Child {
    process: Process,
    exit: Option<Exit>,
}

impl std::ops::Deref for Child {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Child {
    fn new(process: Process) -> Self {
        Self { process, exit: None }
    }

    /// Waits for the process to end, reaps it and says how it ended. Cancel-safe; later calls answer at once.
    ///
    /// # Errors
    /// When the descriptor cannot be watched, or the child was reaped behind our back.
    pub async fn exited(&mut self) -> io::Result<Exit> {
        loop {
            if let Some(exit) = self.try_exited()? {
                return Ok(exit);
            }
            self.process.ended().await?;
        }
    }

    /// Reaps the process if it has ended; `None` while it runs.
    ///
    /// # Errors
    /// When the child was reaped behind our back.
    pub fn try_exited(&mut self) -> io::Result<Option<Exit>> {
        if self.exit.is_none() {
            // In one step: once reaped, the pid may be that of the next child started, which must not be disowned.
            let mut owned = OWN_CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
            self.exit = reap(Id::PIDFd(self.process.pidfd.as_fd()))?;
            if self.exit.is_some() {
                owned.remove(&self.process.pid);
            }
        }
        Ok(self.exit)
    }

    /// Waits, blocking this thread, for the process to end. For start-up failures, where the end is near.
    fn wait_blocking(&mut self) {
        let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while waitid(Id::PIDFd(self.process.pidfd.as_fd()), ended) == Err(nix::Error::EINTR) {}
        // Reaped behind our back is ended as well.
        let _ = self.try_exited();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.exit.is_none() && !matches!(self.try_exited(), Ok(Some(_))) {
            OWN_CHILDREN.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.process.pid);
            // If it ended just before that, the collector of orphans has passed it over and no further signal comes.
            let _ = reap(Id::PIDFd(self.process.pidfd.as_fd()));
        }
    }
}

/// Makes this process adopt orphaned descendants (processes whose parent ended), so that none of them waits as a zombie
/// on an init that does not reap. Call [`reap_orphans`] upon SIGCHLD afterwards.
///
/// # Errors
/// As prctl(PR_SET_CHILD_SUBREAPER).
pub fn become_subreaper() -> io::Result<()> {
    nix::sys::prctl::set_child_subreaper(true).map_err(io::Error::from)
}

/// Reaps ended children that no [`Child`] answers for: adopted orphans and dropped ones. Returns how many.
pub fn reap_orphans() -> usize {
    let mut reaped = 0;
    let children = children_of_this_process();
    // A child listed above may be one that is just being started. It will end with another SIGCHLD.
    if vfork::starts_under_way() {
        return 0;
    }
    for pid in children {
        let owned = OWN_CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
        if !owned.contains(&pid) && matches!(reap(Id::Pid(nix::unistd::Pid::from_raw(pid))), Ok(Some(_))) {
            reaped += 1;
        }
    }
    reaped
}

fn children_of_this_process() -> Vec<i32> {
    let mut children = Vec::new();
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return children };
    for thread in threads.flatten() {
        let list = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        children.extend(list.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    children
}

fn reap(id: Id<'_>) -> io::Result<Option<Exit>> {
    Ok(exit_of(waitid(id, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG)?))
}

fn exit_of(status: WaitStatus) -> Option<Exit> {
    match status {
        WaitStatus::Exited(_, code) => Some(Exit::Code(code)),
        WaitStatus::Signaled(_, signal, _) => Some(Exit::Signal(signal as i32)),
        _ => None,
    }
}

fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open(2) takes two integers and touches no memory of ours.
    #[allow(unsafe_code)]
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        let error = io::Error::last_os_error();
        return Err(match error.raw_os_error() {
            Some(libc::ESRCH) => io::Error::new(io::ErrorKind::NotFound, format!("there is no process {pid}")),
            _ => error,
        });
    }
    let fd = i32::try_from(fd).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
    // SAFETY: the kernel just gave us this descriptor (close-on-exec), nobody else owns it.
    #[allow(unsafe_code)]
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a live descriptor, a number, and a null siginfo, which the call allows.
    #[allow(unsafe_code)]
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, no_info, 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
