//! Definitions: taking, removing, autostart. Each is on disk before it is acknowledged.

use std::sync::Arc;

use virtbus_api::{Error, PoolEventKind, PoolLifecycle, Result};
use virtbus_schema::{FormatOptions, StoragePool};

use super::{
    Owner,
    admission::Busy,
    command::Reply,
    job::{Apply, Job},
};
use crate::blocking;
use crate::fault;

impl Owner {
    /// Takes a definition; what runs goes on as it is.
    pub(super) fn define(&mut self, document: Box<StoragePool>, reply: Reply) {
        let definitions = self.shared.definitions.clone();
        let name = Arc::clone(&self.view.name);
        let document = Arc::new(*document);
        let written = Arc::clone(&document);
        self.write(async move {
            let saved = blocking::look("the definitions", move || {
                definitions.save(&name, &written.format(FormatOptions::default())).map_err(|it| not_written(&it))
            });
            let saved = saved.await;
            let apply: Apply = Box::new(move |owner| {
                if saved.is_ok() {
                    owner.view.definition = Some(document);
                    owner.emit_lifecycle(PoolLifecycle::Defined);
                }
                owner.answer_done(reply, saved);
            });
            apply
        });
    }

    /// Removes the definition of an inactive pool.
    pub(super) fn undefine(&mut self, reply: Reply) {
        let definitions = self.shared.definitions.clone();
        let name = Arc::clone(&self.view.name);
        self.write(async move {
            let work = move || definitions.delete(&name).map_err(|it| not_written(&it));
            let removed = blocking::look("the definitions", work).await;
            let apply: Apply = Box::new(move |owner| {
                if removed.is_ok() {
                    owner.view.definition = None;
                    owner.view.autostart = false;
                    owner.emit_lifecycle(PoolLifecycle::Undefined);
                }
                owner.answer_done(reply, removed);
            });
            apply
        });
    }

    /// Starts it with the host, or not.
    pub(super) fn set_autostart(&mut self, autostart: bool, reply: Reply) {
        let definitions = self.shared.definitions.clone();
        let name = Arc::clone(&self.view.name);
        self.write(async move {
            let work = move || definitions.set_autostart(&name, autostart).map_err(|it| not_written(&it));
            let linked = blocking::look("the definitions", work).await;
            let apply: Apply = Box::new(move |owner| {
                if linked.is_ok() {
                    owner.view.autostart = autostart;
                    owner.emit(PoolEventKind::AutostartChange);
                }
                owner.answer_done(reply, linked);
            });
            apply
        });
    }

    fn write(&mut self, work: impl Future<Output = Apply> + Send + 'static) {
        self.job = Some(Job::new(Busy::Write, work));
    }
}

fn not_written(error: &virtbus_store::Error) -> Error {
    fault::system(error, &error.source)
}

/// Writes the status file of an active pool. Blocks on the file system.
pub(super) fn save_status(shared: &crate::driver::Shared, document: &StoragePool) -> Result<()> {
    shared.status.save(&document.name, &super::document::status_text(document)).map_err(|it| not_written(&it))
}

/// Removes the status file of a pool that is inactive. Blocks on the file system.
pub(super) fn remove_status(shared: &crate::driver::Shared, name: &str) -> Result<()> {
    shared.status.delete(name).map_err(|it| not_written(&it))
}
