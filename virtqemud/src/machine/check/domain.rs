//! CPUs, clock, firmware, lifecycle and launch security.

use virtbus_api::{Error, ErrorCode, Result};
use virtbus_schema::domain::clock::{TickPolicy, Timer, TimerName, TimerTrack};
use virtbus_schema::domain::cpu::{CpuCacheMode, CpuMode, MaxPhysAddrMode};
use virtbus_schema::domain::os::{AcpiTableKind, FirmwareKind, LoaderKind};
use virtbus_schema::domain::vcpu::VcpuState;
use virtbus_schema::domain::{Domain, LaunchSecurity, LifecycleAction};
use virtbus_schema::xml::YesNo;

use super::super::{Board, is_kvm};
use super::unsupported;
use crate::process::capabilities::QemuCaps;

pub(super) fn check(domain: &Domain, board: Board, caps: &QemuCaps) -> Result<()> {
    if domain.bootloader.is_some() || domain.bootloader_args.is_some() {
        return unsupported("bootloader is not supported by QEMU");
    }
    cpus(domain, caps)?;
    caches(domain)?;
    address_bits(domain)?;
    clock(domain)?;
    boot(domain, board)?;
    lifecycle(domain)?;
    if let Some(it) = &domain.launch_security {
        let name = match it {
            LaunchSecurity::Sev { .. } => "sev",
            LaunchSecurity::SevSnp { .. } => "sev-snp",
            LaunchSecurity::S390Pv => "s390-pv",
        };
        return unsupported(format!("'{name}' launch security is not supported with this QEMU binary"));
    }
    if !domain.devices.memories.is_empty() && domain.max_memory.is_none() {
        return unsupported("cannot use/hotplug a memory device when domain 'maxMemory' is not defined");
    }
    Ok(())
}

fn cpus(domain: &Domain, caps: &QemuCaps) -> Result<()> {
    let name = domain.os.kind.machine.as_deref().unwrap_or_default();
    if let Some(machine) = caps.machine(name)
        && domain.vcpu.count > machine.max_cpus
    {
        return unsupported(format!("Maximum CPUs greater than specified machine type limit {}", machine.max_cpus));
    }
    if let Some(cpu) = &domain.cpu {
        if cpu.topology.is_some_and(|it| it.vcpus() != Some(domain.vcpu.count)) {
            return unsupported("CPU topology doesn't match maximum vcpu count");
        }
        let mut seen = std::collections::BTreeSet::new();
        if let Some(twice) = cpu.features.iter().find(|it| !seen.insert(&it.name)) {
            return Err(Error::xml(format!("CPU feature '{}' specified more than once", twice.name)));
        }
        if cpu.model.as_ref().and_then(|it| it.vendor_id.as_ref()).is_some_and(|it| it.len() != 12) {
            return Err(Error::xml("vendor_id must be exactly 12 characters long"));
        }
    }
    if domain.vcpu.current == Some(0) {
        return unsupported("vcpu 0 can't be offline");
    }
    vcpu_states(&domain.vcpus)?;
    let allocates = domain.cputune.as_ref().is_some_and(|it| !it.cachetunes.is_empty() || !it.memorytunes.is_empty());
    if !is_kvm(domain) && allocates {
        return unsupported("cachetune is only supported for KVM domains");
    }
    if domain.memtune.as_ref().is_some_and(|it| it.min_guarantee.is_some()) {
        return unsupported("Parameter 'min_guarantee' not supported by QEMU.");
    }
    Ok(())
}

/// The first vCPU is always there, and those that stay come before those that may go.
fn vcpu_states(states: &[VcpuState]) -> Result<()> {
    let online = |it: &&VcpuState| it.enabled.is_on();
    let goes = |it: &VcpuState| it.hotpluggable.is_some_and(YesNo::is_on);
    if let Some(first) = states.first() {
        if !first.enabled.is_on() {
            return unsupported("vcpu 0 can't be offline");
        }
        if goes(first) {
            return unsupported("vcpu 0 can't be hotpluggable");
        }
        if first.order.is_some_and(|it| it != 1) {
            return unsupported("vcpu 0 must be enabled first");
        }
    }
    if let Some(it) = states.iter().find(|it| !it.enabled.is_on() && !goes(it)) {
        return unsupported(format!("vcpu '{}' is both offline and not hotpluggable", it.id));
    }
    let ordered = states.iter().filter(online).filter(|it| it.order.is_some()).count();
    if ordered > 0 && ordered < states.iter().filter(online).count() {
        return unsupported("all vcpus must have either set or unset order");
    }
    let (mut last, mut gone) = (0, false);
    for it in states.iter().filter(online) {
        if goes(it) {
            gone = true;
            continue;
        }
        let order = it.order.unwrap_or(0);
        if gone || order < last {
            return unsupported(format!("vcpu '{}' stays: it must come before those that are hotpluggable", it.id));
        }
        last = order;
    }
    Ok(())
}

/// No CPU of this family has addresses of more bits.
const MOST_BITS: u32 = 52;

/// How many bits an address has: a number of them, or the host's with a limit.
fn address_bits(domain: &Domain) -> Result<()> {
    let Some(it) = domain.cpu.as_ref().and_then(|it| it.maxphysaddr) else { return Ok(()) };
    if it.bits.is_some_and(|it| it > MOST_BITS) {
        return unsupported(
            "The number of virtual CPU address bits cannot exceed the number supported by the host CPU",
        );
    }
    match it.mode {
        MaxPhysAddrMode::Passthrough if it.bits.is_some_and(|it| it > 0) => {
            unsupported("CPU maximum physical address bits number specification cannot be used with mode='passthrough'")
        }
        MaxPhysAddrMode::Emulate if it.limit.is_some() => {
            unsupported("attribute 'limit' is only supported for maxphysaddr mode 'passthrough'")
        }
        _ => Ok(()),
    }
}

/// The caches a guest's CPU shows.
fn caches(domain: &Domain) -> Result<()> {
    let Some(cpu) = &domain.cpu else { return Ok(()) };
    let Some(cache) = cpu.cache else { return Ok(()) };
    let of_the_host = matches!(cpu.mode, Some(CpuMode::HostPassthrough | CpuMode::Maximum));
    match cache.mode {
        CpuCacheMode::Emulate if cache.level != Some(3) => {
            unsupported("CPU cache mode 'emulate' can only be used with level='3'")
        }
        CpuCacheMode::Passthrough if !of_the_host => {
            unsupported("CPU cache mode 'passthrough' can only be used with 'host-passthrough' / 'maximum' CPUs")
        }
        mode @ (CpuCacheMode::Passthrough | CpuCacheMode::Disable) if cache.level.is_some() => {
            unsupported(format!("unsupported CPU cache level for mode '{mode}'"))
        }
        _ => Ok(()),
    }
}

fn clock(domain: &Domain) -> Result<()> {
    for timer in &domain.clock.timers {
        settings(timer)?;
        if timer.name == TimerName::Rtc && timer.track == Some(TimerTrack::Boot) {
            return unsupported("unsupported rtc timer track 'boot'");
        }
        match (timer.name, timer.tickpolicy) {
            (TimerName::Pit, Some(TickPolicy::Merge)) => return unsupported("unsupported pit tickpolicy 'merge'"),
            (TimerName::Rtc, Some(policy @ (TickPolicy::Merge | TickPolicy::Discard))) => {
                return unsupported(format!("unsupported rtc timer tickpolicy '{policy}'"));
            }
            (TimerName::Armvtimer | TimerName::Platform, _) => {
                return unsupported(format!(
                    "Configuring the '{}' timer is not supported for virtType={} arch={} machine={} guests",
                    timer.name,
                    domain.kind,
                    domain.os.kind.arch.as_deref().unwrap_or_default(),
                    domain.os.kind.machine.as_deref().unwrap_or_default()
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What can be set of a timer depends on which it is.
fn settings(it: &Timer) -> Result<()> {
    use TimerName::{Hypervclock, Kvmclock, Platform, Rtc, Tsc};
    let fault = |what: &str| unsupported(format!("timer {} doesn't support setting of timer {what}", it.name));
    if it.tickpolicy.is_some() && matches!(it.name, Kvmclock | Hypervclock) {
        return fault("tickpolicy");
    }
    if it.track.is_some() && !matches!(it.name, Platform | Rtc) {
        return fault("track");
    }
    if it.frequency.is_some() && it.name != Tsc {
        return fault("frequency");
    }
    if it.mode.is_some() && it.name != Tsc {
        return fault("mode");
    }
    Ok(())
}

/// Only some loaders can be asked for.
fn loader(domain: &Domain) -> Result<()> {
    let os = &domain.os;
    let detail = |text: &str| Err(Error::new(ErrorCode::XmlDetail, text));
    if os.firmware.is_none() {
        if !os.firmware_features.is_empty() {
            return detail("cannot use feature-based firmware autoselection when firmware autoselection is disabled");
        }
        let no_path = os.loader.as_ref().is_none_or(|it| it.path.is_none());
        if no_path && (os.loader.is_some() || os.nvram.is_some()) {
            return detail("no loader path specified and firmware auto selection disabled");
        }
    }
    if os.nvram.is_some() && os.loader.as_ref().is_some_and(|it| it.stateless == Some(YesNo::Yes)) {
        return detail("NVRAM is not permitted when loader is stateless");
    }
    Ok(())
}

/// Tables for the guest's ACPI: one of each kind, but any number of those that QEMU need not understand.
fn acpi_tables(domain: &Domain) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for table in &domain.os.acpi_tables {
        if table.kind == AcpiTableKind::RawSet {
            return unsupported(format!("ACPI table type '{}' is not supported", table.kind));
        }
        if table.kind != AcpiTableKind::Raw && !seen.insert(table.kind.as_str()) {
            return Err(Error::xml(format!("ACPI table type '{}' may only appear once", table.kind)));
        }
    }
    Ok(())
}

fn boot(domain: &Domain, board: Board) -> Result<()> {
    loader(domain)?;
    acpi_tables(domain)?;
    let os = &domain.os;
    let has_acpi = domain.features.as_ref().is_some_and(|it| it.acpi);
    let flash = os.loader.as_ref().is_some_and(|it| it.kind == Some(LoaderKind::Pflash) && it.path.is_some());
    if (os.firmware == Some(FirmwareKind::Efi) || flash) && !has_acpi {
        return unsupported("UEFI requires ACPI on this architecture");
    }
    if os.loader.as_ref().is_some_and(|it| it.secure == Some(YesNo::Yes)) && board != Board::Q35 {
        return unsupported("Secure boot is supported with q35 machine types only");
    }
    let smm = domain.features.as_ref().and_then(|it| it.smm.as_ref()).is_some_and(|it| it.state.is_on());
    if os.loader.as_ref().is_some_and(|it| it.secure == Some(YesNo::Yes)) && !smm {
        return unsupported("Secure boot requires SMM feature enabled");
    }
    if os.bootmenu.as_ref().and_then(|it| it.timeout).is_some_and(|it| it > 65535) {
        return unsupported("invalid value for boot menu timeout, must be in range [0,65535]");
    }
    let serial = os.bios.as_ref().is_some_and(|it| it.useserial == Some(YesNo::Yes));
    if serial && domain.devices.serials.is_empty() {
        return Err(Error::xml("need at least one serial port to use BIOS serial output"));
    }
    Ok(())
}

/// What QEMU can do when the guest ends in one way or another.
fn lifecycle(domain: &Domain) -> Result<()> {
    use LifecycleAction::{CoredumpDestroy, CoredumpRestart, Destroy, Preserve, RenameRestart, Restart};
    for (event, action) in [("poweroff", domain.on_poweroff), ("reboot", domain.on_reboot)] {
        if matches!(action, CoredumpDestroy | CoredumpRestart) {
            return unsupported(format!("Lifecycle event '{event}' doesn't support '{action}' action"));
        }
    }
    let renames = [domain.on_poweroff, domain.on_reboot, domain.on_crash].contains(&RenameRestart);
    if renames {
        return unsupported(
            "qemu driver doesn't support the 'rename-restart' action for 'on_reboot'/'on_poweroff'/'on_crash'",
        );
    }
    if domain.on_poweroff == Preserve || domain.on_reboot == Preserve {
        return unsupported("qemu driver doesn't support the 'preserve' action for 'on_reboot'/'on_poweroff'");
    }
    if domain.on_reboot == Destroy && domain.on_poweroff == Restart {
        return unsupported("qemu driver doesn't support 'onReboot' set to 'destroy and 'onPoweroff' set to 'reboot'");
    }
    Ok(())
}
