//! `<features>`: switches of the machine. It refuses to know which of them a machine supports.

use virtbus_xml::{Error, ErrorKind, Node, OnOff, Size, Xml, XmlEnum, YesNo};

mod hyperv;

pub use hyperv::{Enlightenments, Hyperv, HypervMode, Spinlocks, Stimer, TlbFlush, VendorId};

/// `<features>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = Features::check, form = Features::form)]
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
    pub htm: Option<RequiredState>,
    #[xml(child = "nested-hv")]
    pub nested_hv: Option<RequiredState>,
    #[xml(child)]
    pub msrs: Option<Msrs>,
    #[xml(child = "ccf-assist")]
    pub ccf_assist: Option<RequiredState>,
    #[xml(child)]
    pub xen: Option<XenFeatures>,
    #[xml(attr = "cfpc/@value")]
    pub cfpc: Option<Workaround>,
    #[xml(attr = "sbbc/@value")]
    pub sbbc: Option<Workaround>,
    #[xml(attr = "ibs/@value")]
    pub ibs: Option<IndirectBranch>,
    #[xml(child, omit_empty)]
    pub tcg: Option<TcgFeatures>,
    #[xml(child = "async-teardown")]
    pub async_teardown: Option<AsyncTeardown>,
    #[xml(child)]
    pub ras: Option<RequiredState>,
    #[xml(child)]
    pub ps2: Option<RequiredState>,
    #[xml(attr = "aia/@value")]
    pub aia: Option<AiaMode>,
}

impl Features {
    /// A feature nobody knows is an error, unlike elsewhere; elements that say nothing are left out.
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        refuse_strangers(node)?;
        self.ioapic = self.ioapic.filter(|it| it.driver.is_some());
        self.hpt = self.hpt.take().filter(|it| it.resizing.is_some() || it.maxpagesize.is_some());
        self.container = self.container.take().filter(ContainerCapabilities::says_something);
        self.tcg = self.tcg.take().filter(|it| it.tb_cache.is_some());
        Ok(())
    }

    /// These are there for their value.
    fn form(node: Node<'_>) -> Result<(), Error> {
        for name in ["cfpc", "sbbc", "ibs", "aia"] {
            if let Some(it) = node.child(name).filter(|it| it.attr("value").is_none()) {
                return Err(it.missing("@value"));
            }
        }
        Ok(())
    }

    /// Takes over what a second element of this name says: documents may spread their features.
    pub(crate) fn add(&mut self, more: Self) {
        #[rustfmt::skip]
        let Self {
            acpi, apic, pae, hap, viridian, privnet, hyperv, kvm, pvspinlock, container, pmu, vmport, gic, smm, ioapic, hpt,
            vmcoreinfo, htm, nested_hv, msrs, ccf_assist, xen, cfpc, sbbc, ibs, tcg, async_teardown, ras, ps2, aia,
        } = more;
        for (own, more) in
            [(&mut self.acpi, acpi), (&mut self.pae, pae), (&mut self.viridian, viridian), (&mut self.privnet, privnet)]
        {
            *own |= more;
        }
        for (own, more) in [
            (&mut self.hap, hap),
            (&mut self.pvspinlock, pvspinlock),
            (&mut self.pmu, pmu),
            (&mut self.vmport, vmport),
            (&mut self.vmcoreinfo, vmcoreinfo),
        ] {
            *own = more.or(*own);
        }
        for (own, more) in [
            (&mut self.htm, htm),
            (&mut self.nested_hv, nested_hv),
            (&mut self.ccf_assist, ccf_assist),
            (&mut self.ras, ras),
            (&mut self.ps2, ps2),
        ] {
            *own = more.or(*own);
        }
        self.apic = apic.or(self.apic);
        self.hyperv = hyperv.or(self.hyperv.take());
        self.kvm = kvm.or(self.kvm.take());
        self.container = container.or(self.container.take());
        self.gic = gic.or(self.gic);
        self.smm = smm.or(self.smm.take());
        self.ioapic = ioapic.or(self.ioapic);
        self.hpt = hpt.or(self.hpt.take());
        self.msrs = msrs.or(self.msrs);
        self.xen = xen.or(self.xen.take());
        self.cfpc = cfpc.or(self.cfpc);
        self.sbbc = sbbc.or(self.sbbc);
        self.ibs = ibs.or(self.ibs);
        self.tcg = tcg.or(self.tcg.take());
        self.async_teardown = async_teardown.or(self.async_teardown);
        self.aia = aia.or(self.aia);
    }
}

/// Refuses a child element that no field asked for, unless it is one given twice.
fn refuse_strangers(node: Node<'_>) -> Result<(), Error> {
    let is_twice = |it: Node<'_>| node.elements().any(|other| other.is_known() && other.name() == it.name());
    match node.elements().find(|it| !it.is_known() && !is_twice(*it)) {
        Some(stranger) => {
            Err(stranger.error(ErrorKind::Unsupported, format!("no feature is called '{}'", stranger.name())))
        }
        None => Ok(()),
    }
}

/// `<async-teardown enabled='yes'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct AsyncTeardown {
    #[xml(attr, default = YesNo::Yes)]
    pub enabled: YesNo,
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
#[xml(open, check = KvmFeatures::check)]
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

impl KvmFeatures {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        refuse_strangers(node)
    }
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
            None if self.state.is_on() => Err(node.error(ErrorKind::BadValue, "it is on and has no 'size'")),
            Some(size) if !size.is_power_of_two() || !(1024..=65536).contains(&size) => Err(node
                .error(ErrorKind::BadValue, format!("dirty ring size {size} is not a power of 2 from 1024 to 65536"))),
            _ => Ok(()),
        }
    }
}

/// `<xen>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(open, check = XenFeatures::check)]
pub struct XenFeatures {
    #[xml(child)]
    pub e820_host: Option<RequiredState>,
    #[xml(child)]
    pub passthrough: Option<XenPassthrough>,
}

impl XenFeatures {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        refuse_strangers(node)
    }
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
#[xml(check = Smm::check, form = Smm::form)]
pub struct Smm {
    #[xml(attr, default = OnOff::On)]
    pub state: OnOff,
    #[xml(child, blank)]
    pub tseg: Option<Tseg>,
}

impl Smm {
    fn check(&mut self, _: Node<'_>) -> Result<(), Error> {
        // What is off has no memory.
        self.tseg = self.tseg.filter(|_| self.state.is_on());
        Ok(())
    }

    fn form(node: Node<'_>) -> Result<(), Error> {
        match node.child("tseg") {
            Some(_) if node.attr("state").is_none() => Err(node.missing("@state")),
            _ => Ok(()),
        }
    }
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
    #[xml(attr, fault = BadValue, must)]
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
#[xml(check = ContainerCapabilities::check)]
pub struct ContainerCapabilities {
    #[xml(attr, must)]
    pub policy: Option<ContainerPolicy>,
    /// Each is `<mknod state='on'/>` and the like.
    #[xml(raw)]
    pub capabilities: Vec<virtbus_xml::RawElement>,
}

impl ContainerCapabilities {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        match self.capabilities.iter().find(|it| !CONTAINER_CAPABILITIES.contains(&it.name.as_str())) {
            Some(stranger) => {
                Err(node.error(ErrorKind::Unsupported, format!("no capability is called '{}'", stranger.name)))
            }
            None => Ok(()),
        }
    }

    fn says_something(&self) -> bool {
        !self.capabilities.is_empty() || self.policy.is_some_and(|it| it != ContainerPolicy::Default)
    }
}

/// The kernel's capabilities, by its names in small letters.
#[rustfmt::skip]
const CONTAINER_CAPABILITIES: &[&str] = &[
    "audit_control", "audit_write", "block_suspend", "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "ipc_lock",
    "ipc_owner", "kill", "lease", "linux_immutable", "mac_admin", "mac_override", "mknod", "net_admin", "net_bind_service",
    "net_broadcast", "net_raw", "setgid", "setfcap", "setpcap", "setuid", "sys_admin", "sys_boot", "sys_chroot", "sys_module",
    "sys_nice", "sys_pacct", "sys_ptrace", "sys_rawio", "sys_resource", "sys_time", "sys_tty_config", "syslog", "wake_alarm",
];

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
#[xml(check = TcgFeatures::check)]
pub struct TcgFeatures {
    #[xml(child = "tb-cache", blank)]
    pub tb_cache: Option<Size>,
}

impl TcgFeatures {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        self.tb_cache = self.tb_cache.filter(|it| it.kib > 0);
        match self.tb_cache.filter(|it| !it.kib.is_multiple_of(1024)) {
            Some(size) => {
                Err(node.error(ErrorKind::Unsupported, format!("tb-cache of {} KiB is no multiple of 1 MiB", size.kib)))
            }
            None => Ok(()),
        }
    }
}

/// `<aia value='aplic'/>` of RISC-V.
#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum AiaMode {
    None,
    Aplic,
    AplicImsic,
}
