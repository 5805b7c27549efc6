//! One domain and its owner: the only one who changes it.
//!
//! The owner is a task that takes turns. In each it hears of one thing (an event of QEMU's first, then the end of the
//! process or of a job, last a new request), acts, and publishes the view. It never waits within a turn: whatever takes
//! time is a [`job`], and a request that has to wait for a job is kept aside until that has ended, up to
//! [`PATIENCE`]. So reads are answered from the view, and `destroy` is heard at once, whatever QEMU is stuck in.
//!
//! How a process is started is known to `process`, what files look like to `virtbus_store`; no wire is known here.

pub(crate) mod admission;
mod belongings;
pub(crate) mod command;
mod defining;
pub(crate) mod definition;
mod event;
mod guest;
mod handle;
mod helpers;
mod job;
pub(crate) mod reconnect;
mod starting;
mod state;
mod stopping;
pub(crate) mod taint;
pub(crate) mod view;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use virtbus_api::{DomainEvent, DomainEventKind, Error, Result, event::Lifecycle, hypervisor::State};

use virtbus_qmp::events::Event;

use crate::driver::Shared;

use admission::{Busy, Refusal, Situation, Verdict, admit};
use command::{Answer, Command, Reply, Request};
use guest::Guest;
use job::{Apply, Job, end_of};
use stopping::Stopping;
use view::View;

pub(crate) use guest::no_agent;
pub(crate) use handle::Handle;
pub(crate) use state::words;

/// How long a request waits for a domain that is busy, as the reference has it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The owner of a domain.
#[derive(Debug)]
pub(crate) struct Owner {
    shared: Arc<Shared>,
    handle: Handle,
    inbox: mpsc::UnboundedReceiver<Request>,
    view: View,
    /// Whether the view or the status file is behind.
    changed: bool,
    /// The guest's process and monitor, while there is one.
    guest: Option<Guest>,
    /// What the guest side is busy with.
    job: Option<Job>,
    /// What the guest side does next, begun by events while a request was under way.
    next_jobs: VecDeque<Job>,
    /// Who waits for the start that is under way.
    start_reply: Option<Reply>,
    /// What the definition is busy with.
    writing: Option<Job>,
    /// The end of the guest, once it has begun.
    stopping: Option<Stopping>,
    /// Requests that wait for a job to end, with the time their patience ends.
    waiting: VecDeque<(Instant, Request)>,
}

/// What a turn is about. One exists at a time, on the stack of its owner.
#[allow(clippy::large_enum_variant, reason = "it is never stored")]
enum Turn {
    Event(Option<Event>),
    Ended,
    HelperLost(usize),
    GuestJob(Apply),
    Written(Apply),
    LeaseEnded,
    Deadline,
    Request(Option<Request>),
}

impl Owner {
    /// The owner of the domain behind `handle`, as its view has it.
    pub(crate) fn new(shared: Arc<Shared>, handle: Handle, inbox: mpsc::UnboundedReceiver<Request>) -> Self {
        let view = View::clone(&handle.view());
        Self {
            shared,
            handle,
            inbox,
            view,
            changed: false,
            guest: None,
            job: None,
            next_jobs: VecDeque::new(),
            start_reply: None,
            writing: None,
            stopping: None,
            waiting: VecDeque::new(),
        }
    }

    /// Starts the task.
    pub(crate) fn wake(self) {
        let name = format!("domain {}", self.view.name);
        drop(virtbus_host::task::spawn(name, self.run()));
    }

    async fn run(mut self) {
        loop {
            if self.is_idle() {
                if self.view.exists() {
                    if self.handle.sleep(&self.inbox) {
                        return;
                    }
                } else {
                    let (uuid, name) = (self.view.uuid, Arc::clone(&self.view.name));
                    if self.shared.registry.remove(uuid, &name, || self.handle.close(&self.inbox)) {
                        return;
                    }
                }
            }
            match self.next().await {
                Turn::Event(Some(event)) => self.on_event(&event),
                Turn::Event(None) => self.on_monitor_lost(),
                Turn::Ended => self.on_process_ended().await,
                Turn::HelperLost(at) => self.on_helper_lost(at),
                Turn::GuestJob(apply) | Turn::Written(apply) => {
                    self.changed = true;
                    apply(&mut self);
                    if self.job.is_none() {
                        self.job = self.next_jobs.pop_front();
                    }
                    self.retry_waiting();
                }
                Turn::LeaseEnded => self.on_lease_ended(),
                Turn::Deadline => self.on_deadline(),
                Turn::Request(Some(request)) => self.consider(request, Instant::now() + PATIENCE),
                // The handle keeps a sender for as long as the owner is awake.
                Turn::Request(None) => return,
            }
            self.publish();
        }
    }

    async fn next(&mut self) -> Turn {
        let deadline = self.next_deadline();
        let guest = self.guest.as_mut();
        let (events, process, claims, lease) = match guest {
            Some(guest) => {
                (guest.events.as_mut(), Some(&mut guest.process), Some(&mut guest.claims), guest.lease.as_mut())
            }
            None => (None, None, None, None),
        };
        tokio::select! {
            biased;
            event = next_event(events) => Turn::Event(event),
            () = ended(process) => Turn::Ended,
            at = helpers::lost(claims) => Turn::HelperLost(at),
            apply = end_of(&mut self.job) => Turn::GuestJob(apply),
            apply = end_of(&mut self.writing) => Turn::Written(apply),
            () = lease_ended(lease) => Turn::LeaseEnded,
            () = until(deadline) => Turn::Deadline,
            request = self.inbox.recv() => Turn::Request(request),
        }
    }

    fn is_idle(&self) -> bool {
        self.guest.is_none() && self.job.is_none() && self.writing.is_none() && self.waiting.is_empty()
    }

    fn next_deadline(&self) -> Option<Instant> {
        let patience = self.waiting.iter().map(|(until, _)| *until).min();
        let stopping = self.stopping.as_ref().and_then(|it| it.deadline);
        patience.into_iter().chain(stopping).min()
    }

    fn on_deadline(&mut self) {
        let now = Instant::now();
        self.escalate(now);
        let (late, patient) = std::mem::take(&mut self.waiting).into_iter().partition(|(until, _)| *until <= now);
        self.waiting = patient;
        let late: VecDeque<(Instant, Request)> = late;
        for (_, request) in late {
            match admit(self.situation(), request.command.verb()) {
                Verdict::Refuse(refusal) => self.refuse(request.reply, refusal),
                Verdict::Accept | Verdict::AlreadyDone => self.consider(request, now + PATIENCE),
            }
        }
    }

    fn situation(&self) -> Situation {
        let guest = match (&self.stopping, &self.job) {
            (Some(stopping), _) => Some(Busy::Stop { force: stopping.force }),
            (None, Some(job)) => Some(job.busy),
            (None, None) => None,
        };
        Situation {
            state: self.view.state,
            persistent: self.view.definition.is_some(),
            guest,
            writing: self.writing.is_some(),
        }
    }

    /// Does what is asked, refuses it, or keeps it until what is in the way has ended.
    fn consider(&mut self, request: Request, patience: Instant) {
        match admit(self.situation(), request.command.verb()) {
            Verdict::Accept => self.accept(request.command, request.reply),
            Verdict::AlreadyDone => answer(request.reply, Ok(Answer::Done)),
            Verdict::Refuse(Refusal::Busy(_)) => self.waiting.push_back((patience, request)),
            Verdict::Refuse(refusal) => self.refuse(request.reply, refusal),
        }
    }

    fn retry_waiting(&mut self) {
        for (until, request) in std::mem::take(&mut self.waiting) {
            self.consider(request, until);
        }
    }

    fn refuse(&self, reply: Reply, refusal: Refusal) {
        answer(reply, Err(refusal.into_error(&self.view.name)));
    }

    fn accept(&mut self, command: Command, reply: Reply) {
        tracing::debug!(domain = %self.view.name, ?command, "accepted");
        match command {
            Command::Define(document) => self.define(document, reply),
            Command::Undefine(flags) => self.undefine(flags, reply),
            Command::SetAutostart(autostart) => self.set_autostart(autostart, reply),
            Command::SetAutostartOnce(autostart) => self.set_autostart_once(autostart, reply),
            Command::Rename(name) => self.rename(name, reply),
            Command::SetMetadata { kind, value, key, impact } => {
                self.set_metadata(&kind, value.as_deref(), key.as_deref(), impact, reply);
            }
            Command::Start(flags, lease) => self.start(None, flags, lease, reply),
            Command::Create(document, flags, lease) => self.start(Some(document), flags, lease, reply),
            Command::Destroy(flags) => self.destroy(flags, reply),
            Command::Suspend => self.suspend(reply),
            Command::Resume => self.resume(reply),
            Command::Shutdown(flags) => self.shutdown(flags, reply),
            Command::Reboot(flags) => self.reboot(flags, reply),
            Command::Reset => self.reset(reply),
            Command::Ask(question) => self.put(question, reply),
        }
    }

    /// Publishes what this turn changed: the status file first, so that nobody hears of what a crash would lose.
    fn publish(&mut self) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        let busy = self.job.as_ref().map(|job| (job.busy.what(), job.since));
        let stopping = self.stopping.as_ref().map(|it| ("it is being ended", it.since));
        self.view.busy = stopping.or(busy);
        self.save_status();
        self.handle.publish(self.view.clone());
    }

    /// Changes the state; seen with the end of this turn.
    fn set_state(&mut self, state: State) {
        if self.view.state != state {
            tracing::info!(domain = %self.view.name, from = ?self.view.state, to = ?state, "state");
            self.view.state = state;
        }
        self.changed = true;
    }

    /// Tells everyone what happened. The view is published first: who asks upon an event sees what it is about.
    fn emit(&mut self, kind: DomainEventKind) {
        self.changed = true;
        self.publish();
        let _ = self.shared.events.send(Arc::new(DomainEvent { domain: self.view.domain_ref(), kind }));
    }

    fn emit_lifecycle(&mut self, what: Lifecycle) {
        self.emit(DomainEventKind::Lifecycle(what));
    }
}

/// Answers; a caller that has gone does not mind.
fn answer(reply: Reply, result: Result<Answer>) {
    let _ = reply.send(result);
}

/// Answers with success or an error.
fn answer_done(reply: Reply, result: Result<()>) {
    answer(reply, result.map(|()| Answer::Done));
}

/// A blocking call on a thread where it may hang without holding anything else up.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::internal("a file operation ended unexpectedly").caused_by(error)),
    }
}

async fn next_event(events: Option<&mut guest::Events>) -> Option<Event> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

async fn ended(process: Option<&mut guest::Process>) {
    match process {
        Some(process) => process.ended().await,
        None => std::future::pending().await,
    }
}

async fn lease_ended(lease: Option<&mut guest::Lease>) {
    match lease {
        Some(lease) => lease.await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
