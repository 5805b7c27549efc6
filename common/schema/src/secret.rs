//! `<secret>`: the document of a secret; its value is never part of it.

use uuid::Uuid;
use virtbus_xml::{Describe, Error, ErrorKind, FormatOptions, Node, Value, Writer, Xml, XmlEnum, YesNo};

use crate::strict::{is_absolute, refused};

/// The document of a secret; its value is never part of it.
#[derive(Debug, Clone, PartialEq, Xml)]
pub struct Secret {
    /// Whether it is forgotten when the daemon ends.
    #[xml(attr, blank, default = YesNo::No)]
    pub ephemeral: YesNo,
    /// Whether its value is for the daemon alone, and never given back to clients.
    #[xml(attr, blank, default = YesNo::No)]
    pub private: YesNo,
    /// Absent until one is made up.
    #[xml(child, fault = Internal)]
    pub uuid: Option<Uuid>,
    #[xml(child)]
    pub description: Option<String>,
    /// What it is for; absent for a secret that is only found by its UUID.
    #[xml(child)]
    pub usage: Option<SecretUsage>,
}

impl Secret {
    /// The root element's name.
    pub const ROOT: &'static str = "secret";

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
        crate::strict::read(text, Self::ROOT, &[], Secret::demands)
    }

    /// Writes the document.
    #[must_use]
    pub fn format(&self, options: FormatOptions) -> String {
        virtbus_xml::to_string(self, Self::ROOT, options)
    }

    /// Volumes are named by their paths; a usage of no type is none to say.
    fn demands(node: Node<'_>) -> Result<(), Error> {
        for name in ["ephemeral", "private"] {
            if node.attr(name).is_some_and(|it| it.value().is_empty()) {
                return Err(refused(node, format!("{name} is neither yes nor no")));
            }
        }
        let Some(usage) = node.child("usage") else { return Ok(()) };
        if SecretUsage::is_absent(usage) {
            return Err(refused(usage, "a usage has a type"));
        }
        match usage.child("volume") {
            Some(volume) if !is_absolute(&volume.text()) => Err(refused(volume, "the path is not absolute")),
            Some(_) => Ok(()),
            None => match usage.elements().find(|it| it.text().contains(['/', '\n'])) {
                Some(name) => Err(refused(name, "a name is one line without a slash")),
                None => Ok(()),
            },
        }
    }

    /// The number of its usage type (`virSecretUsageType`); 0 without one.
    #[must_use]
    pub fn usage_type(&self) -> i32 {
        self.usage.as_ref().map_or(0, |it| it.kind.number())
    }

    /// What it is for, within its usage type; empty without one.
    #[must_use]
    pub fn usage_id(&self) -> &str {
        self.usage.as_ref().map_or("", |it| it.id.as_str())
    }
}

/// `<usage type='volume'><volume>/path</volume></usage>`: what a secret is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretUsage {
    /// The type.
    pub kind: SecretUsageKind,
    /// The path, target or name, in the element that the type has for it.
    pub id: String,
}

/// `type=` of `<usage>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum SecretUsageKind {
    /// Opens an encrypted volume: its path.
    Volume,
    /// Proves to Ceph who we are.
    Ceph,
    /// Proves to an iSCSI target who we are.
    Iscsi,
    /// Opens a private key.
    Tls,
    /// Encrypts the state of an emulated TPM.
    Vtpm,
}

impl SecretUsageKind {
    /// The number of the type (`virSecretUsageType`).
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::Volume => 1,
            Self::Ceph => 2,
            Self::Iscsi => 3,
            Self::Tls => 4,
            Self::Vtpm => 5,
        }
    }

    /// The type with this number; none for 0.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.number() == number)
    }

    /// The element that says what it is for.
    #[must_use]
    pub const fn element(self) -> &'static str {
        match self {
            Self::Volume => "volume",
            Self::Iscsi => "target",
            Self::Ceph | Self::Tls | Self::Vtpm => "name",
        }
    }
}

/// The type names the element, so this is made by hand.
impl Xml for SecretUsage {
    fn read(node: Node<'_>) -> Result<Self, Error> {
        let kind: SecretUsageKind = virtbus_xml::decode::attr(node, &[], "type", ErrorKind::BadValue)?;
        let id = node.child(kind.element()).map(|it| it.text()).filter(|it| !it.is_empty());
        let Some(id) = id else {
            let missing = format!("a usage of type {kind} needs <{}>", kind.element());
            return Err(node.error(ErrorKind::Internal, missing));
        };
        Ok(Self { kind, id: id.into_owned() })
    }

    fn write_attrs(&self, w: &mut Writer) {
        w.attr("type", &self.kind);
    }

    fn write_content(&self, w: &mut Writer) {
        self.id.write(self.kind.element(), w);
    }

    fn describe(to: &mut dyn Describe) {
        to.choose("type", SecretUsageKind::VALUES);
        for (number, kind) in SecretUsageKind::ALL.iter().enumerate() {
            if to.form(number) {
                virtbus_xml::describe::child::<String>(to, kind.element());
            }
        }
        to.chosen();
    }

    /// A usage of type `none` is none.
    fn is_absent(node: Node<'_>) -> bool {
        node.attr("type").is_some_and(|it| it.value() == "none")
    }
}
