//! One pool and its owner: the only one who changes it.
//!
//! The owner is a task that takes turns. In each it hears of one thing (the end of a job first, then a new request),
//! acts, and publishes the view. It never waits within a turn: whatever takes time is a [`job`], and a request that has to
//! wait for a job is kept aside until that has ended, up to [`PATIENCE`]. So reads are answered from the view, and a pool on
//! a server that does not answer is a pool whose jobs end late, nothing more.
//!
//! How storage is made and looked at is known to `backend`, what files look like to `virtbus_store`; no wire is known
//! here.

pub(crate) mod admission;
pub(crate) mod command;
mod defining;
pub(crate) mod document;
mod handle;
pub(crate) mod hold;
mod job;
mod refreshing;
mod starting;
mod storage;
pub(crate) mod view;
mod volumes;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use virtbus_api::{PoolEvent, PoolEventKind, PoolLifecycle, Result};
use virtbus_schema::StoragePool;

use crate::backend::{Backend, Cx};
use crate::driver::Shared;

use admission::{Refusal, Situation, Verdict, admit};
use command::{Answer, Command, Reply, Request};
use hold::Holds;
use job::{Apply, Job, VolumeJobs, end_of};
use view::{Live, View};

pub(crate) use handle::Handle;

/// How long a request waits for a pool that is busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// The owner of a pool.
#[derive(Debug)]
pub(crate) struct Owner {
    shared: Arc<Shared>,
    handle: Handle,
    inbox: mpsc::UnboundedReceiver<Request>,
    view: View,
    /// Whether the view is behind.
    changed: bool,
    /// What the pool as a whole is busy with.
    job: Option<Job>,
    /// What is being started: what `destroy` has to undo.
    starting: Option<Arc<StoragePool>>,
    /// Volumes being made, changed or deleted.
    volume_jobs: VolumeJobs,
    /// Names of volumes being made.
    pending: BTreeSet<String>,
    /// Volumes that somebody reads or writes.
    holds: Holds,
    /// Volumes that changed since the refresh under way began.
    touched: Option<BTreeSet<String>>,
    /// Requests that wait for a job to end, with the time their patience ends.
    waiting: VecDeque<(Instant, Request)>,
}

/// What a turn is about. One exists at a time, on the stack of its owner.
enum Turn {
    Job(Apply),
    VolumeJob(Apply),
    Deadline,
    Request(Option<Request>),
}

impl Owner {
    /// The owner of the pool behind `handle`, as its view has it.
    pub(crate) fn new(shared: Arc<Shared>, handle: Handle, inbox: mpsc::UnboundedReceiver<Request>) -> Self {
        let mut view = View::clone(&handle.view());
        view.building = false;
        Self {
            shared,
            handle,
            inbox,
            view,
            changed: false,
            job: None,
            starting: None,
            volume_jobs: VolumeJobs::default(),
            pending: BTreeSet::new(),
            holds: Holds::default(),
            touched: None,
            waiting: VecDeque::new(),
        }
    }

    /// Starts the task.
    pub(crate) fn wake(self) {
        let name = format!("pool {}", self.view.name);
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
                Turn::Job(apply) => {
                    apply(&mut self);
                    self.retry_waiting();
                }
                Turn::VolumeJob(apply) => {
                    apply(&mut self);
                    self.retry_waiting();
                }
                Turn::Deadline => self.on_deadline(),
                Turn::Request(Some(request)) => self.consider(request, Instant::now() + PATIENCE),
                // The handle keeps a sender for as long as the owner is awake.
                Turn::Request(None) => return,
            }
            self.publish();
        }
    }

    async fn next(&mut self) -> Turn {
        let deadline = self.waiting.iter().map(|(until, _)| *until).min();
        tokio::select! {
            biased;
            apply = end_of(&mut self.job) => Turn::Job(apply),
            apply = self.volume_jobs.end() => Turn::VolumeJob(apply),
            () = until(deadline) => Turn::Deadline,
            request = self.inbox.recv() => Turn::Request(request),
        }
    }

    fn is_idle(&self) -> bool {
        // Holds live in this task: one that slept would forget them.
        self.job.is_none() && self.volume_jobs.is_empty() && self.waiting.is_empty() && self.holds.is_empty()
    }

    fn on_deadline(&mut self) {
        let now = Instant::now();
        for (until, request) in std::mem::take(&mut self.waiting) {
            match admit(self.situation(), request.command.verb()) {
                Verdict::Refuse(Refusal::Busy(_)) if until > now => self.waiting.push_back((until, request)),
                Verdict::Refuse(refusal) => self.refuse(request.reply, refusal),
                Verdict::Accept => self.accept(request.command, request.reply),
            }
        }
    }

    fn situation(&self) -> Situation {
        Situation {
            active: self.view.live.is_some(),
            persistent: self.view.definition.is_some(),
            busy: self.job.as_ref().map(|it| it.busy),
            volume_work: !self.volume_jobs.is_empty(),
        }
    }

    /// Does what is asked, refuses it, or keeps it until what is in the way has ended.
    fn consider(&mut self, request: Request, patience: Instant) {
        match admit(self.situation(), request.command.verb()) {
            Verdict::Accept => self.accept(request.command, request.reply),
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
        tracing::debug!(pool = %self.view.name, verb = ?command.verb(), "accepted");
        match command {
            Command::Define(document) => self.define(document, reply),
            Command::Undefine => self.undefine(reply),
            Command::SetAutostart(autostart) => self.set_autostart(autostart, reply),
            Command::Start(flags) => self.start(None, flags, reply),
            Command::Create(document, flags) => self.start(Some(document), flags, reply),
            Command::Adopt(document) => self.adopt(document, reply),
            Command::Destroy => self.destroy(reply),
            Command::Build(flags) => self.build(flags, reply),
            Command::Delete(flags) => self.delete(flags, reply),
            Command::Refresh => self.refresh(reply),
            Command::CreateVolume(document, source, flags) => self.create_volume(document, source, flags, reply),
            Command::DeleteVolume(name, flags) => self.delete_volume(name, flags, reply),
            Command::ResizeVolume(name, capacity, flags) => self.resize_volume(name, capacity, flags, reply),
            Command::WipeVolume(name, algorithm) => self.wipe_volume(name, algorithm, reply),
            Command::HoldVolume(name) => self.hold_volume(&name, reply),
            Command::Reread(name) => self.reread(&name, reply),
            Command::Noticed(volume) => self.notice(volume),
        }
    }

    /// Publishes what this turn changed.
    fn publish(&mut self) {
        if std::mem::take(&mut self.changed) {
            let before = self.handle.view();
            self.handle.publish(self.view.clone());
            if let Some(turnover) = self.view.turnover_since(&before) {
                self.tell(PoolEventKind::Volumes(turnover));
            }
        }
    }

    /// Answers when something has been done. The view is published first: who asks upon the answer sees what was done.
    fn answer(&mut self, reply: Reply, result: Result<Answer>) {
        self.publish();
        answer(reply, result);
    }

    /// As `answer` with success or an error.
    fn answer_done(&mut self, reply: Reply, result: Result<()>) {
        self.answer(reply, result.map(|()| Answer::Done));
    }

    /// Tells everyone what happened. The view is published first: who asks upon an event sees what it is about.
    fn emit(&mut self, kind: PoolEventKind) {
        self.changed = true;
        self.publish();
        self.tell(kind);
    }

    fn tell(&self, kind: PoolEventKind) {
        // Nobody listening is no fault.
        let _ = self.shared.events.send(PoolEvent { pool: self.view.pool_ref(), kind });
    }

    fn emit_lifecycle(&mut self, what: PoolLifecycle) {
        self.emit(PoolEventKind::Lifecycle(what));
    }

    /// What a backend needs to work on `document`, and the backend; the error that names a missing one.
    fn backend(&self, document: &Arc<StoragePool>) -> Result<(&'static dyn Backend, Cx)> {
        let backend = crate::backend::of(document.kind)?;
        Ok((backend, Cx { pool: Arc::clone(document), secrets: Arc::clone(&self.shared.secrets) }))
    }

    /// As `backend` for the pool as it runs.
    fn live_backend(&self) -> Result<(&'static dyn Backend, Cx)> {
        self.backend(&self.live()?.document)
    }

    fn live(&self) -> Result<&Live> {
        let live = self.view.live.as_ref();
        live.ok_or_else(|| Refusal::NotActive.into_error(&self.view.name))
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

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
