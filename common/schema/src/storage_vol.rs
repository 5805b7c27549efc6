//! `<volume>`: the document of a volume of a storage pool. Which formats it may have depends on its pool; the engine
//! knows that one and asks for the check.

use virtbus_xml::{Error, FormatOptions, Xml, XmlEnum};

mod check;
mod format;
mod strict;
mod target;

pub use crate::encryption::{Encryption, EncryptionCipher, EncryptionFormat, EncryptionIvGen, EncryptionSecret};
pub use check::CapacityNeed;
pub use format::{FormatName, VolumeFormat};
pub use target::{ClusterSize, Timestamp, Timestamps, VolumeFeatures, VolumeSize, VolumeTarget};

use crate::storage_pool::Permissions;

/// A volume of a storage pool.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(before = StorageVolume::check_name)]
pub struct StorageVolume {
    #[xml(attr = "type", default = VolumeType::File, fault = Unsupported)]
    pub kind: VolumeType,
    #[xml(child, default)]
    pub name: String,
    /// What the daemon knows it by, unique on the host; what a definition says is of no account.
    #[xml(child)]
    pub key: Option<String>,
    /// The pieces it consists of, where the backend knows.
    #[xml(child, omit_empty)]
    pub source: Option<VolumeSource>,
    /// How much a guest sees.
    #[xml(child)]
    pub capacity: Option<VolumeSize>,
    /// How much it takes up; of a new volume, how much it is to.
    #[xml(child)]
    pub allocation: Option<VolumeSize>,
    /// How long the file or device is.
    #[xml(child, lenient)]
    pub physical: Option<VolumeSize>,
    #[xml(child, default)]
    pub target: VolumeTarget,
    #[xml(child = "backingStore")]
    pub backing_store: Option<VolumeBacking>,
}

impl StorageVolume {
    /// The root element's name.
    pub const ROOT: &'static str = "volume";

    /// Reads a document; elements nobody knows are ignored, as the reference does. What depends on the pool is checked by
    /// [`StorageVolume::complete`].
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
        crate::strict::read(text, Self::ROOT, &[], strict::demands)
    }

    /// Writes the document.
    #[must_use]
    pub fn format(&self, options: FormatOptions) -> String {
        virtbus_xml::to_string(self, Self::ROOT, options)
    }

    /// A volume of this name of which nothing else is known yet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            kind: VolumeType::File,
            name: name.into(),
            key: None,
            source: None,
            capacity: None,
            allocation: None,
            physical: None,
            target: VolumeTarget::default(),
            backing_store: None,
        }
    }

    /// How much a guest sees, in bytes; 0 where that is not known.
    #[must_use]
    pub fn capacity_bytes(&self) -> u64 {
        self.capacity.map_or(0, |it| it.bytes)
    }
}

/// `type=` of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum VolumeType {
    File,
    Block,
    Dir,
    Network,
    Netdir,
    Ploop,
}

/// `<source>` of a volume: on which devices of the pool it lies.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct VolumeSource {
    #[xml(children = "device")]
    pub devices: Vec<VolumeDevice>,
}

/// `<device path='/dev/sdb1'><extent start='0' end='1024'/></device>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct VolumeDevice {
    #[xml(attr)]
    pub path: String,
    #[xml(children = "extent")]
    pub extents: Vec<VolumeExtent>,
}

/// `<extent start='0' end='1024'/>`, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct VolumeExtent {
    #[xml(attr)]
    pub start: u64,
    #[xml(attr)]
    pub end: u64,
}

/// `<backingStore>`: what the volume is based on. Without a path it counts as absent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(absent = VolumeBacking::has_no_path)]
pub struct VolumeBacking {
    #[xml(child, default)]
    pub path: String,
    #[xml(child)]
    pub format: Option<FormatName>,
    #[xml(child, omit_empty)]
    pub permissions: Option<Permissions>,
    #[xml(child, omit_empty)]
    pub timestamps: Option<Timestamps>,
}
