//! `<cpu>`: the model the guest sees, its topology and NUMA cells. It refuses to know which models a host can run.

use virtbus_xml::{CpuSet, Error, ErrorKind, Node, OnOff, Size, Unit, Xml, XmlEnum, YesNo, form};

/// `<cpu>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = Cpu::check)]
pub struct Cpu {
    #[xml(attr, fault = Unsupported)]
    pub mode: Option<CpuMode>,
    #[xml(attr = "match")]
    pub matching: Option<CpuMatch>,
    #[xml(attr)]
    pub check: Option<CpuCheck>,
    #[xml(attr)]
    pub migratable: Option<OnOff>,
    #[xml(attr)]
    pub deprecated_features: Option<OnOff>,
    #[xml(child)]
    pub model: Option<CpuModel>,
    #[xml(child)]
    pub vendor: Option<String>,
    #[xml(child)]
    pub topology: Option<CpuTopology>,
    #[xml(child)]
    pub cache: Option<CpuCache>,
    #[xml(child)]
    pub maxphysaddr: Option<MaxPhysAddr>,
    #[xml(children = "feature")]
    pub features: Vec<CpuFeature>,
    #[xml(child)]
    pub numa: Option<GuestNuma>,
}

impl Cpu {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        let has_model = self.model.as_ref().is_some_and(|it| !it.name.is_empty());
        // A claimed vendor needs no model where the host's is taken.
        let claims = |it: &CpuModel| self.mode == Some(CpuMode::HostModel) && it.vendor_id.is_some();
        self.model = self.model.take().filter(|it| !it.name.is_empty() || claims(it));
        if self.mode.is_none() && has_model {
            self.mode = Some(CpuMode::Custom);
        }
        if self.migratable.is_some() && !matches!(self.mode, Some(CpuMode::HostPassthrough | CpuMode::Maximum)) {
            let text = "'migratable' is only for the modes 'host-passthrough' and 'maximum'";
            return Err(node.error(ErrorKind::Unsupported, text));
        }
        if self.vendor.is_some() && !has_model {
            return Err(node.error(ErrorKind::BadValue, "a CPU vendor needs a CPU model"));
        }
        let is_custom = matches!(self.mode, None | Some(CpuMode::Custom));
        if !self.features.is_empty() && !has_model && is_custom {
            return Err(node.error(ErrorKind::BadValue, "a list of CPU features needs a CPU model"));
        }
        match self.mode {
            Some(CpuMode::Custom) => {
                self.matching = self.matching.or(Some(CpuMatch::Exact));
                if let Some(model) = &mut self.model {
                    model.fallback = model.fallback.or(Some(CpuFallback::Allow));
                }
            }
            Some(CpuMode::HostPassthrough | CpuMode::Maximum) => (self.model, self.vendor) = (None, None),
            Some(CpuMode::HostModel) => {
                if let Some(model) = &mut self.model {
                    model.fallback = model.fallback.or(Some(CpuFallback::Allow)).filter(|_| has_model);
                }
            }
            None => {}
        }
        // A mode of its own, and nothing to say in it.
        if self.mode == Some(CpuMode::Custom) && self.model.is_none() {
            (self.mode, self.matching) = (None, None);
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum CpuMode {
    Custom,
    HostModel,
    HostPassthrough,
    Maximum,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum CpuMatch {
    Minimum,
    Exact,
    Strict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum CpuCheck {
    None,
    Partial,
    Full,
}

/// `<model fallback='forbid'>qemu64</model>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = CpuModel::check)]
pub struct CpuModel {
    #[xml(attr, fault = Unsupported, blank)]
    pub fallback: Option<CpuFallback>,
    #[xml(attr, form = crate::forms::cpu_vendor, blank)]
    pub vendor_id: Option<String>,
    #[xml(text, default = String::new(), omit_default)]
    pub name: String,
}

impl CpuModel {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        match &self.vendor_id {
            Some(vendor) if vendor.contains(',') => Err(node.error(ErrorKind::BadValue, "a vendor has no comma")),
            _ => Ok(()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum CpuFallback {
    Allow,
    Forbid,
}

/// `<topology sockets='1' dies='1' clusters='1' cores='4' threads='2'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
#[xml(check = CpuTopology::check)]
pub struct CpuTopology {
    #[xml(attr, form = crate::forms::positive)]
    pub sockets: u32,
    #[xml(attr, default = 1, form = crate::forms::positive)]
    pub dies: u32,
    #[xml(attr, default = 1, form = crate::forms::positive)]
    pub clusters: u32,
    #[xml(attr, form = crate::forms::positive)]
    pub cores: u32,
    #[xml(attr, form = crate::forms::positive)]
    pub threads: u32,
}

impl CpuTopology {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if [self.sockets, self.dies, self.clusters, self.cores, self.threads].contains(&0) {
            return Err(node.error(ErrorKind::BadValue, "zero is not permitted in a topology"));
        }
        Ok(())
    }

    /// How many vCPUs it is; `None` beyond 32 bits.
    #[must_use]
    pub fn vcpus(&self) -> Option<u32> {
        [self.dies, self.clusters, self.cores, self.threads]
            .iter()
            .try_fold(self.sockets, |all, it| all.checked_mul(*it))
    }
}

/// `<cache level='3' mode='emulate'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
#[xml(check = CpuCache::check)]
pub struct CpuCache {
    #[xml(attr, form = crate::forms::cache_level)]
    pub level: Option<u32>,
    #[xml(attr)]
    pub mode: CpuCacheMode,
}

impl CpuCache {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        match self.level {
            Some(level) if !(1..=3).contains(&level) => {
                Err(node.error(ErrorKind::BadValue, format!("cache level {level} is not 1, 2 or 3")))
            }
            _ => Ok(()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum CpuCacheMode {
    Emulate,
    Passthrough,
    Disable,
}

/// `<maxphysaddr mode='passthrough' limit='39'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
#[xml(check = MaxPhysAddr::check)]
pub struct MaxPhysAddr {
    #[xml(attr)]
    pub mode: MaxPhysAddrMode,
    #[xml(attr)]
    pub bits: Option<u32>,
    #[xml(attr)]
    pub limit: Option<u32>,
}

impl MaxPhysAddr {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.limit == Some(0) {
            return Err(node.error(ErrorKind::BadValue, "zero is not permitted as limit"));
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum MaxPhysAddrMode {
    Emulate,
    Passthrough,
}

/// `<feature policy='require' name='aes'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(check = CpuFeature::check)]
pub struct CpuFeature {
    #[xml(attr, default = CpuPolicy::Require, fault = Unsupported, must)]
    pub policy: CpuPolicy,
    #[xml(attr, form = crate::forms::feature)]
    pub name: String,
}

impl CpuFeature {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.name.is_empty() { Err(node.error(ErrorKind::BadValue, "the CPU feature has no name")) } else { Ok(()) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum CpuPolicy {
    Force,
    Require,
    Optional,
    Disable,
    Forbid,
}

/// `<numa>` within `<cpu>`: the guest's own cells.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = GuestNuma::check)]
pub struct GuestNuma {
    #[xml(children = "cell", must)]
    pub cells: Vec<NumaCell>,
    #[xml(child, omit_empty)]
    pub interconnects: Option<Interconnects>,
}

impl GuestNuma {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.cells.is_empty() {
            return Err(node.error(ErrorKind::BadValue, "there are no NUMA cells"));
        }
        let nothing = |it: &Interconnects| it.latencies.is_empty() && it.bandwidths.is_empty();
        self.interconnects = self.interconnects.take().filter(|it| !nothing(it));
        Ok(())
    }
}

/// `<cell id='0' cpus='0-3' memory='512000' unit='KiB'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(check = NumaCell::check)]
pub struct NumaCell {
    /// Absent in a document where the cells count themselves.
    #[xml(attr)]
    pub id: Option<u32>,
    #[xml(attr)]
    pub cpus: Option<CpuSet>,
    #[xml(flatten)]
    pub memory: CellMemory,
    #[xml(attr = "memAccess")]
    pub mem_access: Option<MemAccess>,
    #[xml(attr)]
    pub discard: Option<YesNo>,
    #[xml(children = "distances/sibling")]
    pub distances: Vec<NumaDistance>,
    #[xml(children = "cache")]
    pub caches: Vec<NumaCache>,
}

impl NumaCell {
    /// Distances, once the cell has its number: 10 is what is local, and nothing else is.
    pub(crate) fn check_distances(&self, node: Node<'_>) -> Result<(), Error> {
        for (here, sibling) in self.distances.iter().map(|it| (self.id == Some(it.id), it)) {
            if sibling.value < 10 || sibling.value > 255 || here != (sibling.value == 10) {
                return Err(node.error(ErrorKind::BadValue, format!("distance {} is not valid here", sibling.value)));
            }
        }
        Ok(())
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if node.child("distances").is_some() && self.distances.is_empty() {
            return Err(node.error(ErrorKind::BadValue, "<distances> name no cell"));
        }
        let mut levels = std::collections::BTreeSet::new();
        match self.caches.iter().find(|it| !levels.insert(it.level)) {
            Some(twice) => Err(node.error(ErrorKind::BadValue, format!("two caches are of level {}", twice.level))),
            None => Ok(()),
        }
    }
}

/// `memory=` and `unit=` of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CellMemory {
    pub size: Size,
}

impl Xml for CellMemory {
    fn read(node: Node<'_>) -> Result<Self, Error> {
        let unit = node.attr("unit");
        let Some(memory) = node.attr("memory") else { return Err(node.missing("@memory")) };
        let text = memory.value();
        let size = Size::from_parts(text, unit.map(|it| it.value()), Unit::KIB).map_err(|it| memory.fault(it))?;
        Ok(Self { size })
    }

    fn examine(node: Node<'_>) -> Result<(), Error> {
        form::attr::<u64>(node, &[], "memory", true, true, None)?;
        form::attr::<String>(node, &[], "unit", false, false, Some(crate::forms::size_unit))
    }

    fn write_attrs(&self, w: &mut virtbus_xml::Writer) {
        w.attr("memory", &self.size.kib);
        w.attr_str("unit", "KiB");
    }

    fn write_content(&self, _: &mut virtbus_xml::Writer) {}

    fn describe(to: &mut dyn virtbus_xml::Describe) {
        to.attr("memory", virtbus_xml::Texts::of::<u64>());
        to.attr("unit", virtbus_xml::Texts::UNITS);
    }
}

/// How a cell's memory is mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum MemAccess {
    Shared,
    Private,
}

/// `<sibling id='1' value='21'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct NumaDistance {
    #[xml(attr)]
    pub id: u32,
    #[xml(attr, form = crate::forms::distance)]
    pub value: u32,
}

/// `<cache level='1' associativity='direct' policy='writeback'>` of a cell.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(check = NumaCache::check)]
pub struct NumaCache {
    #[xml(attr)]
    pub level: u32,
    #[xml(attr)]
    pub associativity: CacheAssociativity,
    #[xml(attr)]
    pub policy: CachePolicy,
    #[xml(child)]
    pub size: CacheSize,
    #[xml(child)]
    pub line: CacheSize,
}

impl NumaCache {
    /// The numbers count in KiB and in bytes, whatever unit a document writes beside them: so does the reference.
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        (self.size.unit, self.line.unit) = (Some("KiB".to_owned()), Some("B".to_owned()));
        if !(1..=3).contains(&self.level) {
            return Err(node.error(ErrorKind::BadValue, format!("cache level {} is not 1, 2 or 3", self.level)));
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum CacheAssociativity {
    None,
    Direct,
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum CachePolicy {
    None,
    Writeback,
    Writethrough,
}

/// `<size value='10' unit='KiB'/>`, `<line value='8' unit='B'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct CacheSize {
    #[xml(attr)]
    pub value: u64,
    #[xml(attr, form = crate::forms::size_unit, must)]
    pub unit: Option<String>,
}

fn scaled(value: u64, unit: &str) -> Result<u64, String> {
    let unit = Unit::from_suffix(unit).ok_or_else(|| format!("unknown size unit \"{unit}\""))?;
    value.checked_mul(unit.bytes()).ok_or_else(|| format!("{value} is too large"))
}

impl Bandwidth {
    /// Says the same in KiB per second, which is also what no unit means.
    pub(crate) fn scale_to_kib(&mut self) -> Result<(), String> {
        let bytes = scaled(self.value, self.unit.as_deref().unwrap_or("KiB"))?;
        (self.value, self.unit) = (bytes.div_ceil(1024), Some("KiB".to_owned()));
        Ok(())
    }
}

/// `<interconnects>`: latencies and bandwidths between cells.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Interconnects {
    #[xml(children = "latency")]
    pub latencies: Vec<Latency>,
    #[xml(children = "bandwidth")]
    pub bandwidths: Vec<Bandwidth>,
}

/// `<latency initiator='0' target='0' type='access' value='5'/>`, in nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct Latency {
    #[xml(attr)]
    pub initiator: u32,
    #[xml(attr)]
    pub target: u32,
    #[xml(attr)]
    pub cache: Option<u32>,
    #[xml(attr = "type")]
    pub kind: InterconnectKind,
    #[xml(attr)]
    pub value: u64,
}

/// `<bandwidth initiator='0' target='0' type='access' value='204800' unit='KiB'/>`, per second.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct Bandwidth {
    #[xml(attr)]
    pub initiator: u32,
    #[xml(attr)]
    pub target: u32,
    #[xml(attr)]
    pub cache: Option<u32>,
    #[xml(attr = "type")]
    pub kind: InterconnectKind,
    #[xml(attr)]
    pub value: u64,
    #[xml(attr, form = crate::forms::size_unit, must)]
    pub unit: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum InterconnectKind {
    Access,
    Read,
    Write,
}
