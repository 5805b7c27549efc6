//! `<guest>` entries of the capabilities: which architectures can be run, from what the emulators said.

use virtbus_schema::capabilities::{Guest, GuestArch, GuestDomain, GuestFeatures, GuestMachine, Toggle};
use virtbus_schema::xml::{OnOff, YesNo};

use super::arch::Arch;
use crate::process::capabilities::{Accel, MachineType, QemuCaps};

/// Guests of an architecture, run by an emulator on a host.
#[must_use]
pub fn guest(host: Arch, arch: Arch, caps: &QemuCaps) -> Guest {
    let kinds = [("qemu", caps.cpus(Accel::Tcg).is_some()), ("kvm", caps.kvm() && host.runs(arch))];
    let domains =
        kinds.into_iter().filter(|(_, has)| *has).map(|(kind, _)| GuestDomain { kind: kind.to_owned() }).collect();
    Guest {
        os_type: "hvm".to_owned(),
        arch: GuestArch {
            name: arch.name.to_owned(),
            wordsize: arch.bits,
            emulator: Some(caps.binary.display().to_string()),
            machines: machines(caps),
            domains,
        },
        features: Some(features(arch)),
    }
}

/// The default machine goes first, the others in QEMU's order, each with its other name after it.
fn machines(caps: &QemuCaps) -> Vec<GuestMachine> {
    let default = caps.default_machine().map(|it| it.name.as_str());
    let (first, rest): (Vec<_>, Vec<_>) =
        caps.machines.iter().filter(|it| it.name != "none").partition(|it| Some(it.name.as_str()) == default);
    first.into_iter().chain(rest).flat_map(names).collect()
}

fn names(it: &MachineType) -> Vec<GuestMachine> {
    let deprecated = it.deprecated.then_some(YesNo::Yes);
    let machine = |name: &str, canonical: Option<&str>| GuestMachine {
        canonical: canonical.map(str::to_owned),
        max_cpus: (it.max_cpus > 0).then_some(it.max_cpus),
        deprecated,
        name: name.to_owned(),
    };
    let mut names = vec![machine(&it.name, None)];
    names.extend(it.alias.iter().map(|alias| machine(alias, Some(&it.name))));
    names
}

fn features(arch: Arch) -> GuestFeatures {
    let toggle = |default: bool, toggle: bool| Some(Toggle { default: OnOff::from(default), toggle: toggle.into() });
    GuestFeatures {
        pae: arch.name == "i686",
        nonpae: arch.name == "i686",
        acpi: toggle(true, true).filter(|_| arch.is_x86() || arch.name == "aarch64"),
        apic: toggle(true, false).filter(|_| arch.is_x86()),
        hap: None,
        cpuselection: true,
        deviceboot: true,
        disksnapshot: toggle(true, false),
        external_snapshot: true,
    }
}
