//! The guest of an active domain, and what is asked of it through QEMU.
//!
//! Each request is one QMP round trip with a deadline ([`crate::process::monitor::DEADLINE`]), run as a job: a QEMU
//! that does not answer fails that request and nothing else.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use virtbus_api::{
    ClientLease, Error, ErrorCode, Result,
    event::Lifecycle,
    flags::{RebootFlags, ShutdownFlags},
    hypervisor::State,
};
use virtbus_qmp::{
    Command,
    command::Done,
    commands::{Cont, Stop, SystemPowerdown, SystemReset},
};
use virtbus_schema::domain::Domain;

use super::{
    Owner,
    admission::Busy,
    answer, answer_done,
    command::{Answer, Question, Reply},
    job::{Apply, Job},
    taint::Taint,
};
use crate::process::monitor::Monitor;

pub(super) use crate::process::launch::Claims;
use crate::process::launch::carry;
pub(super) use crate::process::spawn::Process;
pub(super) use virtbus_qmp::Events;

/// Resolves when the client has gone whose guest this is.
pub(super) type Lease = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A guest on its way to run.
type GoneOn = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// What only an active domain has.
pub(super) struct Guest {
    /// The runtime id.
    pub(super) id: u32,
    /// QEMU's monitor.
    pub(super) monitor: Monitor,
    /// What it reports; none once the connection has ended.
    pub(super) events: Option<Events>,
    /// QEMU itself.
    pub(super) process: Process,
    /// What is taken back when it has ended.
    pub(super) claims: Claims,
    /// Set for a guest that ends with its client.
    pub(super) lease: Option<Lease>,
    /// Why the next STOP event comes, where that is known.
    pub(super) pausing: Option<(State, Lifecycle)>,
    /// Whether the next shutdown of the guest is half of a reboot.
    pub(super) rebooting: bool,
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest").field("id", &self.id).field("process", &self.process).finish_non_exhaustive()
    }
}

/// A lease as something to wait for.
pub(super) fn lease_of(lease: ClientLease) -> Lease {
    Box::pin(lease.ended())
}

impl Owner {
    /// Begins a request to QEMU; `then` gets its result in a turn of its own.
    pub(super) fn request<T: Send + 'static, F>(
        &mut self,
        what: &'static str,
        work: impl FnOnce(Monitor) -> F,
        then: impl FnOnce(&mut Owner, Result<T>) + Send + 'static,
    ) where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let Some(guest) = &self.guest else {
            // Admission lets no request through without a guest; its process may just have ended.
            return then(self, Err(Error::invalid_operation("domain is not running")));
        };
        let work = work(guest.monitor.clone());
        let job = Job::new(Busy::Guest(what), async move {
            let result = work.await;
            Box::new(move |owner: &mut Owner| then(owner, result)) as Apply
        });
        match &self.job {
            None => self.job = Some(job),
            // Admission lets no command come here; an event of the guest may.
            Some(_) => self.next_jobs.push_back(job),
        }
        self.changed = true;
    }

    /// As [`Owner::request`] for one command without a return value.
    fn simple<C: Command<Reply = Done> + Send + Sync + 'static>(
        &mut self,
        what: &'static str,
        command: C,
        then: impl FnOnce(&mut Owner, Result<()>) + Send + 'static,
    ) {
        let work = |monitor: Monitor| async move { monitor.call(&command).await.map(drop) };
        self.request(what, work, then);
    }

    /// What has the guest run: its cards first.
    pub(super) fn go_on(&self) -> impl FnOnce(Monitor) -> GoneOn + use<> {
        let document = self.view.live.as_ref().map(|it| Arc::clone(&it.document));
        move |monitor| {
            Box::pin(async move {
                if let Some(document) = document {
                    carry(document, true).await?;
                }
                monitor.call(&Cont).await.map(drop)
            })
        }
    }

    pub(super) fn suspend(&mut self, reply: Reply) {
        if let Some(guest) = &mut self.guest {
            guest.pausing = Some((State::PausedUser, Lifecycle::SuspendedPaused));
        }
        let document = self.view.live.as_ref().map(|it| Arc::clone(&it.document));
        let work = |monitor: Monitor| async move {
            monitor.call(&Stop).await?;
            match document {
                Some(document) => carry(document, false).await,
                None => Ok(()),
            }
        };
        self.request("suspend", work, move |owner, result| {
            if let Some(guest) = &mut owner.guest {
                guest.pausing = None;
            }
            if result.is_ok() && owner.view.state.is_running() {
                // The STOP event tells as a rule; a guest that was not running inside QEMU sends none.
                owner.set_state(State::PausedUser);
                owner.emit_lifecycle(Lifecycle::SuspendedPaused);
            }
            owner.publish();
            answer_done(reply, result);
        });
    }

    pub(super) fn resume(&mut self, reply: Reply) {
        let work = self.go_on();
        self.request("resume", work, move |owner, result| {
            if result.is_ok() && owner.view.state.is_paused() {
                owner.set_state(State::RunningUnpaused);
                owner.emit_lifecycle(Lifecycle::ResumedUnpaused);
            }
            owner.publish();
            answer_done(reply, result);
        });
    }

    pub(super) fn shutdown(&mut self, flags: ShutdownFlags, reply: Reply) {
        let known = ShutdownFlags::ACPI_POWER_BTN | ShutdownFlags::GUEST_AGENT;
        if let Err(error) = self.check_way(flags.bits(), known.bits(), "qemuDomainShutdownFlags") {
            return answer(reply, Err(error));
        }
        if let Some(guest) = &mut self.guest {
            guest.rebooting = false;
        }
        self.simple("shutdown", SystemPowerdown, move |_, result| answer_done(reply, result));
    }

    pub(super) fn reboot(&mut self, flags: RebootFlags, reply: Reply) {
        let known = RebootFlags::ACPI_POWER_BTN | RebootFlags::GUEST_AGENT;
        if let Err(error) = self.check_way(flags.bits(), known.bits(), "qemuDomainReboot") {
            return answer(reply, Err(error));
        }
        if let Some(guest) = &mut self.guest {
            guest.rebooting = true;
        }
        self.simple("reboot", SystemPowerdown, move |_, result| answer_done(reply, result));
    }

    /// Refuses ways to reach the guest that are not there. The agent's bit has the same place in both flag words.
    fn check_way(&self, flags: u32, known: u32, function: &str) -> Result<()> {
        if flags & !known != 0 {
            return Err(Error::invalid_arg(format!(
                "unsupported flags (0x{:x}) in function {function}",
                flags & !known
            )));
        }
        if flags != ShutdownFlags::GUEST_AGENT.bits() {
            return Ok(());
        }
        if !self.view.state.is_running() {
            return Err(Error::invalid_operation("domain is not running"));
        }
        Err(no_agent(self.view.live.as_ref().map(|it| &*it.document)))
    }

    pub(super) fn reset(&mut self, reply: Reply) {
        self.simple("reset", SystemReset, move |_, result| answer_done(reply, result));
    }

    /// Puts a question to QEMU.
    pub(super) fn put(&mut self, question: Question, reply: Reply) {
        let what = question.what;
        if question.raw {
            self.taint(Taint::CustomMonitor);
        }
        let work = move |monitor: Monitor| async move { monitor.put(question).await };
        self.request(what, work, move |_, result| answer(reply, result.map(Answer::Said)));
    }

    /// The second half of a reboot: the guest has shut down, QEMU waits.
    pub(super) fn finish_reboot(&mut self) {
        let work = |monitor: Monitor| async move {
            monitor.call(&SystemReset).await?;
            monitor.call(&Cont).await.map(drop)
        };
        self.request("reboot", work, |owner, result| match result {
            Ok(()) if owner.view.state.is_paused() => {
                owner.set_state(State::RunningUnpaused);
                owner.emit_lifecycle(Lifecycle::ResumedUnpaused);
            }
            Ok(()) => {}
            Err(error) => {
                tracing::error!(domain = %owner.view.name, "the reboot cannot be finished: {error}");
                owner.stop_guest(super::stopping::Why::Shutdown, true);
            }
        });
    }
}

/// Whether a document has a channel for the guest agent.
fn agent_channel(document: &Domain) -> bool {
    super::event::agent_alias(document).is_some()
}

/// The refusal of what only a guest agent could do.
pub(crate) fn no_agent(document: Option<&Domain>) -> Error {
    if document.is_some_and(agent_channel) {
        Error::new(ErrorCode::AgentUnresponsive, "QEMU guest agent is not connected")
    } else {
        Error::new(ErrorCode::ArgumentUnsupported, "QEMU guest agent is not configured")
    }
}
