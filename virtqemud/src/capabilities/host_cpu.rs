//! The host's CPU: what it says itself (CPUID, feature registers, sysfs), in the words of the CPU map.

use std::collections::HashMap;

use virtbus_host::{cpuid, kvm::Kvm, memory};
use virtbus_schema::capabilities::host::{Counter, HostCpu, HostCpuFeature, PageSize, Signature};
use virtbus_schema::domain::cpu::{CpuTopology, MaxPhysAddr, MaxPhysAddrMode};

use super::arch::Arch;
use super::cpu_map::{CpuMap, Feature, FeatureSet};
use super::cpu_model::{CpuFacts, describe_host};

/// What of the host's CPU does not change while the host runs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HostCpuFacts {
    /// Vendor, signature, features.
    pub cpu: CpuFacts,
    /// Bits of a physical address.
    pub address_bits: Option<u32>,
    /// The time-stamp counter, where KVM tells of it.
    pub counter: Option<Counter>,
    /// The version of its microcode.
    pub microcode: Option<u32>,
    /// The most vCPUs of a KVM guest.
    pub kvm_max_vcpus: Option<u32>,
}

impl HostCpuFacts {
    /// Asks the CPU and the kernel. Blocks for some milliseconds.
    #[must_use]
    pub fn read(map: Option<&CpuMap>) -> Self {
        let kvm = Kvm::open().ok();
        let mut it = Self {
            microcode: std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| microcode(&text)),
            kvm_max_vcpus: kvm.as_ref().and_then(|it| it.max_vcpus().ok()),
            ..Self::default()
        };
        let Some([_, ebx, ecx, edx]) = cpuid::leaf(0, 0) else { return it };
        let said: Vec<u8> = [ebx, edx, ecx].iter().flat_map(|it| it.to_le_bytes()).collect();
        if let Some(map) = map {
            it.cpu.vendor = map.vendor(&String::from_utf8_lossy(&said)).map(str::to_owned);
            it.cpu.features = features(map, kvm.as_ref());
        }
        it.cpu.signature = cpuid::leaf(1, 0).map(|[eax, ..]| signature(eax));
        it.address_bits = extended(0x8000_0008).map(|[eax, ..]| eax & 0xff).filter(|it| *it > 0);
        it.counter = kvm.and_then(|it| it.tsc().ok()).filter(|it| it.khz > 0).map(|it| Counter {
            name: "tsc".to_owned(),
            frequency: u64::from(it.khz) * 1000,
            scaling: Some(it.scaling.into()),
        });
        it
    }

    /// The element of the capabilities.
    #[must_use]
    pub fn element(&self, arch: Arch, map: Option<&CpuMap>, topology: CpuTopology, pages: &[u64]) -> HostCpu {
        let described = map.and_then(|it| describe_host(it, &self.cpu));
        let (model, features) = described.map_or((None, Vec::new()), |it| (Some(it.model), it.require));
        HostCpu {
            arch: arch.name.to_owned(),
            // Without a model the vendor would stand alone, which no reader expects.
            vendor: self.cpu.vendor.clone().filter(|_| model.is_some()),
            model,
            microcode: self.microcode,
            signature: self.cpu.signature,
            counter: self.counter.clone(),
            topology: Some(topology),
            maxphysaddr: self.address_bits.map(|bits| MaxPhysAddr {
                mode: MaxPhysAddrMode::Emulate,
                bits: Some(bits),
                limit: None,
            }),
            features: features.into_iter().map(|name| HostCpuFeature { name }).collect(),
            pages: pages.iter().map(|kib| PageSize { unit: "KiB".to_owned(), size: *kib }).collect(),
        }
    }
}

/// A leaf of the extended range, if the CPU has it.
fn extended(leaf: u32) -> Option<[u32; 4]> {
    let [last, ..] = cpuid::leaf(0x8000_0000, 0)?;
    (last >= leaf).then(|| cpuid::leaf(leaf, 0)).flatten()
}

/// A leaf that the CPU has; beyond its last one Intel's CPUs answer with another leaf's bits.
fn known_leaf(leaf: u32, sub_leaf: u32) -> Option<[u32; 4]> {
    let [last, ..] = cpuid::leaf(leaf & 0xffff_0000, 0)?;
    (last >= leaf).then(|| cpuid::leaf(leaf, sub_leaf)).flatten()
}

fn features(map: &CpuMap, kvm: Option<&Kvm>) -> FeatureSet {
    let mut registers: HashMap<u32, Option<u64>> = HashMap::new();
    let mut msr = |index: u32| *registers.entry(index).or_insert_with(|| kvm?.feature_msr(index).ok());
    let mut has = |it: &Feature| {
        let by_cpuid = it.cpuid.iter().all(|bits| {
            let said = known_leaf(bits.leaf.0, bits.leaf.1);
            said.is_some_and(|said| said.iter().zip(bits.registers).all(|(said, bits)| said & bits == bits))
        });
        by_cpuid && it.msr.iter().all(|(index, bits)| msr(*index).is_some_and(|said| said & bits == *bits))
    };
    map.features.iter().enumerate().filter(|(_, it)| has(it)).map(|(index, _)| index).collect()
}

/// Family, model and stepping of EAX of leaf 1: the extended parts count where the vendors say so.
fn signature(eax: u32) -> Signature {
    let (base, low, stepping) = ((eax >> 8) & 0xf, (eax >> 4) & 0xf, eax & 0xf);
    let family = if base == 0xf { base + ((eax >> 20) & 0xff) } else { base };
    let model = if matches!(base, 0x6 | 0xf) { low | ((eax >> 12) & 0xf0) } else { low };
    Signature { family, model, stepping }
}

fn microcode(cpuinfo: &str) -> Option<u32> {
    let line = cpuinfo.lines().find(|it| it.starts_with("microcode"))?;
    let number = line.split_once(':')?.1.trim();
    match number.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => number.parse().ok(),
    }
}

/// The page sizes in KiB that can be mapped, smallest first.
#[must_use]
pub fn page_sizes() -> Vec<u64> {
    let huge = memory::huge_pages().into_iter().map(|it| it.size);
    let mut sizes: Vec<u64> = std::iter::once(memory::page_size()).chain(huge).map(|it| it / 1024).collect();
    sizes.sort_unstable();
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures() {
        assert_eq!(signature(0x00a1_0f11), Signature { family: 25, model: 17, stepping: 1 });
        assert_eq!(signature(0x0005_0657), Signature { family: 6, model: 85, stepping: 7 });
        assert_eq!(signature(0x0000_0543), Signature { family: 5, model: 4, stepping: 3 });
    }

    #[test]
    fn microcode_in_both_spellings() {
        assert_eq!(microcode("processor\t: 0\nmicrocode\t: 0x1000065\n"), Some(16_777_317));
        assert_eq!(microcode("microcode : 7\n"), Some(7));
        assert_eq!(microcode("processor\t: 0\n"), None);
    }
}
