//! Title, description and foreign metadata of a domain.

use async_trait::async_trait;

use crate::{error::Result, flags::Impact, refs::DomainRef};

/// Which metadata is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetadataKind {
    /// `<description>`.
    Description,
    /// `<title>`: one line.
    Title,
    /// The element of a foreign namespace below `<metadata>`.
    Element {
        /// The namespace's URI.
        uri: String,
    },
}

/// Reading and setting metadata. A foreign element is opaque to us, so here its text crosses the trait.
#[async_trait]
pub trait Metadata: Send + Sync {
    /// The metadata, `NO_DOMAIN_METADATA` where there is none.
    fn metadata(&self, domain: &DomainRef, kind: &MetadataKind, impact: Impact) -> Result<String>;

    /// Sets the metadata, or removes it with `None`. `key` is the prefix for a new element's namespace.
    async fn set_metadata(
        &self,
        domain: &DomainRef,
        kind: MetadataKind,
        value: Option<String>,
        key: Option<String>,
        impact: Impact,
    ) -> Result<()>;
}
