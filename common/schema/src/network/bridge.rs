//! `<bridge>` and `<domain>`: the bridge of a network and the DNS domain of its guests.

use virtbus_xml::{Error, ErrorKind, Node, OnOff, Xml, XmlEnum, YesNo};

/// `<bridge name='virbr0' zone='libvirt' stp='on' delay='0' macTableManager='kernel'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = Bridge::check)]
pub struct Bridge {
    /// Absent until a free one is chosen.
    #[xml(attr, form = crate::forms::device)]
    pub name: Option<String>,
    /// The firewalld zone it is put into.
    #[xml(attr, form = crate::forms::zone)]
    pub zone: Option<String>,
    /// Of our own bridge always present.
    #[xml(attr, lenient)]
    pub stp: Option<OnOff>,
    /// In seconds; of our own bridge always present.
    #[xml(attr, blank)]
    pub delay: Option<u64>,
    #[xml(attr = "macTableManager", blank)]
    pub mac_table_manager: Option<MacTableManager>,
}

/// Who fills the bridge's table of MAC addresses: the kernel by learning, or the daemon, with learning and flooding off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum MacTableManager {
    Kernel,
    Libvirt,
}

impl Bridge {
    #[allow(clippy::unnecessary_wraps, reason = "the shape of a check")]
    fn check(&mut self, _: Node<'_>) -> Result<(), Error> {
        self.name = self.name.take().filter(|it| !it.is_empty());
        self.zone = self.zone.take().filter(|it| !it.is_empty());
        Ok(())
    }
}

/// `<domain name='example.com' localOnly='yes' register='yes'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(absent = is_nameless, check = NetworkDomain::check)]
pub struct NetworkDomain {
    #[xml(attr, form = crate::forms::dns_name)]
    pub name: String,
    /// Whether names in the domain are never asked of another server.
    #[xml(attr = "localOnly")]
    pub local_only: Option<YesNo>,
    /// Whether the domain is made known to the host's systemd-resolved.
    #[xml(attr)]
    pub register: Option<YesNo>,
}

/// Without a name the element says nothing.
fn is_nameless(node: Node<'_>) -> bool {
    node.attr("name").is_none()
}

impl NetworkDomain {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.register == Some(YesNo::Yes) && self.local_only != Some(YesNo::Yes) {
            return Err(node.error(ErrorKind::Unsupported, "register='yes' needs localOnly='yes'"));
        }
        Ok(())
    }
}
