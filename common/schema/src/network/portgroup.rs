//! `<portgroup>`: a kind of port that guests choose by name.

use virtbus_xml::{Error, ErrorKind, Node, Xml, YesNo};

use super::{Bandwidth, VirtualPort, Vlan, check_bandwidth, check_virtual_port, complete_vlan};

/// `<portgroup name='engineering' default='yes'>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(open, check = Portgroup::check)]
pub struct Portgroup {
    #[xml(attr, form = crate::forms::device)]
    pub name: String,
    /// `yes` or absent.
    #[xml(attr = "default", lenient)]
    pub is_default: Option<YesNo>,
    #[xml(attr = "trustGuestRxFilters")]
    pub trust_guest_rx_filters: Option<YesNo>,
    #[xml(child)]
    pub vlan: Option<Vlan>,
    #[xml(child = "virtualport", omit_empty)]
    pub virtual_port: Option<VirtualPort>,
    #[xml(child)]
    pub bandwidth: Option<Bandwidth>,
}

impl Portgroup {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.name.is_empty() {
            return Err(node.error(ErrorKind::BadValue, "a port group needs a name"));
        }
        self.is_default = self.is_default.filter(|it| it.is_on());
        complete_vlan(&mut self.vlan, node)?;
        check_bandwidth(&mut self.bandwidth, false, node)?;
        check_virtual_port(&mut self.virtual_port, false, node)
    }
}
