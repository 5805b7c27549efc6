//! Talking to one QEMU: a task owns the socket, everyone else holds a [`Client`].
//!
//! Commands go out as they come, several in one write where several wait; replies are matched by id, so a reply that comes
//! after its caller gave up is dropped and harms nobody. A QEMU that answers no more (SIGSTOP, a hung disk) costs its
//! callers their deadlines and nobody else anything: the task never waits for one of them. Events queue up to a bound;
//! beyond it QEMU is not read from until their owner has caught up.
//!
//! It does not know what the commands mean, and never ends QEMU: who holds the process decides that.

mod error;
mod task;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::codec::{self, Greeting, QmpError};
use crate::command::Command;
use crate::commands::{HumanMonitorCommand, QmpCapabilities};
use crate::events::Event;

pub use error::{Error, Waiting};

/// Commands one QEMU may owe replies for; beyond it new ones are refused.
const MOST_PENDING: usize = 4096;

/// Events that may wait for their owner.
const MOST_EVENTS: usize = 1024;

/// A handle on QEMU's monitor. Clones share the connection; it is closed when the last one is gone.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
    outgoing: mpsc::UnboundedSender<Vec<Outgoing>>,
    state: watch::Receiver<State>,
}

/// How far a connection is.
#[derive(Debug, Clone, Default)]
enum State {
    #[default]
    Opening,
    Ready(Arc<Greeting>),
    Closed(Arc<str>),
}

#[derive(Debug)]
struct Shared {
    subject: String,
    next_id: AtomicU64,
    pending: Mutex<BTreeMap<u64, Pending>>,
}

#[derive(Debug)]
struct Pending {
    command: String,
    since: Instant,
    reply: oneshot::Sender<Result<Box<RawValue>, QmpError>>,
}

/// A command on its way to the task.
#[derive(Debug)]
struct Outgoing {
    id: u64,
    bytes: Vec<u8>,
    fds: Vec<OwnedFd>,
}

/// QEMU's events, in order, for one owner.
#[derive(Debug)]
pub struct Events(mpsc::Receiver<Event>);

impl Events {
    /// The next event; `None` once the connection is closed and all have been taken. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }

    /// The next event if one waits already.
    pub fn next_waiting(&mut self) -> Option<Event> {
        self.0.try_recv().ok()
    }
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, BTreeMap<u64, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    /// Takes over a monitor socket and begins the negotiation; commands may be given at once and are sent along with it.
    /// `subject` names the connection in errors, such as `domain vm1`. Must be called within a runtime.
    ///
    /// # Errors
    /// When the socket cannot be watched.
    pub fn new(socket: StdUnixStream, subject: impl Into<String>) -> io::Result<(Self, Events)> {
        socket.set_nonblocking(true)?;
        Ok(Self::over(UnixStream::from_std(socket)?, subject))
    }

    /// Connects to the monitor socket at `path`, as after a restart of the daemon.
    ///
    /// # Errors
    /// As connect(2).
    pub async fn connect(path: &std::path::Path, subject: impl Into<String>) -> io::Result<(Self, Events)> {
        Ok(Self::over(UnixStream::connect(path).await?, subject))
    }

    fn over(socket: UnixStream, subject: impl Into<String>) -> (Self, Events) {
        let shared =
            Arc::new(Shared { subject: subject.into(), next_id: AtomicU64::new(1), pending: Mutex::default() });
        let (outgoing, commands) = mpsc::unbounded_channel();
        let (state_sender, state) = watch::channel(State::Opening);
        let (event_sender, events) = mpsc::channel(MOST_EVENTS);
        let client = Self { shared: Arc::clone(&shared), outgoing, state };
        let hello = client.submit(&QmpCapabilities);
        let name = format!("monitor of {}", shared.subject);
        let task = task::Task::new(socket, shared, commands, event_sender, state_sender, hello.reply);
        drop(virtbus_host::task::spawn(name, task.run()));
        (client, Events(events))
    }

    /// Waits until QEMU has greeted and left the negotiation.
    ///
    /// # Errors
    /// At the deadline, or when the connection is closed before.
    pub async fn ready(&self, deadline: Duration) -> Result<Arc<Greeting>, Error> {
        let mut state = self.state.clone();
        let begun = Instant::now();
        let settled = state.wait_for(|state| !matches!(state, State::Opening));
        match tokio::time::timeout(deadline, settled).await {
            Ok(Ok(state)) => match &*state {
                State::Ready(greeting) => Ok(Arc::clone(greeting)),
                _ => Err(self.disconnected(QmpCapabilities::NAME)),
            },
            Ok(Err(_)) => Err(self.disconnected(QmpCapabilities::NAME)),
            Err(_) => Err(self.late(QmpCapabilities::NAME, begun)),
        }
    }

    /// Sends a command and waits for its reply, `deadline` at most. Dropping the future before the command was sent takes
    /// it back; afterwards QEMU carries it out all the same.
    ///
    /// # Errors
    /// QEMU's own error; the deadline; a closed connection; a reply of another form than the command's.
    pub async fn execute<C: Command>(&self, command: &C, deadline: Duration) -> Result<C::Reply, Error> {
        self.submit(command).reply(deadline).await
    }

    /// As [`Client::execute`], handing descriptors to QEMU along with the command (`getfd`, `add-fd`).
    ///
    /// # Errors
    /// As [`Client::execute`].
    pub async fn execute_with_fds<C: Command>(
        &self,
        command: &C,
        fds: Vec<OwnedFd>,
        deadline: Duration,
    ) -> Result<C::Reply, Error> {
        let mut batch = self.batch();
        let ticket = batch.add_with_fds(command, fds);
        batch.send();
        ticket.reply(deadline).await
    }

    /// Sends a command now; its reply may be waited for later. Commands reach QEMU in the order of these calls.
    pub fn submit<C: Command>(&self, command: &C) -> Ticket<C> {
        let mut batch = self.batch();
        let ticket = batch.add(command);
        batch.send();
        ticket
    }

    /// Several commands for one write.
    pub fn batch(&self) -> Batch<'_> {
        Batch { client: self, outgoing: Vec::new() }
    }

    /// Sends a command that has no type here. `arguments` may be null.
    ///
    /// # Errors
    /// As [`Client::execute`].
    pub async fn execute_value(&self, name: &str, arguments: &Value, deadline: Duration) -> Result<Value, Error> {
        let raw = self.execute_raw(name, arguments, Vec::new(), deadline).await?;
        serde_json::from_str(raw.get()).map_err(|source| Error::Reply { command: name.to_owned(), source })
    }

    /// Sends a command that has no type here and returns QEMU's own text of the reply.
    ///
    /// # Errors
    /// As [`Client::execute`].
    pub async fn execute_raw(
        &self,
        name: &str,
        arguments: &Value,
        fds: Vec<OwnedFd>,
        deadline: Duration,
    ) -> Result<Box<RawValue>, Error> {
        let mut batch = self.batch();
        let ticket = batch.push(name, arguments, fds);
        batch.send();
        ticket.wait(deadline).await
    }

    /// Carries out a line of the human monitor and returns what it printed, errors included.
    ///
    /// # Errors
    /// As [`Client::execute`].
    pub async fn human(&self, line: &str, deadline: Duration) -> Result<String, Error> {
        let command = HumanMonitorCommand { command_line: line.to_owned(), cpu_index: None };
        self.execute(&command, deadline).await
    }

    /// Waits until the connection is closed and says why. Cancel-safe.
    pub async fn closed(&self) -> Arc<str> {
        let mut state = self.state.clone();
        match state.wait_for(|state| matches!(state, State::Closed(_))).await.as_deref() {
            Ok(State::Closed(reason)) => Arc::clone(reason),
            _ => Arc::from("its task ended"),
        }
    }

    /// Whether the connection is closed.
    pub fn is_closed(&self) -> bool {
        matches!(&*self.state.borrow(), State::Closed(_)) || self.state.has_changed().is_err()
    }

    /// The command QEMU has owed a reply for longest, with its age: what a stuck guest is stuck in.
    pub fn waiting(&self) -> Option<Waiting> {
        let pending = self.shared.pending();
        let (_, oldest) = pending.first_key_value()?;
        Some(Waiting { command: oldest.command.clone(), age: oldest.since.elapsed() })
    }

    fn disconnected(&self, command: &str) -> Error {
        let reason = match &*self.state.borrow() {
            State::Closed(reason) => reason.to_string(),
            _ => "it is closed".to_owned(),
        };
        Error::Disconnected { subject: self.shared.subject.clone(), command: command.to_owned(), reason }
    }

    fn late(&self, command: &str, since: Instant) -> Error {
        let behind = self.waiting().filter(|oldest| oldest.command != command);
        let age = since.elapsed();
        Error::Timeout { subject: self.shared.subject.clone(), command: command.to_owned(), age, behind }
    }
}

/// Commands that go out in one write.
#[derive(Debug)]
#[must_use = "nothing is sent before `send`"]
pub struct Batch<'a> {
    client: &'a Client,
    outgoing: Vec<Outgoing>,
}

impl Batch<'_> {
    /// Adds a command.
    pub fn add<C: Command>(&mut self, command: &C) -> Ticket<C> {
        self.add_with_fds(command, Vec::new())
    }

    /// Adds a command that comes with descriptors.
    pub fn add_with_fds<C: Command>(&mut self, command: &C, fds: Vec<OwnedFd>) -> Ticket<C> {
        Ticket { reply: self.push(C::NAME, command, fds), command: std::marker::PhantomData }
    }

    fn push(&mut self, name: &str, arguments: &impl Serialize, fds: Vec<OwnedFd>) -> Reply {
        let id = self.client.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        let mut reply = Reply {
            client: self.client.clone(),
            command: name.to_owned(),
            since: Instant::now(),
            state: Err(Error::Busy { subject: self.client.shared.subject.clone(), command: name.to_owned() }),
        };
        match codec::encode(id, name, arguments) {
            Err(source) => reply.state = Err(Error::Arguments { command: name.to_owned(), source }),
            Ok(bytes) => {
                let mut pending = self.client.shared.pending();
                if pending.len() < MOST_PENDING {
                    let entry = Pending { command: name.to_owned(), since: reply.since, reply: sender };
                    pending.insert(id, entry);
                    self.outgoing.push(Outgoing { id, bytes, fds });
                    reply.state = Ok(receiver);
                }
            }
        }
        reply
    }

    /// Sends them, in the order they were added.
    pub fn send(mut self) {
        let outgoing = std::mem::take(&mut self.outgoing);
        if let Err(mpsc::error::SendError(unsent)) = self.client.outgoing.send(outgoing) {
            self.forget(&unsent);
        }
    }

    fn forget(&self, unsent: &[Outgoing]) {
        let mut pending = self.client.shared.pending();
        for outgoing in unsent {
            pending.remove(&outgoing.id);
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if !self.outgoing.is_empty() {
            self.forget(&self.outgoing);
        }
    }
}

/// A command under way whose reply has a type.
#[derive(Debug)]
#[must_use = "dropping it before the command was sent takes the command back"]
pub struct Ticket<C> {
    reply: Reply,
    command: std::marker::PhantomData<fn(C)>,
}

impl<C: Command> Ticket<C> {
    /// Waits for the reply, until `deadline` has passed from now.
    ///
    /// # Errors
    /// As [`Client::execute`].
    pub async fn reply(self, deadline: Duration) -> Result<C::Reply, Error> {
        let raw = self.reply.wait(deadline).await?;
        serde_json::from_str(raw.get()).map_err(|source| Error::Reply { command: C::NAME.to_owned(), source })
    }
}

#[derive(Debug)]
struct Reply {
    client: Client,
    command: String,
    since: Instant,
    state: Result<oneshot::Receiver<Result<Box<RawValue>, QmpError>>, Error>,
}

impl Reply {
    async fn wait(self, deadline: Duration) -> Result<Box<RawValue>, Error> {
        let Self { client, command, since, state } = self;
        match tokio::time::timeout(deadline, state?).await {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(error))) => Err(Error::Qmp { command, error }),
            Ok(Err(_)) => Err(client.disconnected(&command)),
            Err(_) => Err(client.late(&command, since)),
        }
    }
}

#[cfg(test)]
mod tests;
