//! A network's run: started, watched, stopped, found again by the next daemon.

use std::collections::BTreeMap;
use std::sync::Arc;

use virtbus_api::{NetworkLifecycle, Result};
use virtbus_schema::{Network, NetworkStatus, xml::CpuSet};

use super::{
    Owner,
    starting::{self, Bridged},
    view::Live,
};
use crate::blocking::call;
use crate::dhcp::{self, Server};
use crate::hook::{self, Operation};
use crate::{address, bridge, fault, forward, port};

/// Classes of a bridge's queue that are the network's own: 0 to this one.
const OWN_CLASSES: u32 = 2;

impl Owner {
    /// Starts the network from its definition.
    pub(super) async fn start(&mut self) -> Result<()> {
        if self.view.live.is_some() {
            return Err(fault::invalid("network is already active"));
        }
        let Some(definition) = self.view.definition.clone() else {
            return Err(fault::no_network_of(self.view.uuid, &self.view.name));
        };
        self.bring_up(&definition).await
    }

    /// Starts the network from a document; with a definition it keeps that.
    pub(super) async fn create(&mut self, document: Box<Network>) -> Result<()> {
        if self.view.live.is_some() {
            return Err(fault::invalid(format!("network is already active as '{}'", self.view.name)));
        }
        self.bring_up(&document).await
    }

    async fn bring_up(&mut self, document: &Network) -> Result<()> {
        let document = Arc::new(starting::live_document(document).await?);
        // The file comes first: whatever else there is after a crash, the next daemon knows whose it is.
        self.view.live = Some(Live::new(Arc::clone(&document), BTreeMap::new()));
        let saved = self.save_status().await;
        let up = match saved {
            Ok(()) => self.raise_as_hooks_will(&document).await,
            Err(error) => Err(error),
        };
        if let Err(error) = up {
            self.view.live = None;
            self.remove_files().await;
            hook::note(&self.shared.config.hooks, Operation::Stopped, &document, None).await;
            return Err(error);
        }
        self.emit_lifecycle(NetworkLifecycle::Started);
        Ok(())
    }

    async fn raise_as_hooks_will(&mut self, document: &Arc<Network>) -> Result<()> {
        hook::tell(&self.shared.config.hooks, Operation::Start, document, None).await?;
        self.raise(Arc::clone(document)).await?;
        let refused = hook::tell(&self.shared.config.hooks, Operation::Started, document, None).await;
        if refused.is_err()
            && let Err(error) = starting::take_down(&self.shared, Arc::clone(document), self.server.take()).await
        {
            tracing::error!(network = %self.view.name, "taking it down: {error}");
        }
        refused
    }

    async fn raise(&mut self, document: Arc<Network>) -> Result<()> {
        let name = document.bridge_name().unwrap_or_default().to_owned();
        if !document.mode().has_own_bridge() {
            return call(format!("bridge '{name}'"), move || bridge::prepare(&document, &name)).await;
        }
        let bridged = Bridged::make(&self.shared, document, &name).await?;
        self.server = bridged.address().await?.filter().await?.serve().await?.hand_over();
        Ok(())
    }

    /// Stops the network. What could not be taken down is reported; it counts as stopped all the same.
    pub(super) async fn destroy(&mut self) -> Result<()> {
        let document = Arc::clone(&self.view.running()?.document);
        let down = starting::take_down(&self.shared, Arc::clone(&document), self.server.take()).await;
        if self.view.definition.is_none() {
            self.forget_server(&document).await;
        }
        self.view.live = None;
        self.remove_files().await;
        hook::note(&self.shared.config.hooks, Operation::Stopped, &document, None).await;
        self.emit_lifecycle(NetworkLifecycle::Stopped);
        down
    }

    /// Removes the server's files of a network that does not come again.
    pub(super) async fn forget_server(&self, document: &Network) {
        let Some(bridge) = document.bridge_name().filter(|_| document.mode().has_own_bridge()).map(str::to_owned)
        else {
            return;
        };
        let (places, name) = (self.shared.config.dnsmasq.clone(), document.name.clone());
        let removed = call(format!("files of network '{name}'"), move || dhcp::forget(&places, &name, &bridge)).await;
        if let Err(error) = removed {
            tracing::warn!(network = %self.view.name, "its server's files stay: {error}");
        }
    }

    /// Writes the status file.
    pub(super) async fn save_status(&self) -> Result<()> {
        let Some(live) = &self.view.live else { return Ok(()) };
        let classes = live.ports.values().filter_map(|it| it.bandwidth.as_ref()?.class_id);
        let class_ids: CpuSet = (0..=OWN_CLASSES).chain(classes).collect();
        let status = NetworkStatus {
            class_ids: Some(class_ids),
            floor_sum: Some(port::floor_sum(live.ports.values().map(|it| &**it))),
            network: Network::clone(&live.document),
        };
        let files = self.shared.status.clone();
        call(format!("status of network '{}'", self.view.name), move || files.save(&status)).await
    }

    async fn remove_files(&self) {
        let (files, name) = (self.shared.status.clone(), self.view.name.to_string());
        let removed = call(format!("files of network '{name}'"), move || files.remove(&name)).await;
        if let Err(error) = removed {
            tracing::error!(network = %self.view.name, "its files stay: {error}");
        }
    }

    /// An owner that wakes has the server that runs already.
    pub(super) fn find_server(&mut self) {
        let Some(live) = &self.view.live else { return };
        let document = &live.document;
        let Some(bridge) = document.bridge_name().filter(|_| dhcp::is_served(document)) else { return };
        self.server = Server::adopt(&self.shared.config.dnsmasq, &self.view.name, bridge);
    }

    /// The server ended, which it does not by itself.
    pub(super) async fn on_server_ended(&mut self) {
        let name = Arc::clone(&self.view.name);
        tracing::error!(network = %name, "its dnsmasq has ended");
        let (Some(mut server), Some(live)) = (self.server.take(), &self.view.live) else { return };
        match server.restart(&live.document).await {
            Ok(()) => {
                tracing::warn!(network = %name, "its dnsmasq was started again");
                self.server = Some(server);
            }
            Err(error) => {
                tracing::error!(network = %name, "no addresses are given until the next change or start: {error}");
            }
        }
    }

    /// Sees that everything of a network that ran is there. Without its bridge it has ended, with the host or by hand: what is
    /// left of it is removed.
    pub(super) async fn recover(&mut self) -> Result<()> {
        let Some(live) = &self.view.live else { return Ok(()) };
        let document = Arc::clone(&live.document);
        if !document.mode().has_own_bridge() {
            return Ok(());
        }
        let name = document.bridge_name().unwrap_or_default().to_owned();
        let seen = name.clone();
        if !call(format!("looking at bridge '{name}'"), move || Ok(bridge::exists(&seen))).await? {
            tracing::warn!(network = %self.view.name, "its bridge '{name}' is gone; it is off");
            return self.destroy().await;
        }
        let (network, own) = (Arc::clone(&document), name.clone());
        let assign = move || {
            address::assign(&network, &own)?;
            forward::enable(&network)
        };
        call(format!("addresses of '{name}'"), assign).await?;
        if dhcp::is_served(&document) && self.server.is_none() {
            self.server = Some(Server::start(&self.shared.config.dnsmasq, &document, &name).await?);
        }
        Ok(())
    }
}
