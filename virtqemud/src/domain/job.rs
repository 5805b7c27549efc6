//! What a domain is busy with: work that its owner started and has not heard the end of.
//!
//! A job never touches the owner while it runs. It is a future that ends in a message: what to do with its result, done
//! by the owner in a turn of its own. Dropping a job cancels it and undoes what it had begun.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

use super::{Owner, admission::Busy};

/// What a job has the owner do when it ends.
pub(super) type Apply = Box<dyn FnOnce(&mut Owner) + Send>;

/// Work under way.
pub(super) struct Job {
    /// What it excludes.
    pub(super) busy: Busy,
    /// Since when.
    pub(super) since: Instant,
    work: Pin<Box<dyn Future<Output = Apply> + Send>>,
}

impl Job {
    /// A job that begins when it is first polled.
    pub(super) fn new(busy: Busy, work: impl Future<Output = Apply> + Send + 'static) -> Self {
        Self { busy, since: Instant::now(), work: Box::pin(work) }
    }

    /// Drives it on; resolves when it has ended. Cancel-safe.
    pub(super) async fn end(&mut self) -> Apply {
        self.work.as_mut().await
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("busy", &self.busy).field("since", &self.since).finish_non_exhaustive()
    }
}

/// The end of the job in `slot`, which is then empty; never if there is none.
pub(super) async fn end_of(slot: &mut Option<Job>) -> Apply {
    match slot {
        Some(job) => {
            let apply = job.end().await;
            *slot = None;
            apply
        }
        None => std::future::pending().await,
    }
}
