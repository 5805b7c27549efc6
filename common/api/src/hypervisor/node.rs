//! The host and the hypervisor on it.

use async_trait::async_trait;
use virtbus_schema::{CpuDocument, KnownCpu, capabilities::Capabilities, domain::Cpu};

use crate::{
    error::{Error, ErrorCode, ErrorDomain, Result},
    flags::{BaselineFlags, CompareFlags},
    params::TypedParam,
};

/// A kind of guest that is asked about; what is not given is chosen as for a guest that does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Emulated<'a> {
    /// The path of the emulator.
    pub emulator: Option<&'a str>,
    /// The architecture, by libvirt's name.
    pub arch: Option<&'a str>,
    /// The machine type.
    pub machine: Option<&'a str>,
    /// How it runs: `qemu`, `kvm`.
    pub virt: Option<&'a str>,
}

/// The host in figures (`virNodeInfo`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeInfo {
    /// The architecture, for example `x86_64`; at most 31 bytes reach a client.
    pub model: String,
    /// Memory in KiB.
    pub memory_kib: u64,
    /// Active CPUs.
    pub cpus: u32,
    /// The CPU's clock in MHz; 0 where unknown.
    pub mhz: u32,
    /// NUMA nodes.
    pub nodes: u32,
    /// Sockets per node.
    pub sockets: u32,
    /// Cores per socket.
    pub cores: u32,
    /// Threads per core.
    pub threads: u32,
}

/// Which CPUs the host has and which are on line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuMap {
    /// One entry per present CPU: on line or not.
    pub online: Vec<bool>,
}

/// The outcome of a comparison with the host's CPU (`virCPUCompareResult`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CpuComparison {
    /// The host lacks something, and what.
    Incompatible(String),
    /// The same.
    Identical,
    /// The host has more.
    Superset,
}

impl CpuComparison {
    /// libvirt's number.
    pub fn number(&self) -> i32 {
        match self {
            Self::Incompatible(_) => 0,
            Self::Identical => 1,
            Self::Superset => 2,
        }
    }

    /// The number, for a client that gave these flags.
    ///
    /// # Errors
    /// `CPU_INCOMPATIBLE`, if something is lacking and the client calls that an error.
    pub fn answer(self, flags: CompareFlags) -> Result<i32> {
        match self {
            Self::Incompatible(why) if flags.contains(CompareFlags::FAIL_INCOMPATIBLE) => {
                Err(Error::new(ErrorCode::CpuIncompatible, why).in_domain(ErrorDomain::Cpu))
            }
            other => Ok(other.number()),
        }
    }
}

/// What a daemon can say of its host and hypervisor. None of it waits for a guest.
#[async_trait]
pub trait Node: Send + Sync {
    /// `QEMU`.
    fn hypervisor_type(&self) -> String;

    /// QEMU's version as major * 1,000,000 + minor * 1,000 + micro; probes on the first call.
    async fn hypervisor_version(&self) -> Result<u64>;

    /// The version of libvirt's API that is spoken, in the same form.
    fn library_version(&self) -> u64;

    /// The host's name, fully qualified where it can be found out.
    fn hostname(&self) -> Result<String>;

    /// `qemu:///system`, `qemu:///session`.
    fn uri(&self) -> String;

    /// The most vCPUs a guest of this virtualisation type (`qemu`, `kvm`, none) may have.
    async fn max_vcpus(&self, kind: Option<&str>) -> Result<u32>;

    /// Host and guest capabilities.
    async fn capabilities(&self) -> Result<Capabilities>;

    /// What a machine of this emulator, architecture, machine type and virtualisation type can be given.
    async fn domain_capabilities(
        &self,
        emulator: Option<&str>,
        arch: Option<&str>,
        machine: Option<&str>,
        virt: Option<&str>,
    ) -> Result<virtbus_schema::domain_capabilities::DomainCapabilities>;

    /// Names of the CPU models known for an architecture.
    async fn cpu_models(&self, _arch: &str) -> Result<Vec<String>> {
        Err(Error::no_support("virConnectGetCPUModelNames"))
    }

    /// How the host's CPU compares with another one: it lacks something, is the same, or has more.
    async fn compare_cpu(&self, _cpu: CpuDocument) -> Result<CpuComparison> {
        Err(Error::no_support("virConnectCompareCPU"))
    }

    /// The most that all of these CPUs have, in a guest's words.
    async fn baseline_cpu(&self, _cpus: Vec<KnownCpu>, _flags: BaselineFlags) -> Result<Cpu> {
        Err(Error::no_support("virConnectBaselineCPU"))
    }

    /// How the CPU that guests of this kind can have here compares with another one.
    async fn compare_cpu_for(&self, _of: Emulated<'_>, _cpu: CpuDocument) -> Result<CpuComparison> {
        Err(Error::no_support("virConnectCompareHypervisorCPU"))
    }

    /// The most that guests of this kind can have of all of these CPUs.
    async fn baseline_cpu_for(&self, _of: Emulated<'_>, _cpus: Vec<CpuDocument>, _flags: BaselineFlags) -> Result<Cpu> {
        Err(Error::no_support("virConnectBaselineHypervisorCPU"))
    }

    /// The host in figures.
    fn node_info(&self) -> Result<NodeInfo>;

    /// Free memory in bytes.
    fn free_memory(&self) -> Result<u64>;

    /// Free memory in bytes of NUMA cells `first..first+max`.
    fn cells_free_memory(&self, first: u32, max: u32) -> Result<Vec<u64>>;

    /// CPU time by kind (`kernel`, `user`, `idle`, `iowait`, ...) in nanoseconds, of one CPU or of all.
    fn cpu_stats(&self, cpu: Option<u32>) -> Result<Vec<(String, u64)>>;

    /// Memory by kind (`total`, `free`, `buffers`, `cached`) in KiB, of one NUMA cell or of all.
    fn memory_stats(&self, cell: Option<u32>) -> Result<Vec<(String, u64)>>;

    /// Which CPUs are on line.
    fn cpu_map(&self) -> Result<CpuMap>;

    /// The host's memory tunables (KSM).
    fn memory_parameters(&self) -> Result<Vec<TypedParam>> {
        Err(Error::no_support("virNodeGetMemoryParameters"))
    }

    /// Model and domain of interpretation of the security driver in use, for example (`dac`, `0`).
    fn security_model(&self) -> Result<(String, String)>;
}
