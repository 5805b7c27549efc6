//! The start of a guest, from the request to the answer.
//!
//! Two jobs: `process::launch` brings QEMU up, paused, with its monitor answering; then, unless the guest is wanted
//! paused, `cont`. Between the two the owner takes the guest over, so that QEMU's events of the first moment are
//! heard as all others are. The answer comes when `cont` returns.

use std::sync::Arc;

use virtbus_api::{
    ClientLease, DomainEventKind, Error, ErrorCode, Result, event::Lifecycle, flags::StartFlags, hypervisor::State,
};
use virtbus_schema::domain::Domain;

use super::{
    Owner,
    admission::Busy,
    answer, answer_done,
    command::{Answer, Reply},
    guest::{Guest, lease_of},
    job::{Apply, Job},
    stopping::Why,
    taint::Taint,
    view::Live,
};
use crate::process::hook;
use crate::process::launch::{Order, Running, launch};
use crate::process::monitor::Monitor;

impl Owner {
    /// Starts from `document`, else from the definition.
    pub(super) fn start(&mut self, document: Option<Box<Domain>>, flags: StartFlags, lease: ClientLease, reply: Reply) {
        let defined = self.view.definition.as_ref().map(|it| it.document());
        let document = match (document, defined) {
            (Some(document), _) => Arc::from(document),
            (None, Some(Ok(definition))) => definition,
            (None, Some(Err(error))) => return answer(reply, Err(error)),
            (None, None) => return answer(reply, Err(Error::invalid_operation("domain is not running"))),
        };
        let id = self.shared.next_id();
        self.view.live = Some(Live {
            id,
            document: Arc::clone(&document),
            process: None,
            balloon_kib: None,
            updated: false,
            taints: Vec::new(),
            notes: Vec::new(),
            monitor_lost: false,
        });
        self.set_state(State::PausedStartingUp);
        self.shared.registry.add_id(id, self.handle.clone());
        self.shared.active.send_modify(|count| *count = count.saturating_add(1));
        self.start_reply = Some(reply);
        let shared = Arc::clone(&self.shared);
        let order = Order { document, id, flags };
        self.job = Some(Job::new(Busy::Start, async move {
            let result = launch(shared, order).await;
            Box::new(move |owner: &mut Owner| owner.launched(result, flags, lease)) as Apply
        }));
    }

    fn launched(&mut self, result: Result<Running>, flags: StartFlags, lease: ClientLease) {
        let running = match result {
            Ok(running) => running,
            Err(error) => return self.start_failed(error),
        };
        let Running { id, document, process, monitor, events, claims } = running;
        if let Some(live) = &mut self.view.live {
            live.document = Arc::new(document);
            live.process = Some((process.pid(), process.start_time()));
        }
        let lease = flags.contains(StartFlags::AUTODESTROY).then(|| lease_of(lease));
        let events = Some(events);
        self.guest = Some(Guest { id, monitor, events, process, claims, lease, pausing: None, rebooting: false });
        if self.shared.config.settings.user.is_none() && nix::unistd::geteuid().is_root() {
            self.taint(Taint::HighPrivileges);
        }
        if self.view.live.as_ref().is_some_and(|it| it.document.qemu.commandline.is_some()) {
            self.taint(Taint::CustomArgv);
        }
        self.announce_agent();
        if flags.contains(StartFlags::PAUSED) {
            let told = self.told_to_scripts();
            self.request(
                "it is being started",
                |_| told,
                |owner, result| match result {
                    Ok(()) => {
                        owner.set_state(State::PausedUser);
                        owner.emit_lifecycle(Lifecycle::StartedBooted);
                        owner.emit_lifecycle(Lifecycle::SuspendedPaused);
                        owner.start_done();
                    }
                    Err(error) => owner.start_refused(error),
                },
            );
            if let Some(job) = &mut self.job {
                job.busy = Busy::Start;
            }
        } else {
            let (work, told) = (self.go_on(), self.told_to_scripts());
            let work = |monitor: Monitor| async move {
                work(monitor).await?;
                told.await
            };
            self.request("it is being started", work, |owner, result| match result {
                Ok(()) => {
                    if owner.view.state.is_paused() {
                        owner.set_state(State::RunningBooted);
                        owner.emit_lifecycle(Lifecycle::ResumedUnpaused);
                    }
                    owner.emit_lifecycle(Lifecycle::StartedBooted);
                    owner.start_done();
                }
                Err(error) => owner.start_refused(error),
            });
            if let Some(job) = &mut self.job {
                job.busy = Busy::Start;
            }
        }
    }

    /// The administrator's scripts hear that the guest runs.
    fn told_to_scripts(&self) -> impl Future<Output = Result<()>> + Send + 'static {
        let hooks = self.shared.config.layout.hooks.clone();
        let document = self.view.live.as_ref().map(|it| Arc::clone(&it.document));
        async move {
            match document {
                Some(document) => hook::run(&hooks, hook::Turn::Started, &document).await,
                None => Ok(()),
            }
        }
    }

    /// The guest is up, and must not be.
    fn start_refused(&mut self, error: Error) {
        if let Some(reply) = self.start_reply.take() {
            answer_done(reply, Err(error));
        }
        self.stop_guest(Why::Failed, true);
    }

    fn start_done(&mut self) {
        self.publish();
        if let Some(reply) = self.start_reply.take() {
            answer(reply, Ok(Answer::Done));
        }
    }

    fn start_failed(&mut self, error: Error) {
        tracing::error!(domain = %self.view.name, "cannot start: {error}");
        self.came_to_nothing(Why::Failed);
        if let Some(reply) = self.start_reply.take() {
            answer_done(reply, Err(error));
        }
    }

    /// Ends a start that has not come as far as a guest.
    pub(super) fn abandon_start(&mut self, reply: Reply) {
        // Dropping the job takes back what it did, the process first of all.
        self.job = None;
        self.came_to_nothing(Why::Destroyed);
        if let Some(start) = self.start_reply.take() {
            let aborted = format!("domain '{}' was destroyed while it was being started", self.view.name);
            answer_done(start, Err(Error::new(ErrorCode::OperationAborted, aborted)));
        }
        answer(reply, Ok(Answer::Done));
    }

    fn came_to_nothing(&mut self, why: Why) {
        self.turn_off(why);
        self.retry_waiting();
    }

    /// The guest agent's first news: it is not there yet.
    fn announce_agent(&mut self) {
        let has_agent = self.view.live.as_ref().is_some_and(|it| super::event::agent_alias(&it.document).is_some());
        if has_agent {
            // virConnectDomainEventAgentLifecycle: disconnected, because the domain started.
            self.emit(DomainEventKind::AgentLifecycle { state: 2, reason: 1 });
        }
    }
}
