//! What the domain itself has by default: architecture, machine type, memory, boot device, CPU.

use virtbus_api::Result;
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::cpu::{Cpu, CpuCheck, CpuFallback, CpuMatch, CpuMode, CpuModel};
use virtbus_schema::domain::os::{BootDevice, BootKind};
use virtbus_schema::xml::{CpuSet, OnOff};

use super::is_kvm;
use crate::process::capabilities::QemuCaps;

/// Architecture, machine, emulator, memory, boot device.
pub(super) fn basics(domain: &mut Domain, caps: &QemuCaps) {
    let os = &mut domain.os;
    os.kind.arch.get_or_insert_with(|| caps.arch.clone());
    match &os.kind.machine {
        Some(machine) => os.kind.machine = Some(caps.canonical_machine(machine).to_owned()),
        None => os.kind.machine = caps.default_machine().map(|it| it.name.clone()),
    }
    domain.devices.emulator.get_or_insert_with(|| caps.binary.to_string_lossy().into_owned());
    let all = domain.memory.size;
    let current = domain.current_memory.get_or_insert(all);
    if current.kib == 0 || *current > all {
        *current = all;
    }
    let devices = &domain.devices;
    let ordered = devices.disks.iter().any(|it| it.info.boot.is_some())
        || devices.interfaces.iter().any(|it| it.info.boot.is_some());
    if domain.os.boot.is_empty() && !ordered {
        domain.os.boot.push(BootDevice { dev: BootKind::Hd });
    }
}

/// The CPU: the machine's own where none is asked for, and the words that are implied.
///
/// # Errors
/// The document asks for a CPU that cannot be.
pub(super) fn cpu(domain: &mut Domain, caps: &QemuCaps) -> Result<()> {
    let kvm = is_kvm(domain);
    let machine = domain.os.kind.machine.as_deref().unwrap_or_default();
    let default = caps.machine(machine).and_then(|it| it.default_cpu.clone());
    if domain.cpu.is_none() && default.is_some() {
        domain.cpu = Some(Cpu::default());
    }
    let count = domain.vcpu.count;
    let Some(cpu) = &mut domain.cpu else { return Ok(()) };
    if let Some(numa) = &mut cpu.numa {
        // CPUs that no cell has are the first one's.
        let all = (0..count).filter(|cpu| !numa.cells.iter().any(|it| it.cpus.as_ref().is_some_and(|it| it.contains(*cpu))));
        let rest: Vec<u32> = all.collect();
        if let Some(first) = numa.cells.first_mut().filter(|_| !rest.is_empty()) {
            first.cpus.get_or_insert_with(CpuSet::default).0.extend(rest);
        }
    }
    if cpu.mode.is_none() && cpu.model.is_none() {
        // Only topology, NUMA cells or the like: the machine's own model.
        if let Some(name) = default {
            cpu.model = Some(CpuModel { fallback: Some(CpuFallback::Forbid), vendor_id: None, name });
            cpu.check.get_or_insert(CpuCheck::None);
            cpu.matching = Some(CpuMatch::Exact);
        }
    }
    let mode = *cpu.mode.get_or_insert(CpuMode::Custom);
    match mode {
        CpuMode::Custom => {
            if let Some(model) = &mut cpu.model {
                cpu.matching.get_or_insert(CpuMatch::Exact);
                model.fallback.get_or_insert(CpuFallback::Forbid);
            }
            cpu.check.get_or_insert(if kvm { CpuCheck::Partial } else { CpuCheck::None });
        }
        CpuMode::HostModel => {
            cpu.check.get_or_insert(CpuCheck::Partial);
            cpu.matching = None;
        }
        CpuMode::HostPassthrough | CpuMode::Maximum => {
            cpu.check.get_or_insert(CpuCheck::None);
            cpu.matching = None;
            cpu.model = None;
            if kvm {
                cpu.migratable.get_or_insert(OnOff::On);
            }
        }
    }
    Ok(())
}
