//! Finding and ending what a stack left running: guests outlive their daemon, so somebody must look after them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use nix::unistd::Pid;

use crate::command::wait_for;

/// Every process of one of these names (their beginnings) that has a file below `dir` open or names `dir` in its
/// arguments. A QEMU's log, sockets and images are below the stack's root, so guests are found whoever started them.
#[must_use]
pub fn holding(dir: &Path, names: &[&str]) -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|it| it.file_name().into_string().ok()?.parse().ok())
        .filter(|pid| is_running(*pid) && is_named(*pid, names) && holds(*pid, dir))
        .collect()
}

fn is_named(pid: i32, names: &[&str]) -> bool {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    names.iter().any(|it| name.starts_with(it))
}

fn holds(pid: i32, dir: &Path) -> bool {
    let proc = Path::new("/proc").join(pid.to_string());
    let mut fds = fs::read_dir(proc.join("fd")).into_iter().flatten().flatten();
    let has_open = fds.any(|it| fs::read_link(it.path()).is_ok_and(|it| it.starts_with(dir)));
    let below = format!("{}/", dir.display());
    has_open || fs::read(proc.join("cmdline")).is_ok_and(|it| String::from_utf8_lossy(&it).contains(&below))
}

/// Kills every process of [`holding`] and waits until they are gone; those that would not go are the error.
pub fn end(dir: &Path, names: &[&str]) -> Result<(), Vec<i32>> {
    for pid in holding(dir, names) {
        signal(pid, Signal::SIGKILL);
    }
    let gone = || holding(dir, names).is_empty().then_some(());
    wait_for(Duration::from_secs(10), gone).ok_or_else(|| holding(dir, names))
}

/// Sends a signal; a process that is gone is no error.
pub fn signal(pid: i32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid), signal);
}

/// True while the process runs. One that ended and waits to be reaped counts as gone.
#[must_use]
pub fn is_running(pid: i32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The state follows the name, which is in parentheses and may hold anything.
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    !matches!(state, Some('Z' | 'X') | None)
}

/// Waits until the process is gone; false at the deadline.
#[must_use]
pub fn wait_gone(pid: i32, deadline: Duration) -> bool {
    wait_for(deadline, || (!is_running(pid)).then_some(())).is_some()
}

/// Makes this process the parent of orphaned guests, and reaps them: a container's first process often does not, and a
/// daemon that waits for its guest's process to vanish would then wait for its time-out.
///
/// A QEMU that this process started itself may be reaped here, too.
pub fn adopt_guests() -> anyhow::Result<()> {
    nix::sys::prctl::set_child_subreaper(true)?;
    std::thread::spawn(|| {
        loop {
            let seen = waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).ok().and_then(|it| it.pid());
            match seen {
                Some(pid) if is_named(pid.as_raw(), &["qemu-"]) => drop(waitpid(pid, None)),
                // Somebody else's child, who will reap it; or no child at all yet.
                _ => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_holder_is_found_and_ended() {
        let dir = tempfile::tempdir().unwrap();
        let file = fs::File::create(dir.path().join("log")).unwrap();
        let mut child = Command::new("sleep").arg("60").stdout(file).stdin(Stdio::null()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert!(wait_for(Duration::from_secs(5), || (holding(dir.path(), &["sle"]) == [pid]).then_some(())).is_some());
        assert!(holding(dir.path(), &["qemu"]).is_empty());
        end(dir.path(), &["sleep"]).unwrap();
        assert!(!is_running(pid));
        child.wait().unwrap();
    }
}
