//! `<cpu>`: the modes and models of one emulator on this host.

use serde_json::Value;
use virtbus_schema::capabilities::host::Signature;
use virtbus_schema::domain::cpu::{CpuFallback, CpuFeature, CpuModel, CpuPolicy, MaxPhysAddr, MaxPhysAddrMode};
use virtbus_schema::domain_capabilities::cpu::Usable;
use virtbus_schema::domain_capabilities::{Choice, CpuModes, CustomCpu, CustomModel, CustomPart, HostModel};
use virtbus_schema::xml::YesNo;

use super::{Subject, Surroundings};
use crate::capabilities::cpu_map::CpuMap;
use crate::capabilities::cpu_model::{CpuFacts, describe_guest};
use crate::process::capabilities::{Accel, Cpus};

/// Hyper-V enlightenments in the reference's order, with QEMU's names.
const HYPERV: &[(&str, &str)] = &[
    ("relaxed", "hv-relaxed"),
    ("vapic", "hv-vapic"),
    ("spinlocks", ""),
    ("vpindex", "hv-vpindex"),
    ("runtime", "hv-runtime"),
    ("synic", "hv-synic"),
    ("stimer", "hv-stimer"),
    ("reset", "hv-reset"),
    ("vendor_id", ""),
    ("frequencies", "hv-frequencies"),
    ("reenlightenment", "hv-reenlightenment"),
    ("tlbflush", "hv-tlbflush"),
    ("ipi", "hv-ipi"),
    ("evmcs", "hv-evmcs"),
    ("avic", "hv-avic"),
    ("emsr_bitmap", "hv-emsr-bitmap"),
    ("xmm_input", "hv-xmm-input"),
];

/// The enlightenments that can be had; two of them are numbers and texts that need nothing of the host.
pub(super) fn hyperv(it: Subject<'_>) -> impl Iterator<Item = &'static str> {
    let cpus = it.caps.cpus(it.accel);
    let has = move |name: &str| name.is_empty() || cpus.is_some_and(|it| it.all.get(name) == Some(&Value::Bool(true)));
    HYPERV.iter().filter(move |(_, qemu)| has(qemu)).map(|(name, _)| *name)
}

pub(super) fn modes(it: Subject<'_>, host: Surroundings<'_>) -> CpuModes {
    let Some(cpus) = it.caps.cpus(it.accel) else { return CpuModes::default() };
    let on_off = |name: &str, on: bool| vec![Choice::of(name, on.then_some("on").into_iter().chain(["off"]))];
    // Of the i386 emulators the reference does not know that they can leave things out for migration; neither do its users.
    let is_native = it.caps.arch == host.arch.name;
    let has_max = cpus.models.iter().any(|it| it.name == "max");
    CpuModes {
        host_passthrough: (it.accel == Accel::Kvm).then(|| on_off("hostPassthroughMigratable", is_native)),
        maximum: has_max.then(|| on_off("maximumMigratable", true)),
        host_model: host_model(it, host),
        custom: Some(custom(it, host.map, cpus)),
    }
}

/// What the emulator calls the largest CPU it can give here; `None` where no map names it.
pub(in crate::capabilities) fn host_model(it: Subject<'_>, host: Surroundings<'_>) -> Option<HostModel> {
    let (map, cpus) = (host.map?, it.caps.cpus(it.accel)?);
    let described = describe_guest(map, &facts(it, host, cpus, map), &cpus.models)?;
    let feature = |policy: CpuPolicy| move |name: String| CpuFeature { policy, name };
    let require = described.require.into_iter().map(feature(CpuPolicy::Require));
    let disable = described.disable.into_iter().map(feature(CpuPolicy::Disable));
    let limit = host.cpu.address_bits.filter(|_| it.accel == Accel::Kvm);
    Some(HostModel {
        model: Some(CpuModel { fallback: Some(CpuFallback::Forbid), vendor_id: None, name: described.model }),
        vendor: vendor(cpus, map),
        maxphysaddr: limit.map(|bits| MaxPhysAddr {
            mode: MaxPhysAddrMode::Passthrough,
            bits: None,
            limit: Some(bits),
        }),
        features: require.chain(disable).collect(),
    })
}

fn vendor(cpus: &Cpus, map: &CpuMap) -> Option<String> {
    map.vendor(cpus.all.get("vendor")?.as_str()?).map(str::to_owned)
}

/// The largest CPU the emulator can give, with what would keep a guest from migrating.
fn facts(it: Subject<'_>, host: Surroundings<'_>, cpus: &Cpus, map: &CpuMap) -> CpuFacts {
    let is_on = |name: &String| cpus.all.get(name) == Some(&Value::Bool(true));
    // Feature registers are looked at where the emulator is of the host's own architecture only, as the reference does.
    let is_native = it.caps.arch == host.arch.name;
    let features = map.features.iter().enumerate();
    let features = features.filter(|(_, it)| it.qemu.iter().any(is_on) && (is_native || it.msr.is_empty()));
    let number = |name: &str| cpus.all.get(name)?.as_u64().and_then(|it| u32::try_from(it).ok());
    let signature = match (number("family"), number("model"), number("stepping")) {
        (Some(family), Some(model), Some(stepping)) => Some(Signature { family, model, stepping }),
        _ => None,
    };
    CpuFacts { vendor: vendor(cpus, map), signature, features: features.map(|(index, _)| index).collect() }
}

/// The models both QEMU and the map know, by name; all of QEMU's where there is no map for the architecture.
fn custom(it: Subject<'_>, map: Option<&CpuMap>, cpus: &Cpus) -> CustomCpu {
    let known = |name: &str| match map {
        Some(map) => map.model(name).is_some(),
        None => !it.arch.is_x86() || !["base", "host", "max"].contains(&name),
    };
    // Other emulators do not say what a model lacks.
    let says_usable = it.arch.is_x86() || it.arch.name == "s390x";
    let mut models: Vec<_> = cpus.models.iter().filter(|it| known(&it.name)).collect();
    models.sort_by(|one, other| one.name.cmp(&other.name));
    let part = |it: &crate::process::capabilities::CpuModel| {
        let translate = |name: &String| map.map_or(name.as_str(), |map| map.name_of(name)).to_owned();
        let mut blockers: Vec<String> = it.unavailable.iter().map(translate).collect();
        blockers.sort();
        blockers.dedup();
        let vendor = map.and_then(|map| map.model(&it.name)?.vendor.clone());
        let usable = match (says_usable, blockers.is_empty()) {
            (true, true) => Usable::Yes,
            (true, false) => Usable::No,
            (false, _) => Usable::Unknown,
        };
        CustomPart {
            model: CustomModel {
                usable,
                deprecated: it.deprecated.then_some(YesNo::Yes),
                vendor: Some(vendor.unwrap_or_else(|| "unknown".to_owned())),
                canonical: it.alias_of.clone(),
                name: it.name.clone(),
            },
            blockers,
        }
    };
    CustomCpu { parts: models.into_iter().map(part).collect() }
}
