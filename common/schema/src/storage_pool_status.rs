//! `<poolstate>`: the status file of an active storage pool, by which a daemon finds it again.

use virtbus_xml::{Error, FormatOptions, Xml};

use crate::StoragePool;

/// What is kept of an active pool.
#[derive(Debug, Clone, PartialEq, Xml)]
pub struct StoragePoolStatus {
    /// The document it was started from.
    #[xml(child)]
    pub pool: StoragePool,
}

impl StoragePoolStatus {
    /// The root element's name.
    pub const ROOT: &'static str = "poolstate";

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
