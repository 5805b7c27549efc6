//! `<pool>`: the document of a storage pool. Which backends this host has is none of its business.

use uuid::Uuid;
use virtbus_xml::{ByteSize, Error, FormatOptions, Xml};

mod adapter;
mod check;
mod kind;
mod namespaces;
mod permissions;
mod source;
mod strict;
mod target;

pub use adapter::{FcHostAdapter, ManagedAdapter, ParentAddress, ScsiAdapter, ScsiHostAdapter};
pub use kind::{PoolFormat, PoolKind};
pub use namespaces::{FsMountOptions, FsNamespace, FsOption, RbdConfigOptions, RbdNamespace, RbdOption};
pub use permissions::{Mode, OwnerId, Permissions};
pub use source::{
    FreeExtent, PoolAuth, PoolAuthKind, PoolAuthSecret, PoolDevice, PoolHost, PoolInitiator, PoolSource, SourceFormat,
    SourceList,
};
pub use target::{PoolTarget, tidy_path};

use source::Word;

/// A storage pool, as defined or as running.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(before = StoragePool::check_parts, check = StoragePool::complete)]
pub struct StoragePool {
    #[xml(attr = "type")]
    pub kind: PoolKind,
    #[xml(child, default)]
    pub name: String,
    /// Absent until one is made up.
    #[xml(child)]
    pub uuid: Option<Uuid>,
    /// How much it holds. What a definition says here is of no account; see [`StoragePool::forget_state`].
    #[xml(child, default, lenient)]
    pub capacity: ByteSize,
    /// How much of it is used.
    #[xml(child, default, lenient)]
    pub allocation: ByteSize,
    /// How much of it is free.
    #[xml(child, default, lenient)]
    pub available: ByteSize,
    #[xml(child, omit_empty)]
    pub features: Option<PoolFeatures>,
    #[xml(child, default)]
    pub source: PoolSource,
    /// Absent for kinds that are nowhere in the file system; see [`PoolKind::has_target`].
    #[xml(child)]
    pub target: Option<PoolTarget>,
    #[xml(child = "refresh/volume")]
    pub refresh: Option<VolumeRefresh>,
    #[xml(flatten)]
    pub fs: FsNamespace,
    #[xml(flatten)]
    pub rbd: RbdNamespace,
}

impl StoragePool {
    /// The root element's name.
    pub const ROOT: &'static str = "pool";

    /// Reads a document; elements nobody knows are ignored, as the reference does.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(text: &str) -> Result<Self, Error> {
        virtbus_xml::from_str(text, Self::ROOT)
    }

    /// Reads a document and refuses what its schema does not have.
    ///
    /// # Errors
    /// The first fault or unknown part, with its place.
    pub fn parse_strict(text: &str) -> Result<Self, Error> {
        crate::strict::read(text, Self::ROOT, &["/auth/secret/@uuid", "/parentaddr/@unique_id"], strict::demands)
    }

    /// Writes the document.
    #[must_use]
    pub fn format(&self, options: FormatOptions) -> String {
        virtbus_xml::to_string(self, Self::ROOT, options)
    }

    /// Drops what only a running pool has: figures and free extents. A definition is taken without them.
    pub fn forget_state(&mut self) {
        (self.capacity, self.allocation, self.available) = Default::default();
        for device in &mut self.source.devices {
            device.free_extents.clear();
        }
    }

    /// Where its volumes appear in the file system; absent for kinds that are nowhere there.
    #[must_use]
    pub fn target_path(&self) -> Option<&str> {
        self.target.as_ref().map(|it| it.path.as_str())
    }

    /// The format of its source, where its kind has formats.
    #[must_use]
    pub fn source_format(&self) -> Option<PoolFormat> {
        self.source.format.map(|it| it.kind)
    }
}

/// `<features>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct PoolFeatures {
    /// Whether new files are copied on write, where the file system can (`yes` and `no`).
    #[xml(attr = "cow/@state")]
    pub cow: Option<virtbus_xml::YesNo>,
}

/// `<volume allocation='capacity'/>` of `<refresh>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
#[xml(absent = source::has_no_word::<Self>)]
pub struct VolumeRefresh {
    #[xml(attr, fault = Unsupported)]
    pub allocation: RefreshAllocation,
}

impl Word for VolumeRefresh {
    const ATTR: &'static str = "allocation";
}

/// How a volume's allocation is found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, virtbus_xml::XmlEnum)]
pub enum RefreshAllocation {
    /// As exactly as the backend can.
    Default,
    /// Taken to be the capacity, which is quick.
    Capacity,
}
