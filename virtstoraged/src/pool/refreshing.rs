//! Looking again at what is in a pool.
//!
//! Reads and volume work go on meanwhile. What volume work changed since the refresh began is newer than what the refresh
//! saw, and stays.

use std::collections::BTreeSet;
use std::sync::Arc;

use virtbus_api::{PoolEventKind, storage::PoolState};

use super::{
    Owner,
    admission::Busy,
    answer_done,
    command::Reply,
    job::{Apply, Job},
    starting::{is_hung, tear_down},
};
use crate::backend::Found;

impl Owner {
    /// Looks again. A pool whose file system does not answer stays active and says so; one that is gone is stopped.
    pub(super) fn refresh(&mut self, reply: Reply) {
        let (backend, cx) = match self.live_backend() {
            Ok(it) => it,
            Err(error) => return answer_done(reply, Err(error)),
        };
        let known = self.view.live.as_ref().map(|it| Arc::clone(&it.volumes)).unwrap_or_default();
        let shared = Arc::clone(&self.shared);
        self.touched = Some(BTreeSet::new());
        self.job = Some(Job::new(Busy::Refresh, async move {
            let found = backend.refresh(&cx, known).await;
            let gone = found.as_ref().is_err_and(|error| !is_hung(error));
            if gone && let Err(error) = tear_down(&shared, backend, &cx).await {
                tracing::warn!(pool = cx.pool.name, "stopping what cannot be refreshed: {error}");
            }
            let apply: Apply = Box::new(move |owner| {
                let touched = owner.touched.take().unwrap_or_default();
                match found {
                    Ok(found) => {
                        owner.merge(found, &touched);
                        owner.emit(PoolEventKind::Refresh);
                        owner.answer_done(reply, Ok(()));
                    }
                    Err(error) if gone => {
                        owner.go_off();
                        owner.answer_done(reply, Err(error));
                    }
                    Err(error) => {
                        if let Some(live) = &mut owner.view.live {
                            live.state = PoolState::Inaccessible;
                            owner.changed = true;
                        }
                        owner.answer_done(reply, Err(error));
                    }
                }
            });
            apply
        }));
    }

    fn merge(&mut self, mut found: Found, touched: &BTreeSet<String>) {
        let Some(live) = &mut self.view.live else { return };
        for name in touched {
            match live.volumes.get(name) {
                Some(newer) => found.volumes.insert(name.clone(), Arc::clone(newer)),
                None => found.volumes.remove(name),
            };
        }
        found.apply_to(live);
        self.changed = true;
    }
}
