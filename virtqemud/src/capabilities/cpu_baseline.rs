//! Comparing CPUs by the CPU map: what several have in common, and whether the host has what another one has.
//!
//! Sets of features, nothing else; the outcomes are the reference's, recorded for pairs of models of all ages.

use virtbus_api::flags::BaselineFlags;
use virtbus_api::hypervisor::CpuComparison;
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_schema::domain::cpu::{Cpu, CpuCheck, CpuFallback, CpuFeature, CpuMatch, CpuMode, CpuModel, CpuPolicy};
use virtbus_schema::domain_capabilities::HostModel;
use virtbus_schema::{CpuDocument, KnownCpu};

use super::cpu_map::{CpuMap, FeatureSet};
use super::cpu_model::{CpuFacts, describe_any};
use crate::process::capabilities::{CpuModel as EmulatedModel, Cpus};

/// A guest with these cannot be moved to another host.
const NOT_MIGRATABLE: &[&str] = &["invtsc", "xsaves"];

/// What the host's own state or its kernel decides: nobody is asked for them, and they are no part of what CPUs have in common.
pub const IGNORED: &[&str] = &["cmt", "mbm_local", "mbm_total", "osxsave", "ospke"];

/// The most that all of these CPUs, of one family, have.
///
/// # Errors
/// `INTERNAL_ERROR` for a model or feature the map does not know, `OPERATION_FAILED` for CPUs of different vendors or with
/// nothing in common.
pub fn baseline(map: &CpuMap, cpus: &[KnownCpu], flags: BaselineFlags) -> Result<Cpu> {
    let cpus: Vec<Given> = cpus.iter().map(|it| Given::known(map, it)).collect::<Result<_>>()?;
    common(map, &cpus, None, flags)
}

/// The same for guests of an emulator, whose models these are: one of them it will be, without what blocks it. Where the host's
/// own CPU is given on (`kvm`), features it lacks are in nobody's.
///
/// # Errors
/// As [`baseline`]; `INVALID_ARG` for a CPU without a model.
pub fn baseline_for(map: &CpuMap, of: &Cpus, kvm: bool, cpus: &[CpuDocument], flags: BaselineFlags) -> Result<Cpu> {
    let given = |(at, cpu): (usize, &CpuDocument)| match cpu {
        CpuDocument::Known(cpu) => Given::known(map, cpu),
        CpuDocument::Wanted(cpu) => Given::wanted(map, cpu)?.ok_or_else(|| {
            Error::invalid_arg(format!("no CPU model specified at index {at}")).in_domain(ErrorDomain::Cpu)
        }),
    };
    let cpus: Vec<Given> = cpus.iter().enumerate().map(given).collect::<Result<_>>()?;
    let least = kvm.then(|| gives(map, of));
    common(map, &cpus, Some((of.models.as_slice(), least)), flags)
}

/// A CPU as a set of features.
struct Given {
    model: String,
    vendor: Option<String>,
    features: FeatureSet,
}

impl Given {
    fn known(map: &CpuMap, cpu: &KnownCpu) -> Result<Self> {
        Ok(Self { model: cpu.model.clone(), vendor: cpu.vendor.clone(), features: known(map, cpu)? })
    }

    /// Of a guest's CPU counts what it surely has; `None` for one without a model.
    fn wanted(map: &CpuMap, cpu: &Cpu) -> Result<Option<Self>> {
        let Some(model) = &cpu.model else { return Ok(None) };
        let mut features = model_of(map, &model.name)?;
        for it in &cpu.features {
            // One that nobody knows is in nobody's.
            let Some(feature) = map.feature(&it.name) else { continue };
            match it.policy {
                CpuPolicy::Require | CpuPolicy::Force => features.insert(feature),
                CpuPolicy::Disable | CpuPolicy::Forbid => features.remove(&feature),
                CpuPolicy::Optional => false,
            };
        }
        Ok(Some(Self { model: model.name.clone(), vendor: cpu.vendor.clone(), features }))
    }
}

/// What an emulator can give its guests.
fn gives(map: &CpuMap, cpus: &Cpus) -> FeatureSet {
    let is_on = |name: &String| cpus.max.get(name) == Some(&serde_json::Value::Bool(true));
    let features = map.features.iter().enumerate().filter(|(_, it)| it.qemu.iter().any(is_on));
    features.map(|(index, _)| index).collect()
}

/// What an emulator has: its models, and what its host limits it to.
type OfEmulator<'a> = (&'a [EmulatedModel], Option<FeatureSet>);

fn common(map: &CpuMap, cpus: &[Given], of: Option<OfEmulator<'_>>, flags: BaselineFlags) -> Result<Cpu> {
    let kvm = of.as_ref().is_some_and(|(_, least)| least.is_some());
    let (models, mut common) = of.map_or((None, None), |(models, least)| (Some(models), least));
    let mut vendor: Option<String> = None;
    for (at, cpu) in cpus.iter().enumerate() {
        let features = &cpu.features;
        if let Some(name) = cpu.vendor.as_ref().filter(|it| !map.vendors.iter().any(|(known, _)| known == *it)) {
            return Err(failed(format!("Unknown CPU vendor {name}")));
        }
        // The vendor of the first counts if it is said; those of the others are their models' otherwise (observed).
        let of_model = || map.model(&cpu.model).filter(|_| at > 0).and_then(|it| it.vendor.clone());
        let own = cpu.vendor.clone().or_else(of_model);
        if vendor.is_some() && own.is_some() && vendor != own {
            return Err(failed("CPU vendors do not match"));
        }
        vendor = vendor.or(own);
        common = Some(match common {
            Some(before) => before.intersection(features).copied().collect(),
            None => features.clone(),
        });
    }
    let mut features = common.unwrap_or_default();
    features.retain(|it| map.features.get(*it).is_none_or(|it| !IGNORED.contains(&it.name.as_str())));
    if features.is_empty() {
        return Err(failed("CPUs are incompatible"));
    }
    // An emulator's own CPU moves with it.
    let of_host = models.is_none() || kvm;
    if of_host && flags.contains(BaselineFlags::MIGRATABLE) {
        for kept_here in NOT_MIGRATABLE.iter().filter_map(|it| map.feature(it)) {
            features.remove(&kept_here);
        }
    }
    let name = cpus.first().map(|it| it.model.as_str());
    let name = name.filter(|name| cpus.iter().all(|it| it.model == *name));
    let facts = CpuFacts { vendor: vendor.clone(), signature: None, features };
    let found = describe_any(map, &facts, name, models)
        .ok_or_else(|| failed("no CPU model is near what the CPUs have in common"))?;
    let all_say = cpus.iter().all(|it| it.vendor.is_some());
    let fallback =
        if models.is_some() || name == Some(found.model.as_str()) { CpuFallback::Forbid } else { CpuFallback::Allow };
    let mut cpu = guest(&found.model, fallback, vendor.filter(|_| all_say));
    let feature = |policy| move |name: String| CpuFeature { policy, name };
    cpu.features.extend(found.require.into_iter().map(feature(CpuPolicy::Require)));
    cpu.features.extend(found.disable.into_iter().map(feature(CpuPolicy::Disable)));
    if flags.contains(BaselineFlags::EXPAND_FEATURES) {
        expand(map, &mut cpu);
    }
    Ok(cpu)
}

/// For families without a map of features: the one model that all name.
///
/// # Errors
/// `OPERATION_FAILED` when they name different ones.
pub fn same(cpus: &[KnownCpu], fallback: CpuFallback) -> Result<Cpu> {
    let Some((first, rest)) = cpus.split_first() else { return Err(failed("there are no CPUs")) };
    match rest.iter().find(|it| it.model != first.model) {
        Some(_) => Err(failed("CPUs are incompatible")),
        None => Ok(guest(&first.model, fallback, None)),
    }
}

fn guest(model: &str, fallback: CpuFallback, vendor: Option<String>) -> Cpu {
    Cpu {
        mode: Some(CpuMode::Custom),
        matching: Some(CpuMatch::Exact),
        model: Some(CpuModel { fallback: Some(fallback), vendor_id: None, name: model.to_owned() }),
        vendor,
        ..Cpu::default()
    }
}

/// Says all features of the model beside it, in the order of their names.
fn expand(map: &CpuMap, cpu: &mut Cpu) {
    let model = cpu.model.as_ref().and_then(|it| map.model(&it.name));
    for index in model.into_iter().flat_map(|it| &it.features) {
        if let Some(feature) = map.features.get(*index)
            && !cpu.features.iter().any(|it| it.name == feature.name)
        {
            cpu.features.push(CpuFeature { policy: CpuPolicy::Require, name: feature.name.clone() });
        }
    }
    cpu.features.sort_by(|a, b| a.name.cmp(&b.name));
}

/// How the host compares; both are of the architecture of the map.
///
/// # Errors
/// `INTERNAL_ERROR` for a model or feature the map does not know.
pub fn compare(map: &CpuMap, host: &CpuFacts, cpu: &CpuDocument) -> Result<CpuComparison> {
    // A foreign vendor is said before a foreign model.
    if let CpuDocument::Known(KnownCpu { vendor: Some(vendor), .. }) = cpu
        && let Some(refusal) = foreign(host, vendor)
    {
        return Ok(refusal);
    }
    let (sets, vendor, strict) = match cpu {
        CpuDocument::Known(cpu) => (Sets { required: known(map, cpu)?, ..Sets::default() }, cpu.vendor.clone(), false),
        CpuDocument::Wanted(cpu) => {
            let Some(model) = &cpu.model else { return Ok(CpuComparison::Superset) };
            (Sets::of(map, Some(model), cpu)?, cpu.vendor.clone(), cpu.matching == Some(CpuMatch::Strict))
        }
    };
    Ok(weigh(map, host, sets, vendor.as_deref(), strict))
}

fn foreign(host: &CpuFacts, vendor: &str) -> Option<CpuComparison> {
    let text = || format!("host CPU vendor does not match required CPU vendor {vendor}");
    (host.vendor.as_deref() != Some(vendor)).then(|| CpuComparison::Incompatible(text()))
}

fn weigh(map: &CpuMap, host: &CpuFacts, mut sets: Sets, vendor: Option<&str>, strict: bool) -> CpuComparison {
    if let Some(refusal) = vendor.and_then(|it| foreign(host, it)) {
        return refusal;
    }
    let names = |set: &FeatureSet| {
        let names: Vec<_> = set.iter().filter_map(|it| Some(map.features.get(*it)?.name.as_str())).collect();
        names.join(", ")
    };
    let forbidden: FeatureSet = sets.forbidden.intersection(&host.features).copied().collect();
    if !forbidden.is_empty() {
        return CpuComparison::Incompatible(format!("Host CPU provides forbidden features: {}", names(&forbidden)));
    }
    sets.required.retain(|it| !sets.disabled.contains(it) && !sets.others.contains(it));
    let missing: FeatureSet = sets.required.difference(&host.features).copied().collect();
    if !missing.is_empty() {
        let text = format!("Host CPU does not provide required features: {}", names(&missing));
        return CpuComparison::Incompatible(text);
    }
    let spoken_of = |it: &usize| sets.required.contains(it) || sets.others.contains(it) || sets.disabled.contains(it);
    let extra: FeatureSet = host.features.iter().copied().filter(|it| !spoken_of(it)).collect();
    if extra.is_empty() {
        CpuComparison::Identical
    } else if strict {
        let text = format!("Host CPU does not strictly match guest CPU: Extra features: {}", names(&extra));
        CpuComparison::Incompatible(text)
    } else {
        CpuComparison::Superset
    }
}

/// Whether an emulator, which calls this host's model `host`, can give a guest that is about to start what it asks for; the text
/// says why not. Asked for no check, all is taken as given but what is forbidden.
///
/// # Errors
/// `INTERNAL_ERROR` for a model or feature nobody knows.
pub fn given(map: &CpuMap, cpus: &Cpus, host: &HostModel, cpu: &Cpu) -> Result<CpuComparison> {
    // What the host has beyond its model is looked at first (observed).
    let has = |name: &str| host.features.iter().any(|it| it.name == name && it.policy == CpuPolicy::Require);
    if let Some(it) = cpu.features.iter().find(|it| it.policy == CpuPolicy::Forbid && has(&it.name)) {
        return Ok(CpuComparison::Incompatible(format!("Host CPU provides forbidden feature '{}'", it.name)));
    }
    if cpu.check != Some(CpuCheck::Partial) {
        return Ok(CpuComparison::Superset);
    }
    let features = host_features(map, host)?;
    let facts = CpuFacts { vendor: host.vendor.clone(), signature: None, features };
    let named = cpu.model.as_ref().filter(|it| !it.name.is_empty());
    let known = named.map(|it| map.model(&it.name).ok_or_else(|| unknown_model(&it.name))).transpose()?;
    let of_emulator = named.and_then(|named| cpus.models.iter().find(|it| it.name == named.name));
    let judged_by_map = known.is_none_or(|it| it.judged_by_map);
    match of_emulator {
        // A model that can be had, with nothing on top: nobody has to look closer.
        Some(it) if it.unavailable.is_empty() && cpu.features.iter().all(|it| it.policy == CpuPolicy::Disable) => {
            Ok(CpuComparison::Superset)
        }
        Some(it) if !judged_by_map => {
            let said: Vec<_> = cpu.features.iter().map(|it| (it.name.clone(), it.policy)).collect();
            usable(map, &facts, it, &said)
        }
        _ => {
            let sets = Sets::of(map, named, cpu)?;
            Ok(weigh(map, &facts, sets, cpu.vendor.as_deref(), cpu.matching == Some(CpuMatch::Strict)))
        }
    }
}

fn host_features(map: &CpuMap, host: &HostModel) -> Result<FeatureSet> {
    let mut features = match &host.model {
        Some(model) => model_of(map, &model.name)?,
        None => FeatureSet::new(),
    };
    for it in &host.features {
        let feature = feature_of(map, &it.name)?;
        match it.policy {
            CpuPolicy::Disable | CpuPolicy::Forbid => features.remove(&feature),
            CpuPolicy::Require | CpuPolicy::Force | CpuPolicy::Optional => features.insert(feature),
        };
    }
    Ok(features)
}

/// How what an emulator calls this host's model compares; both are of the architecture of the map. Vendors are not compared:
/// an emulator can claim any.
///
/// # Errors
/// `INTERNAL_ERROR` for a model or feature nobody knows.
pub fn compare_for(map: &CpuMap, cpus: &Cpus, host: &HostModel, cpu: &CpuDocument) -> Result<CpuComparison> {
    let features = host_features(map, host)?;
    let mut cpu = cpu.clone();
    let (model, said) = match &mut cpu {
        CpuDocument::Known(cpu) => {
            cpu.vendor = None;
            let features = cpu.features.iter().map(|it| (it.name.clone(), CpuPolicy::Require));
            (Some(cpu.model.clone()), features.collect::<Vec<_>>())
        }
        CpuDocument::Wanted(cpu) => {
            (cpu.vendor, cpu.matching) = (None, Some(CpuMatch::Exact));
            let features = cpu.features.iter().map(|it| (it.name.clone(), it.policy));
            (cpu.model.as_ref().map(|it| it.name.clone()), features.collect())
        }
    };
    let Some(model) = model else { return Ok(CpuComparison::Superset) };
    let facts = CpuFacts { vendor: None, signature: None, features };
    let nobodys = || Error::invalid_arg(format!("unknown CPU model {model}")).in_domain(ErrorDomain::Cpu);
    match (map.model(&model), cpus.models.iter().find(|it| it.name == model)) {
        (None, None) => Err(unknown_model(&model)),
        // A model that can be had, with nothing on top: nobody has to look closer.
        (_, Some(it)) if it.unavailable.is_empty() && said.iter().all(|(_, it)| *it == CpuPolicy::Disable) => {
            Ok(CpuComparison::Superset)
        }
        (Some(known), _) if known.judged_by_map => compare(map, &facts, &cpu),
        (Some(_), Some(it)) => {
            let asked = if matches!(cpu, CpuDocument::Known(_)) { &[][..] } else { &said };
            usable(map, &facts, it, asked)
        }
        (Some(_), None) | (None, Some(_)) => Err(nobodys()),
    }
}

/// Whether nothing blocks a model of an emulator, given what is said of features beside it.
fn usable(map: &CpuMap, host: &CpuFacts, model: &EmulatedModel, said: &[(String, CpuPolicy)]) -> Result<CpuComparison> {
    let off = |name: &str| {
        let is_off = |policy: &CpuPolicy| matches!(policy, CpuPolicy::Disable | CpuPolicy::Forbid);
        said.iter().any(|(feature, policy)| feature == name && is_off(policy))
    };
    let blockers = model.unavailable.iter().map(|it| map.name_of(it).to_owned());
    let mut missing: Vec<String> = blockers.filter(|it| !off(it)).collect();
    for (name, policy) in said {
        let has = host.features.contains(&feature_of(map, name)?);
        if *policy == CpuPolicy::Require && !has {
            missing.push(name.clone());
        }
    }
    if missing.is_empty() {
        return Ok(CpuComparison::Superset);
    }
    let text = format!("Host CPU does not provide required features: {}", missing.join(", "));
    Ok(CpuComparison::Incompatible(text))
}

/// What is said of features, by what it means for the host.
#[derive(Default)]
struct Sets {
    required: FeatureSet,
    disabled: FeatureSet,
    forbidden: FeatureSet,
    /// Forced or optional: the host may have them or not.
    others: FeatureSet,
}

impl Sets {
    fn of(map: &CpuMap, model: Option<&CpuModel>, cpu: &Cpu) -> Result<Self> {
        let required = model.map(|it| model_of(map, &it.name)).transpose()?.unwrap_or_default();
        let mut sets = Self { required, ..Self::default() };
        for it in &cpu.features {
            sets.add(feature_of(map, &it.name)?, it.policy);
        }
        Ok(sets)
    }

    fn add(&mut self, feature: usize, policy: CpuPolicy) {
        let set = match policy {
            CpuPolicy::Require => &mut self.required,
            CpuPolicy::Disable => &mut self.disabled,
            CpuPolicy::Forbid => &mut self.forbidden,
            CpuPolicy::Force | CpuPolicy::Optional => &mut self.others,
        };
        set.insert(feature);
    }
}

/// What a CPU that says what it is has.
fn known(map: &CpuMap, cpu: &KnownCpu) -> Result<FeatureSet> {
    let mut features = model_of(map, &cpu.model)?;
    for feature in &cpu.features {
        features.insert(feature_of(map, &feature.name)?);
    }
    Ok(features)
}

fn model_of(map: &CpuMap, name: &str) -> Result<FeatureSet> {
    map.model(name).map(|it| it.features.clone()).ok_or_else(|| unknown_model(name))
}

fn unknown_model(name: &str) -> Error {
    Error::internal(format!("Unknown CPU model {name}")).in_domain(ErrorDomain::Cpu)
}

fn feature_of(map: &CpuMap, name: &str) -> Result<usize> {
    let unknown = || Error::internal(format!("Unknown CPU feature {name}")).in_domain(ErrorDomain::Cpu);
    map.feature(name).ok_or_else(unknown)
}

fn failed(detail: impl Into<String>) -> Error {
    Error::new(ErrorCode::OperationFailed, detail).in_domain(ErrorDomain::Cpu)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::capabilities::cpu_map::{DIRECTORY, for_tests};

    fn named(model: &str) -> KnownCpu {
        KnownCpu { arch: "x86_64".into(), model: model.into(), vendor: None, features: Vec::new() }
    }

    fn shown(cpu: &Cpu) -> String {
        let model = cpu.model.as_ref().expect("a model");
        let mut text = model.name.clone();
        if model.fallback == Some(CpuFallback::Forbid) {
            text.push('!');
        }
        for feature in &cpu.features {
            text.push_str(if feature.policy == CpuPolicy::Require { " +" } else { " -" });
            text.push_str(&feature.name);
        }
        text
    }

    /// Recorded from libvirt 11.3, whose map must be installed.
    #[test]
    fn pairs_of_models_have_in_common_what_the_reference_says() {
        let Ok(map) = CpuMap::load(Path::new(DIRECTORY), "x86") else {
            println!("skipped: no {DIRECTORY}");
            return;
        };
        for line in include_str!("tests/baseline.txt").lines().filter(|it| !it.starts_with('#')) {
            let (models, wanted) = line.split_once(": ").expect("models and an outcome");
            let cpus: Vec<_> = models.split(' ').map(named).collect();
            let cpu = baseline(&map, &cpus, BaselineFlags::empty()).expect(models);
            assert_eq!(shown(&cpu), wanted, "{models}");
        }
    }

    #[test]
    fn vendors_that_are_said_must_agree_and_names_must_be_known() {
        let map = for_tests();
        let said = |model: &str, vendor: &str| KnownCpu { vendor: Some(vendor.to_owned()), ..named(model) };
        let code = |cpus: &[KnownCpu]| baseline(&map, cpus, BaselineFlags::empty()).expect_err("refused").code;
        assert_eq!(code(&[named("no-such")]), ErrorCode::InternalError);
        assert_eq!(code(&[said("small", "Nobody")]), ErrorCode::OperationFailed);
        assert_eq!(shown(&baseline(&map, &[said("Amd1", "AMD")], BaselineFlags::empty()).expect("one")), "Amd1!");
    }

    #[test]
    fn a_host_lacks_is_or_has_more() {
        let map = for_tests();
        let features = |names: &[&str]| names.iter().map(|it| map.feature(it).expect(it)).collect::<FeatureSet>();
        let host = CpuFacts { features: features(&["sse2", "pni"]), vendor: Some("AMD".into()), signature: None };
        let asked = |text: &str| compare(&map, &host, &CpuDocument::parse(text).expect("a CPU")).expect("an outcome");
        let small = "<cpu match='exact'><model>small</model>";
        assert_eq!(asked(&format!("{small}</cpu>")), CpuComparison::Superset);
        assert_eq!(asked(&format!("{small}<feature policy='require' name='pni'/></cpu>")), CpuComparison::Identical);
        for lacking in ["require' name='aes", "forbid' name='pni"] {
            let found = asked(&format!("{small}<feature policy='{lacking}'/></cpu>"));
            assert!(matches!(found, CpuComparison::Incompatible(_)), "{lacking}: {found:?}");
        }
        assert_eq!(asked(&format!("{small}<feature policy='optional' name='aes'/></cpu>")), CpuComparison::Superset);
        let strict = asked("<cpu match='strict'><model>small</model></cpu>");
        assert!(matches!(strict, CpuComparison::Incompatible(_)), "{strict:?}");
    }
}
