//! `org.libvirt.Connect`: the networks' part.

use std::sync::Arc;

use virtbus_api::{
    NetworkDriver, NetworkRef, document,
    flags::{NetworkCreateFlags, NetworkDefineFlags, NetworkFilter},
};
use zbus::{ObjectPath, OwnedObjectPath, message::Header, object_server::SignalEmitter};

use super::session::Session;
use crate::{
    error::Result,
    front::Cx,
    objects::Served,
    params::{self, word},
    paths,
};

/// The object at the root.
#[derive(Debug)]
pub struct Connect {
    cx: Arc<Cx<dyn NetworkDriver>>,
}

/// The interface of the root.
pub(crate) fn served(cx: &Arc<Cx<dyn NetworkDriver>>) -> Served {
    Served::of(Connect { cx: cx.clone() }).and(Session(cx.driver.uri()))
}

/// The path of a network that was found.
fn found(network: virtbus_api::Result<NetworkRef>) -> Result<OwnedObjectPath> {
    Ok(paths::network(network?.uuid))
}

/// The names and types of methods and properties are libvirt-dbus 1.4.1's, where it has them.
#[zbus::interface(name = "org.libvirt.Connect")]
impl Connect {
    #[zbus(name = "NetworkCreateXML", out_args("network"))]
    async fn network_create_xml(&self, xml: &str, #[zbus(header)] header: Header<'_>) -> Result<OwnedObjectPath> {
        self.create(xml, NetworkCreateFlags::empty(), &header).await
    }

    /// `NetworkCreateXML` with flags: 1 validates the document.
    #[zbus(name = "NetworkCreateXMLFlags", out_args("network"))]
    async fn network_create_xml_flags(
        &self,
        xml: &str,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath> {
        self.create(xml, word(flags, "virNetworkCreateXMLFlags")?, &header).await
    }

    #[zbus(name = "NetworkDefineXML", out_args("network"))]
    async fn network_define_xml(&self, xml: &str, #[zbus(header)] header: Header<'_>) -> Result<OwnedObjectPath> {
        self.define(xml, NetworkDefineFlags::empty(), &header).await
    }

    /// `NetworkDefineXML` with flags: 1 validates the document.
    #[zbus(name = "NetworkDefineXMLFlags", out_args("network"))]
    async fn network_define_xml_flags(
        &self,
        xml: &str,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath> {
        self.define(xml, word(flags, "virNetworkDefineXMLFlags")?, &header).await
    }

    #[zbus(out_args("network"))]
    async fn network_lookup_by_name(&self, name: &str) -> Result<OwnedObjectPath> {
        found(self.cx.driver.lookup_by_name(name))
    }

    #[zbus(name = "NetworkLookupByUUID", out_args("network"))]
    async fn network_lookup_by_uuid(&self, uuid: &str) -> Result<OwnedObjectPath> {
        found(self.cx.driver.lookup_by_uuid(params::uuid(uuid)?))
    }

    #[zbus(out_args("networks"))]
    async fn list_networks(&self, flags: u32) -> Result<Vec<OwnedObjectPath>> {
        let filter: NetworkFilter = word(flags, "virConnectListAllNetworks")?;
        Ok(self.cx.driver.list(filter).iter().map(|it| paths::network(it.uuid)).collect())
    }

    #[zbus(signal)]
    pub(crate) async fn network_event(
        emitter: &SignalEmitter<'_>,
        network: ObjectPath<'_>,
        event: i32,
    ) -> zbus::Result<()>;
}

impl Connect {
    async fn create(&self, xml: &str, flags: NetworkCreateFlags, header: &Header<'_>) -> Result<OwnedObjectPath> {
        self.cx.access.check_all(header, &["network:write", "network:start"]).await?;
        let network = document::parse_network(xml, flags.contains(NetworkCreateFlags::VALIDATE))?;
        found(self.cx.driver.create(network, flags).await)
    }

    async fn define(&self, xml: &str, flags: NetworkDefineFlags, header: &Header<'_>) -> Result<OwnedObjectPath> {
        self.cx.access.check_all(header, &["network:write", "network:save"]).await?;
        let network = document::parse_network(xml, flags.contains(NetworkDefineFlags::VALIDATE))?;
        found(self.cx.driver.define(network, flags).await)
    }
}
