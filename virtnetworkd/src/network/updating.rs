//! A part of a network is changed while it runs, in its definition, or both.

use std::sync::Arc;

use virtbus_api::{Result, flags::NetworkUpdateFlags, network::UpdateCommand};
use virtbus_schema::{Network, NetworkSection, SectionKind};

use super::Owner;
use crate::dhcp::{self, Server};
use crate::firewall::Started;
use crate::hook::{self, Operation};
use crate::update;

impl Owner {
    pub(super) async fn update(
        &mut self,
        command: UpdateCommand,
        section: &NetworkSection,
        parent: Option<u32>,
        impact: NetworkUpdateFlags,
    ) -> Result<()> {
        let impact = self.view.explicit(impact)?;
        let apply = |network: &Network| update::apply(network, command, section, parent);
        // Both are worked out before one is touched.
        let live = match &self.view.live {
            // Who uses what decides what may be removed, so the counts are looked at, and left out again.
            Some(live) if impact.contains(NetworkUpdateFlags::LIVE) => Some(Arc::new(uncounted(apply(&live.shown)?))),
            _ => None,
        };
        let definition = match &self.view.definition {
            Some(definition) if impact.contains(NetworkUpdateFlags::CONFIG) => Some(Arc::new(apply(definition)?)),
            _ => None,
        };
        if let Some(document) = live {
            self.tell_others(&document, section.kind).await?;
            self.view.live = self.view.live.as_ref().map(|it| it.with_document(document));
            self.save_status().await?;
        }
        if let Some(definition) = definition {
            self.save_definition(definition).await?;
        }
        let document = self.view.document()?;
        hook::note(&self.shared.config.hooks, Operation::Updated, &document, None).await;
        Ok(())
    }

    /// Has firewall and server work by the changed document; if they cannot, they go on by the old one.
    async fn tell_others(&mut self, document: &Arc<Network>, kind: SectionKind) -> Result<()> {
        let Some(bridge) = document.bridge_name().filter(|_| document.mode().has_own_bridge()) else { return Ok(()) };
        let bridge = bridge.to_owned();
        match kind {
            SectionKind::ForwardInterface | SectionKind::Forward | SectionKind::ForwardPf => {
                self.shared.firewall.add(&Started { network: Arc::clone(document), bridge }).await
            }
            SectionKind::Portgroup | SectionKind::Bridge | SectionKind::Domain => Ok(()),
            SectionKind::Ip
            | SectionKind::IpDhcpHost
            | SectionKind::IpDhcpRange
            | SectionKind::DnsHost
            | SectionKind::DnsTxt
            | SectionKind::DnsSrv => self.tell_server(document, &bridge).await,
        }
    }

    async fn tell_server(&mut self, document: &Arc<Network>, bridge: &str) -> Result<()> {
        let places = &self.shared.config.dnsmasq;
        match (self.server.as_mut(), dhcp::is_served(document)) {
            (Some(server), true) => {
                let Err(error) = server.update(document).await else { return Ok(()) };
                let old = self.view.live.as_ref().map(|it| Arc::clone(&it.document));
                if let Some(old) = old
                    && let Err(error) = server.update(&old).await
                {
                    tracing::error!(network = %self.view.name, "its dnsmasq does not run: {error}");
                }
                Err(error)
            }
            (None, true) => {
                self.server = Some(Server::start(places, document, bridge).await?);
                Ok(())
            }
            (_, false) => {
                if let Some(server) = self.server.take() {
                    server.stop().await;
                }
                Ok(())
            }
        }
    }
}

/// The document without numbers of users.
fn uncounted(mut document: Network) -> Network {
    document.connections = None;
    if let Some(forward) = &mut document.forward {
        forward.interfaces.iter_mut().for_each(|it| it.connections = None);
        forward.addresses.iter_mut().for_each(|it| it.connections = None);
    }
    document
}
