//! `-machine`, `-accel`, power management, threads, and other options of the board.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::clock::TimerName;
use virtbus_schema::domain::device::controller::{Controller, ControllerKind};
use virtbus_schema::domain::device::sound::SoundModel;
use virtbus_schema::domain::features::IoapicDriver;
use virtbus_schema::domain::{Domain, Features, IoThread};
use virtbus_schema::xml::{OnOff, YesNo};

use super::CommandLine;
use super::{firmware, memory};
use crate::device::Part;
use crate::device::props::props;
use crate::machine::{Board, is_kvm};
use crate::process::capabilities::QemuCaps;

fn state(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// `-machine` and `-accel`.
pub(super) fn write(domain: &Domain, caps: &QemuCaps, dump_guest_core: bool, line: &mut CommandLine) -> Result<()> {
    let machine = domain.os.kind.machine.as_deref().unwrap_or_default();
    let none = Features::default();
    let features = domain.features.as_ref().unwrap_or(&none);
    // USB comes as a controller of its own.
    let mut out = format!("{machine},usb=off");
    if let Some(it) = features.vmport {
        let _ = write!(out, ",vmport={}", it.state);
    }
    if let Some(it) = &features.smm {
        let _ = write!(out, ",smm={}", it.state);
    }
    if let Some(driver) = features.ioapic.and_then(|it| it.driver) {
        let driver = match driver {
            IoapicDriver::Kvm => "on",
            IoapicDriver::Qemu => "split",
        };
        let _ = write!(out, ",kernel_irqchip={driver}");
    }
    if let Some(it) = features.ps2 {
        let _ = write!(out, ",i8042={}", it.state);
    }
    let dump = domain.memory.dump_core.map_or(dump_guest_core, OnOff::is_on);
    let _ = write!(out, ",dump-guest-core={}", state(dump));
    if domain.memory_backing.as_ref().is_some_and(|it| it.nosharepages) {
        out.push_str(",mem-merge=off");
    }
    if !domain.devices.memories.is_empty() && domain.devices.memories.iter().any(memory::is_nvdimm) {
        out.push_str(",nvdimm=on");
    }
    if memory::has_hmat(domain) {
        out.push_str(",hmat=on");
    }
    if let Some(id) = memory::main_memory(domain, caps) {
        let _ = write!(out, ",memory-backend={id}");
    }
    // The firmware writes to the serial port instead of a screen.
    if domain.os.bios.as_ref().and_then(|it| it.useserial).is_some_and(YesNo::is_on) {
        out.push_str(",graphics=off");
    }
    if domain.devices.sounds.iter().any(|it| it.model == SoundModel::Pcspk) {
        let id = domain.devices.audios.first().map_or(1, |it| it.id);
        let _ = write!(out, ",pcspk-audiodev=audio{id}");
    }
    out.push_str(&firmware::machine_options(domain));
    if let Some(present) = domain.clock.timers.iter().find(|it| it.name == TimerName::Hpet).and_then(|it| it.present) {
        let _ = write!(out, ",hpet={}", state(present.is_on()));
    }
    if caps.machine(machine).is_some_and(|it| it.acpi != Some(false)) {
        let _ = write!(out, ",acpi={}", state(features.acpi));
    }
    if domain.keywrap.as_ref().is_some_and(|it| !it.ciphers.is_empty()) {
        return Err(Error::unsupported_config("'aes-key-wrap'/'dea-key-wrap' is not available on this architecture"));
    }
    line.option("-machine", out);
    line.option("-accel", accelerator(domain, features));
    Ok(())
}

fn accelerator(domain: &Domain, features: &Features) -> String {
    if is_kvm(domain) {
        let ring = features.kvm.as_ref().and_then(|it| it.dirty_ring).filter(|it| it.state.is_on());
        return match ring.and_then(|it| it.size) {
            Some(size) => format!("kvm,dirty-ring-size={size}"),
            None => "kvm".to_owned(),
        };
    }
    let cache = features.tcg.as_ref().and_then(|it| it.tb_cache);
    match cache.map(|it| it.kib) {
        None => "tcg".to_owned(),
        Some(kib) => format!("tcg,tb-size={}", kib / 1024),
    }
}

/// Memory for system management mode beyond QEMU's default.
pub(super) fn smm_memory(features: &Features, line: &mut CommandLine) {
    if let Some(tseg) = features.smm.as_ref().and_then(|it| it.tseg) {
        line.option("-global", format!("mch.extended-tseg-mbytes={}", tseg.bytes >> 20));
    }
}

/// Whether the guest may sleep.
pub(super) fn power_management(domain: &Domain, board: Board, line: &mut CommandLine) {
    let Some(pm) = &domain.pm else { return };
    let device = if board == Board::Q35 { "ICH9-LPC" } else { "PIIX4_PM" };
    for (name, enabled) in [("disable_s3", pm.suspend_to_mem), ("disable_s4", pm.suspend_to_disk)] {
        if let Some(enabled) = enabled {
            line.option("-global", format!("{device}.{name}={}", u32::from(enabled == YesNo::No)));
        }
    }
}

/// Whether devices may be plugged into the root bus of a PC of 1996, through its ACPI.
pub(super) fn root_hotplug(domain: &Domain, board: Board, line: &mut CommandLine) {
    let roots = domain.devices.controllers.iter().filter(|it| it.kind == ControllerKind::Pci && it.index == Some(0));
    for said in roots.filter_map(|it| it.target.as_ref()?.hotplug) {
        if board == Board::I440fx {
            let state = if said.is_on() { "on" } else { "off" };
            line.option("-global", format!("PIIX4_PM.acpi-root-pci-hotplug={state}"));
        }
    }
}

/// The window for 64-bit PCI addresses, which the root controller has.
pub(super) fn pci_window(domain: &Domain, line: &mut CommandLine) {
    for it in domain.devices.controllers.iter().filter(|it| it.kind == ControllerKind::Pci) {
        let Some(size) = it.pcihole64 else { continue };
        let bridge = if it.model.as_deref() == Some("pcie-root") { "q35-pcihost" } else { "i440FX-pcihost" };
        line.option("-global", format!("{bridge}.pci-hole64-size={}K", size.kib));
    }
}

props! {
    struct Thread {
        qom_type: &'static str,
        id: String,
        thread_pool_min: Option<u32>,
        thread_pool_max: Option<u32>,
        poll_max_ns: Option<u64>,
        poll_grow: Option<u64>,
        poll_shrink: Option<u64>,
    }
}

/// Threads for disks, and the main one where the document tunes it.
pub(super) fn iothreads(domain: &Domain, line: &mut CommandLine) -> Result<()> {
    // Threads that are only counted get the lowest numbers that are free.
    let mut threads = domain.iothreadids.clone();
    let wanted = domain.iothreads.and_then(|it| usize::try_from(it).ok()).unwrap_or(0);
    let listed: BTreeSet<u32> = threads.iter().map(|it| it.id).collect();
    for id in (1..).filter(|it| !listed.contains(it)).take(wanted.saturating_sub(threads.len())) {
        threads.push(IoThread { id, thread_pool_min: None, thread_pool_max: None, poll: None });
    }
    for it in &threads {
        let id = format!("iothread{}", it.id);
        let thread = Thread {
            qom_type: "iothread",
            id: id.clone(),
            thread_pool_min: it.thread_pool_min,
            thread_pool_max: it.thread_pool_max,
            poll_max_ns: it.poll.and_then(|it| it.max),
            poll_grow: it.poll.and_then(|it| it.grow),
            poll_shrink: it.poll.and_then(|it| it.shrink),
        };
        line.part(&Part::object(id, &thread)?);
    }
    if let Some(it) = domain.defaultiothread {
        let thread = Thread {
            qom_type: "main-loop",
            id: "main-loop".to_owned(),
            thread_pool_min: it.thread_pool_min,
            thread_pool_max: it.thread_pool_max,
            ..Thread::default()
        };
        line.part(&Part::object("main-loop", &thread)?);
    }
    Ok(())
}

/// Controllers in the order QEMU is told of them: bridges first, since the others sit on them.
pub(super) fn controllers_in_order(controllers: &[Controller]) -> Vec<&Controller> {
    let kinds = [
        ControllerKind::Pci,
        ControllerKind::Usb,
        ControllerKind::Scsi,
        ControllerKind::Ide,
        ControllerKind::Sata,
        ControllerKind::VirtioSerial,
    ];
    let mut ordered = Vec::with_capacity(controllers.len());
    for kind in kinds {
        ordered.extend(controllers.iter().filter(|it| it.kind == kind));
    }
    let is_other = |it: &&Controller| !kinds.contains(&it.kind) && it.kind != ControllerKind::Ccid;
    ordered.extend(controllers.iter().filter(is_other));
    ordered
}
