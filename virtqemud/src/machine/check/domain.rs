//! CPUs, clock, firmware, lifecycle and launch security.

use virtbus_api::{Error, ErrorCode, Result};
use virtbus_schema::domain::clock::{TickPolicy, TimerName};
use virtbus_schema::domain::os::{AcpiTableKind, FirmwareKind};
use virtbus_schema::domain::{Domain, LaunchSecurity, LifecycleAction};
use virtbus_schema::xml::YesNo;

use super::super::{Board, is_kvm};
use super::unsupported;
use crate::process::capabilities::QemuCaps;

pub(super) fn check(domain: &Domain, board: Board, caps: &QemuCaps) -> Result<()> {
    cpus(domain, caps)?;
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
    if !is_kvm(domain) && domain.cputune.as_ref().is_some_and(|it| !it.cachetunes.is_empty()) {
        return unsupported("cachetune is only supported for KVM domains");
    }
    Ok(())
}

fn clock(domain: &Domain) -> Result<()> {
    for timer in &domain.clock.timers {
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
    if os.firmware == Some(FirmwareKind::Efi) && !has_acpi {
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
    use LifecycleAction::{CoredumpDestroy, CoredumpRestart, Destroy, Preserve, RenameRestart};
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
    if domain.on_poweroff == Preserve || (domain.on_reboot == Preserve && domain.on_poweroff != Destroy) {
        return unsupported("qemu driver doesn't support the 'preserve' action for 'on_reboot'/'on_poweroff'");
    }
    Ok(())
}
