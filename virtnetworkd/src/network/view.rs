//! What everyone may see of a network, published by its owner after every turn.
//!
//! A view is a value: reading one never waits for the owner, for dnsmasq or for a disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;
use virtbus_api::{NetworkRef, PortRef, Result, Turnover, flags::NetworkUpdateFlags};
use virtbus_schema::{
    Network, NetworkPort,
    network_port::{DirectMode, Plug},
};

use crate::fault;

/// A network as it was at the end of its owner's last turn.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// The name, which never changes.
    pub(crate) name: Arc<str>,
    /// What identifies it.
    pub(crate) uuid: Uuid,
    /// What outlives the run.
    pub(crate) definition: Option<Arc<Network>>,
    /// What runs.
    pub(crate) live: Option<Live>,
    /// Whether it starts with the host.
    pub(crate) autostart: bool,
}

/// The part of a view that only an active network has.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    /// The document of what runs, without counts of users.
    pub(crate) document: Arc<Network>,
    /// The same with counts, as clients see it.
    pub(crate) shown: Arc<Network>,
    /// What is plugged in.
    pub(crate) ports: BTreeMap<Uuid, Arc<NetworkPort>>,
}

impl Live {
    /// An active network with these ports.
    pub(crate) fn new(document: Arc<Network>, ports: BTreeMap<Uuid, Arc<NetworkPort>>) -> Self {
        let shown = counted(&document, &ports);
        Self { document, shown, ports }
    }

    /// The same network with another document.
    pub(crate) fn with_document(&self, document: Arc<Network>) -> Self {
        Self::new(document, self.ports.clone())
    }
}

/// The document with the numbers of users written in.
fn counted(document: &Arc<Network>, ports: &BTreeMap<Uuid, Arc<NetworkPort>>) -> Arc<Network> {
    if ports.is_empty() {
        return Arc::clone(document);
    }
    let count = |is_it: &dyn Fn(&Plug) -> bool| {
        let users = ports.values().filter(|it| it.plug.as_ref().is_some_and(is_it)).count();
        u32::try_from(users).ok().filter(|it| *it > 0)
    };
    let mut shown = Network::clone(document);
    shown.connections = u32::try_from(ports.len()).ok();
    if let Some(forward) = &mut shown.forward {
        for interface in &mut forward.interfaces {
            interface.connections = count(&|plug| matches!(plug, Plug::Direct { dev, .. } if *dev == interface.dev));
        }
        for address in &mut forward.addresses {
            let virtbus_schema::network::ForwardDevice::Pci(own) = address.device;
            address.connections = count(&|plug| matches!(plug, Plug::HostdevPci { address, .. } if *address == own));
        }
    }
    Arc::new(shown)
}

impl View {
    /// A network that is off.
    pub(crate) fn off(name: &str, uuid: Uuid, definition: Option<Arc<Network>>, autostart: bool) -> Self {
        Self { name: name.into(), uuid, definition, live: None, autostart }
    }

    /// Whether callers find it: it is defined or runs. One that is neither has been reserved for a call under way.
    pub(crate) fn exists(&self) -> bool {
        self.definition.is_some() || self.live.is_some()
    }

    /// The network's name and UUID.
    pub(crate) fn network_ref(&self) -> NetworkRef {
        NetworkRef { name: self.name.to_string(), uuid: self.uuid }
    }

    /// Which ports have come and gone since the view was `before`.
    pub(crate) fn turnover_since(&self, before: &Self) -> Option<Arc<Turnover<PortRef>>> {
        let none = BTreeMap::new();
        let [old, new] = [before, self].map(|it| it.live.as_ref().map_or(&none, |it| &it.ports));
        let network = self.network_ref();
        let refer = |it: &Arc<NetworkPort>| PortRef { network: network.clone(), uuid: it.uuid };
        Turnover::between(old, new, |_, _| true, refer)
    }

    /// The document of what runs, else the definition.
    pub(crate) fn document(&self) -> Result<Arc<Network>> {
        let document = self.live.as_ref().map(|it| &it.shown).or(self.definition.as_ref());
        document.cloned().ok_or_else(|| fault::no_network_of(self.uuid, &self.name))
    }

    /// The bridges of ours that its documents say.
    pub(crate) fn bridges(&self) -> Vec<String> {
        let documents = [self.live.as_ref().map(|it| &it.document), self.definition.as_ref()];
        let own = documents.into_iter().flatten().filter(|it| it.mode().has_own_bridge());
        own.filter_map(|it| it.bridge_name().map(str::to_owned)).collect()
    }

    /// What an update changes, with nothing left open.
    ///
    /// # Errors
    /// `OPERATION_INVALID`: it is not there to be changed.
    pub(crate) fn explicit(&self, impact: NetworkUpdateFlags) -> Result<NetworkUpdateFlags> {
        let active = self.live.is_some();
        let impact = match (impact.is_empty(), active) {
            (false, _) => impact,
            (true, true) => NetworkUpdateFlags::LIVE,
            (true, false) => NetworkUpdateFlags::CONFIG,
        };
        if impact.contains(NetworkUpdateFlags::LIVE) && !active {
            return Err(fault::invalid("network is not running"));
        }
        if impact.contains(NetworkUpdateFlags::CONFIG) && self.definition.is_none() {
            return Err(fault::invalid("cannot change persistent config of a transient network"));
        }
        Ok(impact)
    }

    /// What runs.
    ///
    /// # Errors
    /// `OPERATION_INVALID` when nothing does.
    pub(crate) fn running(&self) -> Result<&Live> {
        self.live.as_ref().ok_or_else(|| fault::invalid(format!("network '{}' is not active", self.name)))
    }
}

/// The macvtap mode of a network's pool.
pub(crate) fn direct_mode(network: &Network) -> Option<DirectMode> {
    use virtbus_schema::network::ForwardMode as Mode;
    match network.mode() {
        Mode::Bridge if network.bridge_name().is_none() => Some(DirectMode::Bridge),
        Mode::Private => Some(DirectMode::Private),
        Mode::Vepa => Some(DirectMode::Vepa),
        Mode::Passthrough => Some(DirectMode::Passthrough),
        _ => None,
    }
}
