//! The host capabilities document (`virsh capabilities`), and libvirt's CPU map, which part of it is written in the words of.
//!
//! It refuses to know any host: what is here is the form alone.

pub mod cpu_map;
pub mod guest;
pub mod host;

pub use guest::{Guest, GuestArch, GuestDomain, GuestFeatures, GuestMachine, Toggle};
pub use host::{
    Cell, CellCpu, Cells, Distance, Host, HostCpu, HostCpuFeature, MigrationFeatures, PageCount, PageSize,
    PowerManagement, SecurityModel,
};

use virtbus_xml::{Describe, Error, FormatOptions, Node, Writer, Xml, decode, describe};

/// A `<capabilities>` document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Capabilities {
    /// The host itself.
    pub host: Host,
    /// What guests it can run, one entry per architecture.
    pub guests: Vec<Guest>,
}

impl Capabilities {
    /// The document as text.
    #[must_use]
    pub fn to_xml(&self) -> String {
        virtbus_xml::to_string(self, "capabilities", FormatOptions::default())
    }

    /// Reads a document.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn from_xml(text: &str) -> Result<Self, Error> {
        virtbus_xml::from_str(text, "capabilities")
    }
}

/// By hand for the blank lines alone that the reference puts between its parts.
impl Xml for Capabilities {
    fn read(node: Node<'_>) -> Result<Self, Error> {
        let host = decode::child(node, &[], "host", virtbus_xml::ErrorKind::BadValue)?;
        let guests = decode::children(node, &[], "guest", virtbus_xml::ErrorKind::BadValue)?;
        Ok(Self { host, guests })
    }

    fn write_attrs(&self, _: &mut Writer) {}

    fn write_content(&self, w: &mut Writer) {
        let Self { host, guests } = self;
        w.text_str("\n");
        host.write("host", w);
        w.text_str("\n");
        for guest in guests {
            guest.write("guest", w);
            w.text_str("\n");
        }
    }

    fn describe(to: &mut dyn Describe) {
        describe::child::<Host>(to, "host");
        describe::children::<Guest>(to, "guest");
    }
}

#[cfg(test)]
mod tests;
