//! Named, supervised tasks: what a daemon cannot live without, what it waits for when it stops.
//!
//! An essential task that ends, ends the daemon, and the log says which one it was. Plain tasks may come and go; at the
//! end all are waited for up to a deadline, and those still running are named. It does not know what the tasks do.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use virtbus_host::task::{JoinHandle, spawn};

/// How an essential task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its name.
    pub name: String,
    /// Its error; `None` if it returned without one.
    pub error: Option<String>,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) => write!(f, "task {:?} failed: {error}", self.name),
            None => write!(f, "task {:?} ended", self.name),
        }
    }
}

/// The tasks of a daemon. Clones share them.
#[derive(Debug, Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    running: Arc<Running>,
    ended: mpsc::UnboundedSender<Ended>,
}

/// Where the end of the first essential task is heard.
#[derive(Debug)]
pub struct Supervisor(mpsc::UnboundedReceiver<Ended>);

impl Supervisor {
    /// The next essential task to end. Cancel-safe.
    pub async fn first_ended(&mut self) -> Ended {
        match self.0.recv().await {
            Some(ended) => ended,
            // All senders are gone, and with them every essential task.
            None => std::future::pending().await,
        }
    }
}

#[derive(Debug, Default)]
struct Running {
    next: AtomicU64,
    names: Mutex<BTreeMap<u64, (String, Instant)>>,
}

impl Running {
    fn enter(self: &Arc<Self>, name: &str) -> Entry {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.insert(number, (name.to_owned(), Instant::now()));
        Entry { running: Arc::clone(self), number }
    }
}

struct Entry {
    running: Arc<Running>,
    number: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.running.names.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

impl Tasks {
    /// An empty set, and its supervisor.
    pub fn new() -> (Self, Supervisor) {
        let (ended, heard) = mpsc::unbounded_channel();
        let tasks =
            Self { tracker: TaskTracker::new(), stop: CancellationToken::new(), running: Arc::default(), ended };
        (tasks, Supervisor(heard))
    }

    /// Cancelled when the daemon stops: essential tasks and accept loops watch it.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a task that is waited for at the end, and whose end means nothing. A panic in it is logged.
    pub fn spawn<F>(&self, name: impl Into<String>, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let name = name.into();
        let entry = self.running.enter(&name);
        spawn(
            name,
            self.tracker.track_future(async move {
                let _entry = entry;
                future.await
            }),
        )
    }

    /// Starts a task that the daemon cannot live without: when it returns, fails or panics, the supervisor hears of it.
    /// Its end after the daemon began to stop is as it should be.
    pub fn essential<F, E>(&self, name: impl Into<String>, future: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        let name = name.into();
        let report = Report { name: name.clone(), ended: self.ended.clone(), error: Some("it panicked".to_owned()) };
        drop(self.spawn(name, async move {
            let mut report = report;
            report.error = future.await.err().map(|error| error.to_string());
        }));
    }

    /// Runs `future` once the daemon stops; it is waited for like any task.
    pub fn at_stop<F>(&self, name: impl Into<String>, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop_token();
        drop(self.spawn(name, async move {
            stop.cancelled().await;
            future.await;
        }));
    }

    /// How many tasks run.
    pub fn len(&self) -> usize {
        self.tracker.len()
    }

    /// Whether none runs.
    pub fn is_empty(&self) -> bool {
        self.tracker.is_empty()
    }

    /// Tells all tasks to stop and waits for them, `deadline` at most. Returns the names and ages of those still running.
    pub async fn drain(&self, deadline: Duration) -> Vec<(String, Duration)> {
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(deadline, self.tracker.wait()).await.is_ok() {
            return Vec::new();
        }
        let names = self.running.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.values().map(|(name, since)| (name.clone(), since.elapsed())).collect()
    }
}

/// Tells the supervisor when dropped, so that a panic is heard of too.
struct Report {
    name: String,
    ended: mpsc::UnboundedSender<Ended>,
    error: Option<String>,
}

impl Drop for Report {
    fn drop(&mut self) {
        // Nobody listens any more once the daemon has decided to stop.
        let _ = self.ended.send(Ended { name: std::mem::take(&mut self.name), error: self.error.take() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_essential_end_is_named() {
        let (tasks, mut supervisor) = Tasks::new();
        tasks.essential("lasting", async {
            std::future::pending::<()>().await;
            Ok::<(), String>(())
        });
        tasks.spawn("passing", async {});
        tasks.essential("accept virtqemud-sock", async { Err("out of descriptors") });
        let ended = supervisor.first_ended().await;
        assert_eq!(ended.to_string(), "task \"accept virtqemud-sock\" failed: out of descriptors");
        tasks.essential("engine", async {
            assert!(std::env::args().count() == 0, "as meant");
            Ok::<(), String>(())
        });
        assert_eq!(supervisor.first_ended().await.error.as_deref(), Some("it panicked"));
    }

    #[tokio::test]
    async fn draining_waits_and_names_what_is_left() {
        let (tasks, _supervisor) = Tasks::new();
        let stop = tasks.stop_token();
        tasks.spawn("obedient", async move { stop.cancelled().await });
        assert_eq!(tasks.drain(Duration::from_secs(20)).await, []);
        tasks.spawn("stubborn", std::future::pending::<()>());
        let left = tasks.drain(Duration::from_millis(20)).await;
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].0, "stubborn");
    }
}
