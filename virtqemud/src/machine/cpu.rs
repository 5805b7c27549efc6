//! The CPU of a guest that starts: what depends on the host today is made definite in the live document, so that it can be
//! migrated and shown as it is.

use virtbus_api::{Error, ErrorCode, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::cpu::{Cpu, CpuCheck, CpuFeature, CpuMatch, CpuMode, CpuPolicy};
use virtbus_schema::domain_capabilities::HostModel;

use super::is_kvm;
use crate::capabilities::cpu_map::CpuMap;
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
    if cpu.deprecated_features.is_some() {
        return Err(Error::unsupported_config("toggling deprecated features for CPU model is unsupported"));
    }
    let cpus = caps.cpus(if kvm { Accel::Kvm } else { Accel::Tcg });
    let Some(cpus) = cpus else { return Ok(()) };
    known_features(cpu, cpus, map)?;
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
        (CpuMode::Custom, _) => custom(cpu, cpus, map, kvm)?,
        (CpuMode::HostPassthrough, _) if !kvm => return Err(refused(CpuMode::HostPassthrough)),
        (CpuMode::HostPassthrough | CpuMode::Maximum, _) => {}
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
    cpu.model.clone_from(model);
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
    let known = |name: &str| {
        map.is_some_and(|map| map.feature(name).is_some())
            || names(map, name).iter().any(|it| cpus.max.contains_key(*it))
    };
    match cpu.features.iter().find(|it| !known(&it.name)) {
        Some(unknown) => Err(Error::unsupported_config(format!("unknown CPU feature: {}", unknown.name))),
        None => Ok(()),
    }
}

fn custom(cpu: &mut Cpu, cpus: &Cpus, map: Option<&CpuMap>, kvm: bool) -> Result<()> {
    let Some(model) = cpu.model.as_ref().filter(|it| !it.name.is_empty()) else { return Ok(()) };
    let of_qemu = cpus.models.iter().find(|it| it.name == model.name);
    let of_map = map.and_then(|map| map.model(&model.name));
    if of_map.is_none() && (of_qemu.is_none() || map.is_some()) {
        return Err(Error::internal(format!("Unknown CPU model {}", model.name)));
    }
    let disabled = |name: &str| {
        let off = |it: &CpuFeature| matches!(it.policy, CpuPolicy::Disable | CpuPolicy::Forbid | CpuPolicy::Optional);
        cpu.features.iter().any(|it| off(it) && names(map, &it.name).contains(&name))
    };
    if kvm && cpu.check == Some(CpuCheck::Partial) {
        let lacking = of_qemu.into_iter().flat_map(|it| &it.unavailable).filter(|it| !disabled(it)).map(String::as_str);
        let required = cpu.features.iter().filter(|it| it.policy == CpuPolicy::Require && !can(cpus, map, &it.name));
        let mut missing: Vec<&str> = lacking.chain(required.map(|it| it.name.as_str())).collect();
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() {
            return Err(Error::new(
                ErrorCode::CpuIncompatible,
                format!("Host CPU does not provide required features: {}", missing.join(", ")),
            ));
        }
    }
    // What the model once had is switched off by name: QEMU may still give it by default.
    let Some(map) = map else { return Ok(()) };
    let removed = of_map.into_iter().flat_map(|it| &it.removed).filter_map(|it| map.features.get(*it));
    let gone = removed.filter(|it| !cpu.features.iter().any(|said| said.name == it.name));
    let gone: Vec<CpuFeature> =
        gone.map(|it| CpuFeature { policy: CpuPolicy::Disable, name: it.name.clone() }).collect();
    cpu.features.extend(gone);
    Ok(())
}
