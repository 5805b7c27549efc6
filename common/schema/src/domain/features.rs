//! `<features>`: switches of the machine. It refuses to know which of them a machine supports.

use virtbus_xml::{Error, ErrorKind, Node, OnOff, Size, Xml, XmlEnum, YesNo};

mod hyperv;

pub use hyperv::{Hyperv, HypervMode, Spinlocks, Stimer, TlbFlush, VendorId};

/// `<features>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Features {
    #[xml(flag)]
    pub acpi: bool,
    #[xml(child)]
    pub apic: Option<Apic>,
    #[xml(flag)]
    pub pae: bool,
    #[xml(child)]
    pub hap: Option<StateSwitch>,
    #[xml(flag)]
    pub viridian: bool,
    #[xml(flag)]
    pub privnet: bool,
    #[xml(child)]
    pub hyperv: Option<Hyperv>,
    #[xml(child)]
    pub kvm: Option<KvmFeatures>,
    #[xml(child)]
    pub pvspinlock: Option<StateSwitch>,
    #[xml(child = "capabilities")]
    pub container: Option<ContainerCapabilities>,
    #[xml(child)]
    pub pmu: Option<StateSwitch>,
    #[xml(child)]
    pub vmport: Option<StateSwitch>,
    #[xml(child)]
    pub gic: Option<Gic>,
    #[xml(child)]
    pub smm: Option<Smm>,
    #[xml(child)]
    pub ioapic: Option<Ioapic>,
    #[xml(child)]
    pub hpt: Option<Hpt>,
    #[xml(child)]
    pub vmcoreinfo: Option<StateSwitch>,
    #[xml(child)]
    pub htm: Option<StateSwitch>,
    #[xml(child = "nested-hv")]
    pub nested_hv: Option<StateSwitch>,
    #[xml(child)]
    pub msrs: Option<Msrs>,
    #[xml(child = "ccf-assist")]
    pub ccf_assist: Option<StateSwitch>,
    #[xml(child)]
    pub xen: Option<XenFeatures>,
    #[xml(attr = "cfpc/@value", fault = Unsupported)]
    pub cfpc: Option<Workaround>,
    #[xml(attr = "sbbc/@value", fault = Unsupported)]
    pub sbbc: Option<Workaround>,
    #[xml(attr = "ibs/@value", fault = Unsupported)]
    pub ibs: Option<IndirectBranch>,
    #[xml(child, omit_empty)]
    pub tcg: Option<TcgFeatures>,
    #[xml(attr = "async-teardown/@enabled")]
    pub async_teardown: Option<YesNo>,
    #[xml(child)]
    pub ras: Option<StateSwitch>,
    #[xml(child)]
    pub ps2: Option<StateSwitch>,
    #[xml(child)]
    pub aia: Option<Aia>,
}

/// An element that is on unless its `state` says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct StateSwitch {
    #[xml(attr, default = OnOff::On)]
    pub state: OnOff,
}

impl From<bool> for StateSwitch {
    fn from(on: bool) -> Self {
        Self { state: on.into() }
    }
}

/// `<apic eoi='on'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct Apic {
    #[xml(attr)]
    pub eoi: Option<OnOff>,
}

/// `<kvm>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(open)]
pub struct KvmFeatures {
    #[xml(child)]
    pub hidden: Option<RequiredState>,
    #[xml(child = "hint-dedicated")]
    pub hint_dedicated: Option<RequiredState>,
    #[xml(child = "poll-control")]
    pub poll_control: Option<RequiredState>,
    #[xml(child = "pv-ipi")]
    pub pv_ipi: Option<RequiredState>,
    #[xml(child = "dirty-ring")]
    pub dirty_ring: Option<DirtyRing>,
}

/// `<x state='on'/>` where the state must be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct RequiredState {
    #[xml(attr)]
    pub state: OnOff,
}

/// `<dirty-ring state='on' size='4096'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
#[xml(check = DirtyRing::check)]
pub struct DirtyRing {
    #[xml(attr)]
    pub state: OnOff,
    #[xml(attr)]
    pub size: Option<u32>,
}

impl DirtyRing {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        match self.size {
            None if self.state.is_on() => Err(node.missing("@size")),
            Some(size) if !size.is_power_of_two() || !(1024..=65536).contains(&size) => Err(node
                .error(ErrorKind::BadValue, format!("dirty ring size {size} is not a power of 2 from 1024 to 65536"))),
            _ => Ok(()),
        }
    }
}

/// `<xen>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(open)]
pub struct XenFeatures {
    #[xml(child)]
    pub e820_host: Option<RequiredState>,
    #[xml(child)]
    pub passthrough: Option<XenPassthrough>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct XenPassthrough {
    #[xml(attr)]
    pub state: OnOff,
    #[xml(attr)]
    pub mode: Option<XenPassthroughMode>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum XenPassthroughMode {
    #[xml(name = "sync_pt")]
    SyncPt,
    #[xml(name = "share_pt")]
    SharePt,
}

/// `<smm state='on'><tseg unit='MiB'>48</tseg></smm>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct Smm {
    #[xml(attr, default = OnOff::On)]
    pub state: OnOff,
    #[xml(child)]
    pub tseg: Option<Tseg>,
}

/// The size of TSEG: `<tseg unit='MiB'>48</tseg>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tseg {
    /// The size in bytes.
    pub bytes: u64,
}

impl Xml for Tseg {
    fn read(node: Node<'_>) -> Result<Self, Error> {
        let unit = node.attr("unit").map_or("MiB", |it| it.value());
        let number: u64 = node.read_text()?;
        let scaled = virtbus_xml::ScaledValue::new(number, Some(unit), virtbus_xml::Unit::BYTES);
        let bytes = scaled.map_err(|it| node.fault("", it))?.bytes;
        Ok(Self { bytes })
    }

    fn write_attrs(&self, w: &mut virtbus_xml::Writer) {
        w.attr_str("unit", self.pretty().1);
    }

    fn write_content(&self, w: &mut virtbus_xml::Writer) {
        w.text(&self.pretty().0);
    }

    fn describe(to: &mut dyn virtbus_xml::Describe) {
        to.attr("unit", virtbus_xml::Texts::UNITS);
        to.text(virtbus_xml::Texts::of::<u64>());
    }
}

impl Tseg {
    fn pretty(self) -> (u64, &'static str) {
        pretty_size(self.bytes)
    }
}

/// A size in the largest unit of 1024s that divides it evenly.
pub(crate) fn pretty_size(bytes: u64) -> (u64, &'static str) {
    let mut number = bytes;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
        if number == 0 || !number.is_multiple_of(1024) {
            break;
        }
        number /= 1024;
        unit = next;
    }
    (number, unit)
}

/// `<ioapic driver='qemu'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct Ioapic {
    #[xml(attr, fault = BadValue)]
    pub driver: Option<IoapicDriver>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum IoapicDriver {
    Qemu,
    Kvm,
}

/// `<hpt resizing='enabled'><maxpagesize unit='KiB'>64</maxpagesize></hpt>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Hpt {
    #[xml(attr)]
    pub resizing: Option<HptResizing>,
    #[xml(child)]
    pub maxpagesize: Option<Size>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum HptResizing {
    Enabled,
    Disabled,
    Required,
}

/// `<gic version='3'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct Gic {
    #[xml(attr)]
    pub version: Option<GicVersion>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum GicVersion {
    #[xml(name = "2")]
    V2,
    #[xml(name = "3")]
    V3,
    Host,
}

/// `<capabilities policy='default'>` with one element per capability.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct ContainerCapabilities {
    #[xml(attr)]
    pub policy: Option<ContainerPolicy>,
    /// Each is `<mknod state='on'/>` and the like.
    #[xml(raw)]
    pub capabilities: Vec<virtbus_xml::RawElement>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum ContainerPolicy {
    Default,
    Allow,
    Deny,
}

/// `<msrs unknown='ignore'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct Msrs {
    #[xml(attr)]
    pub unknown: MsrsPolicy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum MsrsPolicy {
    Ignore,
    Fault,
}

/// `<cfpc value='...'/>` and `<sbbc .../>` of pSeries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum Workaround {
    Broken,
    Workaround,
    Fixed,
}

/// `<ibs value='...'/>` of pSeries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum IndirectBranch {
    Broken,
    Workaround,
    FixedIbs,
    FixedCcd,
    FixedNa,
}

/// `<tcg><tb-cache unit='MiB'>128</tb-cache></tcg>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct TcgFeatures {
    #[xml(child = "tb-cache")]
    pub tb_cache: Option<Size>,
}

/// `<aia value='aplic'/>` of RISC-V.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct Aia {
    #[xml(attr)]
    pub value: AiaMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum AiaMode {
    None,
    Aplic,
    AplicImsic,
}
