//! Networks and their life.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast;
use virtbus_api::{
    Error, ErrorCode, NetworkEvent, NetworkRef, Result,
    flags::{NetworkCreateFlags, NetworkDefineFlags, NetworkFilter, NetworkUpdateFlags, NetworkXmlFlags},
    hypervisor::MetadataKind,
    metadata::{self, Change},
    network::{Lease, Networks, UpdateCommand},
};
use virtbus_schema::{Network, NetworkSection, xml::Mac};

use super::Networkd;
use crate::blocking::call;
use crate::dhcp;
use crate::fault::{self, Faults as _};
use crate::network::{command::Command, view::View};

#[async_trait]
impl Networks for Networkd {
    fn uri(&self) -> String {
        self.shared.config.uri.clone()
    }

    fn list(&self, filter: NetworkFilter) -> Vec<NetworkRef> {
        let views = self.shared.registry.all().into_iter().map(|it| it.view());
        views.filter(|view| passes(view, filter)).map(|view| view.network_ref()).collect()
    }

    fn lookup_by_uuid(&self, uuid: uuid::Uuid) -> Result<NetworkRef> {
        self.view(&NetworkRef::of_uuid(uuid)).map(|it| it.network_ref())
    }

    fn lookup_by_name(&self, name: &str) -> Result<NetworkRef> {
        self.shared.registry.by_name(name).map(|it| it.view().network_ref())
    }

    fn xml(&self, network: &NetworkRef, flags: NetworkXmlFlags) -> Result<Arc<Network>> {
        let view = self.view(network)?;
        match &view.definition {
            Some(definition) if flags.contains(NetworkXmlFlags::INACTIVE) => Ok(Arc::clone(definition)),
            _ => view.document(),
        }
    }

    fn is_active(&self, network: &NetworkRef) -> Result<bool> {
        self.view(network).map(|it| it.live.is_some())
    }

    fn is_persistent(&self, network: &NetworkRef) -> Result<bool> {
        self.view(network).map(|it| it.definition.is_some())
    }

    fn autostart(&self, network: &NetworkRef) -> Result<bool> {
        self.view(network).map(|it| it.autostart)
    }

    fn bridge_name(&self, network: &NetworkRef) -> Result<String> {
        let view = self.view(network)?;
        let missing = || fault::internal(format!("network '{}' does not have a bridge name.", view.name));
        view.document()?.bridge_name().map(str::to_owned).ok_or_else(missing)
    }

    fn metadata(&self, network: &NetworkRef, kind: &MetadataKind, impact: NetworkUpdateFlags) -> Result<String> {
        let view = self.view(network)?;
        let impact = view.explicit(impact)?;
        let document = match &view.definition {
            Some(definition) if impact.contains(NetworkUpdateFlags::CONFIG) => Arc::clone(definition),
            _ => view.document()?,
        };
        let Network { title, description, metadata, .. } = &*document;
        let missing =
            || Error::new(ErrorCode::NoNetworkMetadata, "Requested metadata element is not present").of_networks();
        metadata::read(kind, title.as_deref(), description.as_deref(), metadata.as_ref()).ok_or_else(missing)
    }

    async fn define(&self, network: Box<Network>, _: NetworkDefineFlags) -> Result<NetworkRef> {
        let (handle, document, reservation) = self.claim(network)?;
        handle.tell(&self.shared, Command::Define(document, reservation)).await?;
        Ok(handle.view().network_ref())
    }

    async fn create(&self, network: Box<Network>, _: NetworkCreateFlags) -> Result<NetworkRef> {
        let (handle, document, reservation) = self.claim(network)?;
        handle.tell(&self.shared, Command::Create(document, reservation)).await?;
        Ok(handle.view().network_ref())
    }

    async fn start(&self, network: &NetworkRef) -> Result<()> {
        self.tell(network, Command::Start).await
    }

    async fn destroy(&self, network: &NetworkRef) -> Result<()> {
        self.tell(network, Command::Destroy).await
    }

    async fn undefine(&self, network: &NetworkRef) -> Result<()> {
        self.tell(network, Command::Undefine).await
    }

    async fn set_autostart(&self, network: &NetworkRef, autostart: bool) -> Result<()> {
        self.tell(network, Command::SetAutostart(autostart)).await
    }

    async fn update(
        &self,
        network: &NetworkRef,
        command: UpdateCommand,
        section: NetworkSection,
        parent: Option<u32>,
        flags: NetworkUpdateFlags,
    ) -> Result<()> {
        self.tell(network, Command::Update { command, section, parent, flags }).await
    }

    async fn set_metadata(
        &self,
        network: &NetworkRef,
        kind: MetadataKind,
        value: Option<String>,
        key: Option<String>,
        impact: NetworkUpdateFlags,
    ) -> Result<()> {
        let change = Change::new(&kind, value.as_deref(), key.as_deref()).map_err(Error::of_networks)?;
        self.tell(network, Command::SetMetadata(change, impact)).await
    }

    async fn leases(&self, network: &NetworkRef, mac: Option<&str>) -> Result<Vec<Lease>> {
        let view = self.view(network)?;
        let mac = match mac.map(|it| (it, it.parse::<Mac>())) {
            Some((text, Err(_))) => return Err(Error::new(ErrorCode::InvalidMac, text).of_networks()),
            Some((_, Ok(mac))) => Some(mac.to_string()),
            None => None,
        };
        let document = view.document()?;
        let own_bridge = document.bridge_name().filter(|_| document.mode().has_own_bridge()).map(str::to_owned);
        let Some(bridge) = own_bridge else { return Ok(Vec::new()) };
        let places = self.shared.config.dnsmasq.clone();
        call(format!("leases of network '{}'", view.name), move || {
            dhcp::leases(&places, &document, &bridge, mac.as_deref())
        })
        .await
    }

    fn events(&self) -> broadcast::Receiver<NetworkEvent> {
        self.shared.events.subscribe()
    }
}

/// Bits of one group are alternatives, groups add up; a group without a bit passes all.
fn passes(view: &View, filter: NetworkFilter) -> bool {
    let groups = [
        (NetworkFilter::ACTIVE, NetworkFilter::INACTIVE, view.live.is_some()),
        (NetworkFilter::PERSISTENT, NetworkFilter::TRANSIENT, view.definition.is_some()),
        (NetworkFilter::AUTOSTART, NetworkFilter::NO_AUTOSTART, view.autostart),
    ];
    groups
        .into_iter()
        .all(|(yes, no, is_it)| !filter.intersects(yes | no) || filter.contains(if is_it { yes } else { no }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_combine() {
        let network = Network::parse("<network><name>n</name></network>").expect("a network");
        let off = View::off("n", uuid::Uuid::nil(), Some(Arc::new(network)), true);
        assert!(passes(&off, NetworkFilter::empty()));
        assert!(passes(&off, NetworkFilter::INACTIVE | NetworkFilter::AUTOSTART));
        assert!(passes(&off, NetworkFilter::ACTIVE | NetworkFilter::INACTIVE));
        assert!(!passes(&off, NetworkFilter::INACTIVE | NetworkFilter::NO_AUTOSTART));
        assert!(!passes(&off, NetworkFilter::TRANSIENT));
    }
}
