//! Where the threads of a guest run: on which processors, under which policy, within which limits.
//!
//! Done while the guest still waits for `cont`. Processors are set thread by thread, which every host can do; limits on time
//! need control groups. Threads that QEMU starts later are like the one that starts them. A group's processors are said to the
//! group as well, and first: the kernel forgets a thread's own when the thread joins.

use std::collections::BTreeSet;
use std::io;

use virtbus_api::{Error, Result};
use virtbus_host::cgroup::{Controller, CpuLimit, Group};
use virtbus_host::schedule::{self, Policy};
use virtbus_qmp::commands::IothreadInfo;
use virtbus_schema::domain::vcpu::{Scheduler, Scheduling};
use virtbus_schema::domain::{CpuTune, Domain};
use virtbus_schema::domain_status::VcpuThread;
use virtbus_schema::xml::CpuSet;

use crate::process::group;

/// The threads that QEMU has named.
pub(super) struct Threads<'a> {
    /// QEMU itself.
    pub(super) pid: i32,
    pub(super) vcpus: &'a [VcpuThread],
    pub(super) iothreads: &'a [IothreadInfo],
}

/// Puts them where the document wants them. Blocks for small system calls.
///
/// # Errors
/// `SYSTEM_ERROR` in the reference's words when a thread cannot be pinned or scheduled; as [`group::refused`] for limits.
pub(super) fn place(document: &Domain, threads: &Threads<'_>, group: Option<&Group>) -> Result<()> {
    let none = CpuTune::default();
    let tune = document.cputune.as_ref().unwrap_or(&none);
    let all = document.vcpu.cpuset.as_ref();
    let vcpus: Vec<(u32, i32)> =
        threads.vcpus.iter().filter_map(|it| Some((it.id, i32::try_from(it.pid).ok()?))).collect();
    let number =
        |it: &IothreadInfo| Some((it.id.strip_prefix("iothread")?.parse().ok()?, i32::try_from(it.thread_id).ok()?));
    let iothreads: Vec<(u32, i32)> = threads.iothreads.iter().filter_map(number).collect();

    for (id, tid) in &vcpus {
        let own = tune.vcpupins.iter().find(|it| it.vcpu == *id).map(|it| &it.cpuset);
        join(group, &format!("vcpu{id}"), &[*tid], own.or(all), group::vcpu_time(tune))?;
        pin(*tid, own.or(all))?;
        let scheduled = tune.vcpuscheds.iter().find(|it| it.vcpus.contains(*id));
        schedule(*tid, scheduled.map(|it| it.scheduling))?;
    }
    for (id, tid) in &iothreads {
        let own = tune.iothreadpins.iter().find(|it| it.iothread == *id).map(|it| &it.cpuset);
        join(group, &format!("iothread{id}"), &[*tid], own.or(all), group::iothread_time(tune))?;
        pin(*tid, own.or(all))?;
        let scheduled = tune.iothreadscheds.iter().find(|it| it.iothreads.contains(*id));
        schedule(*tid, scheduled.map(|it| it.scheduling))?;
    }
    let named: BTreeSet<i32> = vcpus.iter().chain(&iothreads).map(|(_, tid)| *tid).collect();
    let own = tune.emulatorpin.as_ref().or(all);
    let time = group::emulator_time(tune);
    if own.is_none() && time.is_none() && tune.emulatorsched.is_none() {
        return Ok(());
    }
    let gone = |error: io::Error| Error::system(format!("cannot list the threads of process {}", threads.pid), &error);
    let rest: Vec<i32> = schedule::threads(threads.pid).map_err(gone)?.difference(&named).copied().collect();
    join(group, "emulator", &rest, own, time)?;
    for tid in &rest {
        match pin(*tid, own) {
            // A helper thread may have ended since.
            Err(error) if *tid != threads.pid && schedule::pinned(*tid).is_err() => drop(error),
            other => other?,
        }
    }
    schedule(threads.pid, tune.emulatorsched)
}

fn pin(tid: i32, cpus: Option<&CpuSet>) -> Result<()> {
    let Some(CpuSet(cpus)) = cpus.filter(|it| !it.is_empty()) else { return Ok(()) };
    schedule::pin(tid, cpus).map_err(|error| Error::system(format!("cannot set CPU affinity on process {tid}"), &error))
}

fn schedule(tid: i32, wanted: Option<Scheduling>) -> Result<()> {
    let Some(Scheduling { scheduler, priority }) = wanted else { return Ok(()) };
    let priority = priority.unwrap_or(0);
    let policy = match scheduler {
        Scheduler::Batch => Policy::Batch,
        Scheduler::Idle => Policy::Idle,
        Scheduler::Fifo => Policy::Fifo(priority),
        Scheduler::Rr => Policy::RoundRobin(priority),
    };
    let cannot = |error: io::Error| Error::system(format!("Cannot set scheduler parameters for pid {tid}"), &error);
    schedule::set_policy(tid, policy).map_err(cannot)
}

/// Puts threads into a group of their own, below the guest's.
fn join(group: Option<&Group>, name: &str, tids: &[i32], cpus: Option<&CpuSet>, time: Option<CpuLimit>) -> Result<()> {
    let cpus = cpus.map(|it| &it.0).filter(|it| !it.is_empty());
    let Some(group) = group.filter(|_| time.is_some() || cpus.is_some()) else { return Ok(()) };
    let said = |error: io::Error| group::refused("<cputune>", error);
    let threads = group.threads(name).map_err(said)?;
    if let Some(cpus) = cpus.filter(|_| group.has(Controller::Cpuset)) {
        let cannot = |error: io::Error| Error::system(format!("cannot set the processors of {name}"), &error);
        threads.set_cpus(cpus).map_err(cannot)?;
    }
    for tid in tids {
        match threads.add_thread(*tid) {
            // It may have ended since it was listed.
            Err(_) if schedule::pinned(*tid).is_err() => {}
            other => other.map_err(said)?,
        }
    }
    time.map_or(Ok(()), |it| threads.set_cpu_limit(it).map_err(said))
}
