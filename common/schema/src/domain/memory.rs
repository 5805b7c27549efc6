//! How much memory a guest has and how the host backs it. It refuses to know how much the host has.

use virtbus_xml::{CpuSet, Describe, Error, ErrorKind, Node, Occurs, OnOff, Size, Texts, Unit, Xml, XmlEnum, form};

/// `<memory unit='KiB' dumpCore='on'>1048576</memory>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// How much; zero until NUMA cells or `<memory>` said so.
    pub size: Size,
    /// Whether guest memory is in core dumps.
    pub dump_core: Option<OnOff>,
}

impl Xml for Memory {
    fn examine(node: Node<'_>) -> Result<(), Error> {
        virtbus_xml::form::attr::<OnOff>(node, &[], "dumpCore", false, false, None)?;
        Size::examine(node)
    }

    fn read(node: Node<'_>) -> Result<Self, Error> {
        let dump_core = node.attr("dumpCore").map(|it| it.read()).transpose()?;
        // An empty element is as good as none.
        let size = if node.text().is_empty() { Size::default() } else { Size::read(node)? };
        Ok(Self { size, dump_core })
    }

    fn write_attrs(&self, w: &mut virtbus_xml::Writer) {
        if let Some(dump_core) = &self.dump_core {
            w.attr("dumpCore", dump_core);
        }
        self.size.write_attrs(w);
    }

    fn write_content(&self, w: &mut virtbus_xml::Writer) {
        self.size.write_content(w);
    }

    fn describe(to: &mut dyn Describe) {
        if to.times("@dumpCore", Occurs::Maybe) > 0 {
            to.attr("dumpCore", Texts::of::<OnOff>());
        }
        Size::describe(to);
    }
}

/// `<maxMemory slots='16' unit='KiB'>`: room for memory devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MaxMemory {
    pub slots: u32,
    pub size: Size,
}

impl Xml for MaxMemory {
    fn examine(node: Node<'_>) -> Result<(), Error> {
        virtbus_xml::form::attr::<u32>(node, &[], "slots", false, false, None)?;
        Size::examine(node)
    }

    fn read(node: Node<'_>) -> Result<Self, Error> {
        let slots = node.attr("slots").filter(|it| !it.value().is_empty());
        let slots = slots.map(|it| it.read()).transpose()?.unwrap_or(0);
        Ok(Self { slots, size: Size::read(node)? })
    }

    fn write_attrs(&self, w: &mut virtbus_xml::Writer) {
        if self.slots > 0 {
            w.attr("slots", &self.slots);
        }
        self.size.write_attrs(w);
    }

    fn write_content(&self, w: &mut virtbus_xml::Writer) {
        self.size.write_content(w);
    }

    fn describe(to: &mut dyn Describe) {
        if to.times("@slots", Occurs::Maybe) > 0 {
            to.attr("slots", Texts::of::<u32>());
        }
        Size::describe(to);
    }
}

/// `<memoryBacking>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = MemoryBacking::check, form = MemoryBacking::form)]
pub struct MemoryBacking {
    #[xml(child)]
    pub hugepages: Option<HugePages>,
    #[xml(flag)]
    pub nosharepages: bool,
    #[xml(flag)]
    pub locked: bool,
    #[xml(attr = "source/@type", fault = Unsupported, blank)]
    pub source: Option<MemorySource>,
    #[xml(attr = "access/@mode", fault = Unsupported, blank)]
    pub access: Option<MemoryAccess>,
    #[xml(child)]
    pub allocation: Option<MemoryAllocation>,
    #[xml(flag)]
    pub discard: bool,
}

impl MemoryBacking {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.hugepages.is_some() && self.source == Some(MemorySource::Anonymous) {
            return Err(node.error(ErrorKind::Unsupported, "huge pages do not go with anonymous memory"));
        }
        if let Some(it) = &mut self.allocation {
            it.threads = it.threads.filter(|it| *it > 0);
        }
        self.allocation = self.allocation.filter(|it| *it != MemoryAllocation::default());
        Ok(())
    }

    /// What is named has a value.
    fn form(node: Node<'_>) -> Result<(), Error> {
        for (name, attr) in [("source", "type"), ("access", "mode")] {
            if let Some(it) = node.child(name).filter(|it| it.attr(attr).is_none()) {
                return Err(it.missing(&format!("@{attr}")));
            }
        }
        Ok(())
    }
}

/// `<hugepages>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct HugePages {
    #[xml(children = "page")]
    pub pages: Vec<HugePage>,
}

/// `<page size='2048' unit='KiB' nodeset='0'/>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HugePage {
    pub size: Size,
    pub nodeset: Option<CpuSet>,
}

impl Xml for HugePage {
    fn read(node: Node<'_>) -> Result<Self, Error> {
        let unit = node.attr("unit");
        let Some(size) = node.attr("size") else { return Err(node.missing("@size")) };
        let kib = Size::from_parts(size.value(), unit.map(|it| it.value()), Unit::KIB).map_err(|it| size.fault(it))?;
        if kib.kib == 0 {
            return Err(node.error(ErrorKind::Conflict, "huge pages of no size"));
        }
        Ok(Self { size: kib, nodeset: node.attr("nodeset").map(|it| it.read()).transpose()? })
    }

    fn examine(node: Node<'_>) -> Result<(), Error> {
        form::attr::<u64>(node, &[], "size", true, true, None)?;
        form::attr::<String>(node, &[], "unit", false, false, Some(crate::forms::size_unit))?;
        form::attr::<CpuSet>(node, &[], "nodeset", false, false, None)
    }

    fn write_attrs(&self, w: &mut virtbus_xml::Writer) {
        w.attr("size", &self.size.kib);
        w.attr_str("unit", "KiB");
        if let Some(nodeset) = &self.nodeset {
            w.attr("nodeset", nodeset);
        }
    }

    fn write_content(&self, _: &mut virtbus_xml::Writer) {}

    fn describe(to: &mut dyn Describe) {
        to.attr("size", Texts::of::<u64>());
        to.attr("unit", Texts::UNITS);
        if to.times("@nodeset", Occurs::Maybe) > 0 {
            to.attr("nodeset", Texts::of::<CpuSet>());
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum MemorySource {
    File,
    Anonymous,
    Memfd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum MemoryAccess {
    Shared,
    Private,
}

/// `<allocation mode='immediate' threads='8'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct MemoryAllocation {
    #[xml(attr, fault = Unsupported, blank)]
    pub mode: Option<AllocationMode>,
    #[xml(attr)]
    pub threads: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum AllocationMode {
    Immediate,
    Ondemand,
}

/// `<memtune>`: limits of the control group, in KiB.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = MemoryTune::check)]
pub struct MemoryTune {
    #[xml(child, blank)]
    pub hard_limit: Option<Size>,
    #[xml(child, blank)]
    pub soft_limit: Option<Size>,
    #[xml(child, blank)]
    pub min_guarantee: Option<Size>,
    #[xml(child, blank)]
    pub swap_hard_limit: Option<Size>,
}

impl MemoryTune {
    /// What libvirt calls no limit, in KiB.
    pub const UNLIMITED: u64 = 9_007_199_254_740_991;

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        let limits = [&mut self.hard_limit, &mut self.soft_limit, &mut self.min_guarantee, &mut self.swap_hard_limit];
        for limit in limits {
            if limit.is_some_and(|it| it.kib > Self::UNLIMITED) {
                return Err(node.error(ErrorKind::Overflow, "a limit is too large"));
            }
            *limit = limit.filter(|it| it.kib < Self::UNLIMITED);
        }
        self.min_guarantee = self.min_guarantee.filter(|it| it.kib > 0);
        Ok(())
    }
}

/// `<numatune>`: host nodes the guest's memory comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = NumaTune::check)]
pub struct NumaTune {
    #[xml(child)]
    pub memory: Option<NumaMemory>,
    #[xml(children = "memnode")]
    pub memnodes: Vec<MemNode>,
}

impl NumaTune {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        // An element without attributes says nothing.
        let says = |it: Node<'_>| ["mode", "nodeset", "placement"].iter().any(|name| it.attr(name).is_some());
        if node.child("memory").is_some_and(|it| !says(it)) {
            self.memory = None;
        }
        Ok(())
    }
}

/// `<memory mode='strict' nodeset='0-1'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(check = NumaMemory::check, form = NumaMemory::form)]
pub struct NumaMemory {
    #[xml(attr, default = NumaMode::Strict, fault = Unsupported)]
    pub mode: NumaMode,
    #[xml(attr)]
    pub nodeset: Option<CpuSet>,
    #[xml(attr, fault = Unsupported)]
    pub placement: Option<Placement>,
}

impl NumaMemory {
    fn form(node: Node<'_>) -> Result<(), Error> {
        let auto = node.attr("placement").is_some_and(|it| it.value() == "auto");
        match node.attr("nodeset") {
            Some(_) if auto => Err(node.error(ErrorKind::Unknown, "placement='auto' has no nodeset")),
            _ => Ok(()),
        }
    }

    /// A placement of the nodes' own making needs no set; `static` does, and is what a set means.
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        match (self.placement, &self.nodeset) {
            (Some(Placement::Static), None) => {
                Err(node.error(ErrorKind::Unsupported, "placement 'static' needs a nodeset"))
            }
            (Some(Placement::Static), Some(_)) => {
                self.placement = None;
                Ok(())
            }
            (Some(Placement::Auto), _) => {
                self.nodeset = None;
                Ok(())
            }
            (None, _) => Ok(()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum NumaMode {
    Strict,
    Preferred,
    Interleave,
    Restrictive,
}

/// Who chooses: the document or the host's advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum Placement {
    Static,
    Auto,
}

/// `<memnode cellid='0' mode='strict' nodeset='1'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct MemNode {
    #[xml(attr)]
    pub cellid: u32,
    #[xml(attr, default = NumaMode::Strict, must)]
    pub mode: NumaMode,
    #[xml(attr)]
    pub nodeset: CpuSet,
}
