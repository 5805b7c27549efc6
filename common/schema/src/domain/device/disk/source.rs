//! `<source>` of a disk or of an image in its chain: one type for all kinds, since they share most of it.

use virtbus_xml::{Error, ErrorKind, Node, Xml, XmlEnum, YesNo};

use super::{Auth, Cookie, DataStore, DiskKind, Host, HostTransport, KnownHosts, ReconnectDelay, SshIdentity};
use crate::domain::device::address::PciAddress;
use crate::domain::security::SourceSecLabel;
pub use crate::encryption::{Encryption, EncryptionFormat, EncryptionSecret};

/// `<source>`. Which fields count depends on the disk's kind; the others are empty.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
#[xml(check = DiskSource::settle)]
pub struct DiskSource {
    /// `type='file'`.
    #[xml(attr, form = crate::forms::absolute)]
    pub file: Option<String>,
    #[xml(attr)]
    pub fdgroup: Option<String>,
    /// `type='block'` and `type='vhostvdpa'`.
    #[xml(attr, form = crate::forms::device)]
    pub dev: Option<String>,
    /// `type='dir'`.
    #[xml(attr, form = crate::forms::absolute)]
    pub dir: Option<String>,
    /// `type='network'`.
    #[xml(attr)]
    pub protocol: Option<Protocol>,
    #[xml(attr)]
    pub name: Option<String>,
    #[xml(attr)]
    pub query: Option<String>,
    #[xml(attr)]
    pub tls: Option<YesNo>,
    #[xml(attr = "tlsHostname")]
    pub tls_hostname: Option<String>,
    /// `type='volume'`.
    #[xml(attr)]
    pub pool: Option<String>,
    #[xml(attr, form = crate::forms::volume)]
    pub volume: Option<String>,
    /// `pci` for `type='nvme'`, `unix` for `type='vhostuser'`.
    #[xml(attr = "type")]
    pub kind: Option<String>,
    #[xml(attr)]
    pub managed: Option<YesNo>,
    #[xml(attr, free, form = crate::forms::uint32)]
    pub namespace: Option<u64>,
    #[xml(attr, form = crate::forms::absolute_path)]
    pub path: Option<String>,
    #[xml(attr)]
    pub mode: Option<DiskSourceMode>,
    #[xml(attr = "startupPolicy")]
    pub startup_policy: Option<StartupPolicy>,
    #[xml(attr, live)]
    pub index: Option<u32>,
    #[xml(children = "host")]
    pub hosts: Vec<Host>,
    #[xml(attr = "snapshot/@name")]
    pub snapshot: Option<String>,
    #[xml(attr = "config/@file")]
    pub config: Option<String>,
    /// Of `type='nvme'`.
    #[xml(child)]
    pub address: Option<PciAddress>,
    #[xml(attr = "ssl/@verify")]
    pub ssl_verify: Option<YesNo>,
    #[xml(children = "cookies/cookie", secret)]
    pub cookies: Vec<Cookie>,
    /// In bytes.
    #[xml(attr = "readahead/@size")]
    pub readahead: Option<u64>,
    /// In seconds.
    #[xml(attr = "timeout/@seconds")]
    pub timeout: Option<u64>,
    #[xml(attr = "initiator/iqn/@name")]
    pub initiator: Option<String>,
    #[xml(child = "knownHosts")]
    pub known_hosts: Option<KnownHosts>,
    #[xml(child)]
    pub identity: Option<SshIdentity>,
    #[xml(child)]
    pub reconnect: Option<ReconnectDelay>,
    #[xml(children = "slices/slice")]
    pub slices: Vec<Slice>,
    #[xml(children = "seclabel")]
    pub seclabels: Vec<SourceSecLabel>,
    #[xml(child)]
    pub auth: Option<Auth>,
    #[xml(child)]
    pub reservations: Option<Reservations>,
    #[xml(child)]
    pub encryption: Option<Encryption>,
    #[xml(child = "dataStore")]
    pub data_store: Option<Box<DataStore>>,
}

impl DiskSource {
    fn settle(&mut self, node: Node<'_>) -> Result<(), Error> {
        SourceSecLabel::settle(&mut self.seclabels, node)
    }

    /// What a source of this kind has, and must have.
    pub(crate) fn form(node: Node<'_>, kind: DiskKind) -> Result<(), Error> {
        let protocol = node.attr("protocol").and_then(|it| Protocol::from_name(it.value()));
        if kind == DiskKind::Network && protocol.is_none() {
            return Err(node.missing("@protocol"));
        }
        let (may, must) = parts_of(kind, protocol);
        let has = |name: &str| node.attr(name).is_some() || node.child(name).is_some();
        let everywhere: &[&str] = if matches!(kind, DiskKind::VhostUser | DiskKind::VhostVdpa) { &[] } else { COMMON };
        let allowed = |name: &str| may.contains(&name) || must.contains(&name) || everywhere.contains(&name);
        if let Some(stray) = PARTS.iter().find(|it| has(it) && !allowed(it)) {
            let of = protocol.map_or(kind.as_str(), Protocol::as_str);
            return Err(node.error(ErrorKind::Unknown, format!("'{stray}' does not belong to a source of type {of}")));
        }
        if let Some(missing) = must.iter().find(|it| !has(it)) {
            return Err(node.missing(missing));
        }
        if node.attr("fdgroup").is_some() && node.attr("file").is_none() {
            return Err(node.missing("@file"));
        }
        if kind == DiskKind::VhostVdpa && node.attr("dev").is_some_and(|it| !crate::forms::absolute_path(it.value())) {
            return Err(node.error(ErrorKind::Unknown, "a vhost-vdpa device is named by its path"));
        }
        let of_kind = match kind {
            DiskKind::Nvme => "pci",
            DiskKind::VhostUser => "unix",
            _ => "",
        };
        if let Some(said) = node.attr("type").filter(|it| it.value() != of_kind) {
            return Err(
                node.error(ErrorKind::Unknown, format!("a source of this kind is not of type {}", said.value()))
            );
        }
        if kind == DiskKind::Volume && node.attr("mode").is_some_and(|it| !matches!(it.value(), "host" | "direct")) {
            return Err(node.error(ErrorKind::Unknown, "the mode of a volume is host or direct"));
        }
        let hosts = node.children("host").count();
        if hosts > 1 && !matches!(protocol, Some(Protocol::Rbd | Protocol::Gluster)) {
            return Err(node.error(ErrorKind::Unknown, "a source of this protocol has one host"));
        }
        node.children("host").try_for_each(Host::form)
    }

    /// What is on a server has a name there; some names have two parts.
    pub(super) fn check_name(&self, kind: DiskKind, node: Node<'_>) -> Result<(), Error> {
        let bad = |text: String| Err(node.error(ErrorKind::BadValue, text));
        if kind != DiskKind::Network {
            return Ok(());
        }
        let Some(name) = &self.name else {
            return if self.protocol == Some(Protocol::Nbd) {
                Ok(())
            } else {
                bad("the source has no name".to_owned())
            };
        };
        let has_pool = matches!(self.protocol, Some(Protocol::Rbd | Protocol::Gluster));
        if has_pool && name.split_once('/').is_none_or(|(pool, image)| pool.is_empty() || image.is_empty()) {
            return bad(format!("'{name}' is not a pool and an image"));
        }
        Ok(())
    }

    /// Drops what does not belong to a kind of source, as the reference does.
    pub fn keep_only(&mut self, kind: DiskKind) {
        let is = |kinds: &[DiskKind]| kinds.contains(&kind);
        if !is(&[DiskKind::File]) {
            (self.file, self.fdgroup) = (None, None);
        }
        if !is(&[DiskKind::Block, DiskKind::VhostVdpa]) {
            self.dev = None;
        }
        if !is(&[DiskKind::Dir]) {
            self.dir = None;
        }
        if !is(&[DiskKind::Network]) {
            (self.protocol, self.name, self.query, self.tls, self.tls_hostname) = (None, None, None, None, None);
            (self.snapshot, self.config, self.initiator) = (None, None, None);
            self.hosts.clear();
        }
        if !is(&[DiskKind::Volume]) {
            (self.pool, self.volume, self.mode) = (None, None, None);
        }
        if is(&[DiskKind::Nvme]) {
            self.managed.get_or_insert(YesNo::Yes);
            if let Some(address) = &mut self.address {
                (address.multifunction, address.zpci) = (None, None);
            }
        } else {
            (self.managed, self.namespace, self.address) = (None, None, None);
        }
        if !is(&[DiskKind::VhostUser]) {
            self.path = None;
        }
        if !is(&[DiskKind::Nvme, DiskKind::VhostUser]) {
            self.kind = None;
        }
    }

    /// Fills in what a protocol implies: ports, and the LUN of an iSCSI target.
    pub fn complete(&mut self) {
        self.slices.retain(|it| it.kind == "storage");
        if let Some(data) = self.data_store.as_mut().and_then(|it| it.source.as_mut()) {
            data.complete();
        }
        let Some(protocol) = self.protocol else { return };
        for host in &mut self.hosts {
            // TCP goes without saying.
            host.transport = host.transport.filter(|it| *it != HostTransport::Tcp);
            if host.port.is_none() && matches!(host.transport, None | Some(HostTransport::Tcp)) {
                host.port = protocol.default_port();
            }
        }
        if let Some(name) = self.name.as_mut().filter(|it| protocol == Protocol::Iscsi && !it.contains('/')) {
            name.push_str("/0");
        }
    }

    /// The file, device or name a user would call the source by.
    #[must_use]
    pub fn name_to_show(&self) -> Option<&str> {
        [&self.file, &self.dev, &self.dir, &self.name, &self.volume, &self.path]
            .into_iter()
            .find_map(|it| it.as_deref())
    }
}

/// What a source of every kind of image may have.
const COMMON: &[&str] = &["index", "slices", "dataStore"];

/// All parts that belong to some kinds of source only, attributes and children.
const PARTS: &[&str] = &[
    "file",
    "fdgroup",
    "dev",
    "dir",
    "protocol",
    "name",
    "query",
    "tls",
    "tlsHostname",
    "pool",
    "volume",
    "type",
    "managed",
    "namespace",
    "path",
    "mode",
    "startupPolicy",
    "index",
    "host",
    "snapshot",
    "config",
    "address",
    "ssl",
    "cookies",
    "readahead",
    "timeout",
    "initiator",
    "knownHosts",
    "identity",
    "reconnect",
    "slices",
    "seclabel",
    "auth",
    "reservations",
    "encryption",
    "dataStore",
];

/// What a source of a kind, or of a protocol, may and must have.
fn parts_of(kind: DiskKind, protocol: Option<Protocol>) -> (&'static [&'static str], &'static [&'static str]) {
    match (kind, protocol) {
        (DiskKind::File, _) => (&["file", "fdgroup", "startupPolicy", "encryption", "seclabel"], &[]),
        (DiskKind::Block, _) => (&["dev", "startupPolicy", "encryption", "reservations", "seclabel"], &[]),
        (DiskKind::Dir, _) => (&["startupPolicy", "encryption"], &["dir"]),
        (DiskKind::Volume, _) => (&["mode", "startupPolicy", "encryption", "seclabel"], &["pool", "volume"]),
        (DiskKind::Nvme, _) => (&["managed", "startupPolicy", "encryption"], &["type", "namespace", "address"]),
        (DiskKind::VhostUser, _) => (&["reconnect"], &["type", "path"]),
        (DiskKind::VhostVdpa, _) => (&[], &["dev"]),
        (DiskKind::Network, Some(protocol)) => match protocol {
            Protocol::Rbd => (&["name", "host", "snapshot", "config", "auth", "encryption"], &["protocol"]),
            Protocol::Iscsi => (&["auth", "encryption", "initiator"], &["protocol", "name", "host"]),
            Protocol::Http => {
                (&["query", "encryption", "cookies", "readahead", "timeout", "auth"], &["protocol", "name", "host"])
            }
            Protocol::Https => (
                &["query", "encryption", "ssl", "cookies", "readahead", "timeout", "auth"],
                &["protocol", "name", "host"],
            ),
            Protocol::Ftp => (&["encryption", "readahead", "timeout", "auth"], &["protocol", "name", "host"]),
            Protocol::Ftps => (&["encryption", "ssl", "readahead", "timeout", "auth"], &["protocol", "name", "host"]),
            Protocol::Ssh => (
                &["encryption", "readahead", "timeout", "knownHosts", "identity", "auth"],
                &["protocol", "name", "host"],
            ),
            Protocol::Sheepdog | Protocol::Tftp => {
                (&["encryption", "readahead", "timeout"], &["protocol", "name", "host"])
            }
            Protocol::Nbd => (&["name", "tls", "tlsHostname", "reconnect", "encryption"], &["protocol", "host"]),
            Protocol::Gluster => (&["encryption"], &["protocol", "name", "host"]),
            Protocol::Vxhs => (&["tls"], &["protocol", "name", "host"]),
            Protocol::Nfs => (&["identity"], &["protocol", "name", "host"]),
        },
        (DiskKind::Network, None) => (&[], &["protocol"]),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum Protocol {
    Nbd,
    Rbd,
    Sheepdog,
    Gluster,
    Iscsi,
    Http,
    Https,
    Ftp,
    Ftps,
    Tftp,
    Ssh,
    Vxhs,
    Nfs,
}

impl Protocol {
    /// The port where a document names none; some protocols find theirs elsewhere.
    #[must_use]
    pub const fn default_port(self) -> Option<u16> {
        Some(match self {
            Self::Nbd => 10809,
            Self::Sheepdog => 7000,
            Self::Gluster => 24007,
            Self::Iscsi => 3260,
            Self::Http => 80,
            Self::Https => 443,
            Self::Ftp => 21,
            Self::Ftps => 990,
            Self::Tftp => 69,
            Self::Ssh => 22,
            Self::Vxhs => 9999,
            Self::Rbd | Self::Nfs => return None,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum DiskSourceMode {
    Host,
    Direct,
    Client,
    Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum StartupPolicy {
    Mandatory,
    Requisite,
    Optional,
}

/// `<slice type='storage' offset='0' size='1024'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct Slice {
    #[xml(attr = "type")]
    pub kind: String,
    #[xml(attr)]
    pub offset: u64,
    #[xml(attr)]
    pub size: u64,
}

/// `<reservations managed='yes'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct Reservations {
    #[xml(attr)]
    pub managed: YesNo,
    #[xml(attr, live)]
    pub migration: Option<YesNo>,
    #[xml(child)]
    pub source: Option<ReservationsSource>,
}

/// `<source type='unix' path='/path' mode='client'/>` of a reservations helper.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct ReservationsSource {
    #[xml(attr = "type")]
    pub kind: String,
    #[xml(attr)]
    pub path: String,
    #[xml(attr)]
    pub mode: String,
}
