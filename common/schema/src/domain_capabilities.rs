//! The domain capabilities document (`virsh domcapabilities`): what a guest of one emulator, machine and kind may ask for.
//!
//! The lists of values are made of the schema's own enums (`Choice::of`), so what can be written is what can be read in a domain.

pub mod cpu;
pub mod devices;
pub mod features;

pub use cpu::{Blockers, CpuModes, CustomCpu, CustomModel, CustomPart, HostModel};
pub use devices::CapableDevices;
pub use features::CapableFeatures;

use virtbus_xml::{Error, FormatOptions, Xml, YesNo};

/// A `<domainCapabilities>` document.
#[derive(Debug, Clone, Default, PartialEq, Xml)]
pub struct DomainCapabilities {
    /// The emulator.
    #[xml(child)]
    pub path: Option<String>,
    /// `qemu`, `kvm`.
    #[xml(child)]
    pub domain: String,
    /// The canonical machine type.
    #[xml(child)]
    pub machine: Option<String>,
    #[xml(child)]
    pub arch: String,
    /// The most vCPUs.
    #[xml(attr = "vcpu/@max")]
    pub max_vcpus: Option<u32>,
    #[xml(child)]
    pub iothreads: Option<Supported>,
    #[xml(child)]
    pub os: CapableOs,
    #[xml(child)]
    pub cpu: CpuModes,
    #[xml(child = "memoryBacking")]
    pub memory_backing: Capable,
    #[xml(child)]
    pub devices: CapableDevices,
    #[xml(child)]
    pub features: CapableFeatures,
}

impl DomainCapabilities {
    /// The document as text.
    #[must_use]
    pub fn to_xml(&self) -> String {
        virtbus_xml::to_string(self, "domainCapabilities", FormatOptions::default())
    }

    /// Reads a document.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn from_xml(text: &str) -> Result<Self, Error> {
        virtbus_xml::from_str(text, "domainCapabilities")
    }
}

/// `<x supported='yes'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct Supported {
    #[xml(attr)]
    pub supported: YesNo,
}

impl Default for Supported {
    fn default() -> Self {
        Self { supported: YesNo::No }
    }
}

impl From<bool> for Supported {
    fn from(yes: bool) -> Self {
        Self { supported: yes.into() }
    }
}

/// `<enum name='bus'>` with one `<value>` per text that may stand there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Choice {
    #[xml(attr)]
    pub name: String,
    #[xml(children = "value")]
    pub values: Vec<String>,
}

impl Choice {
    /// The choice of this name among these values.
    pub fn of<V: Into<String>>(name: &str, values: impl IntoIterator<Item = V>) -> Self {
        Self { name: name.to_owned(), values: values.into_iter().map(Into::into).collect() }
    }
}

/// Something that can be had or not, and the choices it offers where it can.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct Capable {
    #[xml(attr)]
    pub supported: YesNo,
    #[xml(children = "enum")]
    pub choices: Vec<Choice>,
}

impl Default for Capable {
    fn default() -> Self {
        Self::no()
    }
}

impl Capable {
    /// It can be had, with these choices.
    #[must_use]
    pub fn yes(choices: Vec<Choice>) -> Self {
        Self { supported: YesNo::Yes, choices }
    }

    /// It cannot be had.
    #[must_use]
    pub const fn no() -> Self {
        Self { supported: YesNo::No, choices: Vec::new() }
    }

    /// With these choices if it can be had.
    #[must_use]
    pub fn when(supported: bool, choices: Vec<Choice>) -> Self {
        if supported { Self::yes(choices) } else { Self::no() }
    }
}

/// `<os>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct CapableOs {
    #[xml(flatten)]
    pub supported: Supported,
    /// Kinds of firmware that can be chosen automatically.
    #[xml(children = "enum")]
    pub choices: Vec<Choice>,
    #[xml(child)]
    pub loader: Option<CapableLoader>,
}

/// `<loader>`: firmware files and how they may be given.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct CapableLoader {
    #[xml(attr)]
    pub supported: YesNo,
    /// Files that are there.
    #[xml(children = "value")]
    pub files: Vec<String>,
    #[xml(children = "enum")]
    pub choices: Vec<Choice>,
}

#[cfg(test)]
mod tests;
