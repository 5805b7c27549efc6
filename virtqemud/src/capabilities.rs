//! What the host and its emulators can do, as documents: `virsh capabilities` and `virsh domcapabilities`.
//!
//! What does not change while the daemon runs (the CPU map, the host's CPU, swtpm) is found out once; what an emulator can do
//! comes from [`Cache`], which probes each binary once; memory and descriptors of firmware are read at each call. The builders
//! below are pure. Of a domain only its CPU is known here: the host model that it may ask for is in the document.

pub mod arch;
pub mod cpu_baseline;
pub mod cpu_map;
pub mod cpu_model;
pub mod domain;
pub mod firmware;
pub mod guests;
pub mod host;
pub mod host_cpu;
pub mod topology;
pub mod tpm;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::OnceCell;
use virtbus_api::flags::BaselineFlags;
use virtbus_api::hypervisor::{CpuComparison, Emulated};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_schema::capabilities::Capabilities;
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::cpu::{Cpu, CpuCheck, CpuFallback, CpuMatch, CpuMode};
use virtbus_schema::domain_capabilities::DomainCapabilities;
use virtbus_schema::{CpuDocument, KnownCpu};

use crate::machine;
use crate::process::capabilities::{Accel, Cache, MachineType, QemuCaps};
use arch::{ARCHES, Arch};
use cpu_map::CpuMap;
use domain::{Subject, Surroundings};
use firmware::Firmware;
use host::HostSettings;
use host_cpu::HostCpuFacts;
use topology::Sysfs;

/// The kinds of guest libvirt has names for; of these, `qemu` and `kvm` are served.
const KINDS: &[&str] = &[
    "qemu",
    "kqemu",
    "kvm",
    "xen",
    "lxc",
    "uml",
    "openvz",
    "test",
    "vmware",
    "hyperv",
    "vbox",
    "phyp",
    "parallels",
    "bhyve",
    "vz",
    "hvf",
];

/// What is found out once.
#[derive(Debug)]
struct Facts {
    arch: Arch,
    /// The x86 map on an x86 host; of the host's family elsewhere.
    map: Option<CpuMap>,
    cpu: HostCpuFacts,
    tpm_versions: Option<Vec<&'static str>>,
}

/// Makes the documents.
#[derive(Debug)]
pub struct Documents {
    settings: HostSettings,
    sys: Sysfs,
    map_directory: PathBuf,
    firmware_directories: Vec<PathBuf>,
    facts: OnceCell<Arc<Facts>>,
}

impl Documents {
    /// For this host, with what an administrator has set.
    #[must_use]
    pub fn new(settings: HostSettings) -> Self {
        Self {
            settings,
            sys: Sysfs::new("/sys"),
            map_directory: cpu_map::DIRECTORY.into(),
            firmware_directories: firmware::DIRECTORIES.iter().map(PathBuf::from).collect(),
            facts: OnceCell::new(),
        }
    }

    /// Finds out what is found out once, and probes the emulators of the host's own architectures, so that no client waits for
    /// it. Errors come again when somebody asks.
    pub async fn prepare(&self, emulators: &Cache) {
        let Ok(facts) = self.facts().await else { return };
        let found = ARCHES.iter().filter(|it| facts.arch.runs(**it)).filter_map(|it| it.emulator(facts.arch));
        futures_util::future::join_all(found.map(async |binary| {
            if let Err(error) = emulators.find(&binary).await {
                tracing::warn!("{error}");
            }
        }))
        .await;
    }

    /// `virsh capabilities`.
    ///
    /// # Errors
    /// When the host's architecture is not known.
    pub async fn host_capabilities(&self, emulators: &Cache) -> Result<Capabilities> {
        let facts = self.facts().await?;
        let mut guests = Vec::new();
        for arch in ARCHES {
            let Some(binary) = arch.emulator(facts.arch) else { continue };
            match emulators.find(&binary).await {
                Ok(caps) => guests.push(guests::guest(facts.arch, *arch, &caps)),
                // A broken emulator takes its guests away, not the whole document.
                Err(error) => tracing::warn!("{error}"),
            }
        }
        let (sys, settings) = (self.sys.clone(), self.settings.clone());
        let host = blocking(move || host::read(&sys, facts.arch, &facts.cpu, facts.map.as_ref(), &settings)).await?;
        let host = host.map_err(|error| Error::system("the host's memory", &error))?;
        Ok(Capabilities { host, guests })
    }

    /// Makes the CPU of a domain that is about to start definite: what `mode='host-model'` is here, which features are meant.
    ///
    /// # Errors
    /// As [`crate::machine::cpu::settle`].
    pub async fn settle_cpu(&self, emulators: &Cache, domain: &mut Domain, caps: &QemuCaps) -> Result<()> {
        let Some(cpu) = &domain.cpu else { return Ok(()) };
        let facts = self.facts().await?;
        let kind = &domain.os.kind;
        let arch = kind.arch.as_deref().map_or(Some(facts.arch), Arch::named);
        let host_model = if cpu.mode == Some(CpuMode::HostModel) || cpu.matching == Some(CpuMatch::Minimum) {
            let (arch, machine) = (kind.arch.as_deref(), kind.machine.as_deref());
            let (emulator, virt) = (domain.devices.emulator.as_deref(), domain.kind.to_string());
            let document = self.domain_capabilities(emulators, emulator, arch, machine, Some(&virt)).await?;
            document.cpu.host_model
        } else if cpu.check == Some(CpuCheck::Partial) && cpu.model.is_some() {
            let accel = if machine::is_kvm(domain) { Accel::Kvm } else { Accel::Tcg };
            let machine = caps.machine(kind.machine.as_deref().unwrap_or_default());
            arch.zip(machine).and_then(|(arch, machine)| {
                domain::host_model(Subject { caps, arch, machine, accel }, facts.surroundings(arch, &[], &[], false))
            })
        } else {
            None
        };
        // The map is of the host's family; guests of another one have names of their own.
        let map = facts.map.as_ref().filter(|_| arch.is_some_and(|it| it.map_family() == facts.arch.map_family()));
        machine::cpu::settle(domain, caps, map, host_model.as_ref())
    }

    /// `virsh domcapabilities`; what is not given is chosen as the reference chooses it.
    ///
    /// # Errors
    /// `INVALID_ARG` for names that are unknown or do not go together, `CONFIG_UNSUPPORTED` when no emulator is installed for
    /// the architecture, `SYSTEM_ERROR` when the given one is not there.
    pub async fn domain_capabilities(
        &self,
        emulators: &Cache,
        emulator: Option<&str>,
        arch: Option<&str>,
        machine: Option<&str>,
        kind: Option<&str>,
    ) -> Result<DomainCapabilities> {
        let asked = Emulated { emulator, arch, machine, virt: kind };
        let Chosen { facts, caps, arch, accel } = self.choose(emulators, asked).await?;
        let machine = machine.map(str::to_owned);
        let directories = self.firmware_directories.clone();
        let sys = self.sys.clone();
        blocking(move || {
            // Found before; looked up again because a borrow cannot go to another thread.
            let machine = fitting_machine(&caps, machine.as_deref())?;
            let firmware = firmware::installed(&directories);
            let subject = Subject { caps: &caps, arch, machine, accel };
            Ok(domain::document(
                subject,
                facts.surroundings(arch, &firmware, &firmware::at_usual_places(), has_vfio(&sys)),
            ))
        })
        .await?
    }

    /// The emulator a client means, and what of it.
    async fn choose(&self, emulators: &Cache, asked: Emulated<'_>) -> Result<Chosen> {
        let Emulated { emulator, arch, machine, virt: kind } = asked;
        let facts = self.facts().await?;
        if let Some(kind) = kind.filter(|it| !KINDS.contains(it)) {
            return Err(Error::invalid_arg(format!("unknown virttype: {kind}")));
        }
        let named = arch
            .map(|name| Arch::named(name).ok_or_else(|| Error::invalid_arg(format!("unknown architecture: {name}"))))
            .transpose()?;
        let arch = named.unwrap_or(facts.arch);
        let binary = match emulator {
            Some(emulator) => PathBuf::from(emulator),
            None => arch.emulator(facts.arch).ok_or_else(|| {
                Error::unsupported_config(format!("unable to find any emulator to serve '{}' architecture", arch.name))
            })?,
        };
        let caps = emulators.find(&binary).await?;
        let arch = fitting_arch(&caps, named, facts.arch)?;
        let accel = fitting_accel(&caps, arch, facts.arch, kind)?;
        fitting_machine(&caps, machine)?;
        Ok(Chosen { facts, caps, arch, accel })
    }

    /// The most that guests of an emulator can have of all of these CPUs.
    ///
    /// # Errors
    /// As [`Self::domain_capabilities`] and [`cpu_baseline::baseline_for`]; `NO_SUPPORT` for an architecture whose CPUs the map
    /// does not describe by features.
    pub async fn baseline_cpu_for(
        &self,
        emulators: &Cache,
        asked: Emulated<'_>,
        cpus: &[CpuDocument],
        flags: BaselineFlags,
    ) -> Result<Cpu> {
        let Chosen { facts, caps, arch, accel } = self.choose(emulators, asked).await?;
        if cpus.is_empty() {
            return Err(Error::invalid_arg("no CPUs were given"));
        }
        match (&facts.map, caps.cpus(accel)) {
            (Some(map), Some(of)) if arch.is_x86() && facts.arch.is_x86() => {
                cpu_baseline::baseline_for(map, of, accel == Accel::Kvm, cpus, flags)
            }
            _ => Err(Error::no_support(format!("virConnectBaselineHypervisorCPU for architecture {}", arch.name))),
        }
    }

    /// How what an emulator calls this host's model compares with another CPU.
    ///
    /// # Errors
    /// As [`Self::domain_capabilities`] and [`cpu_baseline::compare_for`]; `NO_SUPPORT` for an architecture whose CPUs the map
    /// does not describe by features.
    pub async fn compare_cpu_for(
        &self,
        emulators: &Cache,
        asked: Emulated<'_>,
        cpu: &CpuDocument,
    ) -> Result<CpuComparison> {
        let Emulated { emulator, arch, machine, virt } = asked;
        let document = self.domain_capabilities(emulators, emulator, arch, machine, virt).await?;
        let Chosen { facts, caps, arch, accel } = self.choose(emulators, asked).await?;
        if let CpuDocument::Known(cpu) = cpu
            && Arch::named(&cpu.arch).and_then(Arch::map_family) != arch.map_family()
        {
            return Ok(CpuComparison::Incompatible(format!("CPU arch {} does not match host arch", cpu.arch)));
        }
        match (&facts.map, caps.cpus(accel), &document.cpu.host_model) {
            (Some(map), Some(of), Some(host)) if arch.is_x86() => cpu_baseline::compare_for(map, of, host, cpu),
            _ => Err(Error::no_support(format!("virConnectCompareHypervisorCPU for architecture {}", arch.name))),
        }
    }

    /// The names of CPU models for an architecture; none where any name is accepted.
    ///
    /// # Errors
    /// `INVALID_ARG` for an unknown architecture, `NO_SUPPORT` for one whose CPUs have no models at all.
    pub async fn cpu_models(&self, arch: &str) -> Result<Vec<String>> {
        let Some(known) = Arch::named(arch) else {
            // The one that libvirt has a name for and nothing else.
            if arch == "ppcle" {
                return Err(no_cpu_driver(arch));
            }
            return Err(Error::invalid_arg(format!("cannot find architecture {arch}")));
        };
        let Some(family) = known.map_family() else {
            return if known.takes_any_model() { Ok(Vec::new()) } else { Err(no_cpu_driver(arch)) };
        };
        let directory = self.map_directory.clone();
        let map = blocking(move || CpuMap::load(&directory, family)).await?;
        let map = map.map_err(|error| Error::system("CPU map", &error))?;
        Ok(map.models.into_iter().map(|it| it.name).collect())
    }

    /// The most that all of these CPUs have. Without the CPU map only equal models have anything in common.
    ///
    /// # Errors
    /// `CONFIG_UNSUPPORTED` for an unknown architecture, `OPERATION_FAILED` for CPUs of different ones; see
    /// [`cpu_baseline::baseline`].
    pub async fn baseline_cpu(&self, cpus: Vec<KnownCpu>, flags: BaselineFlags) -> Result<Cpu> {
        let Some(first) = cpus.first() else {
            return Err(Error::invalid_arg("no CPUs were given"));
        };
        let arch = Arch::named(&first.arch).ok_or_else(|| {
            Error::unsupported_config(format!("Unknown architecture {}", first.arch)).in_domain(ErrorDomain::Cpu)
        })?;
        if let Some(other) = cpus.iter().find(|it| it.arch != first.arch) {
            let text = format!("CPUs are incompatible: architectures {} and {}", first.arch, other.arch);
            return Err(Error::failed(text).in_domain(ErrorDomain::Cpu));
        }
        let Some(family) = arch.map_family().filter(|_| arch.is_x86()) else {
            let any_name = arch.map_family().is_none();
            if any_name && !arch.takes_any_model() {
                return Err(no_cpu_driver(arch.name));
            }
            return cpu_baseline::same(&cpus, if any_name { CpuFallback::Allow } else { CpuFallback::Forbid });
        };
        let directory = self.map_directory.clone();
        let map = blocking(move || CpuMap::load(&directory, family)).await?;
        let map = map.map_err(|error| Error::system("CPU map", &error))?;
        cpu_baseline::baseline(&map, &cpus, flags)
    }

    /// How the host's CPU compares with another one.
    ///
    /// # Errors
    /// See [`cpu_baseline::compare`]; `NO_SUPPORT` on hosts whose CPUs the map does not describe by features.
    pub async fn compare_cpu(&self, cpu: &CpuDocument) -> Result<CpuComparison> {
        let facts = self.facts().await?;
        if let CpuDocument::Known(cpu) = cpu
            && cpu.arch != facts.arch.name
        {
            let text = format!("CPU arch {} does not match host arch", cpu.arch);
            return Ok(CpuComparison::Incompatible(text));
        }
        match &facts.map {
            Some(map) if facts.arch.is_x86() => cpu_baseline::compare(map, &facts.cpu.cpu, cpu),
            _ => Err(Error::no_support("virConnectCompareCPU on this host")),
        }
    }

    /// The most vCPUs of a guest of this kind, as `virConnectGetMaxVcpus` has it: a limit of old for translated guests, the
    /// kernel's for others.
    ///
    /// # Errors
    /// `INVALID_ARG` for a kind that is not served; when KVM does not answer.
    pub async fn max_vcpus(&self, kind: Option<&str>) -> Result<u32> {
        match kind {
            None | Some("qemu") => Ok(16),
            Some("kvm") => {
                let facts = self.facts().await?;
                facts.cpu.kvm_max_vcpus.ok_or_else(|| {
                    let error = std::io::Error::from(std::io::ErrorKind::NotFound);
                    Error::system("Unable to open /dev/kvm", &error)
                })
            }
            Some(other) => Err(Error::invalid_arg(format!("unknown type '{other}'"))),
        }
    }

    async fn facts(&self) -> Result<Arc<Facts>> {
        let found = self.facts.get_or_try_init(|| async {
            let directory = self.map_directory.clone();
            let tpm_versions = tpm::emulated_versions().await;
            let arch = Arch::of_host().map_err(|error| Error::system("the host's architecture", &error))?;
            let facts = blocking(move || {
                let map = arch.map_family().and_then(|family| load_map(&directory, family));
                let cpu = HostCpuFacts::read(map.as_ref().filter(|_| arch.is_x86()));
                Facts { arch, map, cpu, tpm_versions }
            });
            facts.await.map(Arc::new)
        });
        found.await.map(Arc::clone)
    }
}

/// An emulator, and what of it a client asks about.
struct Chosen {
    facts: Arc<Facts>,
    caps: Arc<QemuCaps>,
    arch: Arch,
    accel: Accel,
}

impl Facts {
    fn surroundings<'a>(
        &'a self,
        guest: Arch,
        firmware: &'a [Firmware],
        firmware_files: &'a [PathBuf],
        vfio: bool,
    ) -> Surroundings<'a> {
        Surroundings {
            arch: self.arch,
            cpu: &self.cpu,
            map: self.map.as_ref().filter(|_| guest.map_family() == self.arch.map_family()),
            firmware,
            firmware_files,
            tpm_versions: self.tpm_versions.as_deref(),
            vfio,
        }
    }
}

fn no_cpu_driver(arch: &str) -> Error {
    Error::no_support(format!("'{arch}' architecture is not supported by CPU driver"))
}

fn load_map(directory: &Path, family: &str) -> Option<CpuMap> {
    let map = CpuMap::load(directory, family);
    map.inspect_err(|error| tracing::warn!("CPU models have no names of libvirt's here: {error}")).ok()
}

/// Whether devices can be given to guests: there are groups the IOMMU keeps apart, and the driver's device.
fn has_vfio(sys: &Sysfs) -> bool {
    !sys.names("kernel/iommu_groups").is_empty() && Path::new("/dev/vfio/vfio").exists()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::internal(format!("reading what the host can do: {error}")))
}

/// The guest's architecture: the one asked for if the emulator serves it; else the host's, or the emulator's own where that is
/// of another family.
fn fitting_arch(caps: &QemuCaps, asked: Option<Arch>, host: Arch) -> Result<Arch> {
    let own = Arch::named(&caps.arch).ok_or_else(|| Error::internal(format!("unknown architecture: {}", caps.arch)))?;
    let asked = match asked {
        Some(asked) => asked,
        None if host.runs(own) => host,
        None => own,
    };
    if own.runs(asked) {
        return Ok(asked);
    }
    Err(Error::invalid_arg(if asked.runs(own) {
        format!("Emulator '{}' does not support arch '{}'", caps.binary.display(), asked.name)
    } else {
        format!("architecture from emulator '{}' doesn't match given architecture '{}'", own.name, asked.name)
    }))
}

fn fitting_accel(caps: &QemuCaps, arch: Arch, host: Arch, kind: Option<&str>) -> Result<Accel> {
    let kvm = caps.kvm() && host.runs(arch);
    match kind {
        None | Some("kvm") if kvm => Ok(Accel::Kvm),
        None | Some("qemu") if caps.cpus(Accel::Tcg).is_some() => Ok(Accel::Tcg),
        other => Err(Error::invalid_arg(format!(
            "Emulator '{}' does not support virt type '{}'",
            caps.binary.display(),
            other.unwrap_or("qemu")
        ))),
    }
}

fn fitting_machine<'a>(caps: &'a QemuCaps, asked: Option<&str>) -> Result<&'a MachineType> {
    let found = match asked {
        Some(name) => caps.machine(name).filter(|it| it.name != "none"),
        None => caps.default_machine(),
    };
    found.ok_or_else(|| {
        Error::new(
            ErrorCode::InvalidArg,
            format!(
                "the machine '{}' is not supported by emulator '{}'",
                asked.unwrap_or_default(),
                caps.binary.display()
            ),
        )
    })
}

#[cfg(test)]
mod tests;
