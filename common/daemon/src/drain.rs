//! From the first reason to stop until the process may exit.
//!
//! A daemon stops upon a signal, when an essential task ends, or when it is idle. It then says STOPPING=1, stops
//! accepting, and lets what is under way finish, up to a deadline.

use std::fmt;
use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use tokio::sync::watch;

use crate::idle::until_idle;
use crate::notify;
use crate::signals::{Request, Signals};
use crate::tasks::{Ended, Supervisor, Tasks};

/// How long tasks may take to finish. Service managers wait 90 s before they kill.
pub const DEADLINE: Duration = Duration::from_secs(15);

/// How long clients may finish what they are at: less, so that what stands behind them can end as well.
pub const CLIENTS_DEADLINE: Duration = DEADLINE.saturating_sub(Duration::from_secs(2));

/// Why a daemon stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Somebody asked (SIGTERM, SIGINT).
    Asked,
    /// Nobody needed it for the time of `--timeout`.
    Idle,
    /// A task it cannot live without ended.
    TaskEnded(Ended),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("a signal asked for it"),
            Self::Idle => f.write_str("idle"),
            Self::TaskEnded(ended) => ended.fmt(f),
        }
    }
}

/// What ends and what keeps a daemon.
#[derive(Debug)]
pub struct Life {
    /// Its signals.
    pub signals: Signals,
    /// Its essential tasks.
    pub supervisor: Supervisor,
    /// `--timeout`.
    pub idle_timeout: Option<Duration>,
    /// Clients, running objects: while one of them is above 0, it stays.
    pub counts: Vec<watch::Receiver<usize>>,
}

impl Life {
    /// Runs until there is a reason to stop. `reload` is called upon SIGHUP, between RELOADING=1 and READY=1.
    pub async fn until_stopped<F>(mut self, mut reload: impl FnMut() -> F) -> Reason
    where
        F: Future<Output = ()>,
    {
        let mut idle = std::pin::pin!(until_idle(self.idle_timeout, self.counts));
        loop {
            tokio::select! {
                request = self.signals.next() => match request {
                    Request::Stop => return Reason::Asked,
                    Request::Reload => {
                        notify::reloading();
                        reload().await;
                        notify::ready();
                    }
                },
                ended = self.supervisor.first_ended() => return Reason::TaskEnded(ended),
                () = &mut idle => return Reason::Idle,
            }
        }
    }
}

/// Stops `tasks` for `reason` and says how the process is to exit: with 0 if it was asked to, or idle.
pub async fn drain(tasks: &Tasks, reason: &Reason, deadline: Duration) -> ExitCode {
    notify::stopping();
    match reason {
        Reason::TaskEnded(_) => tracing::error!("stopping: {reason}"),
        Reason::Asked | Reason::Idle => tracing::info!("stopping: {reason}"),
    }
    for (name, age) in tasks.drain(deadline).await {
        tracing::warn!("task {name:?} (running for {} s) did not finish in time", age.as_secs());
    }
    match reason {
        Reason::TaskEnded(_) => ExitCode::FAILURE,
        Reason::Asked | Reason::Idle => ExitCode::SUCCESS,
    }
}
