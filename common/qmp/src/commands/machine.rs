//! The machine as a whole: its state, processors, memory, and what the binary can do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::codec::VersionInfo;
use crate::command::{Done, commands};

commands! {
    /// Whether and why the guest runs.
    plain QueryStatus = "query-status" -> Status;
    /// Lets the guest run.
    plain Cont = "cont" -> Done;
    /// Holds the guest.
    plain Stop = "stop" -> Done;
    /// Presses the power button (ACPI): the guest may ignore it.
    plain SystemPowerdown = "system_powerdown" -> Done;
    /// Resets the machine at once.
    plain SystemReset = "system_reset" -> Done;
    /// Wakes a guest that suspended to RAM.
    plain SystemWakeup = "system_wakeup" -> Done;
    /// Ends QEMU.
    plain Quit = "quit" -> Done;
    /// Raises a non-maskable interrupt.
    plain InjectNmi = "inject-nmi" -> Done;
    /// QEMU's version.
    plain QueryVersion = "query-version" -> VersionInfo;
    /// The commands QEMU knows.
    plain QueryCommands = "query-commands" -> Vec<NameInfo>;
    /// The machine types of the binary.
    plain QueryMachines = "query-machines" -> Vec<MachineInfo>;
    /// The processor models of the binary.
    plain QueryCpuDefinitions = "query-cpu-definitions" -> Vec<CpuDefinition>;
    /// Virtual processors and their threads.
    plain QueryCpusFast = "query-cpus-fast" -> Vec<CpuInfo>;
    /// Slots for virtual processors, plugged or not.
    plain QueryHotpluggableCpus = "query-hotpluggable-cpus" -> Vec<HotpluggableCpu>;
    /// Whether KVM is compiled in and used.
    plain QueryKvm = "query-kvm" -> KvmInfo;
    /// The emulated architecture.
    plain QueryTarget = "query-target" -> TargetInfo;
    /// The whole QAPI schema (a quarter of a MiB), for `schema`.
    plain QueryQmpSchema = "query-qmp-schema" -> Vec<Value>;
    /// Current size of the guest's memory as the balloon sees it.
    plain QueryBalloon = "query-balloon" -> BalloonInfo;
    /// Memory at start and plugged since.
    plain QueryMemorySizeSummary = "query-memory-size-summary" -> MemorySize;
    /// Plugged memory devices.
    plain QueryMemoryDevices = "query-memory-devices" -> Vec<Value>;
    /// I/O threads.
    plain QueryIothreads = "query-iothreads" -> Vec<IothreadInfo>;
    /// The guest's name as given by `-name`.
    plain QueryName = "query-name" -> GuestName;
    /// The guest's UUID.
    plain QueryUuid = "query-uuid" -> GuestUuid;
    with Balloon = "balloon" -> Done;
    with QueryCpuModelExpansion = "query-cpu-model-expansion" -> CpuModelExpansion;
    with SetAction = "set-action" -> Done;
}

/// Asks the guest to have this much memory.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Balloon {
    /// Bytes.
    pub value: u64,
}

/// Reply of [`QueryStatus`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Status {
    /// Whether processors run.
    pub running: bool,
    /// In which state.
    pub status: RunState,
}

/// QEMU's RunState.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Stopped by a debugger.
    Debug,
    /// Waits for an incoming migration.
    Inmigrate,
    /// An internal error stopped it.
    InternalError,
    /// A disk error stopped it.
    IoError,
    /// Stopped by a command.
    Paused,
    /// Stopped, its migration is complete.
    Postmigrate,
    /// Started with -S and not yet let run.
    Prelaunch,
    /// Stopped, its migration is being completed.
    FinishMigrate,
    /// A snapshot is being restored.
    RestoreVm,
    /// It runs.
    Running,
    /// A snapshot is being taken.
    SaveVm,
    /// The guest shut down and QEMU stays (`-no-shutdown`).
    Shutdown,
    /// Suspended to RAM.
    Suspended,
    /// The watchdog stopped it.
    Watchdog,
    /// It panicked.
    GuestPanicked,
    /// COLO.
    Colo,
    /// A state this enum does not know.
    #[serde(other)]
    Other,
}

/// A name within a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NameInfo {
    /// The name.
    pub name: String,
}

/// A machine type.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MachineInfo {
    /// Such as `pc-q35-10.0`.
    pub name: String,
    /// Such as `q35`.
    pub alias: Option<String>,
    /// Whether it is the default.
    #[serde(default)]
    pub is_default: bool,
    /// Most virtual processors.
    #[serde(default)]
    pub cpu_max: u64,
    /// Whether processors can be plugged.
    #[serde(default)]
    pub hotpluggable_cpus: bool,
    /// Whether NUMA nodes may be sized without a memory object.
    #[serde(default)]
    pub numa_mem_supported: bool,
    /// Whether it is to be removed from QEMU.
    #[serde(default)]
    pub deprecated: bool,
    /// Type of processor it starts with unless told otherwise.
    pub default_cpu_type: Option<String>,
    /// Id of its RAM object.
    pub default_ram_id: Option<String>,
    /// Whether it has ACPI.
    pub acpi: Option<bool>,
}

/// A processor model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CpuDefinition {
    /// Such as `Skylake-Client-v4`.
    pub name: String,
    /// Whether a guest on it can migrate.
    pub migration_safe: Option<bool>,
    /// Whether it never changes between releases.
    #[serde(default, rename = "static")]
    pub is_static: bool,
    /// Features this host lacks; `None` where QEMU cannot say.
    pub unavailable_features: Option<Vec<String>>,
    /// QOM type.
    #[serde(default)]
    pub typename: String,
    /// The model it stands for.
    pub alias_of: Option<String>,
    /// Whether it is to be removed from QEMU.
    #[serde(default)]
    pub deprecated: bool,
}

/// A virtual processor.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CpuInfo {
    /// Its number.
    pub cpu_index: u64,
    /// Its place in the object tree.
    pub qom_path: String,
    /// Its thread on the host; 1 and the like mean none of its own.
    pub thread_id: i64,
    /// Where it sits in the topology.
    #[serde(default)]
    pub props: BTreeMap<String, Value>,
    /// Architecture.
    pub target: Option<String>,
}

/// A slot for virtual processors.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HotpluggableCpu {
    /// Device type to plug.
    #[serde(rename = "type")]
    pub kind: String,
    /// Processors it holds.
    pub vcpus_count: u64,
    /// Properties that name the slot.
    #[serde(default)]
    pub props: BTreeMap<String, Value>,
    /// The processor in it, if any.
    pub qom_path: Option<String>,
}

/// Reply of [`QueryKvm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct KvmInfo {
    /// In use.
    pub enabled: bool,
    /// Compiled in.
    pub present: bool,
}

/// Reply of [`QueryTarget`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TargetInfo {
    /// Such as `x86_64`.
    pub arch: String,
}

/// Reply of [`QueryBalloon`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct BalloonInfo {
    /// Bytes.
    pub actual: u64,
}

/// Reply of [`QueryMemorySizeSummary`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MemorySize {
    /// Bytes at start.
    pub base_memory: u64,
    /// Bytes plugged since, where the machine supports it.
    #[serde(default)]
    pub plugged_memory: u64,
}

/// An I/O thread.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct IothreadInfo {
    /// Object id.
    pub id: String,
    /// Its thread on the host.
    pub thread_id: i64,
}

/// Reply of [`QueryName`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GuestName {
    /// The name, if it has one.
    pub name: Option<String>,
}

/// Reply of [`QueryUuid`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GuestUuid {
    /// In the usual form.
    #[serde(rename = "UUID")]
    pub uuid: String,
}

/// What a processor model means in properties: all features in one round trip.
#[derive(Debug, Clone, Serialize)]
pub struct QueryCpuModelExpansion {
    /// `static` or `full`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The model.
    pub model: CpuModel,
}

/// A processor model with properties.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CpuModel {
    /// Its name.
    pub name: String,
    /// Properties by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub props: BTreeMap<String, Value>,
}

/// Reply of [`QueryCpuModelExpansion`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CpuModelExpansion {
    /// The model, expanded.
    pub model: CpuModel,
    /// Properties that are to be removed from QEMU.
    #[serde(default)]
    pub deprecated_props: Vec<String>,
}

/// What QEMU does upon reboot, shutdown, panic and watchdog; `None` leaves it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SetAction {
    /// `reset` or `shutdown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reboot: Option<&'static str>,
    /// `poweroff` or `pause`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shutdown: Option<&'static str>,
    /// `none`, `pause`, `shutdown`, `exit-failure`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub panic: Option<&'static str>,
    /// `reset`, `shutdown`, `poweroff`, `pause`, `debug`, `none`, `inject-nmi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watchdog: Option<&'static str>,
}
