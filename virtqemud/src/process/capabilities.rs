//! What a QEMU binary can do: found out once by asking it over QMP, kept on disk by the binary's identity.
//!
//! [`QemuCaps`] answers questions (which machine is `q35`, does the device `virtio-vga` exist); [`Cache`] finds it for a binary.
//! Nothing here knows a domain: what follows from an answer is decided by `machine` and `device`.

pub mod cache;
pub mod probe;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use cache::Cache;

/// A version of QEMU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// `10` of 10.0.2.
    pub major: u32,
    /// `0` of 10.0.2.
    pub minor: u32,
    /// `2` of 10.0.2.
    pub micro: u32,
}

impl Version {
    /// The oldest QEMU that is served, as the reference.
    pub const OLDEST: Version = Version { major: 6, minor: 2, micro: 0 };

    /// The number libvirt's calls use: major * 1,000,000 + minor * 1,000 + micro.
    #[must_use]
    pub fn number(self) -> u64 {
        u64::from(self.major) * 1_000_000 + u64::from(self.minor) * 1_000 + u64::from(self.micro)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

/// How QEMU runs a guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accel {
    /// By the host's CPU.
    Kvm,
    /// By translation.
    Tcg,
}

/// A machine type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineType {
    /// The canonical name, `pc-q35-10.0`.
    pub name: String,
    /// The other name, `q35`.
    pub alias: Option<String>,
    /// Whether QEMU takes it when none is asked for.
    pub default: bool,
    /// The most vCPUs.
    pub max_cpus: u32,
    /// Whether vCPUs can be plugged in.
    pub hotpluggable_cpus: bool,
    /// Whether QEMU wants to be rid of it.
    pub deprecated: bool,
    /// The CPU model it has when none is asked for, without the architecture's suffix.
    pub default_cpu: Option<String>,
    /// The id its main memory must have, `pc.ram`.
    pub default_ram_id: Option<String>,
    /// Whether it has ACPI; unknown before QEMU 8.0.
    pub acpi: Option<bool>,
    /// Whether memory may be given to NUMA nodes by size alone.
    pub numa_mem: bool,
}

/// A CPU model under one accelerator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuModel {
    /// Its name.
    pub name: String,
    /// The versioned model it stands for.
    pub alias_of: Option<String>,
    /// The QOM type.
    pub type_name: String,
    /// Features it has that this host cannot give.
    pub unavailable: Vec<String>,
    /// Whether QEMU wants to be rid of it.
    pub deprecated: bool,
}

/// What is known of the CPUs under one accelerator.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cpus {
    /// The models in QEMU's order.
    pub models: Vec<CpuModel>,
    /// All properties of the largest CPU that can be had (`max`), by name.
    pub max: BTreeMap<String, serde_json::Value>,
    /// The same with what would keep a guest from migrating, and all Hyper-V enlightenments; empty where `max` has no such
    /// choice.
    pub all: BTreeMap<String, serde_json::Value>,
}

/// All that is known of a QEMU binary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QemuCaps {
    /// The binary.
    pub binary: PathBuf,
    /// Its version.
    pub version: Version,
    /// The distribution's package, as QEMU tells it.
    pub package: String,
    /// The architecture of its guests in libvirt's words, `x86_64`, `i686`.
    pub arch: String,
    /// Machine types in QEMU's order.
    pub machines: Vec<MachineType>,
    /// CPUs by accelerator; KVM is there only if it works on this host.
    pub cpus: BTreeMap<Accel, Cpus>,
    /// QOM types that can be made: devices, objects, machines.
    pub types: BTreeSet<String>,
    /// Properties of the device types in [`probe::DEVICES_ASKED`].
    pub properties: BTreeMap<String, BTreeSet<String>>,
    /// Parameters of the command-line options, by option.
    pub options: BTreeMap<String, BTreeSet<String>>,
    /// Flags found in the QMP schema, as [`probe::SCHEMA_FLAGS`] names them, and `command:NAME` for every command.
    pub schema: BTreeSet<String>,
    /// TPM models and back ends.
    pub tpm_models: BTreeSet<String>,
    /// TPM back ends.
    pub tpm_backends: BTreeSet<String>,
}

impl QemuCaps {
    /// Whether guests can run on the host's CPU.
    #[must_use]
    pub fn kvm(&self) -> bool {
        self.cpus.contains_key(&Accel::Kvm)
    }

    /// The machine type of this name or alias.
    #[must_use]
    pub fn machine(&self, name: &str) -> Option<&MachineType> {
        self.machines.iter().find(|it| it.name == name || it.alias.as_deref() == Some(name))
    }

    /// The canonical name of a machine type; a name that is not known stays as it is.
    #[must_use]
    pub fn canonical_machine<'a>(&'a self, name: &'a str) -> &'a str {
        self.machine(name).map_or(name, |it| &it.name)
    }

    /// The machine type QEMU takes when none is asked for, in libvirt's choice: for x86 the alias `pc` goes first.
    #[must_use]
    pub fn default_machine(&self) -> Option<&MachineType> {
        self.machines.iter().find(|it| it.default).or_else(|| self.machines.iter().find(|it| it.name != "none"))
    }

    /// Whether a device or object of this type can be made.
    #[must_use]
    pub fn has(&self, type_name: &str) -> bool {
        self.types.contains(type_name)
    }

    /// Whether a device type has a property; only for types in [`probe::DEVICES_ASKED`].
    #[must_use]
    pub fn has_property(&self, device: &str, property: &str) -> bool {
        self.properties.get(device).is_some_and(|it| it.contains(property))
    }

    /// Whether a command-line option has a parameter.
    #[must_use]
    pub fn has_option(&self, option: &str, parameter: &str) -> bool {
        self.options.get(option).is_some_and(|it| it.contains(parameter))
    }

    /// Whether a flag of [`probe::SCHEMA_FLAGS`] was found.
    #[must_use]
    pub fn has_schema(&self, flag: &str) -> bool {
        self.schema.contains(flag)
    }

    /// The CPUs under an accelerator.
    #[must_use]
    pub fn cpus(&self, accel: Accel) -> Option<&Cpus> {
        self.cpus.get(&accel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_numbers() {
        let version = Version { major: 10, minor: 0, micro: 2 };
        assert_eq!(version.number(), 10_000_002);
        assert_eq!(version.to_string(), "10.0.2");
        assert!(version > Version::OLDEST);
    }
}
