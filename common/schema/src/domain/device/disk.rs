//! `<disk>`: drives of all kinds. It refuses to know images: formats and sizes are the host's business.

use virtbus_xml::{Error, ErrorKind, Escaped, Fault, FormatOptions, Node, OnOff, Value, Xml, XmlEnum, YesNo};

mod chain;
mod driver;
mod server;
mod source;
mod tune;

pub use chain::{BackingStore, DataStore, Format, Mirror, MirrorJob, MirrorReady};
pub use driver::{
    DiskCache, DiskDetect, DiskDiscard, DiskDriver, DiskErrorPolicy, DiskIo, DiskIoThread, DiskReadErrorPolicy,
    MetadataCache, QueueId,
};
pub use server::{
    Auth, AuthSecret, AuthSecretKind, Cookie, Host, HostTransport, KnownHosts, ReconnectDelay, SshIdentity,
};
pub use source::{
    DiskSource, DiskSourceMode, Encryption, EncryptionFormat, EncryptionSecret, Protocol, Reservations, Slice,
    StartupPolicy,
};
pub use tune::{BlockIo, Geometry, GeometryTranslation, IoTune, ThrottleFilter};

use super::address::RomInfo;

/// `<disk>`.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(check = Disk::check, form = Disk::form)]
pub struct Disk {
    /// What kind of source it has.
    #[xml(attr = "type", default = DiskKind::File)]
    pub kind: DiskKind,
    /// What the guest sees.
    #[xml(attr, default = DiskDevice::Disk)]
    pub device: DiskDevice,
    #[xml(attr)]
    pub model: Option<DiskModel>,
    #[xml(attr)]
    pub rawio: Option<YesNo>,
    #[xml(attr)]
    pub sgio: Option<DiskSgio>,
    #[xml(attr)]
    pub snapshot: Option<DiskSnapshot>,
    #[xml(child)]
    pub driver: Option<DiskDriver>,
    /// Where an older document has the credentials of a network source.
    #[xml(child)]
    pub auth: Option<Auth>,
    #[xml(child)]
    pub source: Option<DiskSource>,
    #[xml(child = "backingStore")]
    pub backing_store: Option<BackingStore>,
    #[xml(child, live)]
    pub mirror: Option<Mirror>,
    /// The driver domain of Xen that has the image.
    #[xml(attr = "backenddomain/@name", required)]
    pub backend_domain: Option<String>,
    #[xml(child)]
    pub geometry: Option<Geometry>,
    #[xml(child)]
    pub blockio: Option<BlockIo>,
    #[xml(child, default, must)]
    pub target: DiskTarget,
    #[xml(child)]
    pub iotune: Option<IoTune>,
    #[xml(children = "throttlefilters/throttlefilter")]
    pub throttlefilters: Vec<ThrottleFilter>,
    #[xml(flag)]
    pub readonly: bool,
    #[xml(flag)]
    pub shareable: bool,
    #[xml(child)]
    pub transient: Option<Transient>,
    #[xml(child, form = crate::forms::serial)]
    pub serial: Option<String>,
    #[xml(child, form = crate::forms::wwn)]
    pub wwn: Option<String>,
    #[xml(child, form = crate::forms::scsi_vendor)]
    pub vendor: Option<String>,
    #[xml(child, form = crate::forms::scsi_product)]
    pub product: Option<String>,
    /// Where an older document has the encryption of the image.
    #[xml(child)]
    pub encryption: Option<Encryption>,
    #[xml(flatten)]
    pub info: RomInfo,
}

impl Disk {
    /// Whether its medium can be changed.
    #[must_use]
    pub const fn is_removable(&self) -> bool {
        matches!(self.device, DiskDevice::Cdrom | DiskDevice::Floppy)
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if let Some(source) = &mut self.source {
            source.keep_only(self.kind);
            source.complete();
        }
        let mut below = self.backing_store.as_mut();
        while let Some(it) = below {
            if let Some(source) = &mut it.source {
                if let Some(kind) = it.kind {
                    source.keep_only(kind);
                }
                source.complete();
            }
            below = it.below.as_deref_mut();
        }
        if let Some(sizes) = &mut self.blockio {
            sizes.logical_block_size = sizes.logical_block_size.filter(|it| *it > 0);
            sizes.physical_block_size = sizes.physical_block_size.filter(|it| *it > 0);
        }
        // What is so without saying is not said.
        self.target.tray = self.target.tray.filter(|it| *it != DiskTray::Closed);
        if let Some(driver) = &mut self.driver {
            driver.cache = driver.cache.filter(|it| *it != DiskCache::Default);
            driver.queues = driver.queues.filter(|it| *it > 0);
            driver.queue_size = driver.queue_size.filter(|it| *it > 0);
        }
        if let Some(name) = self.wwn.as_ref().filter(|it| !crate::forms::wwn(it)) {
            return Err(node.error(ErrorKind::Internal, format!("'{name}' is no world-wide name")));
        }
        if self.kind == DiskKind::VhostUser {
            // What another process serves cannot be snapshotted.
            self.snapshot.get_or_insert(DiskSnapshot::No);
        }
        if self.driver.as_ref().is_some_and(|it| it.iothread.is_some() && !it.iothreads.is_empty()) {
            return Err(node.error(ErrorKind::BadValue, "the driver has an I/O thread and a list of them"));
        }
        self.check_source(node)?;
        // A drive without a medium is a file drive, whatever it was.
        if self.is_removable() && self.source.as_ref().is_none_or(|it| it.name_to_show().is_none()) {
            self.kind = DiskKind::File;
            self.source = None;
        }
        if node.child("target").and_then(|it| it.attr("dev")).is_none() {
            let named = self.source.as_ref().and_then(DiskSource::name_to_show).unwrap_or_default();
            return Err(node.error(ErrorKind::NoTarget, format!("the disk has no target name (source {named})")));
        }
        if self.target.dev.starts_with(EMULATED) {
            self.target.dev = self.target.dev.trim_start_matches(EMULATED).to_owned();
        }
        if self.info.address.is_none() && self.target.index().is_none() {
            let message = format!("\"{}\" is not the name of a disk, and there is no address", self.target.dev);
            let name = node.child("target").and_then(|it| it.attr("dev"));
            return Err(match name {
                Some(name) => name.error(ErrorKind::BadValue, message),
                None => node.error(ErrorKind::BadValue, message),
            });
        }
        self.iotune.as_ref().map_or(Ok(()), |it| it.check_sums(node))?;
        // What cannot be written to is read-only without saying so.
        self.readonly |= self.device == DiskDevice::Cdrom;
        // What does not change is left out of snapshots without saying so.
        self.snapshot = self.snapshot.filter(|it| !self.readonly || *it != DiskSnapshot::No);
        Ok(())
    }

    /// Whether nothing says where its image is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Some(source) = &self.source else {
            return !matches!(self.kind, DiskKind::VhostUser | DiskKind::VhostVdpa);
        };
        match self.kind {
            DiskKind::File => source.file.as_ref().is_none_or(String::is_empty),
            DiskKind::Block => source.dev.as_ref().is_none_or(String::is_empty),
            DiskKind::Dir => source.dir.as_ref().is_none_or(String::is_empty),
            DiskKind::Volume => source.pool.is_none(),
            DiskKind::Network | DiskKind::Nvme | DiskKind::VhostUser | DiskKind::VhostVdpa => false,
        }
    }
}

/// What Xen once wrote before a target's name.
const EMULATED: &str = "ioemu:";

impl Disk {
    /// What the source of each kind says.
    fn form(node: Node<'_>) -> Result<(), Error> {
        let kind = node.attr("type").and_then(|it| DiskKind::from_name(it.value())).unwrap_or(DiskKind::File);
        let lun = node.attr("device").is_some_and(|it| it.value() == "lun");
        if lun && !matches!(kind, DiskKind::Block | DiskKind::Network | DiskKind::Volume) {
            return Err(node.error(ErrorKind::Unknown, "a LUN needs a block device as source"));
        }
        let only_lun = ["rawio", "sgio"].iter().find(|it| node.attr(it).is_some() && !lun);
        if let Some(stray) = only_lun {
            return Err(node.error(ErrorKind::Unknown, format!("{stray} is for device='lun'")));
        }
        if node.child("iotune").is_some() && node.child("throttlefilters").is_some() {
            return Err(node.error(ErrorKind::Unknown, "limits are of the disk or of groups, not both"));
        }
        match node.child("source") {
            Some(source) => DiskSource::form(source, kind),
            None if matches!(kind, DiskKind::Network | DiskKind::VhostUser | DiskKind::VhostVdpa) => {
                Err(node.missing("source"))
            }
            None => Ok(()),
        }
    }

    /// Credentials and encryption stand with the disk or with its source; each server knows one type of secret.
    fn check_secrets(&self, source: &DiskSource, node: Node<'_>) -> Result<(), Error> {
        let unsupported = |text: String| Err(node.error(ErrorKind::Unsupported, text));
        if self.auth.is_some() && source.auth.is_some() {
            return unsupported("the disk and its source both have <auth>".to_owned());
        }
        if self.encryption.is_some() && source.encryption.is_some() {
            return unsupported("the disk and its source both have <encryption>".to_owned());
        }
        let Some(auth) = self.auth.as_ref().or(source.auth.as_ref()) else { return Ok(()) };
        let wanted = match source.protocol {
            None => return Ok(()),
            Some(Protocol::Rbd) => Some(AuthSecretKind::Ceph),
            Some(Protocol::Iscsi) => Some(AuthSecretKind::Iscsi),
            Some(_) => None,
        };
        match (auth.secret.kind, wanted) {
            (None, _) => unsupported("the secret has no type".to_owned()),
            (Some(kind), Some(wanted)) if kind != wanted => {
                unsupported(format!("a secret of type '{kind}' where one of type '{wanted}' is needed"))
            }
            _ => Ok(()),
        }
    }

    fn check_source(&self, node: Node<'_>) -> Result<(), Error> {
        let Some(source) = &self.source else { return Ok(()) };
        self.check_secrets(source, node)?;
        let bad = |text: String| Err(node.error(ErrorKind::BadValue, text));
        match (self.kind, source.kind.as_deref()) {
            (DiskKind::Network, _) if source.protocol.is_none() => return Err(node.missing("source/@protocol")),
            (DiskKind::Nvme, kind) if kind != Some("pci") => return bad("an NVMe disk is of type pci".to_owned()),
            (DiskKind::Nvme, _) if source.namespace.is_none() => return bad("the source has no namespace".to_owned()),
            (DiskKind::Nvme, _) if source.address.is_none() => return bad("the source has no address".to_owned()),
            (DiskKind::VhostUser, kind) if kind != Some("unix") => {
                return bad("the source of a vhostuser disk is of type unix".to_owned());
            }
            (DiskKind::VhostUser, _) if source.path.is_none() => return bad("the source has no path".to_owned()),
            (DiskKind::VhostVdpa, _) if source.dev.is_none() => return bad("the source has no device".to_owned()),
            _ => {}
        }
        if let Some(host) =
            source.hosts.iter().find(|it| it.name.is_none() && it.transport != Some(HostTransport::Unix))
        {
            let transport = host.transport.map_or("tcp", HostTransport::as_str);
            return bad(format!("a host of transport {transport} needs a name"));
        }
        if self.kind == DiskKind::Volume && source.pool.is_none() != source.volume.is_none() {
            return bad("pool and volume of the source go together".to_owned());
        }
        source.check_name(self.kind, node)?;
        let is_bad = |c: char| c.is_control() || " ()<>@,;:\\\"/[]?={}".contains(c);
        if let Some(cookie) = source.cookies.iter().find(|it| it.name.chars().any(is_bad)) {
            return bad(format!("cookie name '{}' has invalid letters", cookie.name));
        }
        let store = source.data_store.as_ref().and_then(|it| it.source.as_ref());
        if store.is_some_and(|it| !it.slices.is_empty()) {
            return bad("a data store has no slices".to_owned());
        }
        let reconnect = source.reconnect.filter(|_| self.kind == DiskKind::VhostUser);
        if reconnect.is_some_and(|it| it.enabled == Some(YesNo::Yes) && it.timeout.is_none()) {
            return bad("a reconnect that is enabled needs a timeout".to_owned());
        }
        let policy = source.startup_policy;
        if policy == Some(StartupPolicy::Requisite) && !self.is_removable() {
            return bad("startupPolicy 'requisite' is for cdrom and floppy drives".to_owned());
        }
        Ok(())
    }
}

/// `type=` of a disk or of an image in its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum DiskKind {
    File,
    Block,
    Dir,
    Network,
    Volume,
    Nvme,
    #[xml(name = "vhostuser")]
    VhostUser,
    #[xml(name = "vhostvdpa")]
    VhostVdpa,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum DiskDevice {
    Disk,
    Cdrom,
    Floppy,
    Lun,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum DiskModel {
    Virtio,
    VirtioTransitional,
    VirtioNonTransitional,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum DiskSgio {
    Filtered,
    Unfiltered,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum DiskSnapshot {
    No,
    Internal,
    External,
    Manual,
}

/// `<target dev='vda' bus='virtio'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct DiskTarget {
    #[xml(attr, default, must, form = crate::forms::disk_target)]
    pub dev: String,
    /// Absent until the default for the target name is filled in.
    #[xml(attr)]
    pub bus: Option<DiskBus>,
    #[xml(attr)]
    pub tray: Option<DiskTray>,
    #[xml(attr, when = Removable::is_written)]
    pub removable: Option<Removable>,
    #[xml(attr, form = crate::forms::positive)]
    pub rotation_rate: Option<u32>,
}

/// Whether the guest sees a drive whose medium goes. Of drives that are not on USB the reference knows it and does not write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removable {
    pub state: OnOff,
    pub written: bool,
}

impl Removable {
    fn is_written(it: &Option<Self>, _: &FormatOptions) -> bool {
        it.is_some_and(|it| it.written)
    }
}

impl Value for Removable {
    const VALUES: &'static [&'static str] = OnOff::VALUES;

    fn from_text(text: &str) -> Result<Self, Fault> {
        OnOff::from_text(text).map(|state| Self { state, written: true })
    }

    fn put(&self, out: &mut Escaped<'_>) {
        self.state.put(out);
    }
}

impl DiskTarget {
    /// The number a name stands for within its bus: `vda` is 0, `sdaa` is 26. A partition number is read over.
    #[must_use]
    pub fn index(&self) -> Option<u32> {
        let letters = ["fd", "hd", "vd", "sd", "xvd", "ubd"].iter().find_map(|it| self.dev.strip_prefix(it))?;
        let letters = letters.trim_end_matches(|it: char| it.is_ascii_digit());
        if letters.is_empty() || !letters.bytes().all(|it| it.is_ascii_lowercase()) {
            return None;
        }
        let count =
            letters.bytes().try_fold(0_u32, |all, it| all.checked_mul(26)?.checked_add(u32::from(it - b'a') + 1))?;
        Some(count - 1)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum DiskBus {
    Ide,
    Fdc,
    Scsi,
    Virtio,
    Xen,
    Usb,
    Uml,
    Sata,
    Sd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum DiskTray {
    Closed,
    Open,
}

/// `<transient shareBacking='yes'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct Transient {
    #[xml(attr = "shareBacking")]
    pub share_backing: Option<YesNo>,
}
