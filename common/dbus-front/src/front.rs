//! The front as a whole: its connection, its objects, and the pump from the engine's events to signals.

use std::{num::NonZeroUsize, sync::Arc};

use futures_util::StreamExt as _;
use tokio::sync::{broadcast::error::RecvError, watch};
use virtbus_api::{HypervisorDriver, refs::LeaseGuard};
use zbus::{
    Connection, MessageStream,
    fdo::{DBusProxy, RequestNameFlags, RequestNameReply},
    message::Type,
};

use crate::{access::Access, dispatch::Dispatch, signals::Signals, stream::Streams};

/// Messages that wait for us before the bus has to hold them.
const MAX_QUEUED: NonZeroUsize = NonZeroUsize::new(256).expect("it is not zero");

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

/// What all objects share.
pub struct Cx {
    pub(crate) driver: Arc<dyn HypervisorDriver>,
    pub(crate) access: Access,
    pub(crate) streams: Streams,
    /// D-Bus callers have no connection of their own to us; their domains live as long as the front does.
    pub(crate) lease: LeaseGuard,
}

impl std::fmt::Debug for Cx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cx").field("access", &self.access).finish_non_exhaustive()
    }
}

/// A connected front.
#[derive(Debug)]
pub struct Front {
    connection: Connection,
    calls: MessageStream,
    cx: Arc<Cx>,
    under_way: watch::Sender<usize>,
}

impl Front {
    /// Connects to the bus and takes the name; calls wait until [`Front::run`].
    pub async fn connect(bus: Bus, name: &str, own_uid: u32, driver: Arc<dyn HypervisorDriver>) -> zbus::Result<Front> {
        let (connection, asking) = (bus.connect().await?, bus.connect().await?);
        let cx = Arc::new(Cx {
            driver,
            access: Access::new(own_uid, &asking).await?,
            streams: Streams::default(),
            lease: LeaseGuard::new(u64::MAX),
        });
        let calls = MessageStream::from(&connection);
        take(&connection, name).await?;
        Ok(Front { connection, calls, cx, under_way: watch::Sender::new(0) })
    }

    /// Counts the calls under way in `count`: a daemon does not leave while there are any.
    #[must_use]
    pub fn counting(self, count: watch::Sender<usize>) -> Self {
        Self { under_way: count, ..self }
    }

    /// Answers calls and turns the engine's events into signals, until the bus is gone, the engine ends or the front
    /// lags behind.
    pub async fn run(self) -> zbus::Result<()> {
        let Front { connection, mut calls, cx, under_way } = self;
        let mut events = cx.driver.events();
        let mut monitor = cx.driver.monitor_events();
        let mut dispatch = Dispatch::new(connection.clone(), cx.clone(), under_way).await?;
        let mut signals = Signals::new(connection, cx);
        loop {
            tokio::select! {
                call = calls.next() => match call {
                    Some(Ok(message)) if message.message_type() == Type::MethodCall => dispatch.call(message).await,
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error),
                    None => return Ok(()),
                },
                event = events.recv() => match event {
                    Ok(event) => signals.domain(&dispatch, &event).await?,
                    Err(RecvError::Lagged(missed)) => {
                        tracing::error!(missed, "the D-Bus front lags behind the engine's events and disconnects");
                        return Err(zbus::Error::Failure(format!("{missed} events were missed")));
                    }
                    Err(RecvError::Closed) => return Ok(()),
                },
                event = monitor.recv() => match event {
                    Ok(event) => signals.monitor(&event).await?,
                    // Monitor events are for debugging; a gap in them is said and survived.
                    Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "monitor events were missed"),
                    Err(RecvError::Closed) => return Ok(()),
                },
            }
        }
    }
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
