//! `<domain>`: the document of a virtual machine. What depends on the host, the machine type or QEMU is filled in elsewhere.

use uuid::Uuid;
use virtbus_xml::{Error, ErrorKind, FormatOptions, Node, RawContent, Xml, XmlEnum};

mod checks;
pub mod clock;
pub mod cpu;
pub mod device;
pub mod features;
pub mod memory;
pub mod os;
pub mod qemu;
pub mod security;
pub mod sysinfo;
pub mod tune;
pub mod vcpu;

pub use clock::Clock;
pub use cpu::Cpu;
pub use device::Devices;
pub use features::Features;
pub use memory::{MaxMemory, Memory, MemoryBacking, MemoryTune, NumaTune};
pub use os::Os;
pub use qemu::QemuNamespace;
pub use security::{KeyWrap, LaunchSecurity, SecLabel};
pub use sysinfo::Sysinfo;
pub use tune::{BlkioTune, IdMap, LifecycleAction, LockFailureAction, Perf, PowerManagement, Resource, ThrottleGroups};
pub use vcpu::{CpuTune, DefaultIoThread, IoThread, Vcpu, VcpuState};

/// A virtual machine, as defined or as running.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(before = Domain::check_identity, check = Domain::check)]
pub struct Domain {
    /// The hypervisor, as `kvm` or `qemu`.
    #[xml(attr = "type", fault = Unsupported, form = crate::forms::hypervisor)]
    pub kind: DomainKind,
    /// Of a running domain.
    #[xml(attr, live, lenient)]
    pub id: Option<u32>,
    #[xml(child, default, must, form = crate::forms::line)]
    pub name: String,
    /// Absent until one is made up.
    #[xml(child, fault = Internal)]
    pub uuid: Option<Uuid>,
    #[xml(child, fault = Internal)]
    pub genid: Option<GenerationId>,
    #[xml(child, form = crate::forms::line)]
    pub title: Option<String>,
    #[xml(child)]
    pub description: Option<String>,
    #[xml(child, omit_empty)]
    pub metadata: Option<RawContent>,
    #[xml(child = "maxMemory")]
    pub max_memory: Option<MaxMemory>,
    /// What the guest has without memory devices.
    #[xml(child, default)]
    pub memory: Memory,
    /// What the balloon leaves it; absent means all.
    #[xml(child = "currentMemory", blank)]
    pub current_memory: Option<virtbus_xml::Size>,
    #[xml(child, omit_empty)]
    pub blkiotune: Option<BlkioTune>,
    #[xml(child, omit_empty)]
    pub memtune: Option<MemoryTune>,
    #[xml(child = "memoryBacking", omit_empty)]
    pub memory_backing: Option<MemoryBacking>,
    #[xml(child, default)]
    pub vcpu: Vcpu,
    #[xml(children = "vcpus/vcpu")]
    pub vcpus: Vec<VcpuState>,
    #[xml(child)]
    pub iothreads: Option<u32>,
    #[xml(children = "iothreadids/iothread")]
    pub iothreadids: Vec<IoThread>,
    #[xml(child)]
    pub defaultiothread: Option<DefaultIoThread>,
    #[xml(child)]
    pub throttlegroups: Option<ThrottleGroups>,
    #[xml(child, omit_empty)]
    pub cputune: Option<CpuTune>,
    #[xml(child, omit_empty)]
    pub numatune: Option<NumaTune>,
    #[xml(child)]
    pub resource: Option<Resource>,
    #[xml(children = "sysinfo")]
    pub sysinfo: Vec<Sysinfo>,
    #[xml(child)]
    pub bootloader: Option<String>,
    #[xml(child)]
    pub bootloader_args: Option<String>,
    #[xml(child, default)]
    pub os: Os,
    #[xml(child, omit_empty)]
    pub idmap: Option<IdMap>,
    #[xml(child, omit_empty)]
    pub features: Option<Features>,
    #[xml(child, omit_empty)]
    pub cpu: Option<Cpu>,
    #[xml(child, default)]
    pub clock: Clock,
    #[xml(child, default = LifecycleAction::Destroy, fault = Unsupported, form = crate::forms::ending, blank)]
    pub on_poweroff: LifecycleAction,
    #[xml(child, default = LifecycleAction::Restart, fault = Unsupported, form = crate::forms::ending, blank)]
    pub on_reboot: LifecycleAction,
    #[xml(child, default = LifecycleAction::Destroy, fault = Unsupported, blank)]
    pub on_crash: LifecycleAction,
    #[xml(child, fault = Unsupported, blank)]
    pub on_lockfailure: Option<LockFailureAction>,
    #[xml(child, omit_empty)]
    pub pm: Option<PowerManagement>,
    #[xml(child, omit_empty)]
    pub perf: Option<Perf>,
    #[xml(child, default)]
    pub devices: Devices,
    #[xml(children = "seclabel")]
    pub seclabels: Vec<SecLabel>,
    #[xml(child, omit_empty)]
    pub keywrap: Option<KeyWrap>,
    #[xml(child = "launchSecurity")]
    pub launch_security: Option<LaunchSecurity>,
    /// What is handed through to QEMU.
    #[xml(flatten)]
    pub qemu: QemuNamespace,
}

impl Domain {
    /// The root element's name.
    pub const ROOT: &'static str = "domain";

    /// Reads a definition; elements nobody knows are ignored, as the reference does.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(text: &str) -> Result<Self, Error> {
        virtbus_xml::from_str(text, Self::ROOT)
    }

    /// Reads a definition and refuses what nobody knows.
    ///
    /// # Errors
    /// The first fault or unknown part, with its place.
    pub fn parse_strict(text: &str) -> Result<Self, Error> {
        virtbus_xml::from_str_strict(text, Self::ROOT)
    }

    /// Writes the document.
    #[must_use]
    pub fn format(&self, options: FormatOptions) -> String {
        virtbus_xml::to_string(self, Self::ROOT, options)
    }
}

/// `type=` of a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum DomainKind {
    Qemu,
    Kqemu,
    Kvm,
    Hvf,
    Xen,
    Lxc,
    Uml,
    Openvz,
    Test,
    Vmware,
    Hyperv,
    Vbox,
    Phyp,
    Parallels,
    Bhyve,
    Vz,
}

/// `<genid>`: the generation of a guest; empty asks for a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GenerationId(pub Option<Uuid>);

impl Xml for GenerationId {
    fn read(node: Node<'_>) -> Result<Self, Error> {
        virtbus_xml::decode::optional_text(node, ErrorKind::BadValue).map(Self)
    }

    fn write_attrs(&self, _: &mut virtbus_xml::Writer) {}

    fn write_content(&self, w: &mut virtbus_xml::Writer) {
        if let Some(uuid) = &self.0 {
            w.text(uuid);
        }
    }

    fn describe(to: &mut dyn virtbus_xml::Describe) {
        to.text(virtbus_xml::Texts::of::<Uuid>());
    }
}
