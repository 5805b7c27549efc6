//! The front as a whole: its connection, its objects, and the pump from the engine's events to signals.

use std::sync::Arc;

use tokio::sync::broadcast::error::RecvError;
use virtbus_api::{HypervisorDriver, refs::LeaseGuard};
use zbus::{Connection, fdo::ObjectManager};

use crate::{access::Access, connect::Connect, objects, paths, relay::Relay, signals, stream::Streams};

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
    cx: Arc<Cx>,
}

impl Front {
    /// Connects to the bus, serves every object the engine has, and takes the name.
    pub async fn connect(bus: Bus, name: &str, own_uid: u32, driver: Arc<dyn HypervisorDriver>) -> zbus::Result<Front> {
        let builder = match &bus {
            Bus::System => zbus::connection::Builder::system(),
            Bus::Session => zbus::connection::Builder::session(),
            Bus::Address(address) => zbus::connection::Builder::address(address.as_str()),
        };
        let connection = builder.build().await?;
        let cx = Arc::new(Cx {
            driver,
            access: Access::new(own_uid),
            streams: Streams::default(),
            lease: LeaseGuard::new(u64::MAX),
        });
        let front = Front { connection, cx };
        front.serve().await?;
        front.connection.request_name(name).await?;
        Ok(front)
    }

    /// Registers the objects; the object manager last, so that it announces nothing that was there before.
    async fn serve(&self) -> zbus::Result<()> {
        let server = self.connection.object_server();
        server.at(paths::ROOT, Connect { cx: self.cx.clone() }).await?;
        server.at(paths::ROOT, Relay { cx: self.cx.clone() }).await?;
        objects::add_all(&self.connection, &self.cx).await?;
        server.at(paths::ROOT, ObjectManager).await?;
        Ok(())
    }

    /// Turns the engine's events into signals until the bus is gone, the engine ends or the front lags behind.
    pub async fn run(self) -> zbus::Result<()> {
        let mut events = self.cx.driver.events();
        let mut monitor = self.cx.driver.monitor_events();
        // What happened between `serve` and the subscription has no signal; its objects are brought up to date.
        objects::add_all(&self.connection, &self.cx).await?;
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(event) => signals::domain(&self.connection, &self.cx, &event).await?,
                    Err(RecvError::Lagged(missed)) => {
                        tracing::error!(missed, "the D-Bus front lags behind the engine's events and disconnects");
                        return Err(zbus::Error::Failure(format!("{missed} events were missed")));
                    }
                    Err(RecvError::Closed) => return Ok(()),
                },
                event = monitor.recv() => match event {
                    Ok(event) => signals::monitor(&self.connection, &event).await?,
                    // Monitor events are for debugging; a gap in them is said and survived.
                    Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "monitor events were missed"),
                    Err(RecvError::Closed) => return Ok(()),
                },
            }
        }
    }
}
