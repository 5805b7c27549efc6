//! The underlying storage of an inactive pool: building and deleting it.

use virtbus_api::{
    PoolLifecycle, Result,
    flags::{PoolBuildFlags, PoolDeleteFlags},
};

use super::{
    Owner,
    admission::Busy,
    answer_done,
    command::Reply,
    job::{Apply, Job},
};
use crate::backend::{Backend, Cx};
use crate::fault;

impl Owner {
    fn defined_backend(&self) -> Result<(&'static dyn Backend, Cx)> {
        let definition = self.view.definition.as_ref();
        self.backend(definition.ok_or_else(|| fault::internal("pool has no config file"))?)
    }

    /// Makes the underlying storage.
    pub(super) fn build(&mut self, flags: PoolBuildFlags, reply: Reply) {
        let (backend, cx) = match self.defined_backend() {
            Ok(it) => it,
            Err(error) => return answer_done(reply, Err(error)),
        };
        self.view.building = true;
        self.changed = true;
        self.job = Some(Job::new(Busy::Build, async move {
            let built = backend.build(&cx, flags).await;
            let apply: Apply = Box::new(move |owner| {
                owner.view.building = false;
                owner.changed = true;
                if built.is_ok() {
                    owner.emit_lifecycle(PoolLifecycle::Created);
                }
                owner.answer_done(reply, built);
            });
            apply
        }));
    }

    /// Deletes the underlying storage.
    pub(super) fn delete(&mut self, flags: PoolDeleteFlags, reply: Reply) {
        let (backend, cx) = match self.defined_backend() {
            Ok(it) => it,
            Err(error) => return answer_done(reply, Err(error)),
        };
        self.job = Some(Job::new(Busy::Delete, async move {
            let deleted = backend.delete(&cx, flags).await;
            let apply: Apply = Box::new(move |owner| {
                if deleted.is_ok() {
                    owner.emit_lifecycle(PoolLifecycle::Deleted);
                }
                owner.answer_done(reply, deleted);
            });
            apply
        }));
    }
}
