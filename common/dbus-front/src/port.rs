//! `org.libvirt.NetworkPort`: one plug into a network. libvirt-dbus has none; names follow virNetworkPort's functions.

use std::{collections::HashMap, sync::Arc};

use uuid::Uuid;
use virtbus_api::{NetworkDriver, NetworkRef, PortRef, document, flags::NetworkFilter};
use zbus::{OwnedObjectPath, OwnedVariant, message::Header};

use crate::{
    error::Result,
    front::Cx,
    objects::{Kind, Served},
    params::{self, no_flags},
    paths,
};

/// The object of one port; it holds no state but the UUIDs.
#[derive(Debug)]
pub struct NetworkPort {
    cx: Arc<Cx<dyn NetworkDriver>>,
    port: PortRef,
}

/// The ports of all networks.
struct NetworkPorts(Arc<Cx<dyn NetworkDriver>>);

/// The ports of all networks.
pub(crate) fn kind(cx: &Arc<Cx<dyn NetworkDriver>>) -> Box<dyn Kind> {
    Box::new(NetworkPorts(cx.clone()))
}

fn refer(network: Uuid, uuid: Uuid) -> PortRef {
    PortRef { network: NetworkRef::of_uuid(network), uuid }
}

impl Kind for NetworkPorts {
    fn folder(&self) -> &'static str {
        paths::PORTS
    }

    fn names(&self) -> Vec<String> {
        let networks = self.0.driver.list(NetworkFilter::empty());
        // A network that goes meanwhile has no ports.
        let ports = networks.iter().filter_map(|it| self.0.driver.ports(it).ok()).flatten();
        ports.map(|it| paths::port_name(it.network.uuid, it.uuid)).collect()
    }

    fn find(&self, name: &str) -> Option<Result<Served>> {
        let (network, port) = paths::port_of(name)?;
        let known = self.0.driver.lookup_port(&NetworkRef::of_uuid(network), port).map_err(Into::into);
        Some(known.map(|_| Served::of(NetworkPort { cx: self.0.clone(), port: refer(network, port) })))
    }
}

impl NetworkPort {
    async fn check(&self, header: &Header<'_>, right: &str) -> Result<()> {
        self.cx.access.check(header, right).await
    }
}

#[zbus::interface(name = "org.libvirt.NetworkPort")]
impl NetworkPort {
    /// The network that it is plugged into.
    #[zbus(property(emits_changed_signal = "const"))]
    async fn network(&self) -> OwnedObjectPath {
        paths::network(self.port.network.uuid)
    }

    #[zbus(property(emits_changed_signal = "const"), name = "UUID")]
    async fn uuid(&self) -> String {
        self.port.uuid.hyphenated().to_string()
    }

    async fn delete(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "network_port:delete").await?;
        no_flags(flags, "virNetworkPortDelete")?;
        Ok(self.cx.driver.delete_port(&self.port).await?)
    }

    #[zbus(out_args("parameters"))]
    async fn get_parameters(&self, flags: u32) -> Result<HashMap<String, OwnedVariant>> {
        no_flags(flags, "virNetworkPortGetParameters")?;
        Ok(params::to_dict(self.cx.driver.port_parameters(&self.port)?))
    }

    #[zbus(name = "GetXMLDesc", out_args("xml"))]
    async fn get_xml_desc(&self, flags: u32) -> Result<String> {
        no_flags(flags, "virNetworkPortGetXMLDesc")?;
        Ok(document::format_network_port(&*self.cx.driver.port_xml(&self.port)?))
    }

    async fn set_parameters(
        &self,
        parameters: HashMap<String, OwnedVariant>,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        self.check(&header, "network_port:write").await?;
        no_flags(flags, "virNetworkPortSetParameters")?;
        Ok(self.cx.driver.set_port_parameters(&self.port, params::from_dict(parameters)?).await?)
    }
}
