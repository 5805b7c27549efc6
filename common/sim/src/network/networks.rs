//! Networks and their life, as far as memory goes.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use tokio::sync::broadcast;
use uuid::Uuid;
use virtbus_api::{
    Error, ErrorCode, ErrorDomain, NetworkEvent, NetworkEventKind, NetworkLifecycle, NetworkRef, PortRef, Result,
    flags::{NetworkCreateFlags, NetworkDefineFlags, NetworkFilter, NetworkUpdateFlags, NetworkXmlFlags},
    hypervisor::MetadataKind,
    metadata::{self, Change, Places},
    network::{Lease, Networks, UpdateCommand},
};
use virtbus_schema::{Network, NetworkSection};

use super::{Known, SimNetwork, active_mut, invalid, known, known_mut, refer, unknown};
use crate::{document, passes};

impl SimNetwork {
    fn put(&self, mut network: Box<Network>, change: impl FnOnce(&mut Known), event: NetworkLifecycle) -> NetworkRef {
        let uuid = *network.uuid.get_or_insert_with(document::new_uuid);
        let name = network.name.clone();
        let document = Arc::<Network>::from(network);
        let new = || Known {
            uuid,
            document: document.clone(),
            persistent: false,
            active: false,
            autostart: false,
            ports: BTreeMap::new(),
            leases: Vec::new(),
            updates: Vec::new(),
        };
        let mut table = self.table();
        let it = table.entry(name.clone()).or_insert_with(new);
        it.document = document.clone();
        change(it);
        let network = refer(&name, it);
        self.life(&network, event);
        network
    }

    fn life(&self, network: &NetworkRef, event: NetworkLifecycle) {
        self.tell(network, NetworkEventKind::Lifecycle(event));
    }
}

#[async_trait]
impl Networks for SimNetwork {
    fn uri(&self) -> String {
        self.0.uri.clone()
    }

    fn list(&self, filter: NetworkFilter) -> Vec<NetworkRef> {
        use NetworkFilter as F;
        let is_listed = |it: &Known| {
            let groups: [&[(F, bool)]; 3] = [
                &[(F::ACTIVE, it.active), (F::INACTIVE, !it.active)],
                &[(F::PERSISTENT, it.persistent), (F::TRANSIENT, !it.persistent)],
                &[(F::AUTOSTART, it.autostart), (F::NO_AUTOSTART, !it.autostart)],
            ];
            passes(&groups, |bit| filter.intersects(bit))
        };
        self.table().iter().filter(|(_, it)| is_listed(it)).map(|(name, it)| refer(name, it)).collect()
    }

    fn lookup_by_uuid(&self, uuid: Uuid) -> Result<NetworkRef> {
        let table = self.table();
        let found = table.iter().find(|(_, it)| it.uuid == uuid);
        found.map(|(name, it)| refer(name, it)).ok_or_else(|| unknown(&format!("uuid '{uuid}'")))
    }

    fn lookup_by_name(&self, name: &str) -> Result<NetworkRef> {
        let table = self.table();
        table.get(name).map(|it| refer(name, it)).ok_or_else(|| unknown(&format!("name '{name}'")))
    }

    fn xml(&self, network: &NetworkRef, _flags: NetworkXmlFlags) -> Result<Arc<Network>> {
        Ok(known(&self.table(), network)?.document.clone())
    }

    fn is_active(&self, network: &NetworkRef) -> Result<bool> {
        Ok(known(&self.table(), network)?.active)
    }

    fn is_persistent(&self, network: &NetworkRef) -> Result<bool> {
        Ok(known(&self.table(), network)?.persistent)
    }

    fn autostart(&self, network: &NetworkRef) -> Result<bool> {
        Ok(known(&self.table(), network)?.autostart)
    }

    fn bridge_name(&self, network: &NetworkRef) -> Result<String> {
        let table = self.table();
        let bridge = known(&table, network)?.document.bridge.as_ref().and_then(|it| it.name.clone());
        let none = || Error::internal(format!("network '{}' does not have a bridge name.", network.name));
        bridge.ok_or_else(|| none().in_domain(ErrorDomain::Network))
    }

    fn metadata(&self, network: &NetworkRef, kind: &MetadataKind, _impact: NetworkUpdateFlags) -> Result<String> {
        let table = self.table();
        let it = &known(&table, network)?.document;
        let found = metadata::read(kind, it.title.as_deref(), it.description.as_deref(), it.metadata.as_ref());
        let none = || Error::new(ErrorCode::NoNetworkMetadata, "Requested metadata element is not present");
        found.ok_or_else(|| none().in_domain(ErrorDomain::Network))
    }

    async fn define(&self, network: Box<Network>, _flags: NetworkDefineFlags) -> Result<NetworkRef> {
        Ok(self.put(network, |it| it.persistent = true, NetworkLifecycle::Defined))
    }

    async fn create(&self, network: Box<Network>, _flags: NetworkCreateFlags) -> Result<NetworkRef> {
        Ok(self.put(network, |it| it.active = true, NetworkLifecycle::Started))
    }

    async fn start(&self, network: &NetworkRef) -> Result<()> {
        let mut table = self.table();
        let (network, it) = known_mut(&mut table, network)?;
        if it.active {
            return Err(invalid("network is already active"));
        }
        it.active = true;
        self.life(&network, NetworkLifecycle::Started);
        Ok(())
    }

    async fn destroy(&self, network: &NetworkRef) -> Result<()> {
        let mut table = self.table();
        let (network, it) = active_mut(&mut table, network)?;
        it.active = false;
        let gone: Vec<_> = it.ports.keys().map(|uuid| PortRef { network: network.clone(), uuid: *uuid }).collect();
        it.ports.clear();
        self.turnover(&network, Vec::new(), gone);
        if !it.persistent {
            table.remove(&network.name);
        }
        self.life(&network, NetworkLifecycle::Stopped);
        Ok(())
    }

    async fn undefine(&self, network: &NetworkRef) -> Result<()> {
        let mut table = self.table();
        let (network, it) = known_mut(&mut table, network)?;
        it.persistent = false;
        if !it.active {
            table.remove(&network.name);
        }
        self.life(&network, NetworkLifecycle::Undefined);
        Ok(())
    }

    async fn set_autostart(&self, network: &NetworkRef, autostart: bool) -> Result<()> {
        let mut table = self.table();
        let (network, it) = known_mut(&mut table, network)?;
        if !it.persistent {
            return Err(invalid("cannot set autostart for transient network"));
        }
        it.autostart = autostart;
        self.tell(&network, NetworkEventKind::AutostartChange);
        Ok(())
    }

    async fn update(
        &self,
        network: &NetworkRef,
        command: UpdateCommand,
        section: NetworkSection,
        parent: Option<u32>,
        _flags: NetworkUpdateFlags,
    ) -> Result<()> {
        known_mut(&mut self.table(), network)?.1.updates.push((command, section, parent));
        Ok(())
    }

    async fn set_metadata(
        &self,
        network: &NetworkRef,
        kind: MetadataKind,
        value: Option<String>,
        key: Option<String>,
        _impact: NetworkUpdateFlags,
    ) -> Result<()> {
        let change = Change::new(&kind, value.as_deref(), key.as_deref())?;
        let mut table = self.table();
        let (network, it) = known_mut(&mut table, network)?;
        let mut document = Network::clone(&it.document);
        let Network { title, description, metadata, .. } = &mut document;
        change.apply(Places { title, description, metadata });
        it.document = Arc::new(document);
        let (kind, uri) = change.told();
        self.tell(&network, NetworkEventKind::MetadataChange { kind, uri });
        Ok(())
    }

    async fn leases(&self, network: &NetworkRef, mac: Option<&str>) -> Result<Vec<Lease>> {
        let table = self.table();
        let wanted =
            |it: &&Lease| mac.is_none_or(|mac| it.mac.as_ref().is_some_and(|its| its.eq_ignore_ascii_case(mac)));
        Ok(known(&table, network)?.leases.iter().filter(wanted).cloned().collect())
    }

    fn events(&self) -> broadcast::Receiver<NetworkEvent> {
        self.0.events.subscribe()
    }
}
