//! `<adapter>` of a pool of SCSI devices: which host adapter is meant. It refuses to know which there are.

use virtbus_xml::{Error, ErrorKind, Node, Xml, YesNo};

use crate::domain::device::address::PciAddress;

/// `<adapter type='scsi_host' name='host0'/>`.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(tag = "type")]
pub enum ScsiAdapter {
    /// An adapter of any sort; meant where no type is said.
    #[xml(name = "scsi_host", default)]
    ScsiHost(ScsiHostAdapter),
    /// A Fibre Channel adapter, possibly a virtual one to be made.
    #[xml(name = "fc_host")]
    FcHost(FcHostAdapter),
}

/// By name, or by the address of its PCI device.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
#[xml(before = ScsiHostAdapter::check_typed, check = ScsiHostAdapter::check)]
pub struct ScsiHostAdapter {
    #[xml(attr)]
    pub name: Option<String>,
    #[xml(child = "parentaddr")]
    pub parent: Option<ParentAddress>,
}

impl ScsiHostAdapter {
    /// What only makes sense with a type needs the type.
    fn check_typed(node: Node<'_>) -> Result<(), Error> {
        if node.attr("type").is_some() {
            return Ok(());
        }
        let stray = ["wwnn", "wwpn", "parent"].into_iter().find(|it| node.attr(it).is_some());
        if let Some(stray) = stray.or(node.child("parentaddr").map(|_| "parentaddr")) {
            return Err(node.error(ErrorKind::BadValue, format!("{stray} needs the type of the adapter")));
        }
        Ok(())
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        match (&self.name, &self.parent) {
            (Some(_), Some(_)) => {
                Err(node.error(ErrorKind::BadValue, "an adapter has a name or a <parentaddr>, not both"))
            }
            (None, None) if node.attr("type").is_some() => {
                Err(node.error(ErrorKind::BadValue, "an adapter needs a name or a <parentaddr>"))
            }
            (None, None) => Err(node.error(ErrorKind::BadValue, "the adapter of the source is missing")),
            _ => Ok(()),
        }
    }
}

/// `<parentaddr unique_id='1'><address bus='0x01' slot='0x1f' .../></parentaddr>`.
#[derive(Debug, Clone, PartialEq, Xml)]
pub struct ParentAddress {
    /// Tells the ports of one PCI device apart.
    #[xml(attr)]
    pub unique_id: u32,
    #[xml(child)]
    pub address: PciAddress,
}

/// By the names it has in the fabric, 16 hex digits each.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = FcHostAdapter::check)]
pub struct FcHostAdapter {
    /// The name of the adapter that the virtual one is made on.
    #[xml(attr)]
    pub parent: Option<String>,
    #[xml(attr)]
    pub parent_wwnn: Option<String>,
    #[xml(attr)]
    pub parent_wwpn: Option<String>,
    #[xml(attr)]
    pub parent_fabric_wwn: Option<String>,
    /// Whether the virtual adapter goes when the pool stops.
    #[xml(attr)]
    pub managed: Option<ManagedAdapter>,
    #[xml(attr, default)]
    pub wwnn: String,
    #[xml(attr, default)]
    pub wwpn: String,
}

/// Whether the daemon removes what it made.
pub type ManagedAdapter = YesNo;

impl FcHostAdapter {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.wwnn.is_empty() || self.wwpn.is_empty() {
            return Err(node.error(ErrorKind::BadValue, "a Fibre Channel adapter needs wwnn and wwpn"));
        }
        if self.parent_wwnn.is_some() != self.parent_wwpn.is_some() {
            return Err(node.error(ErrorKind::BadValue, "parent_wwnn and parent_wwpn go together"));
        }
        for name in ["wwnn", "wwpn", "parent_wwnn", "parent_wwpn", "parent_fabric_wwn"] {
            if let Some(wwn) = node.attr(name)
                && (wwn.value().len() != 16 || !wwn.value().bytes().all(|it| it.is_ascii_hexdigit()))
            {
                let message = format!("\"{}\" is not a world wide name of 16 hex digits", wwn.value());
                return Err(wwn.error(ErrorKind::Internal, message));
            }
        }
        Ok(())
    }
}
