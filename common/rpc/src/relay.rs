//! Passing calls on to the daemons that own them, and what comes back to the client, by frame headers alone.
//!
//! Each client has one connection to each daemon it needs, opened by its first call there. Serials pass unchanged: the
//! client's own are unique among its calls, so they are among any daemon's share of them. No body is decoded; frames and
//! descriptors are moved from one socket's buffer to the other's within the task of the client.
//!
//! A daemon that is absent, slow or dying concerns its own calls alone. Its connection is made again by the next call,
//! unless the client had events registered there: those would be missing without a word, so the client is disconnected.

mod backend;
mod dial;
mod ledger;

use std::path::{Path, PathBuf};
use std::task::Context;

pub use virtbus_proto::Owner;
use virtbus_proto::{Entry, Header, MessageType, Status, Xdr};

use crate::error::{self, Failure};
use crate::frame::{Frame, Outbox};
use crate::peer::{Client, Identity};
use backend::Backend;

/// How to reach a daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// Its socket.
    pub socket: PathBuf,
    /// Its socket for read-only clients; `None` where there is only one (session mode).
    pub read_only_socket: Option<PathBuf>,
    /// What to open there for a client that has not said so itself: `network:///system`. Empty for all that the daemon has.
    pub uri: String,
}

impl Daemon {
    /// The daemon that owns the procedures of `owner`, by libvirt's names, with its sockets in the directory `run`.
    /// [`Owner::Session`] has none of its own and means the hypervisor's.
    pub fn of(owner: Owner, run: &Path, is_session: bool) -> Self {
        let driver = match owner {
            Owner::Qemu | Owner::Session => "qemu",
            Owner::Network => "network",
            Owner::Storage => "storage",
        };
        let socket = |suffix: &str| run.join(format!("virt{driver}d-sock{suffix}"));
        let mode = if is_session { "session" } else { "system" };
        Self {
            socket: socket(""),
            read_only_socket: (!is_session).then(|| socket("-ro")),
            // Pools and secrets are two drivers in one daemon.
            uri: if owner == Owner::Storage { String::new() } else { format!("{driver}:///{mode}") },
        }
    }
}

/// The daemons that calls are passed on to, by whose procedures they are.
#[derive(Debug, Clone, Default)]
pub struct Backends {
    daemons: Vec<(Owner, Daemon)>,
}

impl Backends {
    /// No daemon: nothing is passed on.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with `daemon` for the procedures of `owner`.
    #[must_use]
    pub fn with(mut self, owner: Owner, daemon: Daemon) -> Self {
        self.daemons.retain(|(it, _)| *it != owner);
        self.daemons.push((owner, daemon));
        self
    }

    /// The daemons for the procedures of `owners`, each as [`Daemon::of`] has it.
    pub fn in_directory(owners: &[Owner], run: &Path, is_session: bool) -> Self {
        owners.iter().fold(Self::new(), |all, owner| all.with(*owner, Daemon::of(*owner, run, is_session)))
    }

    /// The daemon for the procedures of `owner`.
    pub fn daemon(&self, owner: Owner) -> Option<&Daemon> {
        self.daemons.iter().find(|(it, _)| *it == owner).map(|(_, daemon)| daemon)
    }
}

/// A client's own wish for a daemon: its `CONNECT_OPEN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Which daemon.
    pub owner: Owner,
    /// The name to open there.
    pub name: Option<String>,
    /// The flags to open it with.
    pub flags: u32,
}

/// The daemons of one client.
pub(crate) struct Relay<'a> {
    backends: &'a Backends,
    client: &'a Client,
    /// What the client wanted opened, for when its connection has to be made again.
    opening: Option<Opening>,
    links: Vec<Backend>,
}

impl<'a> Relay<'a> {
    pub(crate) fn new(backends: &'a Backends, client: &'a Client) -> Self {
        Self { backends, client, opening: None, links: Vec::new() }
    }

    /// Whether calls of `owner` are passed on.
    pub(crate) fn knows(&self, owner: Owner) -> bool {
        self.backends.daemon(owner).is_some()
    }

    /// Whether the client is owed nothing.
    pub(crate) fn is_idle(&self) -> bool {
        self.links.iter().all(Backend::is_idle)
    }

    /// Whether some daemon has too much to do already.
    pub(crate) fn is_congested(&self) -> bool {
        self.links.iter().any(Backend::is_congested)
    }

    /// Opens a daemon for the client; the outcome is the reply to `call`. A second open fails and takes the first away,
    /// as on the reference.
    pub(crate) fn open(&mut self, call: Header, opening: Opening, outbox: &mut Outbox) {
        if self.opening.take().is_some() {
            self.close(outbox);
            return refuse(&call, &error::internal("connection already open"), outbox);
        }
        let owner = opening.owner;
        self.opening = Some(opening);
        if let Err(failure) = self.dial(owner, Some(call)) {
            self.opening = None;
            refuse(&call, &failure, outbox);
        }
    }

    /// Leaves all daemons; what they still owe fails.
    fn close(&mut self, outbox: &mut Outbox) {
        self.client.set_open(false);
        for backend in self.links.drain(..) {
            if let Some(call) = backend.opening_call() {
                refuse(&call, &error::not_open(), outbox);
            }
            backend.fail(&error::not_open(), outbox);
        }
    }

    /// Passes a call on, opening its daemon when need be.
    pub(crate) fn forward(&mut self, owner: Owner, entry: &'static Entry, frame: Frame, outbox: &mut Outbox) {
        let call = frame.header;
        if !self.client.is_open() {
            return refuse(&call, &error::not_open(), outbox);
        }
        let known = self.links.iter().position(|it| it.owner == owner);
        let index = match known.map_or_else(|| self.dial(owner, None), Ok) {
            Ok(index) => index,
            Err(failure) => return refuse(&call, &failure, outbox),
        };
        if let Some(backend) = self.links.get_mut(index)
            && let Err(failure) = backend.call(entry, frame)
        {
            refuse(&call, &failure, outbox);
        }
    }

    /// Passes a packet of a stream on; gives it back when its stream is not one of a daemon.
    pub(crate) fn deliver(&mut self, frame: Frame) -> Option<Frame> {
        match self.links.iter_mut().find(|it| it.has_stream(&frame.header)) {
            Some(backend) => {
                backend.push(frame);
                None
            }
            None => Some(frame),
        }
    }

    /// Tells the daemons that the client speaks for somebody else from now on.
    pub(crate) fn identify(&mut self, identity: &Identity) {
        self.links.iter_mut().for_each(|it| it.identify(identity));
    }

    /// Makes a connection to the daemon for `owner`, and gives its place.
    fn dial(&mut self, owner: Owner, open: Option<Header>) -> Result<usize, Failure> {
        let daemon = self.backends.daemon(owner).ok_or_else(|| error::internal("no daemon is known for this call"))?;
        let read_only = self.client.is_read_only();
        let (name, flags) = match self.opening.as_ref().filter(|it| it.owner == owner) {
            Some(opening) => (opening.name.clone(), opening.flags),
            None => (Some(daemon.uri.clone()), 0),
        };
        let socket = daemon.read_only_socket.as_ref().filter(|_| read_only).unwrap_or(&daemon.socket);
        let identity = (*self.client.identity()).clone();
        let future = dial::dial(socket.clone(), name, flags | u32::from(read_only), identity);
        self.links.push(Backend::new(owner, Box::pin(future), open));
        Ok(self.links.len() - 1)
    }

    /// Moves frames between the client's outbox and the daemons, until nothing more is there or the outbox is busy.
    ///
    /// # Errors
    /// Why the client cannot be served any more.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, outbox: &mut Outbox) -> Result<(), &'static str> {
        let mut index = 0;
        while let Some(backend) = self.links.get_mut(index) {
            match backend.poll(cx, outbox) {
                Ok(opened) => {
                    if let Some(call) = opened {
                        self.client.set_open(true);
                        outbox.push_empty(call.answer(MessageType::Reply, Status::Ok));
                    }
                    index += 1;
                }
                Err(failure) => {
                    let backend = self.links.swap_remove(index);
                    let (client, owner) = (self.client.id(), backend.owner);
                    tracing::info!(client, ?owner, "daemon lost: {}", failure.message.as_deref().unwrap_or_default());
                    if let Some(call) = backend.opening_call() {
                        self.opening = None;
                        refuse(&call, &failure, outbox);
                    }
                    if backend.fail(&failure, outbox) {
                        return Err("the daemon that it is registered with for events is gone");
                    }
                }
            }
        }
        Ok(())
    }
}

fn refuse(call: &Header, failure: &Failure, outbox: &mut Outbox) {
    let body = failure.to_bytes().unwrap_or_default();
    // An error is far below the limit of a frame.
    let _ = outbox.push(call.answer(MessageType::Reply, Status::Error), body, Vec::new());
}
