//! vCPUs, I/O threads and how they are scheduled. It refuses to know the host's CPUs.

use virtbus_xml::{CpuSet, Error, ErrorKind, Node, Xml, XmlEnum, YesNo};

use super::memory::Placement;

/// `<vcpu placement='static' cpuset='0-3' current='2'>4</vcpu>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(check = Vcpu::check)]
pub struct Vcpu {
    #[xml(attr, default = Placement::Static)]
    pub placement: Placement,
    #[xml(attr)]
    pub cpuset: Option<CpuSet>,
    /// How many are online at start; absent means all.
    #[xml(attr, form = crate::forms::vcpus)]
    pub current: Option<u32>,
    /// How many there can be.
    #[xml(text, form = crate::forms::vcpus)]
    pub count: u32,
}

impl Default for Vcpu {
    fn default() -> Self {
        Self { placement: Placement::Static, cpuset: None, current: None, count: 1 }
    }
}

impl Vcpu {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        match self.current {
            _ if self.count == 0 => Err(node.error(ErrorKind::Internal, "a guest needs at least one vCPU")),
            Some(current) if current > self.count => {
                Err(node.error(ErrorKind::Unsupported, format!("{current} current vCPUs of at most {}", self.count)))
            }
            Some(current) if current == self.count => {
                self.current = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// How many are online at start.
    #[must_use]
    pub fn online(&self) -> u32 {
        self.current.unwrap_or(self.count)
    }
}

/// `<vcpu id='1' enabled='yes' hotpluggable='no' order='1'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct VcpuState {
    #[xml(attr)]
    pub id: u32,
    #[xml(attr)]
    pub enabled: YesNo,
    #[xml(attr)]
    pub hotpluggable: Option<YesNo>,
    #[xml(attr)]
    pub order: Option<u32>,
}

/// `<iothread id='1' thread_pool_min='8' thread_pool_max='16'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(check = IoThread::check)]
pub struct IoThread {
    #[xml(attr)]
    pub id: u32,
    #[xml(attr)]
    pub thread_pool_min: Option<u32>,
    #[xml(attr)]
    pub thread_pool_max: Option<u32>,
    #[xml(child)]
    pub poll: Option<IoThreadPoll>,
}

impl IoThread {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.id == 0 { Err(node.error(ErrorKind::BadValue, "zero is not permitted as id")) } else { Ok(()) }
    }
}

/// `<poll max='123' grow='456' shrink='789'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct IoThreadPoll {
    /// In nanoseconds.
    #[xml(attr)]
    pub max: Option<u64>,
    #[xml(attr)]
    pub grow: Option<u64>,
    #[xml(attr)]
    pub shrink: Option<u64>,
}

/// `<defaultiothread thread_pool_min='8' thread_pool_max='16'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct DefaultIoThread {
    #[xml(attr)]
    pub thread_pool_min: Option<u32>,
    #[xml(attr)]
    pub thread_pool_max: Option<u32>,
}

/// `<cputune>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = CpuTune::check, form = CpuTune::form)]
pub struct CpuTune {
    #[xml(child)]
    pub shares: Option<u64>,
    /// Periods in microseconds; quotas too, negative meaning without limit.
    #[xml(child, form = crate::forms::period)]
    pub period: Option<u64>,
    #[xml(child, form = quota)]
    pub quota: Option<i64>,
    #[xml(child, form = crate::forms::period)]
    pub global_period: Option<u64>,
    #[xml(child, form = quota)]
    pub global_quota: Option<i64>,
    #[xml(child, form = crate::forms::period)]
    pub emulator_period: Option<u64>,
    #[xml(child, form = quota)]
    pub emulator_quota: Option<i64>,
    #[xml(child, form = crate::forms::period)]
    pub iothread_period: Option<u64>,
    #[xml(child, form = quota)]
    pub iothread_quota: Option<i64>,
    #[xml(children = "vcpupin")]
    pub vcpupins: Vec<VcpuPin>,
    #[xml(attr = "emulatorpin/@cpuset")]
    pub emulatorpin: Option<CpuSet>,
    #[xml(children = "iothreadpin")]
    pub iothreadpins: Vec<IoThreadPin>,
    #[xml(child)]
    pub emulatorsched: Option<Scheduling>,
    #[xml(children = "vcpusched")]
    pub vcpuscheds: Vec<VcpuSched>,
    #[xml(children = "iothreadsched")]
    pub iothreadscheds: Vec<IoThreadSched>,
    #[xml(children = "cachetune")]
    pub cachetunes: Vec<CacheTune>,
    #[xml(children = "memorytune")]
    pub memorytunes: Vec<MemoryBandwidthTune>,
}

impl CpuTune {
    fn form(node: Node<'_>) -> Result<(), Error> {
        match node.child("emulatorpin") {
            Some(pin) if pin.attr("cpuset").is_none() => Err(pin.missing("@cpuset")),
            _ => Ok(()),
        }
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        for name in ["emulatorpin", "emulatorsched"] {
            if let Some(second) = node.children(name).nth(1) {
                return Err(second.error(ErrorKind::BadValue, format!("there is one <{name}>")));
            }
        }
        if node.child("emulatorpin").is_some() && self.emulatorpin.is_none() {
            return Err(node.error(ErrorKind::Internal, "<emulatorpin> has no cpuset"));
        }
        // Nothing is said by zero.
        for period in [&mut self.period, &mut self.global_period, &mut self.emulator_period, &mut self.iothread_period]
        {
            *period = period.filter(|it| *it > 0);
        }
        for quota in [&mut self.quota, &mut self.global_quota, &mut self.emulator_quota, &mut self.iothread_quota] {
            *quota = quota.filter(|it| *it != 0);
        }
        let out_of_range = |name: &str, range: &str| {
            Err(node.error(ErrorKind::Unsupported, format!("cputune {name} must be in {range}")))
        };
        let periods = [
            ("period", self.period),
            ("global_period", self.global_period),
            ("emulator_period", self.emulator_period),
            ("iothread_period", self.iothread_period),
        ];
        for (name, value) in periods {
            if value.is_some_and(|it| !(1000..=1_000_000).contains(&it)) {
                return out_of_range(name, "1000 to 1000000");
            }
        }
        let quotas = [
            ("quota", self.quota),
            ("global_quota", self.global_quota),
            ("emulator_quota", self.emulator_quota),
            ("iothread_quota", self.iothread_quota),
        ];
        for (name, value) in quotas {
            if value.is_some_and(|it| it >= 0 && !(1000..=17_592_186_044_415).contains(&it)) {
                return out_of_range(name, "1000 to 17592186044415");
            }
        }
        let vcpus = self.vcpuscheds.iter().map(|it| ("vcpusched", &it.vcpus));
        check_overlap(node, vcpus)?;
        check_overlap(node, self.iothreadscheds.iter().map(|it| ("iothreadsched", &it.iothreads)))
    }
}

/// The longest time the kernel can count, in microseconds.
const MOST_QUOTA: u64 = 17_592_186_044_415;

/// A time in microseconds, or -1.
fn quota(text: &str) -> bool {
    text == "-1" || text.parse::<u64>().is_ok_and(|it| it <= MOST_QUOTA)
}

/// Of the kernel's real-time policies; which it takes is known at the start.
fn priority(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

/// A thread's CPUs.
fn has_cpuset(node: Node<'_>) -> Result<(), Error> {
    if node.attr("cpuset").is_some() {
        return Ok(());
    }
    Err(node.error(ErrorKind::Internal, format!("<{}> has no cpuset", node.local_name())))
}

fn check_overlap<'a>(node: Node<'_>, sets: impl Iterator<Item = (&'a str, &'a CpuSet)>) -> Result<(), Error> {
    let mut seen = std::collections::BTreeSet::new();
    for (name, set) in sets {
        for number in &set.0 {
            if !seen.insert(*number) {
                return Err(node.error(ErrorKind::Conflict, format!("two <{name}> name {number}")));
            }
        }
    }
    Ok(())
}

/// `<vcpupin vcpu='0' cpuset='1-4'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(before = has_cpuset)]
pub struct VcpuPin {
    #[xml(attr, form = crate::forms::vcpu)]
    pub vcpu: u32,
    #[xml(attr)]
    pub cpuset: CpuSet,
}

/// `<iothreadpin iothread='1' cpuset='5'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(before = has_cpuset)]
pub struct IoThreadPin {
    #[xml(attr)]
    pub iothread: u32,
    #[xml(attr)]
    pub cpuset: CpuSet,
}

/// `<vcpusched vcpus='0-1' scheduler='fifo' priority='1'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct VcpuSched {
    #[xml(attr)]
    pub vcpus: CpuSet,
    #[xml(flatten)]
    pub scheduling: Scheduling,
}

/// `<iothreadsched iothreads='2' scheduler='batch'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct IoThreadSched {
    #[xml(attr)]
    pub iothreads: CpuSet,
    #[xml(flatten)]
    pub scheduling: Scheduling,
}

/// `scheduler=` and `priority=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
#[xml(check = Scheduling::check, form = Scheduling::form)]
pub struct Scheduling {
    #[xml(attr)]
    pub scheduler: Scheduler,
    #[xml(attr, form = priority)]
    pub priority: Option<i32>,
}

impl Scheduling {
    fn form(node: Node<'_>) -> Result<(), Error> {
        let real_time = node.attr("scheduler").is_some_and(|it| matches!(it.value(), "fifo" | "rr"));
        if node.attr("priority").is_some() && !real_time {
            return Err(node.error(ErrorKind::Unknown, "a priority is of the policies fifo and rr"));
        }
        Ok(())
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        match self.scheduler {
            Scheduler::Fifo | Scheduler::Rr if self.priority.is_none() => Err(node.missing("@priority")),
            Scheduler::Batch | Scheduler::Idle => {
                self.priority = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum Scheduler {
    Batch,
    Idle,
    Fifo,
    Rr,
}

/// A group is given something, or watched.
fn has_shares(node: Node<'_>) -> Result<(), Error> {
    if node.elements().next().is_some() { Ok(()) } else { Err(node.missing("cache")) }
}

/// `<cachetune vcpus='0-3'>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(form = has_shares)]
pub struct CacheTune {
    #[xml(attr)]
    pub vcpus: CpuSet,
    #[xml(attr, live)]
    pub id: Option<String>,
    #[xml(children = "cache")]
    pub caches: Vec<CacheAllocation>,
    #[xml(children = "monitor")]
    pub monitors: Vec<CacheMonitor>,
}

/// `<cache id='0' level='3' type='both' size='3' unit='MiB'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct CacheAllocation {
    #[xml(attr)]
    pub id: u32,
    #[xml(attr)]
    pub level: u32,
    #[xml(attr = "type")]
    pub kind: CacheKind,
    #[xml(attr)]
    pub size: u64,
    #[xml(attr, default = "B".to_owned())]
    pub unit: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum CacheKind {
    Both,
    Code,
    Data,
}

/// `<monitor level='3' vcpus='1'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct CacheMonitor {
    #[xml(attr)]
    pub level: u32,
    #[xml(attr)]
    pub vcpus: CpuSet,
}

/// `<memorytune vcpus='0-3'>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(form = has_shares)]
pub struct MemoryBandwidthTune {
    #[xml(attr)]
    pub vcpus: CpuSet,
    #[xml(attr, live)]
    pub id: Option<String>,
    #[xml(children = "node")]
    pub nodes: Vec<BandwidthNode>,
    #[xml(children = "monitor")]
    pub monitors: Vec<BandwidthMonitor>,
}

/// `<node id='0' bandwidth='60'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct BandwidthNode {
    #[xml(attr)]
    pub id: u32,
    #[xml(attr)]
    pub bandwidth: u32,
}

/// `<monitor vcpus='0'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct BandwidthMonitor {
    #[xml(attr)]
    pub vcpus: CpuSet,
}
