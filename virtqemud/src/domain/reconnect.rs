//! Surviving the daemon: what is kept of a running domain, and how a new daemon takes it over.
//!
//! The status file is the truth. It is written at the end of every turn that changed something, before anyone hears of
//! the change. A new daemon reads it, opens the process by pid and start time, connects to the monitor and asks
//! QEMU what has become of the guest meanwhile. Until QEMU has answered, reads show what the file says.

use std::sync::Arc;

use virtbus_api::{Result, event::Lifecycle, hypervisor::State};
use virtbus_qmp::{
    Client,
    commands::{QueryStatus, Quit, RunState},
};
use virtbus_schema::domain_status::DomainStatus;

use super::{
    Owner,
    admission::Busy,
    guest::{Guest, Lease},
    handle::Handle,
    job::{Apply, Job},
    state,
    stopping::Why,
    taint::Taint,
    view::{Live, View},
};
use crate::driver::Shared;
use crate::process::{
    hook,
    launch::{self, Claims},
    monitor::{Monitor, to_error},
    spawn::Process,
};

/// How long QEMU may take to answer a new daemon.
const ANSWER: std::time::Duration = std::time::Duration::from_secs(30);

impl Owner {
    /// Writes the status file, while there is a guest.
    pub(super) fn save_status(&self) {
        let (Some(guest), Some(live)) = (&self.guest, &self.view.live) else { return };
        let status = launch::status(&guest.claims, &live.document, Some(&guest.process), self.view.state);
        let status = DomainStatus {
            fakereboot: guest.rebooting,
            autodestroy: guest.lease.is_some(),
            taints: live.taints.iter().map(|it| it.to_file()).collect(),
            ..status
        };
        // Not fatal: the guest runs on and can be managed until this daemon ends.
        if let Err(error) = self.shared.status.save(&status) {
            tracing::error!(domain = %self.view.name, "{}", super::defining::full(&error));
        }
    }
}

/// Takes over the domain of a status file. Returns whether its process still runs.
///
/// Must be called within a runtime. `known` is the handle of its definition, if it has one.
pub(crate) fn take_over(shared: &Arc<Shared>, known: Option<Handle>, mut status: DomainStatus) -> Result<Handle> {
    launch::remember(&mut status.domain, &status.ports);
    let name = status.domain.name.clone();
    let uuid = status.domain.uuid.unwrap_or_default();
    let id = status.domain.id.unwrap_or_else(|| shared.next_id());
    shared.note_id(id);
    let state = state::from_words(&status.state, &status.reason).unwrap_or(State::RunningUnknown);
    let make = || Handle::new(View::off(&name, uuid, None, false));
    let (handle, _) = match known {
        Some(handle) => (handle, false),
        None => shared.registry.claim(&name, uuid, make)?,
    };
    let inbox = handle.open_mailbox();
    let mut owner = Owner::new(Arc::clone(shared), handle.clone(), inbox);
    let pid = i32::try_from(status.pid).unwrap_or(0);
    owner.view.live = Some(Live {
        id,
        document: Arc::new(status.domain.clone()),
        process: status.start_time.map(|it| (pid, it)),
        balloon_kib: None,
        updated: differs(&owner.view, &status),
        taints: status.taints.iter().filter_map(|it| Taint::from_name(&it.flag)).collect(),
        notes: Vec::new(),
        monitor_lost: false,
    });
    owner.view.state = state;
    owner.shared.registry.add_id(id, handle.clone());
    owner.shared.active.send_modify(|count| *count = count.saturating_add(1));
    owner.handle.publish(owner.view.clone());
    owner.take_over(status, pid);
    owner.publish();
    owner.wake();
    Ok(handle)
}

/// Whether the definition is another one than what runs was made from. Names and memory are told apart, no more: a
/// complete comparison would need the document the guest was started from.
fn differs(view: &View, status: &DomainStatus) -> bool {
    view.defined().is_ok_and(|it| it.memory != status.domain.memory || it.vcpu != status.domain.vcpu)
}

impl Owner {
    /// A domain that is active as far as anyone knows but has no owner: the one before ended by a panic. Its guest is
    /// found by the status file, as after a restart.
    pub(super) fn recover(&mut self) {
        if self.view.live.is_none() {
            return;
        }
        tracing::error!(domain = %self.view.name, "its owner ended unexpectedly; another one takes over");
        match self.shared.status.read(&self.view.name) {
            Ok(status) => {
                let pid = i32::try_from(status.pid).unwrap_or(0);
                self.take_over(status, pid);
            }
            // It ended before there was a process.
            Err(error) => {
                tracing::error!(domain = %self.view.name, "{error}");
                self.turn_off(Why::Failed);
            }
        }
    }

    fn take_over(&mut self, status: DomainStatus, pid: i32) {
        let id = self.view.live.as_ref().map_or(0, |it| it.id);
        let mut claims = Claims::found(&self.shared, id, &status);
        if pid == 0 {
            return self.undo_start(&claims.short_name.clone(), claims);
        }
        let process = match status.start_time {
            Some(start_time) => Process::find(pid, start_time),
            None => Process::find_qemu(pid, &status.domain.name),
        };
        let process = match process {
            Ok(process) => process,
            Err(error) => {
                tracing::warn!(domain = %self.view.name, "its QEMU has ended while no daemon ran: {error}");
                claims.vcpus.clear();
                self.ended_meanwhile(claims);
                return;
            }
        };
        if let Some(live) = &mut self.view.live {
            live.process = Some((process.pid(), process.start_time()));
        }
        let path = status.monitor.map_or_else(
            || launch::monitor_path(&self.shared.config.layout.lib, &claims.short_name),
            |it| it.path.into(),
        );
        let subject = format!("domain '{}'", self.view.name);
        let connected = launch::connect(&path).and_then(|socket| Client::new(socket, subject));
        // A guest that ends with its client: that client's connection ended with the old daemon.
        let lease = status.autodestroy.then(|| -> Lease { Box::pin(std::future::ready(())) });
        match connected {
            Ok((client, events)) => {
                let monitor = Monitor::new(client);
                let (events, rebooting) = (Some(events), status.fakereboot);
                self.guest = Some(Guest { id, monitor, events, process, claims, lease, pausing: None, rebooting });
                self.ask_what_happened();
            }
            Err(error) => {
                tracing::error!(domain = %self.view.name, "cannot reach its monitor ({error}); QEMU is ended");
                let _ = process.signal(nix::sys::signal::Signal::SIGKILL);
                self.ended_meanwhile(claims);
            }
        }
        self.changed = true;
    }

    /// The daemon ended while it was starting the guest, so nobody knows the process. If there is one, it listens on
    /// the monitor's socket, and is told to go.
    fn undo_start(&mut self, short_name: &str, claims: Claims) {
        let path = launch::monitor_path(&self.shared.config.layout.lib, short_name);
        let subject = format!("domain '{}'", self.view.name);
        self.job = Some(Job::new(Busy::Stop { force: true }, async move {
            if let Ok((client, _)) = launch::connect(&path).and_then(|socket| Client::new(socket, subject)) {
                let quit = client.submit(&Quit);
                // It says so, or just goes; a socket whose other end is closed is the end as well.
                let _ = quit.reply(ANSWER).await;
                let _ = tokio::time::timeout(ANSWER, client.closed()).await;
            }
            let (_, errors) = claims.release("failed").await;
            for error in errors {
                tracing::warn!("cleaning up: {error}");
            }
            Box::new(|owner: &mut Owner| owner.turn_off(Why::Failed)) as Apply
        }));
    }

    /// The guest ended while no daemon ran.
    fn ended_meanwhile(&mut self, claims: Claims) {
        self.job = Some(Job::new(Busy::Stop { force: true }, async move {
            let (_, errors) = claims.release("crashed").await;
            for error in errors {
                tracing::warn!("cleaning up: {error}");
            }
            Box::new(|owner: &mut Owner| owner.turn_off(Why::Crashed)) as Apply
        }));
    }

    fn ask_what_happened(&mut self) {
        if self.view.state == State::PausedStartingUp {
            // The start was never acknowledged.
            tracing::warn!(domain = %self.view.name, "its start was cut short; ending it");
            return self.stop_guest(Why::Failed, true);
        }
        let hooks = self.shared.config.layout.hooks.clone();
        let document = self.view.live.as_ref().map(|it| Arc::clone(&it.document));
        let work = |monitor: Monitor| async move {
            let client = monitor.client();
            client.ready(ANSWER).await.map_err(to_error)?;
            if let Some(document) = document {
                hook::tell(&hooks, hook::Turn::Reconnect, &document).await;
            }
            client.execute(&QueryStatus, ANSWER).await.map_err(to_error)
        };
        self.request("the daemon takes it over", work, |owner, result| match result {
            Ok(status) => owner.settle_state(status.status),
            Err(error) => {
                tracing::error!(domain = %owner.view.name, "QEMU does not answer the new daemon: {error}");
            }
        });
    }

    /// What QEMU says now decides; the reason on file stays where it still fits.
    fn settle_state(&mut self, now: RunState) {
        let known = self.view.state;
        let state = match now {
            RunState::Running if known.is_running() => known,
            RunState::Running => State::RunningUnpaused,
            RunState::Suspended => State::PmSuspended,
            RunState::IoError => State::PausedIoError,
            RunState::Watchdog => State::PausedWatchdog,
            RunState::GuestPanicked => State::CrashedPanicked,
            RunState::Shutdown => {
                self.set_state(State::ShutdownUnknown);
                let rebooting = self.guest.as_mut().is_some_and(|it| std::mem::take(&mut it.rebooting));
                return if rebooting { self.finish_reboot() } else { self.stop_guest(Why::Shutdown, true) };
            }
            _ if known.is_paused() => known,
            _ => State::PausedUnknown,
        };
        let was_running = known.is_running();
        self.set_state(state);
        self.publish();
        match (was_running, state.is_running()) {
            (true, false) if state.is_paused() => self.emit_lifecycle(Lifecycle::SuspendedPaused),
            (false, true) => self.emit_lifecycle(Lifecycle::ResumedUnpaused),
            _ => {}
        }
    }
}
