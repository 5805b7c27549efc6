//! Which model of the CPU map a CPU is nearest to, and what differs: pure, over sets of features.
//!
//! A host is described from below: by a model all of whose features it has. A guest may be described by a model with some
//! features taken away. Of several models, one made for CPUs of this family and model is nearer than any other; else the one
//! that leaves the least to be said, where taking away weighs more and more: a guest expects what its model is known to have.
//! The weights are the reference's, found by having it describe 400 CPUs made up for the purpose.

use virtbus_schema::capabilities::host::Signature;

use super::cpu_map::{CpuMap, FeatureSet, Model};
use crate::process::capabilities::CpuModel;

/// What is to be described.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CpuFacts {
    /// The vendor, by libvirt's name.
    pub vendor: Option<String>,
    /// Family, model and stepping.
    pub signature: Option<Signature>,
    /// The features it has.
    pub features: FeatureSet,
}

/// A CPU in the map's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The model.
    pub model: String,
    /// What it has beyond the model, in the map's order.
    pub require: Vec<String>,
    /// What the model has and it has not, in the map's order.
    pub disable: Vec<String>,
}

/// A model with what would have to be said beside it.
struct Candidate<'m> {
    model: &'m Model,
    require: FeatureSet,
    disable: FeatureSet,
    made_for_it: bool,
}

impl Candidate<'_> {
    /// What is said, plus 1 for the first two features taken away, 2 for the next two, and so on; then that weight alone.
    fn cost(&self) -> (usize, usize) {
        let pairs = self.disable.len().div_ceil(2);
        (self.require.len() + self.disable.len() + pairs * (pairs + 1) / 2, pairs)
    }

    fn is_nearer_than(&self, other: &Self) -> bool {
        match (self.made_for_it, other.made_for_it) {
            (true, false) => true,
            (false, true) => false,
            _ => self.cost() < other.cost(),
        }
    }
}

/// Describes the host's CPU; `None` when no model is contained in it.
#[must_use]
pub fn describe_host(map: &CpuMap, cpu: &CpuFacts) -> Option<Description> {
    nearest(map, cpu, |model| {
        let is_contained = model.decode_host && model.features.is_subset(&cpu.features);
        is_contained.then(|| candidate(cpu, model, &FeatureSet::new()))
    })
}

/// Describes the CPU of a guest of a hypervisor that has `models`; what blocks a model there is taken away from it.
#[must_use]
pub fn describe_guest(map: &CpuMap, cpu: &CpuFacts, models: &[CpuModel]) -> Option<Description> {
    nearest(map, cpu, |model| {
        let known = models.iter().find(|it| it.name == model.name).filter(|_| model.decode_guest)?;
        let blockers = known.unavailable.iter().filter_map(|it| map.qemu_feature(it)).collect();
        let mut candidate = candidate(cpu, model, &blockers);
        // Whether it has what the model once had is said in any case: an older hypervisor would give it.
        candidate.disable.extend(model.removed.difference(&cpu.features));
        Some(candidate)
    })
}

/// Describes a CPU by whichever model is nearest, of those a hypervisor has where one is asked; by `preferred` if that is one
/// for guests.
#[must_use]
pub fn describe_any(
    map: &CpuMap,
    cpu: &CpuFacts,
    preferred: Option<&str>,
    models: Option<&[CpuModel]>,
) -> Option<Description> {
    let try_model = |model| described(map, cpu, model, models);
    let is_had = |model: &Model| models.is_none_or(|it| it.iter().any(|it| it.name == model.name));
    let is_foreign = |model: &Model| cpu.vendor.is_some() && model.vendor.is_some() && model.vendor != cpu.vendor;
    let preferred =
        preferred.and_then(|it| map.model(it)).filter(|it| it.decode_guest && is_had(it) && !is_foreign(it));
    let mut found = match preferred {
        Some(model) => description(map, &try_model(model)),
        None => nearest(map, cpu, |model| (model.decode_guest && is_had(model)).then(|| try_model(model)))?,
    };
    // That comes last here, whatever its place in the map (observed).
    let had = |name: &String| {
        let feature = map.feature(name);
        feature.is_some_and(|it| map.model(&found.model).is_some_and(|model| model.removed.contains(&it)))
    };
    let (last, mut disable): (Vec<_>, Vec<_>) = found.disable.iter().cloned().partition(had);
    disable.extend(last);
    found.disable = disable;
    Some(found)
}

/// What the model once had is said in any case, and so is what blocks it in a hypervisor that has `models`.
fn described<'m>(map: &CpuMap, cpu: &CpuFacts, model: &'m Model, models: Option<&[CpuModel]>) -> Candidate<'m> {
    let known = models.into_iter().flatten().find(|it| it.name == model.name);
    let blockers = known.into_iter().flat_map(|it| &it.unavailable).filter_map(|it| map.qemu_feature(it));
    let gone = model.removed.difference(&cpu.features).copied();
    candidate(cpu, model, &gone.chain(blockers).collect())
}

fn candidate<'m>(cpu: &CpuFacts, model: &'m Model, blockers: &FeatureSet) -> Candidate<'m> {
    let require: FeatureSet = cpu.features.difference(&model.features).copied().collect();
    let missing = model.features.difference(&cpu.features);
    Candidate {
        model,
        disable: missing.chain(blockers.difference(&require)).copied().collect(),
        require,
        made_for_it: cpu.signature.is_some_and(|it| is_made_for(model, it)),
    }
}

fn is_made_for(model: &Model, cpu: Signature) -> bool {
    model.signatures.iter().any(|it| {
        it.family == cpu.family
            && it.model == cpu.model
            && it.stepping.as_ref().is_none_or(|steppings| steppings.contains(cpu.stepping))
    })
}

/// The nearest of those models that `try_model` makes a candidate of; of equals the last in the map.
fn nearest<'m>(
    map: &'m CpuMap,
    cpu: &CpuFacts,
    try_model: impl Fn(&'m Model) -> Option<Candidate<'m>>,
) -> Option<Description> {
    let mut best: Option<Candidate<'m>> = None;
    for model in map.models.iter().rev() {
        let foreign = cpu.vendor.is_some() && model.vendor.is_some() && model.vendor != cpu.vendor;
        let Some(candidate) = (!foreign).then(|| try_model(model)).flatten() else { continue };
        if best.as_ref().is_none_or(|it| candidate.is_nearer_than(it)) {
            best = Some(candidate);
        }
    }
    best.map(|it| description(map, &it))
}

fn description(map: &CpuMap, it: &Candidate<'_>) -> Description {
    let names = |set: &FeatureSet| set.iter().filter_map(|it| Some(map.features.get(*it)?.name.clone())).collect();
    Description { model: it.model.name.clone(), require: names(&it.require), disable: names(&it.disable) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::cpu_map::for_tests;

    fn cpu(map: &CpuMap, vendor: &str, features: &[&str]) -> CpuFacts {
        let features = features.iter().map(|it| map.feature(it).expect(it)).collect();
        CpuFacts { vendor: Some(vendor.to_owned()), signature: None, features }
    }

    fn qemu_models(map: &CpuMap, blocked: &[&str]) -> Vec<CpuModel> {
        let models = map.models.iter().map(|it| CpuModel {
            name: it.name.clone(),
            alias_of: None,
            type_name: String::new(),
            unavailable: if it.name == "Amd1" {
                blocked.iter().map(|it| (*it).to_owned()).collect()
            } else {
                Vec::new()
            },
            deprecated: false,
        });
        models.collect()
    }

    #[test]
    fn a_host_is_described_from_below() {
        let map = for_tests();
        // Amd1 has svm, which this one lacks: the generic model it is; of two equal ones the later.
        let host = cpu(&map, "AMD", &["sse2", "pni", "aes"]);
        let found = describe_host(&map, &host).expect("a model");
        assert_eq!(
            (found.model.as_str(), found.require, found.disable.len()),
            ("small-v1", vec!["pni".into(), "aes".into()], 0)
        );
        let host = cpu(&map, "AMD", &["sse2", "pni", "aes", "svm", "rdctl-no"]);
        let found = describe_host(&map, &host).expect("a model");
        assert_eq!((found.model.as_str(), found.require), ("Amd1", vec!["rdctl-no".to_owned()]));
        assert_eq!(describe_host(&map, &cpu(&map, "AMD", &["pni"])), None);
    }

    #[test]
    fn a_guest_is_described_with_what_is_taken_away() {
        let map = for_tests();
        let mut guest = cpu(&map, "AMD", &["sse2", "pni", "aes"]);
        // One feature taken away weighs as much as two more to ask for; then nothing taken away is nearer.
        let found = describe_guest(&map, &guest, &qemu_models(&map, &[])).expect("a model");
        assert_eq!((found.model.as_str(), found.require.len(), found.disable.len()), ("small", 2, 0));
        guest.features.extend(map.feature("svm"));
        let found = describe_guest(&map, &guest, &qemu_models(&map, &[])).expect("a model");
        assert_eq!((found.model.as_str(), found.require.len(), found.disable.len()), ("Amd1", 0, 0));
        // What QEMU's model has beyond the map's is taken away as well, in the map's order.
        guest.signature = Some(Signature { family: 25, model: 17, stepping: 1 });
        let found = describe_guest(&map, &guest, &qemu_models(&map, &["cmp-legacy"])).expect("a model");
        assert_eq!((found.model.as_str(), found.disable), ("Amd1", vec!["cmp_legacy".to_owned()]));
        assert_eq!(describe_guest(&map, &guest, &[]), None);
    }
}
