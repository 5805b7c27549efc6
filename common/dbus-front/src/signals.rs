//! The engine's events as D-Bus signals, and the objects and properties that come, change and go with them.
//!
//! What an event means is said beside the other things of its kind: [`domain`], [`network`], [`storage`].

mod domain;
mod network;
mod storage;

use std::{collections::HashMap, sync::Arc};

use tokio::sync::broadcast::{Receiver, error::RecvError};
use virtbus_api::{
    DomainEvent, HypervisorDriver, MonitorEvent, NetworkDriver, NetworkEvent, PoolEvent, SecretEvent, StorageDriver,
    Turnover,
};
use zbus::{Connection, OwnedObjectPath, Variant, names::InterfaceName, object_server::SignalEmitter};

use crate::{dispatch::Server, front::Cx, objects::Objects, paths, standard};

/// Where events come from.
pub(crate) enum Source {
    Hypervisor {
        cx: Arc<Cx<dyn HypervisorDriver>>,
        events: Receiver<Arc<DomainEvent>>,
        monitor: Receiver<Arc<MonitorEvent>>,
    },
    Network {
        cx: Arc<Cx<dyn NetworkDriver>>,
        events: Receiver<NetworkEvent>,
    },
    Storage {
        cx: Arc<Cx<dyn StorageDriver>>,
        pools: Receiver<PoolEvent>,
        secrets: Receiver<SecretEvent>,
    },
}

/// Something happened.
pub(crate) enum Event {
    Domain(Arc<DomainEvent>),
    Monitor(Arc<MonitorEvent>),
    Network(NetworkEvent),
    Pool(PoolEvent),
    Secret(SecretEvent),
}

impl Source {
    pub(crate) fn hypervisor(cx: Arc<Cx<dyn HypervisorDriver>>) -> Self {
        let (events, monitor) = (cx.driver.events(), cx.driver.monitor_events());
        Self::Hypervisor { cx, events, monitor }
    }

    pub(crate) fn network(cx: Arc<Cx<dyn NetworkDriver>>) -> Self {
        let events = cx.driver.events();
        Self::Network { cx, events }
    }

    pub(crate) fn storage(cx: Arc<Cx<dyn StorageDriver>>) -> Self {
        let (pools, secrets) = (cx.driver.pool_events(), cx.driver.secret_events());
        Self::Storage { cx, pools, secrets }
    }

    /// The next event; `None` when the engine ends, an error when events were missed. It may be dropped while it waits.
    pub(crate) async fn next(&mut self) -> zbus::Result<Option<Event>> {
        loop {
            let event = match self {
                Self::Hypervisor { events, monitor, .. } => tokio::select! {
                    event = events.recv() => event.map(Event::Domain),
                    event = monitor.recv() => match event {
                        // Monitor events are for debugging; a gap in them is said and survived.
                        Err(RecvError::Lagged(missed)) => {
                            tracing::warn!(missed, "monitor events were missed");
                            continue;
                        }
                        event => event.map(Event::Monitor),
                    },
                },
                Self::Network { events, .. } => events.recv().await.map(Event::Network),
                Self::Storage { pools, secrets, .. } => tokio::select! {
                    event = pools.recv() => event.map(Event::Pool),
                    event = secrets.recv() => event.map(Event::Secret),
                },
            };
            return match event {
                Ok(event) => Ok(Some(event)),
                Err(RecvError::Closed) => Ok(None),
                Err(RecvError::Lagged(missed)) => {
                    tracing::error!(missed, "the D-Bus front lags behind the engine's events and disconnects");
                    Err(zbus::Error::Failure(format!("{missed} events were missed")))
                }
            };
        }
    }
}

/// Sends signals, and knows which objects have been announced.
#[derive(Debug)]
pub(crate) struct Signals {
    connection: Connection,
    objects: Arc<Objects>,
    server: Server,
    /// With the interface that was announced.
    announced: HashMap<OwnedObjectPath, InterfaceName<'static>>,
}

impl Signals {
    pub(crate) fn new(connection: Connection, objects: Arc<Objects>, server: Server) -> Self {
        let announced = objects.all().map(|(path, it)| (path, it.name)).collect();
        Self { connection, objects, server, announced }
    }

    /// All objects with their properties. What is different from what was announced is announced first: whoever applies the
    /// signals behind the answer to it has what is there, although the answer can be ahead of the engine's events.
    pub(crate) async fn all(&mut self) -> zbus::Result<standard::Managed> {
        let mut all = HashMap::new();
        for (path, it) in self.objects.clone().all() {
            self.appear(&path).await?;
            if self.announced.contains_key(&path) {
                let properties = self.server.properties(&it, &self.emitter(path.clone())?).await?;
                all.insert(path, HashMap::from([(it.name.to_string(), properties)]));
            }
        }
        let gone: Vec<_> = self.announced.keys().filter(|it| !all.contains_key(*it)).cloned().collect();
        for path in &gone {
            self.leave(path).await?;
        }
        Ok(all)
    }

    /// Sends what the event means.
    pub(crate) async fn send(&mut self, source: &Source, event: Event) -> zbus::Result<()> {
        match (source, event) {
            (Source::Hypervisor { cx, .. }, Event::Domain(event)) => self.domain(&*cx.driver, &event).await,
            (_, Event::Monitor(event)) => self.monitor(&event).await,
            (Source::Network { cx, .. }, Event::Network(event)) => self.network(&*cx.driver, &event).await,
            (Source::Storage { cx, .. }, Event::Pool(event)) => self.pool(&*cx.driver, &event).await,
            (_, Event::Secret(event)) => self.secret(&event).await,
            // Events come from the source that they are sent with.
            (_, Event::Domain(_) | Event::Network(_) | Event::Pool(_)) => Ok(()),
        }
    }

    fn emitter(&self, path: OwnedObjectPath) -> zbus::Result<SignalEmitter<'_>> {
        SignalEmitter::new(&self.connection, path)
    }

    fn root(&self) -> zbus::Result<SignalEmitter<'_>> {
        SignalEmitter::new(&self.connection, paths::ROOT)
    }

    /// Announces the object, if it is there and nobody knows it yet.
    async fn appear(&mut self, path: &OwnedObjectPath) -> zbus::Result<()> {
        if self.announced.contains_key(path) {
            return Ok(());
        }
        let Some(it) = self.objects.one(path.as_str()) else { return Ok(()) };
        let properties = self.server.properties(&it, &self.emitter(path.clone())?).await?;
        // It can go while its properties are read; they would be those of nothing.
        if self.objects.one(path.as_str()).is_none() {
            return Ok(());
        }
        let interfaces = HashMap::from([(it.name.as_str(), properties)]);
        self.root()?.emit(standard::OBJECT_MANAGER, "InterfacesAdded", &(path, interfaces)).await?;
        self.announced.insert(path.clone(), it.name);
        Ok(())
    }

    /// Says that the object has gone, if it has.
    async fn vanish(&mut self, path: &OwnedObjectPath) -> zbus::Result<()> {
        if self.objects.one(path.as_str()).is_some() {
            return Ok(());
        }
        self.leave(path).await
    }

    /// Says that an object that was announced has gone.
    async fn leave(&mut self, path: &OwnedObjectPath) -> zbus::Result<()> {
        let Some(interface) = self.announced.remove(path) else { return Ok(()) };
        let gone = (path, vec![interface.as_str()]);
        self.root()?.emit(standard::OBJECT_MANAGER, "InterfacesRemoved", &gone).await
    }

    /// Says what has gone and announces what has come. What is there again by now has gone all the same: it is another one.
    async fn turnover<T>(&mut self, turnover: &Turnover<T>, path: fn(&T) -> OwnedObjectPath) -> zbus::Result<()> {
        for it in &turnover.gone {
            self.leave(&path(it)).await?;
        }
        for it in turnover.gone.iter().chain(&turnover.come) {
            self.appear(&path(it)).await?;
        }
        Ok(())
    }

    /// Sends `PropertiesChanged` with what is read; nothing for an object that goes meanwhile or that nobody has been told of,
    /// which comes with its properties.
    async fn changed(
        &self,
        path: &OwnedObjectPath,
        interface: &str,
        read: impl FnOnce() -> virtbus_api::Result<Vec<(&'static str, Variant<'static>)>>,
    ) -> zbus::Result<()> {
        if !self.announced.contains_key(path) {
            return Ok(());
        }
        let Ok(values) = read() else { return Ok(()) };
        let (values, none) = (values.into_iter().collect::<HashMap<_, _>>(), Vec::<&str>::new());
        let emitter = self.emitter(path.clone())?;
        emitter.emit(standard::PROPERTIES, "PropertiesChanged", &(interface, values, none)).await
    }

    /// Sends `PropertiesChanged` for a property whose new value is not sent along.
    async fn invalid(&self, path: &OwnedObjectPath, interface: &str, property: &str) -> zbus::Result<()> {
        if !self.announced.contains_key(path) || self.objects.one(path.as_str()).is_none() {
            return Ok(());
        }
        let none = HashMap::<&str, Variant<'_>>::new();
        let emitter = self.emitter(path.clone())?;
        emitter.emit(standard::PROPERTIES, "PropertiesChanged", &(interface, none, vec![property])).await
    }
}
