//! `<filesystem>`: directories of the host that the guest mounts.

use std::fmt::Write as _;

use virtbus_xml::{ByteSize, Error, ErrorKind, Fault, Node, OnOff, Value, Xml, XmlEnum};

use super::{
    address::{RomInfo, VirtioOptions},
    disk::DiskModel,
};

/// `<filesystem type='mount' accessmode='passthrough'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(check = Filesystem::check, form = Filesystem::form)]
pub struct Filesystem {
    #[xml(attr = "type", default = FilesystemKind::Mount)]
    pub kind: FilesystemKind,
    #[xml(attr)]
    pub accessmode: Option<AccessMode>,
    #[xml(attr)]
    pub model: Option<DiskModel>,
    #[xml(attr)]
    pub multidevs: Option<MultiDevs>,
    #[xml(attr)]
    pub fmode: Option<FileMode>,
    #[xml(attr)]
    pub dmode: Option<FileMode>,
    #[xml(child, omit_empty)]
    pub driver: Option<FilesystemDriver>,
    #[xml(child, omit_empty)]
    pub binary: Option<VirtiofsBinary>,
    #[xml(child = "idmap", omit_empty)]
    pub idmap: Option<crate::domain::IdMap>,
    #[xml(child)]
    pub source: Option<FilesystemSource>,
    #[xml(attr = "target/@dir")]
    pub target: Option<String>,
    #[xml(flag)]
    pub readonly: bool,
    #[xml(flatten)]
    pub info: RomInfo,
    #[xml(child)]
    pub space_hard_limit: Option<ByteSize>,
    #[xml(child)]
    pub space_soft_limit: Option<ByteSize>,
}

impl Filesystem {
    /// Where each kind comes from, and what serves it.
    fn form(node: Node<'_>) -> Result<(), Error> {
        let kind = node.attr("type").map_or("mount", |it| it.value());
        let known: &[&str] = match kind {
            "file" => &["file"],
            "block" => &["dev"],
            "mount" => &["dir", "socket"],
            "bind" => &["dir"],
            "template" => &["name"],
            "ram" => &["usage", "units"],
            other => return Err(node.error(ErrorKind::Unknown, format!("no filesystem is of type {other}"))),
        };
        let Some(source) = node.child("source") else { return Err(node.missing("source")) };
        let all = ["file", "dev", "dir", "socket", "name", "usage", "units", "pool", "volume"];
        if let Some(stray) = all.iter().find(|it| source.attr(it).is_some() && !known.contains(it)) {
            return Err(source.error(ErrorKind::Unknown, format!("{stray} does not belong to type {kind}")));
        }
        if !known.iter().any(|it| *it != "units" && source.attr(it).is_some()) {
            return Err(source.missing(&format!("@{}", known.first().copied().unwrap_or_default())));
        }
        if node.child("target").is_none_or(|it| it.attr("dir").is_none()) {
            return Err(node.missing("target/@dir"));
        }
        let of_mounts = ["binary", "idmap"].iter().find_map(|it| node.child(it)).filter(|_| kind != "mount");
        if let Some(stray) = of_mounts {
            return Err(stray.error(ErrorKind::Unknown, format!("it does not belong to type {kind}")));
        }
        node.child("driver").map_or(Ok(()), FilesystemDriver::form)
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.source.is_none() && self.kind != FilesystemKind::Ram {
            return Err(node.error(ErrorKind::NoSource, "the filesystem has no source"));
        }
        let is_virtiofs = self.driver.as_ref().is_some_and(|it| it.kind == Some(FilesystemDriverKind::Virtiofs));
        if !is_virtiofs {
            self.binary = None;
        }
        let by_socket = self.source.as_ref().is_some_and(|it| it.socket.is_some());
        if self.target.is_none() && !by_socket {
            return Err(node.error(ErrorKind::NoTarget, "the filesystem has no target"));
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum FilesystemKind {
    Mount,
    Block,
    File,
    Template,
    Ram,
    Bind,
    Volume,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum AccessMode {
    Passthrough,
    Mapped,
    Squash,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum MultiDevs {
    Default,
    Remap,
    Forbid,
    Warn,
}

/// Permission bits, written in octal: `0740`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileMode(pub u32);

impl Value for FileMode {
    const SAMPLES: &'static [&'static str] = &["0740", "0", "777"];

    fn from_text(text: &str) -> Result<Self, Fault> {
        let mode = u32::from_str_radix(text, 8).ok().filter(|it| *it <= 0o777 && !text.starts_with('+'));
        mode.map(Self).ok_or(Fault::NotA("a file mode in octal"))
    }

    fn put(&self, out: &mut virtbus_xml::Escaped<'_>) {
        let _ = write!(out, "{:04o}", self.0);
    }
}

/// `<driver type='virtiofs' queue='1024'/>`.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
pub struct FilesystemDriver {
    #[xml(attr = "type")]
    pub kind: Option<FilesystemDriverKind>,
    #[xml(attr, form = crate::forms::store_format)]
    pub format: Option<String>,
    #[xml(attr)]
    pub wrpolicy: Option<WritePolicy>,
    #[xml(attr, form = crate::forms::digits)]
    pub queue: Option<u64>,
    #[xml(flatten)]
    pub virtio: VirtioOptions,
}

impl FilesystemDriver {
    /// What each server has.
    fn form(node: Node<'_>) -> Result<(), Error> {
        let all = ["format", "wrpolicy", "queue", "iommu", "ats", "packed", "page_per_vq"];
        let strays: &[&str] = match node.attr("type").map(|it| it.value()) {
            Some("virtiofs") => &["format", "wrpolicy"],
            Some("mtp") => &all,
            _ => &["queue"],
        };
        match strays.iter().find(|it| node.attr(it).is_some()) {
            Some(stray) => Err(node.error(ErrorKind::Unknown, format!("{stray} does not belong to this driver"))),
            None => Ok(()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum FilesystemDriverKind {
    Path,
    Handle,
    Loop,
    Nbd,
    Ploop,
    Virtiofs,
    Mtp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum WritePolicy {
    Immediate,
}

/// `<source dir='/export'/>` and the like.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct FilesystemSource {
    #[xml(attr, form = crate::forms::absolute_path)]
    pub dev: Option<String>,
    #[xml(attr, form = crate::forms::from_root)]
    pub dir: Option<String>,
    #[xml(attr, form = crate::forms::absolute_path)]
    pub file: Option<String>,
    #[xml(attr)]
    pub name: Option<String>,
    #[xml(attr)]
    pub usage: Option<u64>,
    #[xml(attr)]
    pub units: Option<String>,
    #[xml(attr)]
    pub pool: Option<String>,
    #[xml(attr)]
    pub volume: Option<String>,
    #[xml(attr)]
    pub socket: Option<String>,
}

/// `<binary path='/usr/libexec/virtiofsd' xattr='on'>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct VirtiofsBinary {
    #[xml(attr, form = crate::forms::absolute_path)]
    pub path: Option<String>,
    #[xml(attr)]
    pub xattr: Option<OnOff>,
    #[xml(attr = "cache/@mode", may)]
    pub cache: Option<VirtiofsCache>,
    #[xml(attr = "sandbox/@mode")]
    pub sandbox: Option<VirtiofsSandbox>,
    #[xml(child)]
    pub lock: Option<VirtiofsLock>,
    #[xml(attr = "thread_pool/@size")]
    pub thread_pool: Option<u32>,
    #[xml(attr = "openfiles/@max")]
    pub openfiles: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum VirtiofsCache {
    None,
    Always,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum VirtiofsSandbox {
    Namespace,
    Chroot,
}

/// `<lock posix='on' flock='on'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct VirtiofsLock {
    #[xml(attr)]
    pub posix: Option<OnOff>,
    #[xml(attr)]
    pub flock: Option<OnOff>,
}
