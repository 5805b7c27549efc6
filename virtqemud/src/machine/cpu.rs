//! The CPU of a guest that starts: what depends on the host today is made definite in the live document, so that it can be
//! migrated and shown as it is.

use virtbus_api::hypervisor::CpuComparison;
use virtbus_api::{Error, ErrorCode, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::cpu::{Cpu, CpuCheck, CpuFallback, CpuFeature, CpuMatch, CpuMode, CpuModel, CpuPolicy};
use virtbus_schema::domain_capabilities::HostModel;

use super::is_kvm;
use crate::capabilities::cpu_baseline::{self, IGNORED};
use crate::capabilities::cpu_map::CpuMap;
use crate::capabilities::cpu_model::{CpuFacts, describe_any};
use crate::process::capabilities::{Accel, Cpus, QemuCaps};

/// Makes the CPU of the live document definite. `map` is libvirt's map of models, where it is installed; `host_model` what
/// `domcapabilities` says for this emulator, wanted for `mode='host-model'` only.
///
/// # Errors
/// `CPU_INCOMPATIBLE` when this host cannot give what is asked for, `INTERNAL_ERROR` for a model and `CONFIG_UNSUPPORTED` for a
/// feature that nobody knows.
pub fn settle(
    domain: &mut Domain,
    caps: &QemuCaps,
    map: Option<&CpuMap>,
    host_model: Option<&HostModel>,
) -> Result<()> {
    let kvm = is_kvm(domain);
    let kind = domain.kind;
    let arch = domain.os.kind.arch.clone().unwrap_or_default();
    let Some(cpu) = &mut domain.cpu else { return Ok(()) };
    let toggles = cpu.deprecated_features.is_some();
    let cpus = caps.cpus(if kvm { Accel::Kvm } else { Accel::Tcg });
    let Some(cpus) = cpus else { return Ok(()) };
    known_features(cpu, cpus, map)?;
    let is_checked = match cpu.mode {
        Some(CpuMode::HostModel) => cpu.check != Some(CpuCheck::None),
        Some(CpuMode::Custom) => cpu.check == Some(CpuCheck::Partial),
        _ => false,
    };
    if let (Some(map), Some(host)) = (map.filter(|_| is_checked), host_model)
        && let CpuComparison::Incompatible(why) = cpu_baseline::given(map, cpus, host, cpu)?
    {
        return Err(Error::new(ErrorCode::CpuIncompatible, why));
    }
    if toggles {
        return Err(Error::unsupported_config("toggling deprecated features for CPU model is unsupported"));
    }
    cpu.features.retain(|it| !IGNORED.contains(&it.name.as_str()));
    // The least that will do is what the host has, where that is known.
    let minimum = cpu.matching == Some(CpuMatch::Minimum) && cpu.mode == Some(CpuMode::Custom);
    let refused = |mode: CpuMode| {
        Error::unsupported_config(format!(
            "CPU mode '{mode}' for {arch} {kind} domain on {arch} host is not supported by hypervisor"
        ))
    };
    match (cpu.mode.unwrap_or(CpuMode::Custom), host_model) {
        (CpuMode::HostModel, None) => return Err(refused(CpuMode::HostModel)),
        (CpuMode::HostModel, Some(model)) => take_host_model(cpu, model),
        (CpuMode::Custom, Some(model)) if minimum => take_host_model(cpu, model),
        (CpuMode::Custom, _) => {
            if kvm && map.is_none() && cpu.check == Some(CpuCheck::Partial) {
                blocked(cpu, cpus)?;
            }
            custom(cpu, cpus, map)?;
        }
        (CpuMode::HostPassthrough, _) if !kvm => return Err(refused(CpuMode::HostPassthrough)),
        // All that can be had is there; what may be missing is no matter.
        (CpuMode::HostPassthrough | CpuMode::Maximum, _) => {
            cpu.features.retain(|it| it.policy != CpuPolicy::Optional);
        }
    }
    // What may be or not be is what it can be.
    for it in cpu.features.iter_mut().filter(|it| it.policy == CpuPolicy::Optional) {
        it.policy = if can(cpus, map, &it.name) { CpuPolicy::Require } else { CpuPolicy::Disable };
    }
    Ok(())
}

/// The host's model, with what the document says of features on top.
fn take_host_model(cpu: &mut Cpu, host: &HostModel) {
    let HostModel { model, vendor, maxphysaddr: _, features } = host;
    cpu.mode = Some(CpuMode::Custom);
    cpu.matching = Some(CpuMatch::Exact);
    let vendor_id = cpu.model.take().and_then(|it| it.vendor_id);
    cpu.model = model.clone().map(|it| CpuModel { vendor_id, ..it });
    cpu.vendor.clone_from(vendor);
    // A guest whose clock says that it never changes could not be migrated.
    let kept = features.iter().filter(|it| it.name != "invtsc").cloned().collect();
    let said = std::mem::replace(&mut cpu.features, kept);
    for it in said {
        match cpu.features.iter_mut().find(|known| known.name == it.name) {
            Some(known) => known.policy = it.policy,
            None => cpu.features.push(it),
        }
    }
}

/// All names a feature has: libvirt's, and QEMU's.
fn names<'a>(map: Option<&'a CpuMap>, name: &'a str) -> Vec<&'a str> {
    let mut all = vec![name];
    if let Some(feature) = map.and_then(|map| map.features.get(map.feature(name)?)) {
        all.extend(feature.qemu.iter().map(String::as_str));
    }
    all
}

/// Whether this host can give a feature.
fn can(cpus: &Cpus, map: Option<&CpuMap>, name: &str) -> bool {
    names(map, name).iter().any(|it| cpus.max.get(*it) == Some(&serde_json::Value::Bool(true)))
}

fn known_features(cpu: &Cpu, cpus: &Cpus, map: Option<&CpuMap>) -> Result<()> {
    if cpus.max.is_empty() {
        return Ok(());
    }
    let known = |name: &str| map.map_or_else(|| cpus.max.contains_key(name), |map| map.feature(name).is_some());
    match cpu.features.iter().find(|it| !known(&it.name)) {
        Some(unknown) => Err(Error::unsupported_config(format!("unknown CPU feature: {}", unknown.name))),
        None => Ok(()),
    }
}

/// Without a map: what QEMU says that it lacks for the model, and what is asked for beside it.
fn blocked(cpu: &Cpu, cpus: &Cpus) -> Result<()> {
    let of_qemu = cpu.model.as_ref().and_then(|model| cpus.models.iter().find(|it| it.name == model.name));
    let off = |it: &CpuFeature| matches!(it.policy, CpuPolicy::Disable | CpuPolicy::Forbid | CpuPolicy::Optional);
    let disabled = |name: &str| cpu.features.iter().any(|it| off(it) && it.name == name);
    let lacking = of_qemu.into_iter().flat_map(|it| &it.unavailable).filter(|it| !disabled(it)).map(String::as_str);
    let required = cpu.features.iter().filter(|it| it.policy == CpuPolicy::Require && !can(cpus, None, &it.name));
    let mut missing: Vec<&str> = lacking.chain(required.map(|it| it.name.as_str())).collect();
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    let text = format!("Host CPU does not provide required features: {}", missing.join(", "));
    Err(Error::new(ErrorCode::CpuIncompatible, text))
}

fn custom(cpu: &mut Cpu, cpus: &Cpus, map: Option<&CpuMap>) -> Result<()> {
    let Some(model) = cpu.model.as_ref().filter(|it| !it.name.is_empty()) else { return Ok(()) };
    let (name, fallback) = (model.name.clone(), model.fallback);
    let of_qemu = cpus.models.iter().any(|it| it.name == name);
    let Some(map) = map else {
        return if of_qemu { Ok(()) } else { Err(Error::internal(format!("Unknown CPU model {name}"))) };
    };
    let of_map = map.model(&name).ok_or_else(|| Error::internal(format!("Unknown CPU model {name}")))?;
    // What the model once had is switched off by name: QEMU may still give it by default.
    let mut gone: Vec<&String> = of_map.removed.iter().filter_map(|it| Some(&map.features.get(*it)?.name)).collect();
    gone.retain(|name| !cpu.features.iter().any(|said| said.name == **name));
    gone.sort_unstable();
    cpu.features.extend(gone.into_iter().map(|it| CpuFeature { policy: CpuPolicy::Disable, name: it.clone() }));
    if !of_qemu && !cpus.models.is_empty() {
        if fallback == Some(CpuFallback::Forbid) {
            let text = format!("CPU model {name} is not supported by hypervisor");
            return Err(Error::unsupported_config(text));
        }
        translate(cpu, cpus, map, &name)?;
    }
    Ok(())
}

/// Says the same with the nearest model that QEMU has.
fn translate(cpu: &mut Cpu, cpus: &Cpus, map: &CpuMap, name: &str) -> Result<()> {
    let mut features = map.model(name).map(|it| it.features.clone()).unwrap_or_default();
    for it in &cpu.features {
        let Some(feature) = map.feature(&it.name) else { continue };
        match it.policy {
            CpuPolicy::Require | CpuPolicy::Force => features.insert(feature),
            CpuPolicy::Optional if can(cpus, Some(map), &it.name) => features.insert(feature),
            CpuPolicy::Optional | CpuPolicy::Disable | CpuPolicy::Forbid => features.remove(&feature),
        };
    }
    let vendor = map.model(name).and_then(|it| it.vendor.clone());
    let facts = CpuFacts { vendor, signature: None, features };
    let found = describe_any(map, &facts, None, Some(&cpus.models))
        .ok_or_else(|| Error::internal(format!("no model of QEMU's is near CPU model {name}")))?;
    if let Some(model) = &mut cpu.model {
        model.name = found.model;
    }
    let feature = |policy| move |name: String| CpuFeature { policy, name };
    let require = found.require.into_iter().map(feature(CpuPolicy::Require));
    let all = require.chain(found.disable.into_iter().map(feature(CpuPolicy::Disable))).collect();
    for it in std::mem::replace(&mut cpu.features, all) {
        match cpu.features.iter_mut().find(|known| known.name == it.name) {
            Some(known) => known.policy = it.policy,
            None => cpu.features.push(it),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;
    use virtbus_schema::CpuDocument;

    use super::*;
    use crate::capabilities::cpu_map::for_tests;
    use crate::process::capabilities::CpuModel as Emulated;

    fn cpu(text: &str) -> Cpu {
        match CpuDocument::parse(text).expect("a CPU") {
            CpuDocument::Wanted(cpu) => *cpu,
            CpuDocument::Known(_) => panic!("{text} is no guest's"),
        }
    }

    /// An emulator with these models that can give `aes`, `sse2` and `pni`.
    fn emulator(models: &[&str]) -> Cpus {
        let model = |name: &&str| Emulated {
            name: (*name).to_owned(),
            alias_of: None,
            type_name: String::new(),
            unavailable: Vec::new(),
            deprecated: false,
        };
        let on = |name: &str| (name.to_owned(), Value::Bool(true));
        let max = BTreeMap::from([on("aes"), on("sse2"), on("pni"), ("avx2".to_owned(), Value::Bool(false))]);
        Cpus { models: models.iter().map(model).collect(), max: max.clone(), all: max }
    }

    fn shown(cpu: &Cpu) -> String {
        let mut text = cpu.model.as_ref().map_or_else(String::new, |it| it.name.clone());
        for it in &cpu.features {
            text.push_str(if it.policy == CpuPolicy::Require { " +" } else { " -" });
            text.push_str(&it.name);
        }
        text
    }

    #[test]
    fn what_a_model_once_had_is_switched_off_for_it_alone() {
        let (map, cpus) = (for_tests(), emulator(&["Shrunk", "Shrunk-v1"]));
        for (model, wanted) in [
            ("<model>Shrunk</model>", "Shrunk -aes -avx2"),
            ("<model>Shrunk-v1</model>", "Shrunk-v1"),
            ("<model>Shrunk</model><feature policy='require' name='avx2'/>", "Shrunk +avx2 -aes"),
        ] {
            let mut cpu = cpu(&format!("<cpu match='exact'>{model}</cpu>"));
            custom(&mut cpu, &cpus, Some(&map)).expect(model);
            assert_eq!(shown(&cpu), wanted);
        }
    }

    #[test]
    fn a_model_that_the_emulator_has_not_becomes_the_nearest_one() {
        let (map, cpus) = (for_tests(), emulator(&["small", "Intel1"]));
        let settled = |text: &str| {
            let mut cpu = cpu(text);
            custom(&mut cpu, &cpus, Some(&map)).map(|()| shown(&cpu))
        };
        let asked = "<cpu match='exact'><model>Amd1</model></cpu>";
        assert_eq!(settled(asked).expect("near"), "small +pni +aes +svm");
        let forbidden =
            settled("<cpu match='exact'><model fallback='forbid'>Amd1</model></cpu>").expect_err("no other");
        assert_eq!(forbidden.code, ErrorCode::ConfigUnsupported);
        assert_eq!(
            settled("<cpu match='exact'><model>Z80</model></cpu>").expect_err("unknown").code,
            ErrorCode::InternalError
        );
    }

    #[test]
    fn a_checked_guest_gets_what_it_asks_for_or_is_told() {
        let (map, cpus) = (for_tests(), emulator(&["small", "Intel1"]));
        let host = cpu("<cpu match='exact'><model>small</model><feature policy='require' name='aes'/></cpu>");
        let host =
            HostModel { model: host.model, vendor: Some("AMD".into()), maxphysaddr: None, features: host.features };
        let refused = |text: &str| {
            let outcome = cpu_baseline::given(&map, &cpus, &host, &cpu(text)).expect(text);
            matches!(outcome, CpuComparison::Incompatible(_))
        };
        for (asked, wrong) in [
            ("<cpu check='partial'><model>Intel1</model></cpu>", false),
            ("<cpu mode='host-model' check='partial'><feature policy='require' name='aes'/></cpu>", false),
            ("<cpu mode='host-model' check='partial'><feature policy='require' name='svm'/></cpu>", true),
            ("<cpu mode='host-model' check='partial'><feature policy='force' name='svm'/></cpu>", false),
            ("<cpu mode='host-model' check='full'><feature policy='forbid' name='aes'/></cpu>", true),
            ("<cpu mode='host-model' check='full'><feature policy='require' name='svm'/></cpu>", false),
            ("<cpu mode='host-model' check='partial'><feature policy='forbid' name='sse2'/></cpu>", true),
            ("<cpu check='partial'><model>Amd1</model><feature policy='optional' name='pni'/></cpu>", true),
        ] {
            assert_eq!(refused(asked), wrong, "{asked}");
        }
    }
}
