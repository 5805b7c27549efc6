//! `<sysinfo>`: what SMBIOS and fw_cfg tell the guest.

use virtbus_xml::Xml;

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
pub struct Smbios {
    #[xml(child)]
    pub bios: Option<SmbiosTable>,
    #[xml(child)]
    pub system: Option<SmbiosTable>,
    #[xml(children = "baseBoard")]
    pub base_boards: Vec<SmbiosTable>,
    #[xml(child)]
    pub chassis: Option<SmbiosTable>,
    #[xml(children = "processor")]
    pub processors: Vec<SmbiosTable>,
    #[xml(children = "memory_device")]
    pub memory_devices: Vec<SmbiosTable>,
    #[xml(child = "oemStrings")]
    pub oem_strings: Option<OemStrings>,
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
pub struct FwCfgEntry {
    #[xml(attr)]
    pub name: String,
    #[xml(attr)]
    pub file: Option<String>,
    #[xml(text)]
    pub value: Option<String>,
}
