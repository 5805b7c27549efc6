//! What a pool is busy with: work that its owner started and has not heard the end of.
//!
//! A job never touches the owner while it runs. It is a future that ends in a message: what to do with its result, done
//! by the owner in a turn of its own. Dropping a job gives it up.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::{Owner, admission::Busy};

/// What a job has the owner do when it ends.
pub(super) type Apply = Box<dyn FnOnce(&mut Owner) + Send>;

type Work = Pin<Box<dyn Future<Output = Apply> + Send>>;

/// Work under way on the pool as a whole.
pub(super) struct Job {
    /// What it excludes.
    pub(super) busy: Busy,
    work: Work,
}

impl Job {
    /// A job that begins when it is first polled.
    pub(super) fn new(busy: Busy, work: impl Future<Output = Apply> + Send + 'static) -> Self {
        Self { busy, work: Box::pin(work) }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("busy", &self.busy).finish_non_exhaustive()
    }
}

/// The end of the job in `slot`, which is then empty; never if there is none. Cancel-safe.
pub(super) async fn end_of(slot: &mut Option<Job>) -> Apply {
    match slot {
        Some(job) => {
            let apply = job.work.as_mut().await;
            *slot = None;
            apply
        }
        None => std::future::pending().await,
    }
}

/// Work under way on single volumes, any number at a time.
#[derive(Default)]
pub(super) struct VolumeJobs(FuturesUnordered<Work>);

impl VolumeJobs {
    /// One more.
    pub(super) fn add(&mut self, work: impl Future<Output = Apply> + Send + 'static) {
        self.0.push(Box::pin(work));
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The end of one of them; never if there is none. Cancel-safe.
    pub(super) async fn end(&mut self) -> Apply {
        match self.0.next().await {
            Some(apply) => apply,
            None => std::future::pending().await,
        }
    }
}

impl fmt::Debug for VolumeJobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VolumeJobs({})", self.0.len())
    }
}
