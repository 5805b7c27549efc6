//! CPUs, clock, firmware, lifecycle and launch security.

use virtbus_api::{Error, ErrorCode, Result};
use virtbus_schema::domain::clock::{TickPolicy, TimerName, TimerTrack};
use virtbus_schema::domain::cpu::{CpuCacheMode, CpuMode};
use virtbus_schema::domain::os::{AcpiTableKind, FirmwareKind, LoaderKind};
use virtbus_schema::domain::{Domain, LaunchSecurity, LifecycleAction};
use virtbus_schema::xml::YesNo;

use super::super::{Board, is_kvm};
use super::unsupported;
use crate::process::capabilities::QemuCaps;

pub(super) fn check(domain: &Domain, board: Board, caps: &QemuCaps) -> Result<()> {
    cpus(domain, caps)?;
    caches(domain)?;
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
    let allocates = domain.cputune.as_ref().is_some_and(|it| !it.cachetunes.is_empty() || !it.memorytunes.is_empty());
    if !is_kvm(domain) && allocates {
        return unsupported("cachetune is only supported for KVM domains");
    }
    if domain.memtune.as_ref().is_some_and(|it| it.min_guarantee.is_some()) {
        return unsupported("Parameter 'min_guarantee' not supported by QEMU.");
    }
    Ok(())
}

/// The caches a guest's CPU shows.
fn caches(domain: &Domain) -> Result<()> {
    let Some(cpu) = &domain.cpu else { return Ok(()) };
    let Some(cache) = cpu.cache else { return Ok(()) };
    let of_the_host = matches!(cpu.mode, Some(CpuMode::HostPassthrough | CpuMode::Maximum));
    match cache.mode {
        CpuCacheMode::Emulate if cache.level.is_some_and(|it| it != 3) => {
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

fn boot(domain: &Domain, board: Board) -> Result<()> {
    let os = &domain.os;
    let has_acpi = domain.features.as_ref().is_some_and(|it| it.acpi);
    let flash = os.loader.as_ref().is_some_and(|it| it.kind == Some(LoaderKind::Pflash) && it.path.is_some());
    if (os.firmware == Some(FirmwareKind::Efi) || flash) && !has_acpi {
        return unsupported("UEFI requires ACPI on this architecture");
    }
    if os.firmware.is_none() && !os.firmware_features.is_empty() {
        return Err(Error::new(
            ErrorCode::XmlDetail,
            "cannot use feature-based firmware autoselection when firmware autoselection is disabled",
        ));
    }
    if os.loader.as_ref().is_some_and(|it| it.secure == Some(YesNo::Yes)) && board != Board::Q35 {
        return unsupported("Secure boot is supported with q35 machine types only");
    }
    if let Some(table) = os.acpi_tables.iter().find(|it| it.kind != AcpiTableKind::Slic) {
        return unsupported(format!("ACPI table type '{}' is not supported", table.kind));
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
