//! Files of the CPU map (`/usr/share/libvirt/cpu_map`): the names libvirt has for CPU models and features, and what they mean.
//!
//! The form alone; choosing a model for a CPU is the hypervisor's. The files are installed by libvirt's own packages.

use virtbus_xml::{Error, Hex, OnOff, Xml, YesNo};

/// `index.xml`: which files there are, by architecture.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct CpuMapIndex {
    #[xml(children = "arch")]
    pub archs: Vec<CpuMapArch>,
}

impl CpuMapIndex {
    /// Reads the index.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn from_xml(text: &str) -> Result<Self, Error> {
        virtbus_xml::from_str(text, "cpus")
    }
}

/// `<arch name='x86'>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct CpuMapArch {
    /// A family of architectures: `x86`, `ppc64`, `arm`.
    #[xml(attr)]
    pub name: String,
    #[xml(children = "include")]
    pub includes: Vec<Include>,
    #[xml(children = "group")]
    pub groups: Vec<Group>,
}

/// `<group name='Intel CPU models'>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Group {
    #[xml(attr)]
    pub name: Option<String>,
    #[xml(children = "include")]
    pub includes: Vec<Include>,
}

/// `<include filename='x86_EPYC.xml'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Include {
    #[xml(attr)]
    pub filename: String,
}

/// Any other file: vendors, features, or one model.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
pub struct CpuMapFile {
    #[xml(children = "vendor")]
    pub vendors: Vec<MapVendor>,
    #[xml(children = "feature")]
    pub features: Vec<MapFeature>,
    #[xml(children = "model")]
    pub models: Vec<MapModel>,
}

impl CpuMapFile {
    /// Reads a file.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn from_xml(text: &str) -> Result<Self, Error> {
        virtbus_xml::from_str(text, "cpus")
    }
}

/// `<vendor name='AMD' string='AuthenticAMD'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct MapVendor {
    #[xml(attr)]
    pub name: String,
    /// What the CPU says itself (x86).
    #[xml(attr)]
    pub string: Option<String>,
}

/// `<feature name='cmp_legacy'>`.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
pub struct MapFeature {
    #[xml(attr)]
    pub name: String,
    /// Whether a guest that uses it can be migrated.
    #[xml(attr)]
    pub migratable: Option<YesNo>,
    #[xml(children = "alias")]
    pub aliases: Vec<MapAlias>,
    #[xml(children = "cpuid")]
    pub cpuid: Vec<MapCpuid>,
    #[xml(children = "msr")]
    pub msr: Vec<MapMsr>,
}

/// `<alias name='cmp-legacy' source='qemu'/>`: what others call a feature.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct MapAlias {
    #[xml(attr)]
    pub name: String,
    #[xml(attr)]
    pub source: Option<String>,
}

/// `<cpuid eax_in='0x80000001' ecx='0x00000002'/>`: the bits of CPUID that say the feature is there.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
pub struct MapCpuid {
    #[xml(attr = "eax_in", hex = 8)]
    pub eax_in: u32,
    #[xml(attr = "ecx_in", hex = 8)]
    pub ecx_in: Option<u32>,
    #[xml(attr)]
    pub eax: Option<Hex<8>>,
    #[xml(attr)]
    pub ebx: Option<Hex<8>>,
    #[xml(attr)]
    pub ecx: Option<Hex<8>>,
    #[xml(attr)]
    pub edx: Option<Hex<8>>,
}

/// `<msr index='0x10a' edx='0x0' eax='0x1'/>`: the bits of a model-specific register.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
pub struct MapMsr {
    #[xml(attr, hex = 8)]
    pub index: u32,
    #[xml(attr)]
    pub edx: Option<Hex<8>>,
    #[xml(attr)]
    pub eax: Option<Hex<8>>,
}

/// `<model name='EPYC'>`.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
pub struct MapModel {
    #[xml(attr)]
    pub name: String,
    /// Where it may be named when a CPU is described.
    #[xml(child)]
    pub decode: Option<MapDecode>,
    /// `compat`: whether a hypervisor can run it is found out by the map, not by asking the hypervisor.
    #[xml(attr = "check/@partial")]
    pub partial_check: Option<String>,
    /// The model it starts from.
    #[xml(attr = "model/@name")]
    pub base: Option<String>,
    #[xml(children = "signature")]
    pub signatures: Vec<MapSignature>,
    #[xml(attr = "vendor/@name")]
    pub vendor: Option<String>,
    #[xml(children = "feature")]
    pub features: Vec<MapModelFeature>,
}

/// `<decode host='on' guest='off'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct MapDecode {
    #[xml(attr)]
    pub host: OnOff,
    #[xml(attr)]
    pub guest: OnOff,
}

/// `<signature family='6' model='85' stepping='5-7'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct MapSignature {
    #[xml(attr)]
    pub family: u32,
    #[xml(attr)]
    pub model: u32,
    /// Absent means any.
    #[xml(attr)]
    pub stepping: Option<virtbus_xml::CpuSet>,
}

/// `<feature name='vmx-ept' added='yes'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct MapModelFeature {
    #[xml(attr)]
    pub name: String,
    /// The model got it after it was first released.
    #[xml(attr)]
    pub added: Option<YesNo>,
    /// The model had it once.
    #[xml(attr)]
    pub removed: Option<YesNo>,
}
