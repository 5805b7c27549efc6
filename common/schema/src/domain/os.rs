//! `<os>`: what the guest is and how it boots. It refuses to know which machines and firmware a host has.

use virtbus_xml::{Error, ErrorKind, Node, Xml, XmlEnum, YesNo};

use crate::domain::device::disk::DiskSource;

/// `<os>`.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
#[xml(check = Os::check, form = Os::form)]
pub struct Os {
    /// Ask for firmware of this kind and let the host choose the file.
    #[xml(attr, blank)]
    pub firmware: Option<FirmwareKind>,
    /// Architecture, machine and kind of guest.
    #[xml(child = "type", default, must)]
    pub kind: OsType,
    /// Features the chosen firmware must or must not have.
    #[xml(children = "firmware/feature")]
    pub firmware_features: Vec<FirmwareFeature>,
    /// First process of a container guest.
    #[xml(child)]
    pub init: Option<String>,
    /// Its arguments.
    #[xml(children = "initarg")]
    pub init_args: Vec<String>,
    /// Its environment.
    #[xml(children = "initenv")]
    pub init_env: Vec<InitEnv>,
    /// Its working directory.
    #[xml(child)]
    pub initdir: Option<String>,
    #[xml(child)]
    pub inituser: Option<String>,
    #[xml(child)]
    pub initgroup: Option<String>,
    /// The firmware file.
    #[xml(child)]
    pub loader: Option<Loader>,
    /// Where the firmware keeps its variables.
    #[xml(child)]
    pub nvram: Option<Nvram>,
    /// Kernel file for direct boot.
    #[xml(child, form = crate::forms::absolute)]
    pub kernel: Option<String>,
    /// Initial RAM disk for direct boot.
    #[xml(child, form = crate::forms::absolute)]
    pub initrd: Option<String>,
    /// Kernel command line.
    #[xml(child)]
    pub cmdline: Option<String>,
    /// Shim loader for direct boot with secure boot.
    #[xml(child)]
    pub shim: Option<String>,
    /// Device tree file.
    #[xml(child, form = crate::forms::absolute)]
    pub dtb: Option<String>,
    /// Root device for direct boot.
    #[xml(child)]
    pub root: Option<String>,
    /// ACPI tables to add.
    #[xml(children = "acpi/table")]
    pub acpi_tables: Vec<AcpiTable>,
    /// Kinds of devices to boot from, first one first.
    #[xml(children = "boot")]
    pub boot: Vec<BootDevice>,
    /// The firmware's boot menu.
    #[xml(child)]
    pub bootmenu: Option<BootMenu>,
    /// SeaBIOS options.
    #[xml(child)]
    pub bios: Option<BiosOptions>,
    /// Where SMBIOS data comes from.
    #[xml(attr = "smbios/@mode", fault = Unsupported, blank, form = crate::forms::not_none)]
    pub smbios: Option<SmbiosMode>,
}

impl Os {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.kind.value == "exe" && self.init.is_none() {
            return Err(node.error(ErrorKind::BadValue, "a container needs <init>, the program it runs"));
        }
        if self.smbios == Some(SmbiosMode::None) {
            self.smbios = None;
        }
        // What a container starts means nothing to a machine.
        if self.kind.value == "hvm" {
            (self.init, self.initdir, self.inituser, self.initgroup) = (None, None, None, None);
            self.init_args.clear();
            self.init_env.clear();
        }
        // What says nothing is not written back.
        self.bootmenu = self.bootmenu.take().filter(|it| it.enable.is_some());
        if self.bios.as_ref().is_some_and(|it| it.useserial.is_none() && it.reboot_timeout.is_none()) {
            self.bios = None;
        }
        Ok(())
    }

    /// What each kind of guest may say: containers start a process, machines boot.
    fn form(node: Node<'_>) -> Result<(), Error> {
        let kind = node.child("type").map(|it| it.text()).unwrap_or_default();
        let of_containers = ["init", "initarg", "initenv", "initdir", "inituser", "initgroup"];
        let of_machines = ["boot", "bootmenu", "bios", "smbios", "nvram", "firmware", "acpi", "shim"];
        let foreign: &[&str] = match &*kind {
            "exe" => &of_machines,
            "hvm" => &of_containers,
            _ => &["init", "initarg", "initenv", "initdir", "boot", "bootmenu", "bios"],
        };
        let (arches, machines): (Option<&[&str]>, Option<&[&str]>) = match &*kind {
            "hvm" => (None, None),
            "exe" => (None, Some(&[])),
            _ => (Some(&["i686", "x86_64", "ia64"]), Some(&["xenpv", "xenfv", "xenpvh"])),
        };
        for (name, known) in [("arch", arches), ("machine", machines)] {
            let said = node.child("type").and_then(|it| it.attr(name));
            if let (Some(said), Some(known)) = (said, known)
                && !known.contains(&said.value())
            {
                return Err(said.error(ErrorKind::Unknown, format!("no {name} of guests of type {kind}")));
            }
        }
        if let Some(stray) = node.elements().find(|it| foreign.contains(&it.name())) {
            return Err(stray.error(ErrorKind::Unknown, format!("does not belong to guests of type {kind}")));
        }
        if let Some(empty) = node.child("smbios").filter(|it| it.attr("mode").is_none()) {
            return Err(empty.missing("@mode"));
        }
        match node.child("firmware").filter(|it| it.child("feature").is_none()) {
            Some(empty) => Err(empty.missing("feature")),
            None => Ok(()),
        }
    }

    /// Whether a kernel is booted directly.
    #[must_use]
    pub const fn is_direct_boot(&self) -> bool {
        self.kernel.is_some()
    }
}

/// `<type arch='x86_64' machine='q35'>hvm</type>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct OsType {
    /// The architecture, by libvirt's name; absent means the host's.
    #[xml(attr, form = crate::forms::arch, blank)]
    pub arch: Option<String>,
    /// The machine type; absent means the emulator's default.
    #[xml(attr, form = crate::forms::machine, blank)]
    pub machine: Option<String>,
    /// `hvm` for full virtualization.
    #[xml(text, form = crate::forms::os_type)]
    pub value: String,
}

/// `firmware=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum FirmwareKind {
    Bios,
    Efi,
}

/// `<feature enabled='yes' name='secure-boot'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct FirmwareFeature {
    #[xml(attr)]
    pub enabled: YesNo,
    #[xml(attr)]
    pub name: FirmwareFeatureName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum FirmwareFeatureName {
    EnrolledKeys,
    SecureBoot,
}

/// `<initenv name='X'>value</initenv>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct InitEnv {
    #[xml(attr)]
    pub name: String,
    #[xml(text)]
    pub value: String,
}

/// `<loader readonly='yes' secure='no' type='pflash'>/path</loader>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Loader {
    #[xml(attr)]
    pub readonly: Option<YesNo>,
    #[xml(attr)]
    pub secure: Option<YesNo>,
    #[xml(attr = "type")]
    pub kind: Option<LoaderKind>,
    #[xml(attr)]
    pub stateless: Option<YesNo>,
    #[xml(attr)]
    pub format: Option<FirmwareFormat>,
    #[xml(text, form = crate::forms::absolute)]
    pub path: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum LoaderKind {
    Rom,
    Pflash,
}

/// Image formats firmware may be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum FirmwareFormat {
    Raw,
    Qcow2,
}

/// `<nvram template='...' format='raw'>/path</nvram>`, or with a `<source>` like a disk's.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
#[xml(check = Nvram::check, form = Nvram::form)]
pub struct Nvram {
    #[xml(attr, form = crate::forms::absolute)]
    pub template: Option<String>,
    #[xml(attr = "templateFormat")]
    pub template_format: Option<FirmwareFormat>,
    #[xml(attr = "type")]
    pub kind: Option<NvramKind>,
    #[xml(attr)]
    pub format: Option<FirmwareFormat>,
    /// The file, in the short form.
    #[xml(text, form = crate::forms::absolute)]
    pub path: Option<String>,
    /// The source, in the long form.
    #[xml(child)]
    pub source: Option<NvramSource>,
}

impl Nvram {
    fn form(node: Node<'_>) -> Result<(), Error> {
        match node.attr("templateFormat") {
            Some(_) if node.attr("template").is_none() => Err(node.missing("@template")),
            _ => Ok(()),
        }
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.kind.is_some() && self.source.is_none() {
            return Err(node.error(ErrorKind::Internal, "a store of this type has a <source>"));
        }
        // With a typed source the text between the elements is layout.
        if self.kind.is_some() || self.source.is_some() {
            self.path = None;
        }
        Ok(())
    }
}

/// The kinds of source the variable store may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum NvramKind {
    File,
    Block,
    Network,
}

/// The `<source>` of a variable store.
pub type NvramSource = DiskSource;

/// `<table type='slic'>/path</table>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct AcpiTable {
    #[xml(attr = "type")]
    pub kind: AcpiTableKind,
    #[xml(text, form = crate::forms::absolute)]
    pub path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum AcpiTableKind {
    Raw,
    #[xml(name = "rawset")]
    RawSet,
    Slic,
    Msdm,
}

/// `<boot dev='hd'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct BootDevice {
    #[xml(attr)]
    pub dev: BootKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum BootKind {
    Fd,
    Cdrom,
    Hd,
    Network,
}

/// `<bootmenu enable='yes' timeout='3000'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = BootMenu::check)]
pub struct BootMenu {
    #[xml(attr, must)]
    pub enable: Option<YesNo>,
    /// In milliseconds.
    #[xml(attr, form = crate::forms::menu_timeout)]
    pub timeout: Option<u32>,
}

impl BootMenu {
    /// What is not on is off, and waits for nothing.
    fn check(&mut self, _: Node<'_>) -> Result<(), Error> {
        if self.enable != Some(YesNo::Yes) {
            self.timeout = None;
        }
        Ok(())
    }
}

/// `<bios useserial='yes' rebootTimeout='0'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = BiosOptions::check)]
pub struct BiosOptions {
    #[xml(attr, lenient)]
    pub useserial: Option<YesNo>,
    /// In milliseconds; -1 means never.
    #[xml(attr = "rebootTimeout", form = crate::forms::reboot_timeout)]
    pub reboot_timeout: Option<i32>,
}

impl BiosOptions {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        // Anything but `yes` is `no`.
        if node.attr("useserial").is_some() {
            self.useserial.get_or_insert(YesNo::No);
        }
        match self.reboot_timeout {
            Some(timeout) if !(-1..=65535).contains(&timeout) => {
                Err(node.error(ErrorKind::Unsupported, format!("rebootTimeout {timeout} is not in -1 to 65535")))
            }
            _ => Ok(()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum SmbiosMode {
    None,
    Emulate,
    Host,
    Sysinfo,
}

/// Whether there is an architecture of this name; libvirt's names are meant.
#[must_use]
pub fn is_architecture(name: &str) -> bool {
    crate::forms::arch(name)
}
