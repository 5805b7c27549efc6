//! Questions to whoever has the networks.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};
use uuid::Uuid;
use virtbus_api::{Result, document, flags::PortCreateFlags, neighbour::NetworkNeighbour, network::Lease};
use virtbus_schema::{FormatOptions, Network, NetworkPort};

use crate::{Remote, call::Fault, link::Link};

/// How long the answer to a plug is waited for in the background, so that a port which comes late is given back.
const LATE: Duration = Duration::from_secs(600);

const NETWORKS: &str = "org.libvirt.virtbus.Networks";

/// A lease on the wire; see libvirt-dbus's `GetDHCPLeases`.
type LeaseFigures = (String, i64, i32, String, String, String, u32, String, String);

#[async_trait]
impl NetworkNeighbour for Remote {
    async fn plug(&self, network: &str, port: Box<NetworkPort>, flags: PortCreateFlags) -> Result<Arc<NetworkPort>> {
        let uuid = port.uuid;
        let text = port.format(FormatOptions { secure: true, ..FormatOptions::default() });
        let (answer, answered) = oneshot::channel();
        let (link, network) = (self.0.clone(), network.to_owned());
        self.0.background(async move {
            let plugged = link.plug(&network, uuid, &text, flags).await;
            let is_plugged = plugged.is_ok();
            // Where nobody waits any more, the port would be nobody's.
            let is_waited_for = answer.send(plugged).is_ok();
            if is_plugged
                && !is_waited_for
                && let Err(error) = link.unplug(&network, uuid).await
            {
                tracing::warn!("port {uuid} of network {network} is left behind: {error}");
            }
        });
        match timeout(self.0.deadline, answered).await {
            Ok(Ok(plugged)) => self.0.read(document::parse_network_port(&plugged?, false).map(Arc::from)),
            Ok(Err(_)) | Err(_) => Err(self.0.silent("answer Plug")),
        }
    }

    async fn unplug(&self, network: &str, port: Uuid) -> Result<()> {
        self.0.unplug(network, port).await
    }

    async fn network(&self, name: &str) -> Result<Arc<Network>> {
        let text: String = self.0.ask(NETWORKS, "Network", &name).await?;
        self.0.read(document::parse_network(&text, false).map(Arc::from))
    }

    async fn leases(&self, network: &str, mac: &str) -> Result<Vec<Lease>> {
        let leases: Vec<LeaseFigures> = self.0.ask(NETWORKS, "Leases", &(network, mac)).await?;
        leases.into_iter().map(|it| self.0.lease(it)).collect()
    }
}

impl Link {
    /// Plugs in, and waits for the answer for longer than the asker does.
    async fn plug(&self, network: &str, port: Uuid, text: &str, flags: PortCreateFlags) -> Result<String> {
        let until = Instant::now() + LATE;
        let body = (network, text, flags.bits());
        match self.ask_once(NETWORKS, "Plug", &body, until).await {
            // It may have been heard. What a guest already uses is plugged twice without harm; else it is undone first.
            Err(Fault::Lost(_)) => {
                if !flags.contains(PortCreateFlags::RECLAIM) {
                    self.unplug(network, port).await?;
                }
                Ok(self.ask_once(NETWORKS, "Plug", &body, until).await?)
            }
            other => Ok(other?),
        }
    }

    async fn unplug(&self, network: &str, port: Uuid) -> Result<()> {
        self.ask(NETWORKS, "Unplug", &(network, port.to_string())).await
    }

    fn lease(&self, it: LeaseFigures) -> Result<Lease> {
        let (interface, expires, _, mac, iaid, address, prefix, hostname, client_id) = it;
        let [mac, iaid, hostname, client_id] =
            [mac, iaid, hostname, client_id].map(|it| Some(it).filter(|it| !it.is_empty()));
        let address = address.parse().map_err(|_| self.strange(&format!("{address} is no address")))?;
        Ok(Lease { interface, expires, mac, iaid, address, prefix, hostname, client_id })
    }
}
