//! `-cpu` and `-smp`.

use std::fmt::Write as _;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::clock::{Clock, TimerName};
use virtbus_schema::domain::cpu::{Cpu, CpuCacheMode, CpuFallback, CpuMode, CpuPolicy, MaxPhysAddrMode};
use virtbus_schema::domain::device::small::PanicModel;
use virtbus_schema::domain::features::{Features, Hyperv, HypervMode, KvmFeatures};
use virtbus_schema::xml::{OnOff, YesNo};

/// libvirt's names of CPU features that QEMU knows under another one.
const FEATURE_NAMES: &[(&str, &str)] = &[
    ("cmp_legacy", "cmp-legacy"),
    ("ds_cpl", "ds-cpl"),
    ("fxsr_opt", "fxsr-opt"),
    ("kvm_pv_eoi", "kvm-pv-eoi"),
    ("kvm_pv_unhalt", "kvm-pv-unhalt"),
    ("lahf_lm", "lahf-lm"),
    ("nodeid_msr", "nodeid-msr"),
    ("pclmuldq", "pclmulqdq"),
    ("perfctr_core", "perfctr-core"),
    ("perfctr_nb", "perfctr-nb"),
    ("tsc_adjust", "tsc-adjust"),
    ("vmx-invvpid-single-context-noglobals", "vmx-invept-single-context-noglobals"),
];

fn feature_name(name: &str) -> &str {
    FEATURE_NAMES.iter().find(|(ours, _)| *ours == name).map_or(name, |(_, theirs)| theirs)
}

/// The argument of `-cpu`; `None` leaves the choice to QEMU.
///
/// # Errors
/// The model cannot be had with this accelerator.
pub(super) fn model(domain: &Domain, features: &Features, kvm: bool, says_migratable: bool) -> Result<Option<String>> {
    let mut out = String::new();
    let cpu = domain.cpu.as_ref();
    if let Some(cpu) = cpu {
        named(cpu, kvm, says_migratable, &mut out)?;
    }
    let mut more = String::new();
    timers(&domain.clock, &mut more);
    paravirt(features, &mut more);
    if let Some(hyperv) = &features.hyperv {
        enlightenments(hyperv, &mut more);
    }
    // `<panic model='hyperv'>` is registers of the processor and no device.
    if domain.devices.panics.iter().any(|it| it.model == Some(PanicModel::Hyperv)) {
        more.push_str(",hv-crash");
    }
    if let Some(it) = &features.kvm {
        kvm_features(it, &mut more);
    }
    if let Some(pmu) = features.pmu {
        let _ = write!(more, ",pmu={}", pmu.state);
    }
    if let Some(cpu) = cpu {
        caches(cpu, &mut more);
    }
    if out.is_empty() && !more.is_empty() {
        out.push_str("qemu64");
    }
    out.push_str(&more);
    Ok((!out.is_empty()).then_some(out))
}

fn named(cpu: &Cpu, kvm: bool, says_migratable: bool, out: &mut String) -> Result<()> {
    match cpu.mode.unwrap_or(CpuMode::Custom) {
        CpuMode::HostPassthrough => {
            if !kvm {
                return Err(Error::unsupported_config("CPU mode 'host-passthrough' is only supported with kvm"));
            }
            out.push_str("host");
            if let Some(migratable) = cpu.migratable.filter(|_| says_migratable) {
                let _ = write!(out, ",migratable={migratable}");
            }
        }
        CpuMode::Maximum => {
            out.push_str("max");
            if let Some(migratable) = cpu.migratable {
                let _ = write!(out, ",migratable={migratable}");
            }
        }
        CpuMode::HostModel => return Err(Error::internal("the CPU of the host has not been settled on")),
        CpuMode::Custom => {
            let Some(model) = cpu.model.as_ref().filter(|it| !it.name.is_empty()) else { return Ok(()) };
            out.push_str(&model.name);
            if let Some(vendor) = &model.vendor_id {
                let _ = write!(out, ",vendor={vendor}");
            }
            debug_assert!(!matches!(model.fallback, Some(CpuFallback::Allow)) || !model.name.is_empty());
        }
    }
    for feature in &cpu.features {
        let state = match feature.policy {
            CpuPolicy::Force | CpuPolicy::Require => "on",
            CpuPolicy::Disable | CpuPolicy::Forbid => "off",
            // The host decides; what could not be given was taken out before.
            CpuPolicy::Optional => continue,
        };
        let _ = write!(out, ",{}={state}", feature_name(&feature.name));
    }
    Ok(())
}

fn timers(clock: &Clock, out: &mut String) {
    for timer in &clock.timers {
        match timer.name {
            TimerName::Kvmclock => {
                if let Some(present) = timer.present {
                    let _ = write!(out, ",kvmclock={}", if present.is_on() { "on" } else { "off" });
                }
            }
            TimerName::Hypervclock if timer.present == Some(YesNo::Yes) => out.push_str(",hv-time=on"),
            TimerName::Tsc => {
                if let Some(frequency) = timer.frequency {
                    let _ = write!(out, ",tsc-frequency={frequency}");
                }
            }
            _ => {}
        }
    }
}

fn paravirt(features: &Features, out: &mut String) {
    if let Some(eoi) = features.apic.and_then(|it| it.eoi) {
        let _ = write!(out, ",kvm-pv-eoi={eoi}");
    }
    if let Some(pvspinlock) = features.pvspinlock {
        let _ = write!(out, ",kvm-pv-unhalt={}", pvspinlock.state);
    }
}

/// Hyper-V enlightenments in the order of QEMU's documentation; those switched off are not mentioned.
fn enlightenments(it: &Hyperv, out: &mut String) {
    if it.mode == HypervMode::Passthrough {
        out.push_str(",hv-passthrough=on");
        return;
    }
    let it = &it.parts;
    let mut on = |name: &str, state: Option<OnOff>| {
        if state == Some(OnOff::On) {
            let _ = write!(out, ",hv-{name}=on");
        }
    };
    on("relaxed", it.relaxed.map(|it| it.state));
    on("vapic", it.vapic.map(|it| it.state));
    if let Some(spinlocks) = it.spinlocks.filter(|it| it.state.is_on()) {
        let _ = write!(out, ",hv-spinlocks=0x{:x}", spinlocks.retries.unwrap_or_default());
    }
    let mut on = |name: &str, state: Option<OnOff>| {
        if state == Some(OnOff::On) {
            let _ = write!(out, ",hv-{name}=on");
        }
    };
    on("vpindex", it.vpindex.map(|it| it.state));
    on("runtime", it.runtime.map(|it| it.state));
    on("synic", it.synic.map(|it| it.state));
    on("stimer", it.stimer.map(|it| it.state));
    on("stimer-direct", it.stimer.filter(|it| it.state.is_on()).and_then(|it| it.direct).map(|it| it.state));
    on("reset", it.reset.map(|it| it.state));
    if let Some(vendor) = it.vendor_id.as_ref().filter(|it| it.state.is_on()) {
        let _ = write!(out, ",hv-vendor-id={}", vendor.value.as_deref().unwrap_or_default());
    }
    let mut on = |name: &str, state: Option<OnOff>| {
        if state == Some(OnOff::On) {
            let _ = write!(out, ",hv-{name}=on");
        }
    };
    on("frequencies", it.frequencies.map(|it| it.state));
    on("reenlightenment", it.reenlightenment.map(|it| it.state));
    on("tlbflush", it.tlbflush.map(|it| it.state));
    let tlbflush = it.tlbflush.filter(|it| it.state.is_on());
    on("tlbflush-direct", tlbflush.and_then(|it| it.direct).map(|it| it.state));
    on("tlbflush-ext", tlbflush.and_then(|it| it.extended).map(|it| it.state));
    on("ipi", it.ipi.map(|it| it.state));
    on("evmcs", it.evmcs.map(|it| it.state));
    on("avic", it.avic.map(|it| it.state));
    on("emsr-bitmap", it.emsr_bitmap.map(|it| it.state));
    on("xmm-input", it.xmm_input.map(|it| it.state));
}

fn kvm_features(it: &KvmFeatures, out: &mut String) {
    let is_on =
        |state: Option<virtbus_schema::domain::features::RequiredState>| state.is_some_and(|it| it.state.is_on());
    if is_on(it.hidden) {
        out.push_str(",kvm=off");
    }
    if is_on(it.hint_dedicated) {
        out.push_str(",kvm-hint-dedicated=on");
    }
    if is_on(it.poll_control) {
        out.push_str(",kvm-poll-control=on");
    }
    // On by default; only its absence is said.
    if it.pv_ipi.is_some_and(|it| !it.state.is_on()) {
        out.push_str(",kvm-pv-ipi=off");
    }
}

fn caches(cpu: &Cpu, out: &mut String) {
    // Such a CPU shows the host's caches by itself.
    let all_of_host = matches!(cpu.mode, Some(CpuMode::HostPassthrough | CpuMode::Maximum));
    if let Some(cache) = cpu.cache {
        match cache.mode {
            CpuCacheMode::Emulate if all_of_host => out.push_str(",l3-cache=on,host-cache-info=off"),
            CpuCacheMode::Emulate => out.push_str(",l3-cache=on"),
            CpuCacheMode::Disable if all_of_host => out.push_str(",host-cache-info=off,l3-cache=off"),
            CpuCacheMode::Passthrough => out.push_str(",host-cache-info=on,l3-cache=off"),
            CpuCacheMode::Disable => out.push_str(",l3-cache=off"),
        }
    }
    if let Some(bits) = cpu.maxphysaddr {
        match bits.mode {
            MaxPhysAddrMode::Passthrough => {
                out.push_str(",host-phys-bits=on");
                if let Some(limit) = bits.limit {
                    let _ = write!(out, ",host-phys-bits-limit={limit}");
                }
            }
            MaxPhysAddrMode::Emulate => {
                let _ = match bits.bits.filter(|it| *it > 0) {
                    Some(bits) => write!(out, ",phys-bits={bits}"),
                    None => write!(out, ",host-phys-bits=off"),
                };
            }
        }
    }
}

/// The argument of `-smp`.
pub(super) fn smp(domain: &Domain) -> String {
    let vcpu = &domain.vcpu;
    // Those that can be taken away again are plugged in before the guest runs.
    let fixed = domain.vcpus.iter().filter(|it| it.enabled.is_on() && it.hotpluggable != Some(YesNo::Yes)).count();
    let online = match u32::try_from(fixed) {
        Ok(fixed) if !domain.vcpus.is_empty() => fixed,
        _ => vcpu.online(),
    };
    let mut out = online.to_string();
    if online != vcpu.count {
        let _ = write!(out, ",maxcpus={}", vcpu.count);
    }
    match domain.cpu.as_ref().and_then(|it| it.topology.as_ref()) {
        Some(it) => {
            let _ = write!(
                out,
                ",sockets={},dies={},clusters={},cores={},threads={}",
                it.sockets, it.dies, it.clusters, it.cores, it.threads
            );
        }
        // Without a topology each vCPU is a socket of its own.
        None => {
            let _ = write!(out, ",sockets={},cores=1,threads=1", vcpu.count);
        }
    }
    out
}
