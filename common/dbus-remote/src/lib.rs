//! Another daemon's engine, reached over D-Bus: how virtqemud asks for a port, a volume or a secret.
//!
//! [`Remote`] implements [`virtbus_api::neighbour::NetworkNeighbour`] and
//! [`virtbus_api::neighbour::StorageNeighbour`]. It speaks peer to peer on a private socket, wakes the daemon where it
//! does not run, and gives every question a deadline: a daemon that is absent or stuck costs its asker that long and an
//! error that names it. Nothing is kept from one question to the next but the connection; one that is lost is made anew.

mod call;
mod link;
mod networks;
mod storage;

use std::{path::PathBuf, sync::Arc, time::Duration};

use link::Link;

/// How long a question may take, from asking to the answer.
pub const DEADLINE: Duration = Duration::from_secs(15);

/// The daemon that is asked.
#[derive(Debug, Clone)]
pub struct Daemon {
    /// Its name, as errors have it: `virtnetworkd`.
    pub name: &'static str,
    /// Its private socket, for daemons of ours alone.
    pub socket: PathBuf,
    /// How it is woken where the private socket is not there; tried in turn.
    pub wakes: Vec<Wake>,
}

/// A way to have a daemon started.
#[derive(Debug, Clone)]
pub enum Wake {
    /// Whoever listens on this socket starts it upon a connection (a socket unit of systemd).
    Socket(PathBuf),
    /// The system bus starts the owner of this name.
    SystemBus(String),
    /// The user's bus starts the owner of this name.
    SessionBus(String),
}

/// Another daemon's engine.
#[derive(Debug, Clone)]
pub struct Remote(Arc<Link>);

impl Remote {
    /// Asks this daemon; nothing is connected before the first question.
    pub fn new(daemon: Daemon) -> Self {
        Self::with_deadline(daemon, DEADLINE)
    }

    /// As [`Remote::new`], with a deadline other than [`DEADLINE`].
    pub fn with_deadline(daemon: Daemon, deadline: Duration) -> Self {
        Self(Arc::new(Link::new(daemon, deadline)))
    }
}
