//! What the domain itself has by default: architecture, machine type, memory, boot device, CPU.

use virtbus_api::Result;
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::cpu::{
    CellMemory, Cpu, CpuCheck, CpuFallback, CpuMatch, CpuMode, CpuModel, GuestNuma, NumaCell, NumaDistance,
};
use virtbus_schema::domain::device::memory::{MemoryDevice, MemoryModel};
use virtbus_schema::domain::os::{BootDevice, BootKind};
use virtbus_schema::domain::security::{SecLabel, SecLabelKind};
use virtbus_schema::xml::{CpuSet, OnOff, Size};

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
    if let Some(genid) = &mut domain.genid {
        genid.0.get_or_insert_with(uuid::Uuid::new_v4);
    }
    domain.devices.emulator.get_or_insert_with(|| caps.binary.to_string_lossy().into_owned());
    let all = domain.memory.size;
    let current = domain.current_memory.get_or_insert(all);
    if current.kib == 0 || *current > all {
        *current = all;
    }
    for it in &mut domain.seclabels {
        label(it);
    }
    let devices = &domain.devices;
    let ordered = devices.disks.iter().any(|it| it.info.boot.is_some())
        || devices.interfaces.iter().any(|it| it.info.boot.is_some())
        || devices.hostdevs.iter().any(|it| it.info.boot.is_some())
        || devices.filesystems.iter().any(|it| it.info.boot.is_some())
        || devices.redirdevs.iter().any(|it| it.info.boot.is_some());
    if domain.os.boot.is_empty() && !ordered {
        domain.os.boot.push(BootDevice { dev: BootKind::Hd });
    }
}

/// What a label says of the next start: here is no model of labels but that of owners, so one of any model labels nothing,
/// and labels that were chosen belong to one run.
fn label(it: &mut SecLabel) {
    if it.model.is_none() {
        it.model = Some("none".to_owned());
        it.kind = Some(SecLabelKind::None);
        it.relabel = None;
    }
    it.imagelabel = None;
    if it.kind == Some(SecLabelKind::Dynamic) {
        it.label = None;
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
    if domain.max_memory.is_some() {
        // Memory can only be plugged into a node.
        let plugged: u64 = domain.devices.memories.iter().map(|it| it.size().kib).sum();
        let kib = domain.memory.size.kib.saturating_sub(plugged);
        let cpu = domain.cpu.get_or_insert_with(Cpu::default);
        let numa = cpu.numa.get_or_insert_with(GuestNuma::default);
        if numa.cells.is_empty() {
            numa.cells.push(NumaCell {
                id: Some(0),
                cpus: Some((0..count).collect()),
                memory: CellMemory { size: Size::from_kib(kib) },
                mem_access: None,
                discard: None,
                distances: Vec::new(),
                caches: Vec::new(),
            });
            let on_nodes = |it: &&mut MemoryDevice| it.model != MemoryModel::VirtioPmem;
            for it in domain.devices.memories.iter_mut().filter(on_nodes) {
                it.target.node.get_or_insert(0);
            }
        }
    }
    let Some(cpu) = &mut domain.cpu else { return Ok(()) };
    if let Some(numa) = &mut cpu.numa {
        // CPUs that no cell has are the first one's.
        let all =
            (0..count).filter(|cpu| !numa.cells.iter().any(|it| it.cpus.as_ref().is_some_and(|it| it.contains(*cpu))));
        let rest: Vec<u32> = all.collect();
        if let Some(first) = numa.cells.first_mut().filter(|_| !rest.is_empty()) {
            first.cpus.get_or_insert_with(CpuSet::default).0.extend(rest);
        }
        distances(&mut numa.cells);
    }
    if cpu.mode.is_none() && cpu.model.is_none() {
        // Only topology, NUMA cells or the like: the machine's own model.
        if let Some(name) = default {
            cpu.model = Some(CpuModel { fallback: Some(CpuFallback::Forbid), vendor_id: None, name });
            cpu.check = Some(CpuCheck::None);
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
            if mode == CpuMode::HostPassthrough {
                // Of the 32-bit emulators the reference does not know that they can leave things out for migration.
                let can_leave_out = OnOff::from(caps.arch != "i686");
                cpu.migratable.get_or_insert(can_leave_out);
            }
        }
    }
    Ok(())
}

/// The way back is as long as the way there: distances said in one direction hold in both. Local memory is at 10, other at 20.
fn distances(cells: &mut [NumaCell]) {
    if cells.iter().all(|it| it.distances.is_empty()) {
        return;
    }
    let ids: Vec<u32> = (0..).zip(&*cells).map(|(at, it)| it.id.unwrap_or(at)).collect();
    let said: Vec<Vec<NumaDistance>> = cells.iter().map(|it| it.distances.clone()).collect();
    let find = |from: usize, to: u32| said.get(from).and_then(|it| it.iter().find(|it| it.id == to)).map(|it| it.value);
    for (from, cell) in cells.iter_mut().enumerate() {
        let Some(own) = ids.get(from).copied() else { continue };
        let all = ids.iter().enumerate().map(|(to, id)| {
            let value = find(from, *id).or_else(|| find(to, own)).unwrap_or(if to == from { 10 } else { 20 });
            NumaDistance { id: *id, value }
        });
        cell.distances = all.collect();
    }
}
