//! Starting and stopping a pool, and going on with one that was active before this daemon.
//!
//! The status file is written before anything is mounted or activated and removed after it has been undone: a daemon that
//! dies in between leaves a pool that the next one adopts, or finds inactive and forgets.

use std::collections::BTreeMap;
use std::sync::Arc;

use virtbus_api::{
    Error, ErrorCode, PoolLifecycle, Result,
    flags::{PoolBuildFlags, PoolCreateFlags},
    storage::PoolState,
};
use virtbus_schema::StoragePool;

use super::{
    Owner,
    admission::Busy,
    answer_done,
    command::Reply,
    defining::{remove_status, save_status},
    document,
    job::{Apply, Job},
    view::{Figures, Live},
};
use crate::backend::{Backend, Cx, Found};
use crate::blocking;
use crate::driver::Shared;

impl Owner {
    /// Starts the pool from its definition, or from `document` beside it.
    pub(super) fn start(&mut self, document: Option<Box<StoragePool>>, flags: PoolCreateFlags, reply: Reply) {
        let document = match (document, &self.view.definition) {
            (Some(document), _) => Arc::new(*document),
            (None, Some(definition)) => Arc::clone(definition),
            (None, None) => return self.refuse(reply, super::Refusal::NotActive),
        };
        let (backend, cx) = match self.backend(&document) {
            Ok(it) => it,
            Err(error) => return answer_done(reply, Err(error)),
        };
        self.starting = Some(Arc::clone(&document));
        let shared = Arc::clone(&self.shared);
        self.job = Some(Job::new(Busy::Start, async move {
            let started = bring_up(&shared, backend, &cx, flags).await;
            let apply: Apply = Box::new(move |owner| {
                owner.starting = None;
                let result = started.map(|found| {
                    owner.go_live(&cx.pool, found);
                    owner.emit_lifecycle(PoolLifecycle::Started);
                });
                owner.answer_done(reply, result);
            });
            apply
        }));
    }

    /// Goes on with a pool that was active when a status file was written; one that is not any more is forgotten.
    pub(super) fn adopt(&mut self, document: Box<StoragePool>, reply: Reply) {
        let document = Arc::new(*document);
        let (backend, cx) = match self.backend(&document) {
            Ok(it) => it,
            Err(error) => return answer_done(reply, Err(error)),
        };
        let shared = Arc::clone(&self.shared);
        let name = Arc::clone(&self.view.name);
        self.starting = Some(Arc::clone(&document));
        self.job = Some(Job::new(Busy::Start, async move {
            let found = match backend.is_active(&cx).await {
                Ok(true) => match backend.refresh(&cx, Arc::default()).await {
                    Err(error) if is_hung(&error) => Ok(Some(Found::unreachable())),
                    other => other.map(Some),
                },
                Ok(false) => Ok(None),
                // Not knowing is no reason to forget it.
                Err(error) if is_hung(&error) => Ok(Some(Found::unreachable())),
                Err(error) => Err(error),
            };
            if !matches!(found, Ok(Some(_))) {
                let name = Arc::clone(&name);
                // A file that stays is read again next time, to the same end.
                let _ = blocking::look("status files", move || remove_status(&shared, &name)).await;
            }
            let apply: Apply = Box::new(move |owner| {
                owner.starting = None;
                match found {
                    Ok(Some(found)) => owner.go_live(&cx.pool, found),
                    Ok(None) => tracing::info!(pool = %name, "it is not active any more"),
                    Err(error) => tracing::error!(pool = %name, "it cannot be taken over: {error}"),
                }
                owner.changed = true;
                owner.answer_done(reply, Ok(()));
            });
            apply
        }));
    }

    fn go_live(&mut self, document: &Arc<StoragePool>, found: Found) {
        let mut live = Live {
            origin: Arc::clone(document),
            document: Arc::clone(document),
            state: PoolState::Running,
            figures: Figures::default(),
            volumes: Arc::new(BTreeMap::new()),
        };
        found.apply_to(&mut live);
        self.view.live = Some(live);
        self.changed = true;
    }

    /// Stops the pool. A refresh or a start under way is given up.
    pub(super) fn destroy(&mut self, reply: Reply) {
        // What waits for the start hears that it was given up.
        self.job = None;
        self.touched = None;
        let document = self.starting.take().or_else(|| self.view.live.as_ref().map(|it| Arc::clone(&it.document)));
        let Some(document) = document else { return self.refuse(reply, super::Refusal::NotActive) };
        let (backend, cx) = match self.backend(&document) {
            Ok(it) => it,
            Err(error) => return answer_done(reply, Err(error)),
        };
        let shared = Arc::clone(&self.shared);
        self.job = Some(Job::new(Busy::Stop, async move {
            let stopped = tear_down(&shared, backend, &cx).await;
            let apply: Apply = Box::new(move |owner| {
                if stopped.is_ok() {
                    owner.go_off();
                }
                owner.answer_done(reply, stopped);
            });
            apply
        }));
    }

    /// It is not active any more.
    pub(super) fn go_off(&mut self) {
        let was = self.view.live.take();
        self.changed = true;
        if let Some(live) = was {
            // The definition keeps what was found last, unless it has been replaced meanwhile; the file does not.
            if self.view.definition.as_ref().is_some_and(|it| Arc::ptr_eq(it, &live.origin)) {
                self.view.definition = Some(Arc::new(live.shown()));
            }
            self.emit_lifecycle(PoolLifecycle::Stopped);
        }
    }
}

/// Whether an error says that a file system does not answer, rather than what is wrong with it.
pub(super) fn is_hung(error: &Error) -> bool {
    error.code == ErrorCode::OperationTimeout
}

async fn bring_up(
    shared: &Arc<Shared>,
    backend: &'static dyn Backend,
    cx: &Cx,
    flags: PoolCreateFlags,
) -> Result<Found> {
    if let Some(build) = build_flags(flags) {
        backend.build(cx, build).await?;
    }
    let (writer, document) = (Arc::clone(shared), Arc::clone(&cx.pool));
    blocking::look("status files", move || save_status(&writer, &document)).await?;
    let found = match backend.start(cx).await {
        Ok(()) => backend.refresh(cx, Arc::default()).await,
        Err(error) => Err(error),
    };
    if found.is_err()
        && let Err(error) = tear_down(shared, backend, cx).await
    {
        tracing::warn!(pool = cx.pool.name, "undoing its start: {error}");
    }
    found
}

/// Stops a pool and forgets that it was active.
pub(super) async fn tear_down(shared: &Arc<Shared>, backend: &'static dyn Backend, cx: &Cx) -> Result<()> {
    backend.stop(cx).await?;
    let (shared, name) = (Arc::clone(shared), cx.pool.name.clone());
    blocking::look("status files", move || remove_status(&shared, &name)).await
}

/// Which build `create` and `start` are to do first.
fn build_flags(flags: PoolCreateFlags) -> Option<PoolBuildFlags> {
    let any =
        PoolCreateFlags::WITH_BUILD | PoolCreateFlags::WITH_BUILD_OVERWRITE | PoolCreateFlags::WITH_BUILD_NO_OVERWRITE;
    if !flags.intersects(any) {
        return None;
    }
    let mut build = PoolBuildFlags::empty();
    build.set(PoolBuildFlags::OVERWRITE, flags.contains(PoolCreateFlags::WITH_BUILD_OVERWRITE));
    build.set(PoolBuildFlags::NO_OVERWRITE, flags.contains(PoolCreateFlags::WITH_BUILD_NO_OVERWRITE));
    Some(build)
}

impl Found {
    /// What a pool shows whose file system does not answer.
    pub(super) fn unreachable() -> Self {
        Self { state: PoolState::Inaccessible, ..Self::default() }
    }

    /// Puts what was found into the view.
    pub(super) fn apply_to(self, live: &mut Live) {
        live.state = self.state;
        live.figures = self.figures;
        live.volumes = Arc::new(self.volumes);
        document::set_free_extents(&mut live.document, self.free_extents);
        if let Some(permissions) = self.permissions {
            document::set_permissions(Arc::make_mut(&mut live.document), permissions);
        }
    }
}
