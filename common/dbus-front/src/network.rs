//! `org.libvirt.Network`: one network.
//!
//! Method names and types are libvirt-dbus 1.4.1's, where it has them; bridge name, metadata and ports, which it lacks,
//! stand beside them.

use std::sync::Arc;

use virtbus_api::{
    Error as ApiError, NetworkDriver, NetworkRef, document,
    flags::{NetworkFilter, NetworkUpdateFlags, NetworkXmlFlags, PortCreateFlags},
    network::{Lease, UpdateCommand},
};
use virtbus_schema::{NetworkSection, SectionKind};
use zbus::{OwnedObjectPath, message::Header, object_server::SignalEmitter};

use crate::{
    error::Result,
    front::Cx,
    objects::{Folder, Kind, One, Served},
    params::{self, metadata_kind, no_flags, optional, word},
    paths,
};

/// One network.
pub type Network = One<dyn NetworkDriver, NetworkRef>;

/// All networks.
pub(crate) fn kind(cx: &Arc<Cx<dyn NetworkDriver>>) -> Box<dyn Kind> {
    Box::new(Folder {
        cx: cx.clone(),
        folder: paths::NETWORKS,
        list: |driver| driver.list(NetworkFilter::empty()),
        name: |it: &NetworkRef| paths::uuid_name(it.uuid),
        find: |driver, name| Some(driver.lookup_by_uuid(paths::uuid_of(name)?)),
        served: Served::of,
    })
}

impl Network {
    /// The rights that a change takes which may also be one of the definition.
    async fn check_update(&self, header: &Header<'_>, flags: NetworkUpdateFlags) -> Result<()> {
        self.check(header, "network:write").await?;
        if flags == NetworkUpdateFlags::LIVE { Ok(()) } else { self.check(header, "network:save").await }
    }
}

/// A lease as libvirt-dbus has it: interface, expiry, type (0 IPv4, 1 IPv6), MAC, IAID, address, prefix, host name,
/// client id; empty strings stand for what there is not.
pub(crate) type LeaseFigures = (String, i64, i32, String, String, String, u32, String, String);

/// A lease on the wire.
pub(crate) fn lease_figures(it: Lease) -> LeaseFigures {
    let [mac, iaid, hostname, client] = [it.mac, it.iaid, it.hostname, it.client_id].map(Option::unwrap_or_default);
    let kind = i32::from(it.address.is_ipv6());
    (it.interface, it.expires, kind, mac, iaid, it.address.to_string(), it.prefix, hostname, client)
}

#[zbus::interface(name = "org.libvirt.Network")]
impl Network {
    #[zbus(property)]
    async fn active(&self) -> Result<bool> {
        Ok(self.cx.driver.is_active(&self.it)?)
    }

    // Invalidated and not sent along: for the new value zbus would start an object server of its own on our connection.
    #[zbus(property(emits_changed_signal = "invalidates"))]
    async fn autostart(&self) -> Result<bool> {
        Ok(self.cx.driver.autostart(&self.it)?)
    }

    #[zbus(property)]
    async fn set_autostart(&self, autostart: bool, #[zbus(header)] header: Option<Header<'_>>) -> Result<()> {
        let header = header.ok_or_else(|| ApiError::internal("a property was set without a message"))?;
        self.check(&header, "network:write").await?;
        Ok(self.cx.driver.set_autostart(&self.it, autostart).await?)
    }

    /// The bridge; not there for a network that has none.
    #[zbus(property(emits_changed_signal = "false"))]
    async fn bridge_name(&self) -> Result<String> {
        Ok(self.cx.driver.bridge_name(&self.it)?)
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn name(&self) -> String {
        self.it.name.clone()
    }

    #[zbus(property)]
    async fn persistent(&self) -> Result<bool> {
        Ok(self.cx.driver.is_persistent(&self.it)?)
    }

    #[zbus(property(emits_changed_signal = "const"), name = "UUID")]
    async fn uuid(&self) -> String {
        self.it.uuid.hyphenated().to_string()
    }

    async fn create(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "network:start").await?;
        Ok(self.cx.driver.start(&self.it).await?)
    }

    async fn destroy(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "network:stop").await?;
        Ok(self.cx.driver.destroy(&self.it).await?)
    }

    /// An empty MAC address stands for all clients.
    #[zbus(name = "GetDHCPLeases", out_args("leases"))]
    async fn get_dhcp_leases(&self, mac: &str, flags: u32) -> Result<Vec<LeaseFigures>> {
        no_flags(flags, "virNetworkGetDHCPLeases")?;
        let leases = self.cx.driver.leases(&self.it, optional(mac)).await?;
        Ok(leases.into_iter().map(lease_figures).collect())
    }

    #[zbus(out_args("metadata"))]
    async fn get_metadata(&self, r#type: i32, uri: &str, flags: u32) -> Result<String> {
        let impact: NetworkUpdateFlags = word(flags, "virNetworkGetMetadata")?;
        Ok(self.cx.driver.metadata(&self.it, &metadata_kind(r#type, uri)?, impact)?)
    }

    #[zbus(name = "GetXMLDesc", out_args("xml"))]
    async fn get_xml_desc(&self, flags: u32) -> Result<String> {
        let flags: NetworkXmlFlags = word(flags, "virNetworkGetXMLDesc")?;
        Ok(document::format_network(&*self.cx.driver.xml(&self.it, flags)?, flags))
    }

    #[zbus(out_args("ports"))]
    async fn list_ports(&self, flags: u32) -> Result<Vec<OwnedObjectPath>> {
        no_flags(flags, "virNetworkListAllPorts")?;
        Ok(self.cx.driver.ports(&self.it)?.iter().map(paths::port).collect())
    }

    #[zbus(name = "PortCreateXML", out_args("port"))]
    async fn port_create_xml(
        &self,
        xml: &str,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath> {
        self.check(&header, "network_port:create").await?;
        let flags: PortCreateFlags = word(flags, "virNetworkPortCreateXML")?;
        let port = document::parse_network_port(xml, flags.contains(PortCreateFlags::VALIDATE))?;
        Ok(paths::port(&self.cx.driver.create_port(&self.it, port, flags).await?))
    }

    #[zbus(name = "PortLookupByUUID", out_args("port"))]
    async fn port_lookup_by_uuid(&self, uuid: &str) -> Result<OwnedObjectPath> {
        Ok(paths::port(&self.cx.driver.lookup_port(&self.it, params::uuid(uuid)?)?))
    }

    /// An empty text removes the metadata.
    async fn set_metadata(
        &self,
        r#type: i32,
        metadata: &str,
        key: &str,
        uri: &str,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        let impact: NetworkUpdateFlags = word(flags, "virNetworkSetMetadata")?;
        self.check_update(&header, impact).await?;
        let (value, key) = (optional(metadata).map(str::to_owned), optional(key).map(str::to_owned));
        let kind = metadata_kind(r#type, uri)?;
        Ok(self.cx.driver.set_metadata(&self.it, kind, value, key, impact).await?)
    }

    async fn undefine(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "network:delete").await?;
        Ok(self.cx.driver.undefine(&self.it).await?)
    }

    /// A parent index of -1 lets the section's content choose.
    async fn update(
        &self,
        command: u32,
        section: u32,
        parent_index: i32,
        xml: &str,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        let flags: NetworkUpdateFlags = word(flags, "virNetworkUpdate")?;
        self.check_update(&header, flags).await?;
        let number = |it: u32| i32::try_from(it).unwrap_or_default();
        let command = UpdateCommand::from_number(number(command))
            .ok_or_else(|| ApiError::invalid_arg(format!("network update command {command} is not one of 1 to 4")))?;
        let kind = SectionKind::from_number(number(section))
            .ok_or_else(|| ApiError::invalid_arg(format!("network update section {section} is not one of 1 to 12")))?;
        let section = NetworkSection { kind, text: xml.to_owned() };
        let parent = u32::try_from(parent_index).ok();
        Ok(self.cx.driver.update(&self.it, command, section, parent, flags).await?)
    }

    #[zbus(signal)]
    pub(crate) async fn metadata_change(emitter: &SignalEmitter<'_>, r#type: i32, nsuri: &str) -> zbus::Result<()>;
}
