//! `<source>` of a pool: one type for all kinds, since they share most of it; and `<sources>`, what a search found.

use virtbus_xml::{Document, Error, ErrorKind, FormatOptions, Node, Xml, XmlEnum, YesNo};

use super::{PoolFormat, PoolKind, ScsiAdapter};

/// `<source>`. Which fields count depends on the pool's kind; the others are empty.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
#[xml(open)]
pub struct PoolSource {
    #[xml(children = "host")]
    pub hosts: Vec<PoolHost>,
    #[xml(children = "device")]
    pub devices: Vec<PoolDevice>,
    #[xml(attr = "dir/@path")]
    pub dir: Option<String>,
    #[xml(child)]
    pub adapter: Option<ScsiAdapter>,
    #[xml(child)]
    pub name: Option<String>,
    #[xml(child, omit_empty)]
    pub initiator: Option<PoolInitiator>,
    #[xml(child)]
    pub format: Option<SourceFormat>,
    #[xml(child)]
    pub auth: Option<PoolAuth>,
    /// The version of NFS.
    #[xml(attr = "protocol/@ver")]
    pub protocol: Option<String>,
    #[xml(attr = "vendor/@name")]
    pub vendor: Option<String>,
    #[xml(attr = "product/@name")]
    pub product: Option<String>,
}

impl PoolSource {
    /// The root element of a source that narrows a search.
    pub const ROOT: &'static str = "source";

    /// Reads the `<source>` that narrows a search for sources of this kind.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(text: &str, kind: PoolKind) -> Result<Self, Error> {
        let document = Document::parse(text)?;
        let node = document.root_named(Self::ROOT)?;
        let mut source = Self::read(node)?;
        source.complete(kind, node)?;
        Ok(source)
    }
}

/// `<host name='h' port='6789'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = PoolHost::check)]
pub struct PoolHost {
    #[xml(attr)]
    pub name: String,
    /// As it was written; whether it is a port shows when it is used.
    #[xml(attr)]
    pub port: Option<i32>,
}

impl PoolHost {
    fn check(&mut self, _: Node<'_>) -> Result<(), Error> {
        self.port = self.port.filter(|it| *it != 0);
        Ok(())
    }
}

/// `<device path='/dev/sda'/>`; of iSCSI, the target's name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct PoolDevice {
    #[xml(attr)]
    pub path: String,
    /// Whether a `p` stands before the number of a partition.
    #[xml(attr)]
    pub part_separator: Option<YesNo>,
    /// Where a disk has room left.
    #[xml(children = "freeExtent")]
    pub free_extents: Vec<FreeExtent>,
}

/// `<freeExtent start='1024' end='2048'/>`, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct FreeExtent {
    #[xml(attr)]
    pub start: u64,
    #[xml(attr)]
    pub end: u64,
}

/// `<initiator><iqn name='iqn.2013-06.com.example:initiator'/></initiator>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct PoolInitiator {
    #[xml(attr = "iqn/@name")]
    pub iqn: Option<String>,
}

/// `<format type='ext4'/>`; without a type it counts as absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
#[xml(absent = has_no_word::<Self>)]
pub struct SourceFormat {
    #[xml(attr = "type", fault = Unsupported)]
    pub kind: PoolFormat,
}

impl Word for SourceFormat {
    const ATTR: &'static str = "type";
}

/// An element that is all about one attribute.
pub(super) trait Word {
    /// The attribute.
    const ATTR: &'static str;
}

/// Whether the attribute is absent or empty, so that the element says nothing.
pub(super) fn has_no_word<T: Word>(node: Node<'_>) -> bool {
    node.attr(T::ATTR).is_none_or(|it| it.value().is_empty())
}

/// `<auth type='chap' username='u'><secret usage='x'/></auth>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(before = PoolAuth::check_said)]
pub struct PoolAuth {
    #[xml(attr = "type", fault = Unsupported)]
    pub kind: PoolAuthKind,
    #[xml(attr)]
    pub username: String,
    #[xml(child)]
    pub secret: PoolAuthSecret,
}

impl PoolAuth {
    fn check_said(node: Node<'_>) -> Result<(), Error> {
        if node.attr("username").is_none_or(|it| it.value().is_empty()) {
            return Err(node.missing("@username"));
        }
        if node.child("secret").is_none() {
            return Err(node.missing("secret"));
        }
        if node.attr("type").is_none() {
            return Err(node.error(ErrorKind::Unsupported, "the type of authentication is missing"));
        }
        Ok(())
    }
}

/// `type=` of `<auth>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum PoolAuthKind {
    Chap,
    Ceph,
}

/// `<secret uuid='...'/>`, or by its usage.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(check = PoolAuthSecret::check)]
pub struct PoolAuthSecret {
    /// Kept as it is; the type of authentication decides.
    #[xml(attr = "type")]
    pub kind: Option<String>,
    #[xml(attr)]
    pub uuid: Option<uuid::Uuid>,
    #[xml(attr)]
    pub usage: Option<String>,
}

impl PoolAuthSecret {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.uuid.is_some() == self.usage.is_some() {
            return Err(node.error(ErrorKind::BadValue, "a secret is named by its uuid or its usage, one of them"));
        }
        Ok(())
    }
}

/// `<sources>`: what a search for pool sources found.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
#[xml(open)]
pub struct SourceList {
    #[xml(children = "source")]
    pub sources: Vec<PoolSource>,
}

impl SourceList {
    /// The root element's name.
    pub const ROOT: &'static str = "sources";

    /// Reads a document.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(text: &str) -> Result<Self, Error> {
        virtbus_xml::from_str(text, Self::ROOT)
    }

    /// Writes the document.
    #[must_use]
    pub fn format(&self) -> String {
        virtbus_xml::to_string(self, Self::ROOT, FormatOptions::default())
    }
}
