//! The domain capabilities: what a guest of one emulator, machine and kind may ask for.
//!
//! Pure: from what the emulator said when it was probed and what is known of the host. What an engine of ours does not offer
//! (SEV, SGX, launch security) it does not claim, whatever QEMU has.

mod cpu;
mod devices;

use std::path::PathBuf;

use virtbus_schema::domain::os::FirmwareKind;
use virtbus_schema::domain_capabilities::{
    Capable, CapableFeatures, CapableLoader, CapableOs, Choice, DomainCapabilities,
};
use virtbus_schema::xml::YesNo;

pub(super) use self::cpu::host_model;
use super::arch::Arch;
use super::cpu_map::CpuMap;
use super::firmware::Firmware;
use super::host_cpu::HostCpuFacts;
use crate::process::capabilities::{Accel, MachineType, QemuCaps};

/// Whose capabilities are asked for, completed and found possible.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What the emulator said.
    pub caps: &'a QemuCaps,
    /// The guest's architecture.
    pub arch: Arch,
    /// Its machine type.
    pub machine: &'a MachineType,
    /// How its instructions are run.
    pub accel: Accel,
}

/// What is known of the host.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The host's architecture.
    pub arch: Arch,
    /// Its CPU.
    pub cpu: &'a HostCpuFacts,
    /// The CPU map of the guest's architecture, where there is one.
    pub map: Option<&'a CpuMap>,
    /// Descriptors of firmware, the preferred first.
    pub firmware: &'a [Firmware],
    /// Firmware files without a descriptor.
    pub firmware_files: &'a [PathBuf],
    /// Versions of an emulated TPM; `None` where there is no emulator.
    pub tpm_versions: Option<&'a [&'static str]>,
    /// Whether PCI devices of the host can be given to a guest.
    pub vfio: bool,
}

/// Makes the document.
#[must_use]
pub fn document(it: Subject<'_>, host: Surroundings<'_>) -> DomainCapabilities {
    let kvm_limit = host.cpu.kvm_max_vcpus.filter(|_| it.accel == Accel::Kvm).unwrap_or(u32::MAX);
    DomainCapabilities {
        path: Some(it.caps.binary.display().to_string()),
        domain: kind(it.accel).to_owned(),
        machine: Some(it.machine.name.clone()),
        arch: it.arch.name.to_owned(),
        max_vcpus: Some(it.machine.max_cpus.min(kvm_limit)),
        iothreads: Some(it.caps.has("iothread").into()),
        os: os(it, host),
        cpu: cpu::modes(it, host),
        memory_backing: devices::memory_backing(it.caps),
        devices: devices::devices(it, host),
        features: features(it),
    }
}

/// The guest's `type=`.
#[must_use]
pub fn kind(accel: Accel) -> &'static str {
    match accel {
        Accel::Kvm => "kvm",
        Accel::Tcg => "qemu",
    }
}

fn os(it: Subject<'_>, host: Surroundings<'_>) -> CapableOs {
    let fitting: Vec<&Firmware> =
        host.firmware.iter().filter(|firmware| firmware.fits(it.arch.qemu, &it.machine.name)).collect();
    let offers = |kind: FirmwareKind| {
        let interface = match kind {
            FirmwareKind::Bios => "bios",
            FirmwareKind::Efi => "uefi",
        };
        fitting.iter().any(|firmware| firmware.interfaces.iter().any(|it| it == interface))
    };
    let kinds = FirmwareKind::ALL.iter().copied().filter(|kind| offers(*kind)).map(FirmwareKind::as_str);
    let mut files: Vec<String> = Vec::new();
    let described = fitting.iter().map(|it| it.code()).filter(|it| it.exists());
    let listed = host.firmware_files.iter().map(PathBuf::as_path).filter(|_| fitting.is_empty());
    for file in described.chain(listed).map(|it| it.display().to_string()) {
        if !files.contains(&file) {
            files.push(file);
        }
    }
    let is_secure = fitting.iter().any(|it| it.is_secure());
    CapableOs {
        supported: true.into(),
        choices: vec![Choice::of("firmware", kinds)],
        loader: Some(CapableLoader {
            supported: YesNo::Yes,
            files,
            choices: vec![
                Choice::of("type", ["rom", "pflash"]),
                Choice::of("readonly", ["yes", "no"]),
                Choice::of("secure", is_secure.then_some("yes").into_iter().chain(["no"])),
            ],
        }),
    }
}

fn features(it: Subject<'_>) -> CapableFeatures {
    let caps = it.caps;
    let is_x86 = it.arch.is_x86();
    CapableFeatures {
        // The versions of ARM's interrupt controller are not asked for yet: nothing is said of it there.
        gic: Some(Capable::no()).filter(|_| !it.arch.is_arm()),
        vmcoreinfo: Some(caps.has("vmcoreinfo").into()),
        genid: Some(caps.has("vmgenid").into()),
        backing_store_input: Some(true.into()),
        backup: Some(true.into()),
        async_teardown: Some(caps.has_option("run-with", "async-teardown").into()),
        s390_pv: None,
        ps2: Some((is_x86 && caps.has("i8042") && !["microvm", "x-remote"].contains(&it.machine.name.as_str())).into()),
        sev: Some(Default::default()),
        sgx: Some(Default::default()),
        hyperv: Some(Capable::when(is_x86, vec![Choice::of("features", cpu::hyperv(it))])),
        launch_security: Some(Capable::no()),
    }
}
