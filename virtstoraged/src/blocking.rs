//! File-system work beside the runtime, given up when the file system does not answer.
//!
//! [`look`] is for what takes a moment (stat, a header); [`steady`] for what takes as long as it takes and is given up
//! only when it stands still. Both leave a thread behind in the kernel at worst, never a waiting client.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use virtbus_api::{Error, Result};
use virtbus_host::abandon::{self, Abandoned};

use crate::fault;

/// How long a file system may take over a single small call.
pub(crate) const MOMENT: Duration = Duration::from_secs(8);
/// How long a copy may stand still. Flushing much to a slow disk is one call.
const STANDSTILL: Duration = Duration::from_secs(180);

/// A small blocking call; `what` names it in the error.
pub(crate) async fn look<T: Send + 'static>(
    what: impl fmt::Display,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match abandon::within("storage look", MOMENT, work).await {
        Ok(result) => result,
        Err(why) => Err(fault::hung(what, why)),
    }
}

/// How far long work is; it looks here whether anybody still wants it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress(Arc<Steps>);

#[derive(Debug, Default)]
struct Steps {
    count: AtomicU64,
    unwanted: AtomicBool,
}

impl Progress {
    /// It goes on.
    ///
    /// # Errors
    /// When nobody wants the result any more.
    pub(crate) fn step(&self) -> Result<()> {
        self.0.count.fetch_add(1, Ordering::Relaxed);
        if self.0.unwanted.load(Ordering::Relaxed) {
            let code = virtbus_api::ErrorCode::OperationAborted;
            return Err(fault::Faults::of_storage(Error::new(code, "the operation was given up")));
        }
        Ok(())
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.count.load(Ordering::Relaxed)
    }

    pub(crate) fn give_up(&self) {
        self.0.unwanted.store(true, Ordering::Relaxed);
    }
}

/// Gives the work up when its caller goes away.
struct Wanted(Progress);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

/// Long blocking work that calls [`Progress::step`] as it goes; `what` names it in the error.
pub(crate) async fn steady<T: Send + 'static>(
    what: impl fmt::Display,
    work: impl FnOnce(&Progress) -> Result<T> + Send + 'static,
) -> Result<T> {
    let progress = Progress::default();
    let wanted = Wanted(progress.clone());
    let begun = abandon::start("storage work", move || work(&progress));
    let mut result = match begun {
        Ok(result) => result,
        Err(why) => return Err(fault::hung(what, why)),
    };
    loop {
        let before = wanted.0.count();
        match tokio::time::timeout(STANDSTILL, &mut result).await {
            Ok(Ok(result)) => return result,
            Ok(Err(_)) => return Err(fault::hung(what, Abandoned::Ended)),
            Err(_) if wanted.0.count() != before => {}
            Err(_) => return Err(fault::hung(what, Abandoned::Late(STANDSTILL))),
        }
    }
}
