//! The front as the server sees it: calls in, replies out.

use std::sync::Arc;

use async_trait::async_trait;
use tracing::Instrument;
use virtbus_rpc::{
    call::{Call, Reply, Service},
    error::Failure,
    peer::Client,
    task,
};

use crate::{
    Hypervisor, Network, Storage,
    admin::Admin,
    client::{Context, Presence},
    error::Fault,
    events::{self, Hub},
    routes::{Handler, Routes},
    session,
};

/// Serves libvirt's protocols from an engine, or from what the daemon knows of itself.
pub struct Front<D: ?Sized> {
    driver: Arc<D>,
    routes: Routes<D>,
    hub: Arc<Hub>,
}

impl<D: ?Sized> std::fmt::Debug for Front<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").field("routes", &self.routes).finish_non_exhaustive()
    }
}

impl Front<Hypervisor> {
    /// A front of `driver`. From now on its events go to the clients that listen; two tasks do that until the engine
    /// ends, so this must be called within a runtime.
    pub fn new(driver: Arc<Hypervisor>) -> Self {
        let hub = Arc::new(Hub::default());
        let (domain, monitor) = (driver.events(), driver.monitor_events());
        drop(task::spawn("domain events to RPC clients", events::tell_domain_events(hub.clone(), domain)));
        drop(task::spawn("monitor events to RPC clients", events::tell_monitor_events(hub.clone(), monitor)));
        Self { driver, routes: crate::routes(), hub }
    }
}

impl Front<Storage> {
    /// A front of `driver`, as [`Front::new`].
    pub fn of_storage(driver: Arc<Storage>) -> Self {
        let hub = Arc::new(Hub::default());
        let (pool, secret) = (driver.pool_events(), driver.secret_events());
        drop(task::spawn("pool events to RPC clients", events::tell_pool_events(hub.clone(), pool)));
        drop(task::spawn("secret events to RPC clients", events::tell_secret_events(hub.clone(), secret)));
        Self { driver, routes: crate::storage_routes(), hub }
    }
}

impl Front<Network> {
    /// A front of `driver`, as [`Front::new`].
    pub fn of_network(driver: Arc<Network>) -> Self {
        let hub = Arc::new(Hub::default());
        drop(task::spawn("network events to RPC clients", events::tell_network_events(hub.clone(), driver.events())));
        Self { driver, routes: crate::network_routes(), hub }
    }
}

impl Front<Admin> {
    /// A front of what a daemon knows of itself, for the admin socket.
    pub fn of_admin(admin: Arc<Admin>) -> Self {
        Self { driver: admin, routes: crate::admin_routes(), hub: Arc::default() }
    }
}

#[async_trait]
impl<D: ?Sized + Send + Sync + 'static> Service for Front<D> {
    async fn call(&self, client: &Client, call: Call) -> Result<Reply, Failure> {
        if !client.is_open() && !session::precedes_open(call.entry) {
            return Err(virtbus_rpc::error::not_open());
        }
        let Some(handler) = self.routes.find(call.entry) else {
            return Err(Fault::not_served(call.entry).into());
        };
        let cx = Context { driver: self.driver.clone(), client: client.clone(), hub: self.hub.clone() };
        if !cx.reaches(call.entry) {
            return Err(Fault::not_served(call.entry).into());
        }
        let span = tracing::debug_span!(
            "call",
            client = client.id(),
            procedure = call.entry.name,
            domain = tracing::field::Empty,
            object = tracing::field::Empty
        );
        let served = match handler {
            Handler::View(serve) => span.in_scope(|| serve(&cx, &call.body)),
            Handler::Task(serve) => {
                async {
                    let later = serve(&cx, &call.body)?;
                    later.await
                }
                .instrument(span.clone())
                .await
            }
        };
        served.map_err(|fault| {
            span.in_scope(|| tracing::debug!("refused: {fault}"));
            fault.into()
        })
    }

    fn disconnected(&self, client: &Client) {
        self.hub.forget(client);
        if let Some(presence) = client.state(|| Presence::new(client)) {
            presence.end();
        }
    }
}
