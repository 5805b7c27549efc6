//! The front as the server sees it: calls in, replies out.

use std::sync::Arc;

use async_trait::async_trait;
use tracing::Instrument;
use virtbus_api::HypervisorDriver;
use virtbus_rpc::{
    call::{Call, Reply, Service},
    error::Failure,
    peer::Client,
    task,
};

use crate::{
    Hypervisor,
    client::{Context, Presence},
    error::Fault,
    events::{self, Hub},
    routes::{Handler, Routes},
    session,
};

/// Serves libvirt's remote protocol from an engine.
pub struct Front {
    driver: Arc<Hypervisor>,
    routes: Routes<Hypervisor>,
    hub: Arc<Hub>,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").field("served", &self.routes.served().len()).finish_non_exhaustive()
    }
}

impl Front {
    /// A front of `driver`. From now on its events go to the clients that listen; two tasks do that until the engine
    /// ends, so this must be called within a runtime.
    pub fn new(driver: Arc<dyn HypervisorDriver>) -> Self {
        let hub = Arc::new(Hub::default());
        let (domain, monitor) = (driver.events(), driver.monitor_events());
        drop(task::spawn("domain events to RPC clients", events::tell_domain_events(hub.clone(), domain)));
        drop(task::spawn("monitor events to RPC clients", events::tell_monitor_events(hub.clone(), monitor)));
        Self { driver, routes: crate::routes(), hub }
    }
}

#[async_trait]
impl Service for Front {
    async fn call(&self, client: &Client, call: Call) -> Result<Reply, Failure> {
        if !client.is_open() && !session::precedes_open(call.entry) {
            return Err(virtbus_rpc::error::not_open());
        }
        let Some(handler) = self.routes.find(call.entry) else {
            return Err(Fault::not_served(call.entry).into());
        };
        let cx = Context { driver: self.driver.clone(), client: client.clone(), hub: self.hub.clone() };
        let span = tracing::debug_span!("call", client = client.id(), procedure = call.entry.name);
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
