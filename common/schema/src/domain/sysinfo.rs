//! `<sysinfo>`: what SMBIOS and fw_cfg tell the guest.

use virtbus_xml::{Error, ErrorKind, Node, Value, Xml};

/// `<sysinfo type='smbios'>` or `type='fwcfg'`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(tag = "type")]
pub enum Sysinfo {
    Smbios(Smbios),
    Fwcfg {
        #[xml(children = "entry")]
        entries: Vec<FwCfgEntry>,
    },
}

/// SMBIOS tables.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = Smbios::check, form = Smbios::form)]
pub struct Smbios {
    #[xml(child, omit_empty)]
    pub bios: Option<SmbiosTable>,
    #[xml(child, omit_empty)]
    pub system: Option<SmbiosTable>,
    #[xml(children = "baseBoard")]
    pub base_boards: Vec<SmbiosTable>,
    #[xml(child, omit_empty)]
    pub chassis: Option<SmbiosTable>,
    #[xml(child = "oemStrings", omit_empty)]
    pub oem_strings: Option<OemStrings>,
}

/// The names each table has, in the order they are written.
const TABLES: &[(&str, &[&str])] = &[
    ("bios", &["vendor", "version", "date", "release"]),
    ("system", &["manufacturer", "product", "version", "serial", "uuid", "sku", "family"]),
    ("baseBoard", &["manufacturer", "product", "version", "serial", "asset", "location"]),
    ("chassis", &["manufacturer", "version", "serial", "asset", "sku"]),
];

fn names_of(table: &str) -> &'static [&'static str] {
    TABLES.iter().find(|(name, _)| *name == table).map_or(&[], |(_, names)| names)
}

impl Smbios {
    /// A table that is there says something, under names it has.
    fn form(node: Node<'_>) -> Result<(), Error> {
        for (name, names) in TABLES {
            for table in node.children(name) {
                let mut entries = table.children("entry").peekable();
                if entries.peek().is_none() {
                    return Err(table.missing("entry"));
                }
                if let Some(odd) = entries.find(|it| it.attr("name").is_none_or(|it| !names.contains(&it.value()))) {
                    return Err(odd.error(ErrorKind::Unknown, format!("expected one of {}", names.join(", "))));
                }
            }
        }
        match node.child("oemStrings").filter(|it| it.child("entry").is_none()) {
            Some(strings) => Err(strings.missing("entry")),
            None => Ok(()),
        }
    }

    /// What has no name of its table is left out, and so are tables that say nothing.
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        let tables = [(&mut self.bios, "bios"), (&mut self.system, "system"), (&mut self.chassis, "chassis")];
        for (table, name) in tables {
            if let Some(table) = table {
                table.keep_only(names_of(name));
            }
        }
        for board in &mut self.base_boards {
            board.keep_only(names_of("baseBoard"));
        }
        self.base_boards.retain(|it| !it.entries.is_empty());
        let uuid = self.system.as_ref().and_then(|it| it.entry("uuid"));
        if uuid.is_some_and(|it| uuid::Uuid::from_text(it).is_err()) {
            return Err(node.error(ErrorKind::Conflict, "the UUID of the system is malformed"));
        }
        Ok(())
    }
}

/// One table: named strings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct SmbiosTable {
    #[xml(children = "entry")]
    pub entries: Vec<SmbiosEntry>,
}

impl SmbiosTable {
    /// The string of this name.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&str> {
        self.entries.iter().find(|it| it.name == name).map(|it| it.value.as_str())
    }

    fn keep_only(&mut self, names: &[&str]) {
        let rank = |entry: &SmbiosEntry| names.iter().position(|it| *it == entry.name);
        self.entries.retain(|it| rank(it).is_some() && !it.value.is_empty());
        self.entries.sort_by_key(rank);
        self.entries.dedup_by(|later, earlier| later.name == earlier.name);
    }
}

/// `<entry name='vendor'>LENOVO</entry>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct SmbiosEntry {
    #[xml(attr, default)]
    pub name: String,
    #[xml(text)]
    pub value: String,
}

/// `<oemStrings>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct OemStrings {
    #[xml(children = "entry")]
    pub entries: Vec<String>,
}

/// `<entry name='opt/com.example' file='/path'>` or with the value as text.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(check = FwCfgEntry::check, form = FwCfgEntry::form)]
pub struct FwCfgEntry {
    #[xml(attr)]
    pub name: String,
    #[xml(attr)]
    pub file: Option<String>,
    #[xml(text)]
    pub value: Option<String>,
}

impl FwCfgEntry {
    fn form(node: Node<'_>) -> Result<(), Error> {
        if node.attr("file").is_some() && !node.text().trim().is_empty() {
            return Err(node.error(ErrorKind::Unknown, "a value or a file, not both"));
        }
        Ok(())
    }

    /// Users' own entries lie below `opt/`; some names there are QEMU's and the firmware's.
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        let fault = |kind: ErrorKind, text: String| Err(node.error(kind, text));
        if !self.name.starts_with("opt/") {
            return fault(ErrorKind::Unsupported, format!("'{}' does not start with opt/", self.name));
        }
        if ["opt/ovmf/", "opt/org.qemu/", "opt/org.tianocore."].iter().any(|it| self.name.starts_with(it)) {
            return fault(ErrorKind::Unsupported, format!("'{}' is reserved", self.name));
        }
        match (&self.file, &self.value) {
            (None, None) => fault(ErrorKind::BadValue, format!("'{}' has neither a value nor a file", self.name)),
            _ => Ok(()),
        }
    }
}
