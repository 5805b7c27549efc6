//! Where threads run and under which policy: sched(7) for any thread of the host, named by its number.

#![allow(unsafe_code)]

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// A scheduling policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Fair, for what computes much.
    Batch,
    /// Only when nothing else wants to run.
    Idle,
    /// Real time, until it yields; with its priority.
    Fifo(i32),
    /// Real time, in turns; with its priority.
    RoundRobin(i32),
}

/// Lets a thread run on these processors alone.
///
/// # Errors
/// `InvalidInput` when none of them is online or a number is beyond what the system has; `ESRCH` when there is no such thread.
pub fn pin(tid: i32, cpus: &BTreeSet<u32>) -> io::Result<()> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        let Ok(cpu) = usize::try_from(*cpu) else { continue };
        // Beyond what the kernel's set holds is not online either.
        let _ = set.set(cpu);
    }
    sched_setaffinity(Pid::from_raw(tid), &set).map_err(Into::into)
}

/// The processors a thread may run on.
///
/// # Errors
/// `ESRCH` when there is no such thread.
pub fn pinned(tid: i32) -> io::Result<BTreeSet<u32>> {
    let set = sched_getaffinity(Pid::from_raw(tid))?;
    let has = |cpu: &usize| set.is_set(*cpu).unwrap_or(false);
    Ok((0..CpuSet::count()).filter(has).filter_map(|it| u32::try_from(it).ok()).collect())
}

/// Gives a thread a policy.
///
/// # Errors
/// `EPERM` without the right to, `EINVAL` for a priority out of range, `ESRCH` when there is no such thread.
pub fn set_policy(tid: i32, policy: Policy) -> io::Result<()> {
    let (number, priority) = match policy {
        Policy::Batch => (libc::SCHED_BATCH, 0),
        Policy::Idle => (libc::SCHED_IDLE, 0),
        Policy::Fifo(priority) => (libc::SCHED_FIFO, priority),
        Policy::RoundRobin(priority) => (libc::SCHED_RR, priority),
    };
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: a plain call that reads one local struct.
    match unsafe { libc::sched_setscheduler(tid, number, &raw const parameters) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The number of a thread's policy (`SCHED_OTHER` is 0, `SCHED_FIFO` 1, `SCHED_RR` 2, `SCHED_BATCH` 3, `SCHED_IDLE` 5).
///
/// # Errors
/// `ESRCH` when there is no such thread.
pub fn policy_number(tid: i32) -> io::Result<i32> {
    // SAFETY: a plain call without pointers.
    match unsafe { libc::sched_getscheduler(tid) } {
        number if number >= 0 => Ok(number),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The threads of a process, which may be gone a moment later.
///
/// # Errors
/// `NotFound` when there is no such process.
pub fn threads(pid: i32) -> io::Result<BTreeSet<i32>> {
    let tasks = std::fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task"))?;
    Ok(tasks.flatten().filter_map(|it| it.file_name().to_str()?.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_pinned_and_given_a_policy() {
        let own = i32::try_from(std::process::id()).expect("a number");
        assert!(threads(own).expect("there").contains(&own));
        std::thread::spawn(|| {
            let tid = nix::unistd::gettid().as_raw();
            let may = pinned(tid).expect("there");
            let one: BTreeSet<u32> = may.iter().copied().take(1).collect();
            pin(tid, &one).expect("pinned");
            assert_eq!(pinned(tid).expect("there"), one);
            assert!(pin(tid, &BTreeSet::from([4_000_000_000])).is_err(), "no such processor");
            set_policy(tid, Policy::Batch).expect("anybody may");
            assert_eq!(policy_number(tid).expect("there"), libc::SCHED_BATCH);
            assert!(set_policy(tid, Policy::Fifo(1000)).is_err(), "no such priority");
        })
        .join()
        .expect("all held");
    }
}
