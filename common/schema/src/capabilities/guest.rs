//! `<guest>` of the capabilities: an architecture that can be run, by which emulator, on which machines.

use virtbus_xml::{OnOff, Xml, YesNo};

/// `<guest>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Guest {
    /// `hvm`.
    #[xml(child)]
    pub os_type: String,
    #[xml(child)]
    pub arch: GuestArch,
    #[xml(child)]
    pub features: Option<GuestFeatures>,
}

/// `<arch name='x86_64'>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct GuestArch {
    #[xml(attr)]
    pub name: String,
    #[xml(child)]
    pub wordsize: u32,
    #[xml(child)]
    pub emulator: Option<String>,
    #[xml(children = "machine")]
    pub machines: Vec<GuestMachine>,
    #[xml(children = "domain")]
    pub domains: Vec<GuestDomain>,
}

/// `<machine canonical='pc-q35-10.0' maxCpus='4096'>q35</machine>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct GuestMachine {
    /// What an alias stands for.
    #[xml(attr)]
    pub canonical: Option<String>,
    #[xml(attr = "maxCpus")]
    pub max_cpus: Option<u32>,
    #[xml(attr)]
    pub deprecated: Option<YesNo>,
    #[xml(text)]
    pub name: String,
}

/// `<domain type='kvm'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct GuestDomain {
    #[xml(attr = "type")]
    pub kind: String,
}

/// `<features>` that guests of an architecture may have.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct GuestFeatures {
    #[xml(flag)]
    pub pae: bool,
    #[xml(flag)]
    pub nonpae: bool,
    #[xml(child)]
    pub acpi: Option<Toggle>,
    #[xml(child)]
    pub apic: Option<Toggle>,
    #[xml(child)]
    pub hap: Option<Toggle>,
    #[xml(flag)]
    pub cpuselection: bool,
    #[xml(flag)]
    pub deviceboot: bool,
    #[xml(child)]
    pub disksnapshot: Option<Toggle>,
    #[xml(flag = "externalSnapshot")]
    pub external_snapshot: bool,
}

/// `<acpi default='on' toggle='yes'/>`: what a feature is by default, and whether that can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct Toggle {
    #[xml(attr)]
    pub default: OnOff,
    #[xml(attr)]
    pub toggle: YesNo,
}
