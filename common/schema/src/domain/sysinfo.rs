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
#[xml(check = Smbios::check)]
pub struct Smbios {
    #[xml(child, omit_empty)]
    pub bios: Option<SmbiosTable>,
    #[xml(child, omit_empty)]
    pub system: Option<SmbiosTable>,
    #[xml(children = "baseBoard")]
    pub base_boards: Vec<SmbiosTable>,
    #[xml(child, omit_empty)]
    pub chassis: Option<SmbiosTable>,
    #[xml(children = "processor")]
    pub processors: Vec<SmbiosTable>,
    #[xml(children = "memory_device")]
    pub memory_devices: Vec<SmbiosTable>,
    #[xml(child = "oemStrings", omit_empty)]
    pub oem_strings: Option<OemStrings>,
}

impl Smbios {
    /// The names each table has, in the order they are written; others are left out.
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        let tables = [
            (&mut self.bios, &["vendor", "version", "date", "release"][..]),
            (&mut self.system, &["manufacturer", "product", "version", "serial", "uuid", "sku", "family"][..]),
            (&mut self.chassis, &["manufacturer", "version", "serial", "asset", "sku"][..]),
        ];
        for (table, names) in tables {
            if let Some(table) = table {
                table.keep_only(names);
            }
        }
        for board in &mut self.base_boards {
            board.keep_only(&["manufacturer", "product", "version", "serial", "asset", "location"]);
        }
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
    #[xml(attr)]
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
#[xml(check = FwCfgEntry::check)]
pub struct FwCfgEntry {
    #[xml(attr)]
    pub name: String,
    #[xml(attr)]
    pub file: Option<String>,
    #[xml(text)]
    pub value: Option<String>,
}

impl FwCfgEntry {
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
