//! The signals a daemon answers to, as a stream.
//!
//! SIGTERM and SIGINT stop it, SIGHUP has it read its configuration again, SIGCHLD tells of children nobody waits for
//! (see `virtbus_host::process::reap_orphans`). What that means is the caller's.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Stop (SIGTERM, SIGINT).
    Stop,
    /// Read the configuration again (SIGHUP).
    Reload,
}

/// The watched signals.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    child: Signal,
}

impl Signals {
    /// Begins to watch; from now on none of these signals ends the process.
    ///
    /// # Errors
    /// As sigaction(2).
    pub fn watch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            child: signal(SignalKind::child())?,
        })
    }

    /// The next request. Orphans are reaped on the way. Cancel-safe.
    pub async fn next(&mut self) -> Request {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return Request::Stop,
                _ = self.interrupt.recv() => return Request::Stop,
                _ = self.hang_up.recv() => return Request::Reload,
                _ = self.child.recv() => {
                    virtbus_host::process::reap_orphans();
                }
            }
        }
    }
}
