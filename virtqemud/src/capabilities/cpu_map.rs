//! The CPU map of libvirt's packages, resolved: features in the map's order, models with all they inherit.
//!
//! It knows names and bits; which model a CPU is nearest to is decided in `cpu_model`. Where the map is not installed there are
//! no models and no translations, and the documents say less.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::Path;

use virtbus_schema::capabilities::cpu_map::{CpuMapFile, CpuMapIndex, MapFeature, MapModel, MapSignature};
use virtbus_schema::xml::YesNo;

/// Where libvirt's packages put the map.
pub const DIRECTORY: &str = "/usr/share/libvirt/cpu_map";

/// Features by their place in the map.
pub type FeatureSet = BTreeSet<usize>;

/// Bits of one CPUID leaf, as EAX, EBX, ECX, EDX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuidBits {
    /// Leaf and sub-leaf.
    pub leaf: (u32, u32),
    /// The bits in each register.
    pub registers: [u32; 4],
}

/// A feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// libvirt's name.
    pub name: String,
    /// QEMU's names, that one first.
    pub qemu: Vec<String>,
    /// Where CPUID shows it.
    pub cpuid: Vec<CpuidBits>,
    /// Where a model-specific register shows it: its number and the bits.
    pub msr: Vec<(u32, u64)>,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Its vendor, by libvirt's name.
    pub vendor: Option<String>,
    /// Whether a host is described by it.
    pub decode_host: bool,
    /// Whether a guest is described by it.
    pub decode_guest: bool,
    /// Families and models of the CPUs it was made for.
    pub signatures: Vec<MapSignature>,
    /// What it has and always had. What hypervisors gave it later is left out: it has to be said of each CPU.
    pub features: FeatureSet,
    /// Whether an emulator can run it is found out by the map alone, as it was before emulators could be asked.
    pub judged_by_map: bool,
    /// What it had once.
    pub removed: FeatureSet,
}

/// The map of one family of architectures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CpuMap {
    /// Names of vendors with what their CPUs say themselves.
    pub vendors: Vec<(String, String)>,
    /// All features, in the map's order.
    pub features: Vec<Feature>,
    /// All models, in the map's order.
    pub models: Vec<Model>,
    by_name: HashMap<String, usize>,
    by_qemu_name: HashMap<String, usize>,
}

impl CpuMap {
    /// Reads the map of a family, `x86` or `ppc64`. Blocks.
    ///
    /// # Errors
    /// When a file cannot be read or is no map.
    pub fn load(directory: &Path, family: &str) -> io::Result<Self> {
        let read = |name: &str| {
            let path = directory.join(name);
            std::fs::read_to_string(&path).map_err(|it| io::Error::new(it.kind(), format!("{}: {it}", path.display())))
        };
        let wrong = |name: &str, error: virtbus_schema::Error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", directory.join(name).display()))
        };
        let index = CpuMapIndex::from_xml(&read("index.xml")?).map_err(|it| wrong("index.xml", it))?;
        let mut map = Self::default();
        for arch in index.archs.iter().filter(|it| it.name == family) {
            for file in arch.includes.iter().chain(arch.groups.iter().flat_map(|it| &it.includes)) {
                // A name from the index is a name in its directory, nothing else.
                if file.filename.contains('/') {
                    continue;
                }
                map.add(CpuMapFile::from_xml(&read(&file.filename)?).map_err(|it| wrong(&file.filename, it))?);
            }
        }
        Ok(map)
    }

    fn add(&mut self, file: CpuMapFile) {
        self.vendors.extend(file.vendors.into_iter().map(|it| (it.name, it.string.unwrap_or_default())));
        for feature in file.features {
            self.add_feature(feature);
        }
        for model in file.models {
            let model = self.resolve(model);
            self.models.push(model);
        }
    }

    fn add_feature(&mut self, it: MapFeature) {
        let number =
            |bits: Option<virtbus_schema::xml::Hex<8>>| bits.and_then(|it| u32::try_from(it.0).ok()).unwrap_or(0);
        let mut qemu = vec![it.name.clone()];
        qemu.extend(it.aliases.into_iter().filter(|it| it.source.as_deref() == Some("qemu")).map(|it| it.name));
        let index = self.features.len();
        self.by_name.insert(it.name.clone(), index);
        for name in &qemu {
            self.by_qemu_name.entry(name.clone()).or_insert(index);
        }
        self.features.push(Feature {
            name: it.name,
            qemu,
            cpuid: it
                .cpuid
                .iter()
                .map(|it| CpuidBits {
                    leaf: (it.eax_in, it.ecx_in.unwrap_or(0)),
                    registers: [number(it.eax), number(it.ebx), number(it.ecx), number(it.edx)],
                })
                .collect(),
            msr: it
                .msr
                .iter()
                .map(|it| (it.index, u64::from(number(it.edx)) << 32 | u64::from(number(it.eax))))
                .collect(),
        });
    }

    /// A model stands after the one it starts from, and inherits what it has; what that one had once is no matter of its own.
    fn resolve(&self, it: MapModel) -> Model {
        let base = it.base.as_deref().and_then(|name| self.model(name));
        let mut model = Model { name: it.name, removed: FeatureSet::new(), ..base.cloned().unwrap_or_default() };
        (model.decode_host, model.decode_guest) =
            it.decode.map_or((true, true), |it| (it.host.is_on(), it.guest.is_on()));
        model.judged_by_map = it.partial_check.as_deref() == Some("compat");
        model.vendor = it.vendor.or(model.vendor);
        if !it.signatures.is_empty() {
            model.signatures = it.signatures;
        }
        for feature in it.features {
            let Some(index) = self.feature(&feature.name) else { continue };
            let (added, removed) = (feature.added.is_some_and(YesNo::is_on), feature.removed.is_some_and(YesNo::is_on));
            if removed {
                model.removed.insert(index);
            }
            if added || removed {
                model.features.remove(&index);
            } else {
                model.features.insert(index);
            }
        }
        model
    }

    /// The place of a feature, by libvirt's name.
    #[must_use]
    pub fn feature(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The place of a feature, by QEMU's name.
    #[must_use]
    pub fn qemu_feature(&self, name: &str) -> Option<usize> {
        self.by_qemu_name.get(name).copied()
    }

    /// libvirt's name of a feature of QEMU's; what the map does not know keeps its name.
    #[must_use]
    pub fn name_of<'a>(&'a self, qemu: &'a str) -> &'a str {
        self.qemu_feature(qemu).and_then(|it| self.features.get(it)).map_or(qemu, |it| it.name.as_str())
    }

    /// The model of this name.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|it| it.name == name)
    }

    /// libvirt's name for a vendor by what its CPUs say.
    #[must_use]
    pub fn vendor(&self, string: &str) -> Option<&str> {
        self.vendors.iter().find(|(_, said)| said == string).map(|(name, _)| name.as_str())
    }
}

/// A small map for tests, of files as the installed ones are.
#[cfg(test)]
pub(crate) fn for_tests() -> CpuMap {
    let mut map = CpuMap::default();
    map.add(CpuMapFile::from_xml(include_str!("tests/cpu_map.xml")).expect("a map"));
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_inherit_and_names_translate() {
        let map = for_tests();
        let small = map.model("small").expect("a model");
        let versioned = map.model("small-v1").expect("a model");
        assert_eq!(small.features, versioned.features);
        assert!(small.decode_guest && !versioned.decode_guest);
        assert_eq!(map.name_of("cmp-legacy"), "cmp_legacy");
        assert_eq!(map.name_of("no-such"), "no-such");
        assert_eq!(map.vendor("AuthenticAMD"), Some("AMD"));
    }

    #[test]
    fn the_installed_map_reads() {
        let directory = Path::new(DIRECTORY);
        if !directory.exists() {
            println!("skipped: no {DIRECTORY}");
            return;
        }
        let map = CpuMap::load(directory, "x86").expect("it reads");
        assert!(map.models.len() > 100 && map.features.len() > 300);
        let epyc = map.model("EPYC").expect("EPYC");
        let monitor = map.feature("monitor").expect("monitor");
        assert!(!epyc.features.contains(&monitor), "removed from the model");
        assert!(map.features.iter().all(|it| !it.cpuid.is_empty() || !it.msr.is_empty()));
    }
}
