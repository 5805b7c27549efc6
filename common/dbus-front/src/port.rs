//! `org.libvirt.NetworkPort`: one plug into a network. libvirt-dbus has none; names follow virNetworkPort's functions.

use std::{collections::HashMap, sync::Arc};

use virtbus_api::{NetworkDriver, NetworkRef, PortRef, document, flags::NetworkFilter};
use zbus::{OwnedObjectPath, OwnedVariant, message::Header};

use crate::{
    error::Result,
    front::Cx,
    objects::{Folder, Kind, One, Served},
    params::{self, no_flags},
    paths,
};

/// One port.
pub type NetworkPort = One<dyn NetworkDriver, PortRef>;

/// The ports of all networks.
pub(crate) fn kind(cx: &Arc<Cx<dyn NetworkDriver>>) -> Box<dyn Kind> {
    Box::new(Folder {
        cx: cx.clone(),
        folder: paths::PORTS,
        // A network that goes meanwhile has no ports.
        list: |driver| {
            let networks = driver.list(NetworkFilter::empty());
            networks.iter().filter_map(|it| driver.ports(it).ok()).flatten().collect()
        },
        name: |it: &PortRef| paths::port_name(it.network.uuid, it.uuid),
        find: |driver, name| {
            let (network, port) = paths::port_of(name)?;
            Some(driver.lookup_port(&NetworkRef::of_uuid(network), port))
        },
        served: Served::of,
    })
}

#[zbus::interface(name = "org.libvirt.NetworkPort")]
impl NetworkPort {
    /// The network that it is plugged into.
    #[zbus(property(emits_changed_signal = "const"))]
    async fn network(&self) -> OwnedObjectPath {
        paths::network(self.it.network.uuid)
    }

    #[zbus(property(emits_changed_signal = "const"), name = "UUID")]
    async fn uuid(&self) -> String {
        self.it.uuid.hyphenated().to_string()
    }

    async fn delete(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "network_port:delete").await?;
        no_flags(flags, "virNetworkPortDelete")?;
        Ok(self.cx.driver.delete_port(&self.it).await?)
    }

    #[zbus(out_args("parameters"))]
    async fn get_parameters(&self, flags: u32) -> Result<HashMap<String, OwnedVariant>> {
        no_flags(flags, "virNetworkPortGetParameters")?;
        Ok(params::to_dict(self.cx.driver.port_parameters(&self.it)?))
    }

    #[zbus(name = "GetXMLDesc", out_args("xml"))]
    async fn get_xml_desc(&self, flags: u32) -> Result<String> {
        no_flags(flags, "virNetworkPortGetXMLDesc")?;
        Ok(document::format_network_port(&*self.cx.driver.port_xml(&self.it)?))
    }

    async fn set_parameters(
        &self,
        parameters: HashMap<String, OwnedVariant>,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        self.check(&header, "network_port:write").await?;
        no_flags(flags, "virNetworkPortSetParameters")?;
        Ok(self.cx.driver.set_port_parameters(&self.it, params::from_dict(parameters)?).await?)
    }
}
