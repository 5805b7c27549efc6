//! The connection to the other daemon: made at the first question, made anew when it is lost.
//!
//! What is asked is not known here.

use std::{
    io,
    path::Path,
    sync::{Mutex, PoisonError, RwLock},
    time::Duration,
};

use tokio::{
    net::UnixStream,
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};
use virtbus_api::{Error, ErrorCode, ErrorDomain};
use zbus::{Connection, connection::Builder, fdo::DBusProxy};

use crate::{Daemon, Wake};

/// How long a daemon that nobody can wake may be away, as while it restarts.
const RESTART: Duration = Duration::from_secs(3);

/// Pause between two attempts to reach a daemon that is starting.
const PAUSE: Duration = Duration::from_millis(50);

/// How long the bus or systemd may take to start it; what is left of the deadline is for the question.
const WAKING: Duration = Duration::from_secs(10);

/// The way to the daemon.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) daemon: Daemon,
    pub(crate) deadline: Duration,
    connection: RwLock<Option<Connection>>,
    /// What goes on when its asker has left.
    background: Mutex<JoinSet<()>>,
}

impl Link {
    pub(crate) fn new(daemon: Daemon, deadline: Duration) -> Self {
        Self { daemon, deadline, connection: RwLock::default(), background: Mutex::default() }
    }

    /// The connection, made if there is none. Several callers at once may each make one; the last one stays.
    pub(crate) async fn connection(&self, until: Instant) -> Result<Connection, Error> {
        let kept = self.connection.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(connection) = kept {
            return Ok(connection);
        }
        let made = timeout_at(until, self.reach(until)).await.map_err(|_| self.silent("take the connection"))??;
        *self.connection.write().unwrap_or_else(PoisonError::into_inner) = Some(made.clone());
        Ok(made)
    }

    /// Forgets the connection, which is lost; one that was made meanwhile stays.
    pub(crate) fn lost(&self, connection: &Connection) {
        let mut kept = self.connection.write().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_some_and(|it| it.server_guid() == connection.server_guid()) {
            *kept = None;
        }
    }

    /// Goes on with it when the asker leaves.
    pub(crate) fn background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut background = self.background.lock().unwrap_or_else(PoisonError::into_inner);
        while background.try_join_next().is_some() {}
        background.spawn(work);
    }

    /// The daemon does not answer in time.
    pub(crate) fn silent(&self, what: &str) -> Error {
        let Daemon { name, .. } = &self.daemon;
        Error::timeout(format!("{name} did not {what} within {} s", self.deadline.as_secs_f32()))
    }

    /// The daemon cannot be asked.
    pub(crate) fn absent(&self, why: &str) -> Error {
        let Daemon { name, socket, .. } = &self.daemon;
        let detail = format!("cannot reach {name} at {}: {why}", socket.display());
        Error::new(ErrorCode::SystemError, detail).in_domain(ErrorDomain::Dbus)
    }

    async fn reach(&self, until: Instant) -> Result<Connection, Error> {
        let began = Instant::now();
        let mut why_asleep = match UnixStream::connect(&self.daemon.socket).await {
            Ok(stream) => return self.shake_hands(stream).await,
            Err(error) if is_absence(&error) => self.wake().await,
            Err(_) => Vec::new(),
        };
        // It is given up before the deadline, so that the error says why.
        let latest = until - 2 * PAUSE;
        let patience = if why_asleep.is_empty() { latest } else { latest.min(began + RESTART) };
        loop {
            match UnixStream::connect(&self.daemon.socket).await {
                Ok(stream) => return self.shake_hands(stream).await,
                Err(error) if may_pass(&error) && Instant::now() < patience => sleep(PAUSE).await,
                Err(error) => {
                    why_asleep.insert(0, error.to_string());
                    return Err(self.absent(&why_asleep.join("; ")));
                }
            }
        }
    }

    async fn shake_hands(&self, stream: UnixStream) -> Result<Connection, Error> {
        let stream = stream.into_std().map_err(|it| self.absent(&it.to_string()))?;
        Builder::unix_stream(stream).p2p().build().await.map_err(|it| self.absent(&it.to_string()))
    }

    /// Has the daemon started. Nothing comes back when somebody does so, else why nobody does.
    async fn wake(&self) -> Vec<String> {
        let mut why = Vec::new();
        for wake in &self.daemon.wakes {
            let done = match wake {
                // Nothing is said there: whoever listens starts the daemon to have it accept.
                Wake::Socket(path) => knock(path).await.map_err(|it| format!("{}: {it}", path.display())),
                Wake::SystemBus(name) => on_bus(Builder::system(), name).await,
                Wake::SessionBus(name) => on_bus(Builder::session(), name).await,
            };
            match done {
                Ok(()) => return Vec::new(),
                Err(error) => why.push(error),
            }
        }
        if why.is_empty() {
            why.push("nobody is there to start it".to_owned());
        }
        why
    }
}

/// Connects and says nothing. Where nobody has taken the connections before it, somebody is there.
async fn knock(path: &Path) -> io::Result<()> {
    match UnixStream::connect(path).await {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}

/// Whether it means that the daemon is not there (yet), or does not take connections at the moment.
fn may_pass(error: &io::Error) -> bool {
    is_absence(error) || error.kind() == io::ErrorKind::WouldBlock
}

/// Whether it means that no daemon is there (yet).
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

/// Has a bus start the owner of the name.
async fn on_bus(bus: Builder<'_>, name: &str) -> Result<(), String> {
    let start = async {
        let connection = bus.build().await?;
        DBusProxy::new(&connection).await?.start_service_by_name(name.try_into()?, 0).await?;
        zbus::Result::Ok(())
    };
    match timeout(WAKING, start).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("the bus does not start {name}: {error}")),
        Err(_) => Err(format!("the bus has not started {name} within {} s", WAKING.as_secs())),
    }
}
