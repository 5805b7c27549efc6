//! Flag words about domains.

use bitflags::bitflags;

bitflags! {
    /// How a domain is started.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct StartFlags: u32 {
        /// `VIR_DOMAIN_START_PAUSED`.
        const PAUSED = 1 << 0;
        /// `VIR_DOMAIN_START_AUTODESTROY`.
        const AUTODESTROY = 1 << 1;
        /// `VIR_DOMAIN_START_BYPASS_CACHE`.
        const BYPASS_CACHE = 1 << 2;
        /// `VIR_DOMAIN_START_FORCE_BOOT`.
        const FORCE_BOOT = 1 << 3;
        /// `VIR_DOMAIN_START_VALIDATE`.
        const VALIDATE = 1 << 4;
        /// `VIR_DOMAIN_START_RESET_NVRAM`.
        const RESET_NVRAM = 1 << 5;
    }

    /// How a definition is taken.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct DefineFlags: u32 {
        /// `VIR_DOMAIN_DEFINE_VALIDATE`.
        const VALIDATE = 1 << 0;
    }

    /// What goes with the definition.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct UndefineFlags: u32 {
        /// `VIR_DOMAIN_UNDEFINE_MANAGED_SAVE`.
        const MANAGED_SAVE = 1 << 0;
        /// `VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA`.
        const SNAPSHOTS_METADATA = 1 << 1;
        /// `VIR_DOMAIN_UNDEFINE_NVRAM`.
        const NVRAM = 1 << 2;
        /// `VIR_DOMAIN_UNDEFINE_KEEP_NVRAM`.
        const KEEP_NVRAM = 1 << 3;
        /// `VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA`.
        const CHECKPOINTS_METADATA = 1 << 4;
        /// `VIR_DOMAIN_UNDEFINE_TPM`.
        const TPM = 1 << 5;
        /// `VIR_DOMAIN_UNDEFINE_KEEP_TPM`.
        const KEEP_TPM = 1 << 6;
    }

    /// How hard a domain is stopped.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct DestroyFlags: u32 {
        /// `VIR_DOMAIN_DESTROY_GRACEFUL`.
        const GRACEFUL = 1 << 0;
        /// `VIR_DOMAIN_DESTROY_REMOVE_LOGS`.
        const REMOVE_LOGS = 1 << 1;
    }

    /// How a guest is asked to shut down.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct ShutdownFlags: u32 {
        /// `VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN`.
        const ACPI_POWER_BTN = 1 << 0;
        /// `VIR_DOMAIN_SHUTDOWN_GUEST_AGENT`.
        const GUEST_AGENT = 1 << 1;
        /// `VIR_DOMAIN_SHUTDOWN_INITCTL`.
        const INITCTL = 1 << 2;
        /// `VIR_DOMAIN_SHUTDOWN_SIGNAL`.
        const SIGNAL = 1 << 3;
        /// `VIR_DOMAIN_SHUTDOWN_PARAVIRT`.
        const PARAVIRT = 1 << 4;
    }

    /// How a guest is asked to reboot.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct RebootFlags: u32 {
        /// `VIR_DOMAIN_REBOOT_ACPI_POWER_BTN`.
        const ACPI_POWER_BTN = 1 << 0;
        /// `VIR_DOMAIN_REBOOT_GUEST_AGENT`.
        const GUEST_AGENT = 1 << 1;
        /// `VIR_DOMAIN_REBOOT_INITCTL`.
        const INITCTL = 1 << 2;
        /// `VIR_DOMAIN_REBOOT_SIGNAL`.
        const SIGNAL = 1 << 3;
        /// `VIR_DOMAIN_REBOOT_PARAVIRT`.
        const PARAVIRT = 1 << 4;
    }

    /// Which form of the document is asked for.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct XmlFlags: u32 {
        /// `VIR_DOMAIN_XML_SECURE`.
        const SECURE = 1 << 0;
        /// `VIR_DOMAIN_XML_INACTIVE`.
        const INACTIVE = 1 << 1;
        /// `VIR_DOMAIN_XML_UPDATE_CPU`.
        const UPDATE_CPU = 1 << 2;
        /// `VIR_DOMAIN_XML_MIGRATABLE`.
        const MIGRATABLE = 1 << 3;
    }

    /// Which domains a list holds; bits of one group are alternatives, groups add up.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct ListFilter: u32 {
        /// `VIR_CONNECT_LIST_DOMAINS_ACTIVE`.
        const ACTIVE = 1 << 0;
        /// `VIR_CONNECT_LIST_DOMAINS_INACTIVE`.
        const INACTIVE = 1 << 1;
        /// `VIR_CONNECT_LIST_DOMAINS_PERSISTENT`.
        const PERSISTENT = 1 << 2;
        /// `VIR_CONNECT_LIST_DOMAINS_TRANSIENT`.
        const TRANSIENT = 1 << 3;
        /// `VIR_CONNECT_LIST_DOMAINS_RUNNING`.
        const RUNNING = 1 << 4;
        /// `VIR_CONNECT_LIST_DOMAINS_PAUSED`.
        const PAUSED = 1 << 5;
        /// `VIR_CONNECT_LIST_DOMAINS_SHUTOFF`.
        const SHUTOFF = 1 << 6;
        /// `VIR_CONNECT_LIST_DOMAINS_OTHER`.
        const OTHER = 1 << 7;
        /// `VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE`.
        const MANAGEDSAVE = 1 << 8;
        /// `VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE`.
        const NO_MANAGEDSAVE = 1 << 9;
        /// `VIR_CONNECT_LIST_DOMAINS_AUTOSTART`.
        const AUTOSTART = 1 << 10;
        /// `VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART`.
        const NO_AUTOSTART = 1 << 11;
        /// `VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT`.
        const HAS_SNAPSHOT = 1 << 12;
        /// `VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT`.
        const NO_SNAPSHOT = 1 << 13;
        /// `VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT`.
        const HAS_CHECKPOINT = 1 << 14;
        /// `VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT`.
        const NO_CHECKPOINT = 1 << 15;
    }

    /// Whether the running guest, the definition, or both are meant; empty: whatever is there.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct Impact: u32 {
        /// `VIR_DOMAIN_AFFECT_LIVE`.
        const LIVE = 1 << 0;
        /// `VIR_DOMAIN_AFFECT_CONFIG`.
        const CONFIG = 1 << 1;
    }

    /// How a console is opened.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct ConsoleFlags: u32 {
        /// `VIR_DOMAIN_CONSOLE_FORCE`.
        const FORCE = 1 << 0;
        /// `VIR_DOMAIN_CONSOLE_SAFE`.
        const SAFE = 1 << 1;
    }

    /// How a channel is opened.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct ChannelFlags: u32 {
        /// `VIR_DOMAIN_CHANNEL_FORCE`.
        const FORCE = 1 << 0;
    }

    /// Which figure of the memory is meant.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct MemoryFlags: u32 {
        /// `VIR_DOMAIN_MEM_MAXIMUM`.
        const MAXIMUM = 1 << 2;
        /// `VIR_DOMAIN_MEM_CONFIG`.
        const CONFIG = 1 << 1;
        /// `VIR_DOMAIN_MEM_LIVE`.
        const LIVE = 1 << 0;
    }

    /// Which figure of the vCPUs is meant.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct VcpuFlags: u32 {
        /// `VIR_DOMAIN_VCPU_MAXIMUM`.
        const MAXIMUM = 1 << 2;
        /// `VIR_DOMAIN_VCPU_GUEST`.
        const GUEST = 1 << 3;
        /// `VIR_DOMAIN_VCPU_HOTPLUGGABLE`.
        const HOTPLUGGABLE = 1 << 4;
        /// `VIR_DOMAIN_VCPU_CONFIG`.
        const CONFIG = 1 << 1;
        /// `VIR_DOMAIN_VCPU_LIVE`.
        const LIVE = 1 << 0;
    }

    /// Which messages about a domain are wanted; empty: all.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct MessageFlags: u32 {
        /// `VIR_DOMAIN_MESSAGE_DEPRECATION`.
        const DEPRECATION = 1 << 0;
        /// `VIR_DOMAIN_MESSAGE_TAINTING`.
        const TAINTING = 1 << 1;
        /// `VIR_DOMAIN_MESSAGE_IOERRORS`.
        const IO_ERRORS = 1 << 2;
    }

    /// How the common denominator of CPUs is written.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct BaselineFlags: u32 {
        /// `VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES`.
        const EXPAND_FEATURES = 1 << 0;
        /// `VIR_CONNECT_BASELINE_CPU_MIGRATABLE`.
        const MIGRATABLE = 1 << 1;
    }

    /// How CPUs are compared.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct CompareFlags: u32 {
        /// `VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE`.
        const FAIL_INCOMPATIBLE = 1 << 0;
        /// `VIR_CONNECT_COMPARE_CPU_VALIDATE_XML`.
        const VALIDATE_XML = 1 << 1;
    }

    /// Which snapshots a list holds; bits of one group are alternatives, groups add up.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct SnapshotFilter: u32 {
        /// `VIR_DOMAIN_SNAPSHOT_LIST_ROOTS` of a domain, `_DESCENDANTS` of a snapshot.
        const ROOTS = 1 << 0;
        /// `VIR_DOMAIN_SNAPSHOT_LIST_METADATA`.
        const METADATA = 1 << 1;
        /// `VIR_DOMAIN_SNAPSHOT_LIST_LEAVES`.
        const LEAVES = 1 << 2;
        /// `VIR_DOMAIN_SNAPSHOT_LIST_NO_LEAVES`.
        const NO_LEAVES = 1 << 3;
        /// `VIR_DOMAIN_SNAPSHOT_LIST_NO_METADATA`.
        const NO_METADATA = 1 << 4;
        /// `VIR_DOMAIN_SNAPSHOT_LIST_INACTIVE`.
        const INACTIVE = 1 << 5;
        /// `VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE`.
        const ACTIVE = 1 << 6;
        /// `VIR_DOMAIN_SNAPSHOT_LIST_DISK_ONLY`.
        const DISK_ONLY = 1 << 7;
        /// `VIR_DOMAIN_SNAPSHOT_LIST_INTERNAL`.
        const INTERNAL = 1 << 8;
        /// `VIR_DOMAIN_SNAPSHOT_LIST_EXTERNAL`.
        const EXTERNAL = 1 << 9;
        /// `VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL`: parents before children.
        const TOPOLOGICAL = 1 << 10;
    }
}
