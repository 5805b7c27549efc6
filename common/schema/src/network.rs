//! `<network>`: the document of a virtual network.

use uuid::Uuid;
use virtbus_xml::{Document, Error, FormatOptions, Xml};

/// The document of a virtual network.
#[derive(Debug, Clone, PartialEq, Xml)]
pub struct Network {
    #[xml(child, default)]
    pub name: String,
    /// Absent until one is made up.
    #[xml(child, fault = Internal)]
    pub uuid: Option<Uuid>,
}

impl Network {
    /// The root element's name.
    pub const ROOT: &'static str = "network";

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
