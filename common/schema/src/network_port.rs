//! `<networkport>`: the document of a guest's or a user's plug into a network.

use uuid::Uuid;
use virtbus_xml::{Error, ErrorKind, FormatOptions, Mac, Node, Xml, XmlEnum, YesNo};

use crate::domain::device::address::PciAddress;
use crate::network::{
    Bandwidth, HostdevDriver, MacTableManager, VirtualPort, Vlan, check_bandwidth, check_virtual_port, complete_vlan,
};

/// The document of a guest's or a user's plug into a network.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(before = NetworkPort::check_identity, check = NetworkPort::check)]
pub struct NetworkPort {
    #[xml(child, fault = Internal)]
    pub uuid: Uuid,
    #[xml(child)]
    pub owner: PortOwner,
    /// The port group it was asked for in.
    #[xml(child, form = crate::forms::device)]
    pub group: Option<String>,
    /// Of the guest's interface.
    #[xml(attr = "mac/@address", fault = Internal)]
    pub mac: Mac,
    #[xml(child = "virtualport", omit_empty)]
    pub virtual_port: Option<VirtualPort>,
    #[xml(child)]
    pub bandwidth: Option<PortBandwidth>,
    #[xml(child)]
    pub vlan: Option<Vlan>,
    #[xml(attr = "port/@isolated")]
    pub isolated: Option<YesNo>,
    #[xml(attr = "rxfilters/@trustGuest")]
    pub trust_guest_rx_filters: Option<YesNo>,
    /// What the network gives the guest to plug into; absent until the network has chosen.
    #[xml(child)]
    pub plug: Option<Plug>,
}

/// `<owner>`: the guest.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct PortOwner {
    #[xml(child)]
    pub name: String,
    #[xml(child, fault = Internal)]
    pub uuid: Uuid,
}

/// `<bandwidth classID='3'>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct PortBandwidth {
    /// Which class of the bridge's queue guarantees the port's floor.
    #[xml(attr = "classID", form = crate::forms::positive)]
    pub class_id: Option<u32>,
    #[xml(flatten)]
    pub limits: Bandwidth,
}

/// `<plug type='network' bridge='virbr0'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(tag = "type")]
pub enum Plug {
    /// The bridge of the network itself.
    Network(BridgePlug),
    /// A bridge of the host.
    Bridge(BridgePlug),
    /// A device of the pool, below a macvtap.
    Direct {
        #[xml(attr, form = crate::forms::device)]
        dev: String,
        #[xml(attr)]
        mode: DirectMode,
    },
    /// A virtual function of the pool, handed through.
    HostdevPci {
        #[xml(attr, default = YesNo::No)]
        managed: YesNo,
        #[xml(child, omit_empty)]
        driver: Option<HostdevDriver>,
        #[xml(child)]
        address: PciAddress,
    },
}

/// `bridge='virbr0' macTableManager='kernel'`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct BridgePlug {
    #[xml(attr, form = crate::forms::device)]
    pub bridge: String,
    #[xml(attr = "macTableManager")]
    pub mac_table_manager: Option<MacTableManager>,
}

/// What a macvtap lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum DirectMode {
    Vepa,
    Private,
    Bridge,
    Passthrough,
}

impl NetworkPort {
    /// The root element's name.
    pub const ROOT: &'static str = "networkport";

    /// Reads a document; elements nobody knows are ignored, as the reference does.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(text: &str) -> Result<Self, Error> {
        virtbus_xml::from_str(text, Self::ROOT)
    }

    /// Reads a document and refuses what nobody knows.
    ///
    /// # Errors
    /// The first fault or unknown part, with its place.
    pub fn parse_strict(text: &str) -> Result<Self, Error> {
        virtbus_xml::from_str_strict(text, Self::ROOT)
    }

    /// Writes the document.
    #[must_use]
    pub fn format(&self, options: FormatOptions) -> String {
        virtbus_xml::to_string(self, Self::ROOT, options)
    }

    /// A port of a guest that nothing else is said about.
    #[must_use]
    pub fn new(uuid: Uuid, owner: PortOwner, mac: Mac) -> Self {
        Self {
            uuid,
            owner,
            group: None,
            mac,
            virtual_port: None,
            bandwidth: None,
            vlan: None,
            isolated: None,
            trust_guest_rx_filters: None,
            plug: None,
        }
    }

    /// The reference reports each of these as a fault of its own.
    fn check_identity(node: Node<'_>) -> Result<(), Error> {
        for path in [&["uuid"][..], &["owner", "name"], &["owner", "uuid"]] {
            if node.descend(path).is_none_or(|it| it.text().is_empty()) {
                return Err(Error { kind: ErrorKind::Internal, ..node.missing(&path.join("/")) });
            }
        }
        if node.child("mac").is_none_or(|it| it.attr("address").is_none()) {
            return Err(Error { kind: ErrorKind::Internal, ..node.missing("mac/@address") });
        }
        Ok(())
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        complete_vlan(&mut self.vlan, node)?;
        check_virtual_port(&mut self.virtual_port, false, node)?;
        let class_id = self.bandwidth.as_ref().and_then(|it| it.class_id);
        let mut limits = self.bandwidth.take().map(|it| it.limits);
        check_bandwidth(&mut limits, true, node)?;
        self.bandwidth = limits.map(|limits| PortBandwidth { class_id, limits });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "<networkport>
  <uuid>09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f</uuid>
  <owner>
    <name>d</name>
    <uuid>19b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f</uuid>
  </owner>
";

    #[test]
    fn ports_read_and_write_alike() {
        for rest in [
            "  <group>g</group>\n  <mac address='52:54:00:11:22:33'/>\n  <plug type='network' bridge='virbr0'/>\n",
            "  <mac address='52:54:00:11:22:33'/>
  <virtualport type='openvswitch'/>
  <bandwidth classID='4'>
    <inbound average='10' peak='30' floor='5' burst='7'/>
    <outbound average='3'/>
  </bandwidth>
  <vlan>
    <tag id='1'/>
  </vlan>
  <port isolated='yes'/>
  <rxfilters trustGuest='yes'/>
  <plug type='bridge' bridge='x' macTableManager='kernel'/>\n",
            "  <mac address='52:54:00:11:22:33'/>\n  <plug type='direct' dev='eth0' mode='passthrough'/>\n",
            "  <mac address='52:54:00:11:22:33'/>
  <plug type='hostdev-pci' managed='yes'>
    <driver name='vfio'/>
    <address domain='0x0000' bus='0x00' slot='0x01' function='0x2'/>
  </plug>\n",
        ] {
            let text = format!("{HEAD}{rest}</networkport>\n");
            let port = NetworkPort::parse_strict(&text).expect("it is a port");
            assert_eq!(port.format(FormatOptions::default()), text);
        }
    }

    #[test]
    fn what_a_port_cannot_be_without() {
        for text in ["<networkport/>".to_owned(), format!("{HEAD}</networkport>")] {
            assert_eq!(NetworkPort::parse(&text).unwrap_err().kind, ErrorKind::Internal);
        }
    }
}
