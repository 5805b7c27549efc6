//! `<storagepoolCapabilities>`: which kinds of storage pools the daemon serves, and which formats each knows.

use virtbus_xml::{Document, Error, FormatOptions, Xml, YesNo};

use crate::storage_pool::{PoolFormat, PoolKind};
use crate::storage_vol::VolumeFormat;

/// Which kinds of storage pools the daemon serves.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(open)]
pub struct StoragePoolCapabilities {
    #[xml(children = "pool")]
    pub pools: Vec<PoolCapability>,
}

impl StoragePoolCapabilities {
    /// The root element's name.
    pub const ROOT: &'static str = "storagepoolCapabilities";

    /// All kinds, of which the daemon serves those that pass.
    pub fn of(serves: impl Fn(PoolKind) -> bool) -> Self {
        let pools = PoolKind::ALL.iter().map(|kind| PoolCapability::of(*kind, serves(*kind)));
        Self { pools: pools.collect() }
    }

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
        let document = Document::parse(text)?;
        let read = Self::read(document.root_named(Self::ROOT)?)?;
        document.refuse_unknown()?;
        Ok(read)
    }

    /// Writes the document.
    #[must_use]
    pub fn format(&self, options: FormatOptions) -> String {
        virtbus_xml::to_string(self, Self::ROOT, options)
    }
}

/// `<pool type='dir' supported='yes'>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(open)]
pub struct PoolCapability {
    #[xml(attr = "type")]
    pub kind: PoolKind,
    #[xml(attr)]
    pub supported: YesNo,
    #[xml(child = "poolOptions")]
    pub pool_options: Option<FormatOffer>,
    #[xml(child = "volOptions")]
    pub volume_options: Option<FormatOffer>,
}

impl PoolCapability {
    fn of(kind: PoolKind, serves: bool) -> Self {
        let sources = kind.default_format().map(|default| FormatOffer {
            default: DefaultFormat { kind: default.as_str().to_owned() },
            formats: FormatList::of("sourceFormatType", kind.formats(), PoolFormat::as_str),
        });
        let volumes = kind.default_volume_format().map(|default| FormatOffer {
            default: DefaultFormat { kind: default.as_str().to_owned() },
            formats: FormatList::of("targetFormatType", kind.volume_formats(), VolumeFormat::as_str),
        });
        let supported = if serves { YesNo::Yes } else { YesNo::No };
        Self { kind, supported, pool_options: sources, volume_options: volumes }
    }
}

/// `<poolOptions>` and `<volOptions>`: the formats of sources and of volumes.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct FormatOffer {
    #[xml(child = "defaultFormat")]
    pub default: DefaultFormat,
    #[xml(child = "enum")]
    pub formats: FormatList,
}

/// `<defaultFormat type='raw'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct DefaultFormat {
    #[xml(attr = "type")]
    pub kind: String,
}

/// `<enum name='targetFormatType'>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(open)]
pub struct FormatList {
    #[xml(attr)]
    pub name: String,
    #[xml(children = "value")]
    pub values: Vec<String>,
}

impl FormatList {
    fn of<T: Copy>(name: &str, formats: &[T], text: impl Fn(T) -> &'static str) -> Self {
        Self { name: name.to_owned(), values: formats.iter().map(|it| text(*it).to_owned()).collect() }
    }
}
