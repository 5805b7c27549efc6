//! The end of a guest: asked to go, made to go, gone, cleaned up after.
//!
//! SIGTERM lets QEMU close its images; a QEMU that is still there after [`GENTLE`] gets SIGKILL, and one that is
//! stopped (SIGSTOP, a debugger) gets it at once, since it could not act on anything else. The end is heard from the
//! pidfd; nothing polls.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::Instant;
use virtbus_api::{DomainEvent, DomainEventKind, Error, event::Lifecycle, flags::DestroyFlags, hypervisor::State};

use super::{
    Owner,
    admission::Busy,
    answer_done,
    command::Reply,
    job::{Apply, Job},
};

/// What QEMU has between SIGTERM and SIGKILL, or, when it must not be killed, until `destroy` gives up.
const GENTLE: Duration = Duration::from_secs(10);
/// What the kernel has to end a killed QEMU (a dead disk may hold it up).
const KILLED: Duration = Duration::from_secs(30);

/// Why a guest ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// A user destroyed it.
    Destroyed,
    /// It shut down.
    Shutdown,
    /// QEMU or the guest crashed.
    Crashed,
    /// It did not come up.
    Failed,
}

impl Why {
    fn state(self) -> State {
        match self {
            Why::Destroyed => State::ShutoffDestroyed,
            Why::Shutdown => State::ShutoffShutdown,
            Why::Crashed => State::ShutoffCrashed,
            Why::Failed => State::ShutoffFailed,
        }
    }

    fn event(self) -> Lifecycle {
        match self {
            Why::Destroyed => Lifecycle::StoppedDestroyed,
            Why::Shutdown => Lifecycle::StoppedShutdown,
            Why::Crashed => Lifecycle::StoppedCrashed,
            Why::Failed => Lifecycle::StoppedFailed,
        }
    }

    /// As the domain's log ends: `shutting down, reason=destroyed`.
    fn word(self) -> &'static str {
        match self {
            Why::Destroyed => "destroyed",
            Why::Shutdown => "shutdown",
            Why::Crashed => "crashed",
            Why::Failed => "failed",
        }
    }
}

/// An end that has begun.
#[derive(Debug)]
pub(super) struct Stopping {
    pub(super) why: Why,
    /// Whether SIGKILL may follow.
    pub(super) force: bool,
    pub(super) since: std::time::Instant,
    /// When the next step is due; none while files are cleaned up.
    pub(super) deadline: Option<Instant>,
    killed: bool,
    replies: Vec<Reply>,
}

impl Owner {
    pub(super) fn destroy(&mut self, flags: DestroyFlags, reply: Reply) {
        let force = !flags.contains(DestroyFlags::GRACEFUL);
        if self.guest.is_none() {
            // Still being prepared or just spawned: dropping the job takes everything back.
            return self.abandon_start(reply);
        }
        // A request to QEMU that is under way ends here; its caller hears that the domain went.
        self.job = None;
        self.next_jobs.clear();
        self.stop_guest(Why::Destroyed, force);
        if let Some(stopping) = &mut self.stopping {
            stopping.replies.push(reply);
        }
    }

    /// Begins to end the guest; does nothing more if that has begun, except to allow force.
    pub(super) fn stop_guest(&mut self, why: Why, force: bool) {
        let Some(guest) = &self.guest else { return };
        let stuck = force && guest.process.is_stopped();
        let signal = if stuck { Signal::SIGKILL } else { Signal::SIGTERM };
        // ESRCH means that it has gone, which the pidfd tells as well.
        let _ = guest.process.signal(signal);
        let patience = if stuck { KILLED } else { GENTLE };
        let deadline = Some(Instant::now() + patience);
        match &mut self.stopping {
            Some(stopping) => {
                stopping.force |= force;
                stopping.killed |= stuck;
                stopping.deadline = deadline;
            }
            None => {
                let since = std::time::Instant::now();
                self.stopping = Some(Stopping { why, force, since, deadline, killed: stuck, replies: Vec::new() });
            }
        }
        self.changed = true;
    }

    /// A step of the end is overdue.
    pub(super) fn escalate(&mut self, now: Instant) {
        let Some(stopping) = &mut self.stopping else { return };
        if stopping.deadline.is_none_or(|it| it > now) {
            return;
        }
        let Some(guest) = &self.guest else { return };
        if stopping.force && !stopping.killed {
            tracing::warn!(domain = %self.view.name, "QEMU does not end upon SIGTERM; killing it");
            let _ = guest.process.signal(Signal::SIGKILL);
            stopping.killed = true;
            stopping.deadline = Some(now + KILLED);
            return;
        }
        let pid = guest.process.pid();
        let told = if stopping.killed {
            Error::timeout(format!("process {pid} of domain '{}' does not end upon SIGKILL", self.view.name))
        } else {
            Error::failed(format!("failed to terminate process {pid} with SIGTERM: it still runs"))
        };
        for reply in stopping.replies.drain(..) {
            let again = Error::new(told.code, told.detail.clone());
            answer_done(reply, Err(again));
        }
        if stopping.killed {
            // Its end will still be noticed; until then the domain can only be destroyed again.
            stopping.deadline = None;
            stopping.force = false;
        } else {
            self.stopping = None;
        }
        self.changed = true;
    }

    /// The process has ended: hear what it still had to say, then clean up.
    pub(super) async fn on_process_ended(&mut self) {
        // With its end the monitor's connection ends; what was sent before lies in the socket.
        let rest = async {
            let mut events = Vec::new();
            if let Some(told) = self.guest.as_mut().and_then(|it| it.events.as_mut()) {
                while let Some(event) = told.next().await {
                    events.push(event);
                }
            }
            events
        };
        let events = tokio::time::timeout(Duration::from_millis(500), rest).await.unwrap_or_default();
        for event in events {
            self.on_event(&event);
        }
        let Some(guest) = self.guest.take() else { return };
        let starting = self.start_reply.is_some();
        // Whoever asked QEMU something hears that the domain went.
        self.job = None;
        self.next_jobs.clear();
        let why = match &self.stopping {
            Some(stopping) => stopping.why,
            None if starting => Why::Failed,
            None => {
                tracing::error!(domain = %self.view.name, "QEMU ended unexpectedly ({})", guest.process.how());
                Why::Crashed
            }
        };
        match &mut self.stopping {
            Some(stopping) => stopping.deadline = None,
            None => {
                let since = std::time::Instant::now();
                let (force, killed) = (true, true);
                self.stopping = Some(Stopping { why, force, since, deadline: None, killed, replies: Vec::new() });
            }
        }
        self.changed = true;
        let name = self.view.name.to_string();
        let mut claims = guest.claims;
        if let Some(live) = &self.view.live {
            claims.set_hooked(Arc::clone(&live.document));
        }
        drop(guest.monitor);
        // Without a definition the guest is over with its process.
        let over =
            self.view.live.as_ref().filter(|_| self.view.definition.is_none()).map(|it| Arc::clone(&it.document));
        let layout = self.shared.config.layout.clone();
        self.job = Some(Job::new(Busy::Stop { force: true }, async move {
            let (said, errors) = claims.release(why.word()).await;
            if let Some(document) = over {
                let forgotten = super::blocking(move || {
                    super::belongings::forget(&layout, &document);
                    Ok(())
                });
                if let Err(error) = forgotten.await {
                    tracing::warn!(domain = name, "{error}");
                }
            }
            for error in errors {
                tracing::warn!(domain = name, "cleaning up: {error}");
            }
            Box::new(move |owner: &mut Owner| owner.finish_stop(why, &said)) as Apply
        }));
    }

    fn finish_stop(&mut self, why: Why, said: &str) {
        let replies = self.stopping.take().map(|it| it.replies).unwrap_or_default();
        self.turn_off(why);
        if let Some(reply) = self.start_reply.take() {
            let error = Error::internal(format!("qemu unexpectedly closed the monitor: {said}"));
            answer_done(reply, Err(error));
        }
        for reply in replies {
            answer_done(reply, Ok(()));
        }
    }

    /// The domain is off: what is left is its definition.
    pub(super) fn turn_off(&mut self, why: Why) {
        let was = self.view.domain_ref();
        if let Some(live) = self.view.live.take() {
            self.shared.registry.drop_id(live.id);
            self.shared.active.send_modify(|count| *count = count.saturating_sub(1));
        }
        self.shared.status.remove(&self.view.name).unwrap_or_else(|error| {
            tracing::warn!(domain = %self.view.name, "{}", super::defining::full(&error));
        });
        self.set_state(why.state());
        self.publish();
        // Nobody was told of a start that failed, so nobody is told of its end, as the reference has it.
        if self.start_reply.is_none() {
            let kind = DomainEventKind::Lifecycle(why.event());
            let _ = self.shared.events.send(Arc::new(DomainEvent { domain: was, kind }));
        }
    }

    pub(super) fn on_lease_ended(&mut self) {
        if let Some(guest) = &mut self.guest {
            guest.lease = None;
        }
        tracing::info!(domain = %self.view.name, "destroyed with the client that started it");
        self.job = None;
        self.next_jobs.clear();
        self.stop_guest(Why::Destroyed, true);
    }
}
