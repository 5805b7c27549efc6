//! Blocking work on threads of their own that can be left behind: what a file system on a dead server holds for ever must
//! not hold anybody else.
//!
//! A thread in such a call cannot be ended. It is abandoned: nobody waits for it any more, and it ends whenever the
//! kernel lets it. How many there are is counted, and bounded, so that a dead server does not eat all threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;

/// Threads in blocking work at any time, abandoned ones included.
const MOST: usize = 256;

static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// Why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Abandoned {
    /// The work has not ended in time; it may still end some day, and its result is lost.
    #[error("it has not answered within {} s", .0.as_secs_f32())]
    Late(Duration),
    /// So many calls hang already that no further one is begun.
    #[error("too many calls to file systems that do not answer")]
    TooMany,
    /// The work panicked, or no thread could be made.
    #[error("the work ended unexpectedly")]
    Ended,
}

/// Counts a thread for as long as it lives.
struct Running;

impl Running {
    fn enter() -> Option<Self> {
        let taken = RUNNING.fetch_update(Ordering::AcqRel, Ordering::Acquire, |it| (it < MOST).then_some(it + 1));
        taken.is_ok().then_some(Self)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::AcqRel);
    }
}

/// How many threads are in blocking work now.
pub fn running() -> usize {
    RUNNING.load(Ordering::Acquire)
}

/// Starts `work` on a thread named `name` (15 bytes of it show in tools). The receiver fails when it panics. Dropping the
/// receiver abandons it.
///
/// # Errors
/// When no thread can be had.
pub fn start<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<oneshot::Receiver<T>, Abandoned> {
    let running = Running::enter().ok_or(Abandoned::TooMany)?;
    let (sender, receiver) = oneshot::channel();
    let body = move || {
        let _running = running;
        // Nobody may be waiting any more.
        let _ = sender.send(work());
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map_err(|_| Abandoned::Ended)?;
    Ok(receiver)
}

/// Runs `work` and waits for its result, `deadline` at most.
///
/// # Errors
/// When it is late, panics, or cannot be begun.
pub async fn within<T: Send + 'static>(
    name: &'static str,
    deadline: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Abandoned> {
    match tokio::time::timeout(deadline, start(name, work)?).await {
        Err(_) => Err(Abandoned::Late(deadline)),
        Ok(result) => result.map_err(|_| Abandoned::Ended),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_late_is_left_behind() {
        let (gate, held) = std::sync::mpsc::channel::<()>();
        let late = within("held", Duration::from_millis(20), move || held.recv()).await;
        assert_eq!(late, Err(Abandoned::Late(Duration::from_millis(20))));
        assert!(running() >= 1);
        assert_eq!(within("quick", Duration::from_secs(20), || 7).await, Ok(7));
        drop(gate);
        let panics = within("panics", Duration::from_secs(20), || assert!(std::env::args().count() == 0, "as meant"));
        assert_eq!(panics.await, Err(Abandoned::Ended));
    }
}
