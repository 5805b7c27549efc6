//! The front as a whole: its connection, its objects, and the pump from the engine's events to signals.

use std::{num::NonZeroUsize, sync::Arc};

use futures_util::StreamExt as _;
use tokio::sync::watch;
use virtbus_api::{HypervisorDriver, NetworkDriver, StorageDriver, refs::LeaseGuard};
use virtbus_polkit::Polkit;
use zbus::{
    Connection, MessageStream,
    fdo::{DBusProxy, RequestNameFlags, RequestNameReply},
    message::Type,
};

use crate::{
    access::Access, connect, dispatch::Dispatch, domain, network, objects::Objects, port, relay::Relay, secret,
    signals::Source, storage_pool, storage_vol, stream::Streams,
};

/// Messages that wait for us before the bus has to hold them.
pub(crate) const MAX_QUEUED: NonZeroUsize = NonZeroUsize::new(256).expect("it is not zero");

/// Which bus the daemon is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bus {
    /// The system bus.
    System,
    /// The user's bus.
    Session,
    /// A bus at this D-Bus address.
    Address(String),
}

impl Bus {
    /// The bus of a daemon of one user's, or of the host's.
    pub fn of(is_session: bool) -> Self {
        if is_session { Self::Session } else { Self::System }
    }

    /// The polkit on it. A user's own daemons serve nobody else.
    fn polkit(&self) -> Option<Polkit> {
        match self {
            Self::System => Some(Polkit::of_system()),
            Self::Session => None,
            Self::Address(address) => Some(Polkit::at(address)),
        }
    }
}

/// The engine behind a front.
#[derive(Clone)]
pub enum Engine {
    /// Guests and the host they run on.
    Hypervisor(Arc<dyn HypervisorDriver>),
    /// Networks and their ports.
    Network(Arc<dyn NetworkDriver>),
    /// Pools, volumes and secrets.
    Storage(Arc<dyn StorageDriver>),
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Hypervisor(_) => "Hypervisor",
            Self::Network(_) => "Network",
            Self::Storage(_) => "Storage",
        })
    }
}

impl From<Arc<dyn HypervisorDriver>> for Engine {
    fn from(driver: Arc<dyn HypervisorDriver>) -> Self {
        Self::Hypervisor(driver)
    }
}

impl From<Arc<dyn NetworkDriver>> for Engine {
    fn from(driver: Arc<dyn NetworkDriver>) -> Self {
        Self::Network(driver)
    }
}

impl From<Arc<dyn StorageDriver>> for Engine {
    fn from(driver: Arc<dyn StorageDriver>) -> Self {
        Self::Storage(driver)
    }
}

/// What all objects of one engine share.
pub struct Cx<D: ?Sized> {
    pub(crate) driver: Arc<D>,
    pub(crate) access: Arc<Access>,
    pub(crate) streams: Streams,
    /// D-Bus callers have no connection of their own to us; their domains live as long as the front does.
    pub(crate) lease: LeaseGuard,
}

impl<D: ?Sized> Cx<D> {
    fn new(driver: Arc<D>, access: Arc<Access>) -> Arc<Self> {
        Arc::new(Self { driver, access, streams: Streams::default(), lease: LeaseGuard::new(u64::MAX) })
    }
}

impl<D: ?Sized> std::fmt::Debug for Cx<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cx").field("access", &self.access).finish_non_exhaustive()
    }
}

impl Engine {
    /// The engine's objects, and where its events come from.
    fn face(self, access: &Arc<Access>) -> (Objects, Source) {
        let relay = Relay::served(access);
        match self {
            Self::Hypervisor(driver) => {
                let cx = Cx::new(driver, access.clone());
                let root = vec![connect::served(&cx), relay];
                let kinds = vec![domain::kind(&cx)];
                (Objects { root, kinds }, Source::hypervisor(cx))
            }
            Self::Network(driver) => {
                let cx = Cx::new(driver, access.clone());
                let root = vec![connect::network::served(&cx), relay];
                let kinds = vec![network::kind(&cx), port::kind(&cx)];
                (Objects { root, kinds }, Source::network(cx))
            }
            Self::Storage(driver) => {
                let cx = Cx::new(driver, access.clone());
                let root = vec![connect::storage::served(&cx), relay];
                let kinds = vec![secret::kind(&cx), storage_pool::kind(&cx), storage_vol::kind(&cx)];
                (Objects { root, kinds }, Source::storage(cx))
            }
        }
    }
}

/// A connected front.
#[derive(Debug)]
pub struct Front {
    connection: Connection,
    name: String,
    calls: MessageStream,
    access: Arc<Access>,
    engine: Engine,
    under_way: watch::Sender<usize>,
}

impl Front {
    /// Connects to the bus and takes the name; calls wait until [`Front::run`].
    pub async fn connect(bus: Bus, name: &str, own_uid: u32, engine: impl Into<Engine>) -> zbus::Result<Front> {
        let (connection, asking) = (bus.connect().await?, bus.connect().await?);
        let access = Arc::new(Access::new(own_uid, &asking, bus.polkit()).await?);
        let calls = MessageStream::from(&connection);
        take(&connection, name).await?;
        let name = name.to_owned();
        Ok(Front { connection, name, calls, access, engine: engine.into(), under_way: watch::Sender::new(0) })
    }

    /// Counts the calls under way in `count`: a daemon does not leave while there are any.
    #[must_use]
    pub fn counting(self, count: watch::Sender<usize>) -> Self {
        Self { under_way: count, ..self }
    }

    /// Answers calls and turns the engine's events into signals, until the bus is gone, the engine ends or the front
    /// lags behind.
    pub async fn run(self) -> zbus::Result<()> {
        self.run_until(std::future::pending()).await
    }

    /// As [`Front::run`], and until `stop`: then no call is taken any more, and those under way are finished.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> zbus::Result<()> {
        let Front { connection, name, mut calls, access, engine, under_way } = self;
        let (objects, mut source) = engine.face(&access);
        let mut dispatch = Dispatch::new(connection.clone(), access, Arc::new(objects), under_way).await?;
        let signals = dispatch.signals();
        // The name goes first: then the bus holds no call for us that we have not got.
        let mut leaving = std::pin::pin!(async {
            stop.await;
            release(&connection, &name).await
        });
        let mut is_leaving = false;
        loop {
            tokio::select! {
                // A flood of calls must not keep events back, and the end comes when nothing else does.
                biased;
                event = source.next() => match event? {
                    Some(event) => signals.lock().await.send(&source, event).await?,
                    None => return Ok(()),
                },
                released = &mut leaving, if !is_leaving => {
                    released?;
                    is_leaving = true;
                }
                call = calls.next() => match call {
                    Some(Ok(message)) if message.message_type() == Type::MethodCall => dispatch.call(message).await,
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error),
                    None => return Ok(()),
                },
                () = dispatch.finish(), if is_leaving => return Ok(()),
            }
        }
    }
}

/// Gives the name back.
async fn release(connection: &Connection, name: &str) -> zbus::Result<()> {
    DBusProxy::new(connection).await?.release_name(name.try_into()?).await?;
    Ok(())
}

/// Takes the name, which nobody may take away; one that another process has is an error. It does not go through the
/// connection's own way to do so, which expects zbus's object server behind the name.
async fn take(connection: &Connection, name: &str) -> zbus::Result<()> {
    let bus = DBusProxy::new(connection).await?;
    match bus.request_name(name.try_into()?, RequestNameFlags::DO_NOT_QUEUE).await? {
        RequestNameReply::PrimaryOwner | RequestNameReply::AlreadyOwner => Ok(()),
        RequestNameReply::Exists | RequestNameReply::InQueue => Err(zbus::Error::NameTaken),
    }
}

impl Bus {
    async fn connect(&self) -> zbus::Result<Connection> {
        let builder = match self {
            Bus::System => zbus::connection::Builder::system(),
            Bus::Session => zbus::connection::Builder::session(),
            Bus::Address(address) => zbus::connection::Builder::address(address.as_str()),
        };
        builder.max_queued(MAX_QUEUED).build().await
    }
}
