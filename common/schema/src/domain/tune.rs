//! Small blocks of a domain: I/O weights, throttle groups, resource partition, ID maps, power management, perf events.

use virtbus_xml::{Error, ErrorKind, Node, Xml, XmlEnum, YesNo};

use super::device::disk::IoTune;

/// `<blkiotune>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = BlkioTune::check)]
pub struct BlkioTune {
    #[xml(child, lenient, form = crate::forms::weight)]
    pub weight: Option<u32>,
    #[xml(children = "device")]
    pub devices: Vec<BlkioDevice>,
}

impl BlkioTune {
    /// Each device once; one without a limit is left out.
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        let mut seen = std::collections::BTreeSet::new();
        if let Some(twice) = self.devices.iter().find(|it| !seen.insert(&it.path)) {
            return Err(node.error(ErrorKind::Unsupported, format!("two <device> have the path '{}'", twice.path)));
        }
        self.devices.retain(BlkioDevice::says_something);
        self.weight = self.weight.filter(|it| *it > 0);
        Ok(())
    }
}

/// `<device>` of `<blkiotune>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(check = BlkioDevice::check)]
pub struct BlkioDevice {
    #[xml(child, default, must, form = crate::forms::absolute)]
    pub path: String,
    #[xml(child, fault = Unsupported, form = crate::forms::weight)]
    pub weight: Option<u32>,
    #[xml(child, fault = Unsupported)]
    pub read_iops_sec: Option<u32>,
    #[xml(child, fault = Unsupported)]
    pub write_iops_sec: Option<u32>,
    #[xml(child, fault = Unsupported)]
    pub read_bytes_sec: Option<u64>,
    #[xml(child, fault = Unsupported)]
    pub write_bytes_sec: Option<u64>,
}

impl BlkioDevice {
    fn says_something(&self) -> bool {
        let Self { path: _, weight, read_iops_sec, write_iops_sec, read_bytes_sec, write_bytes_sec } = self;
        weight.is_some()
            || read_iops_sec.is_some()
            || write_iops_sec.is_some()
            || read_bytes_sec.is_some()
            || write_bytes_sec.is_some()
    }

    /// No limit is the same as one of zero.
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.path.is_empty() {
            return Err(node.error(ErrorKind::Unsupported, "a <device> needs a <path>"));
        }
        self.weight = self.weight.filter(|it| *it > 0);
        self.read_iops_sec = self.read_iops_sec.filter(|it| *it > 0);
        self.write_iops_sec = self.write_iops_sec.filter(|it| *it > 0);
        self.read_bytes_sec = self.read_bytes_sec.filter(|it| *it > 0);
        self.write_bytes_sec = self.write_bytes_sec.filter(|it| *it > 0);
        Ok(())
    }
}

/// `<throttlegroups>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct ThrottleGroups {
    #[xml(children = "throttlegroup")]
    pub groups: Vec<ThrottleGroup>,
}

/// `<throttlegroup>`: limits under a name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = ThrottleGroup::check)]
pub struct ThrottleGroup {
    #[xml(flatten)]
    pub limits: IoTune,
    #[xml(child, default)]
    pub group_name: String,
}

impl ThrottleGroup {
    /// The name is the group's, not the limits'.
    fn check(&mut self, _: Node<'_>) -> Result<(), Error> {
        self.limits.group_name = None;
        Ok(())
    }
}

/// `<resource>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = Resource::check, form = Resource::form)]
pub struct Resource {
    #[xml(child, form = crate::forms::absolute)]
    pub partition: Option<String>,
    #[xml(attr = "fibrechannel/@appid")]
    pub fibrechannel: Option<String>,
}

/// Letters of a name on a Fibre Channel fabric.
const MOST_APPID: usize = 128;

impl Resource {
    fn form(node: Node<'_>) -> Result<(), Error> {
        let fits = |it: &str| (1..=MOST_APPID).contains(&it.len());
        match node.child("fibrechannel").filter(|it| it.attr("appid").is_none_or(|it| !fits(it.value()))) {
            Some(it) => Err(it.error(ErrorKind::Unknown, format!("expected appid= of 1 to {MOST_APPID} letters"))),
            None => Ok(()),
        }
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.fibrechannel.as_ref().is_some_and(|it| it.len() > MOST_APPID) {
            return Err(node.error(ErrorKind::Argument, format!("appid has more than {MOST_APPID} letters")));
        }
        let says = |it: &Option<String>| it.as_ref().is_some_and(|it| !it.is_empty());
        if says(&self.partition) || says(&self.fibrechannel) {
            return Ok(());
        }
        Err(node.error(ErrorKind::Internal, "neither a partition nor an application is named"))
    }
}

/// `<idmap>`: user namespaces of container guests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = IdMap::check)]
pub struct IdMap {
    #[xml(children = "uid")]
    pub uids: Vec<IdRange>,
    #[xml(children = "gid")]
    pub gids: Vec<IdRange>,
}

impl IdMap {
    /// Users and groups are both mapped, root among them.
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        let fault = |text: &str| Err(node.error(ErrorKind::Unsupported, text));
        if self.uids.is_empty() != self.gids.is_empty() {
            return fault("users and groups are mapped both or not at all");
        }
        for ranges in [&mut self.uids, &mut self.gids] {
            ranges.sort_by_key(|it| it.start);
            if ranges.first().is_some_and(|it| it.start != 0) {
                return fault("the user and the group 0 must be mapped");
            }
        }
        Ok(())
    }
}

/// `<uid start='0' target='1000' count='10'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct IdRange {
    #[xml(attr)]
    pub start: u32,
    #[xml(attr)]
    pub target: u32,
    #[xml(attr)]
    pub count: u32,
}

/// `<pm>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct PowerManagement {
    #[xml(attr = "suspend-to-mem/@enabled", may)]
    pub suspend_to_mem: Option<YesNo>,
    #[xml(attr = "suspend-to-disk/@enabled", may)]
    pub suspend_to_disk: Option<YesNo>,
}

/// What happens on power-off and reboot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum LifecycleAction {
    Destroy,
    Restart,
    RenameRestart,
    Preserve,
    CoredumpDestroy,
    CoredumpRestart,
}

/// What happens when a lock is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum LockFailureAction {
    Poweroff,
    Restart,
    Pause,
    Ignore,
}

/// `<perf>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = Perf::check)]
pub struct Perf {
    #[xml(children = "event", must)]
    pub events: Vec<PerfEvent>,
}

impl Perf {
    fn check(&mut self, _: Node<'_>) -> Result<(), Error> {
        self.events.sort_by_key(|it| it.name);
        Ok(())
    }
}

/// `<event name='cpu_cycles' enabled='yes'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct PerfEvent {
    #[xml(attr)]
    pub name: PerfEventName,
    #[xml(attr)]
    pub enabled: YesNo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, XmlEnum)]
#[rustfmt::skip]
pub enum PerfEventName {
    #[xml(name = "cmt")] Cmt,
    #[xml(name = "mbmt")] Mbmt,
    #[xml(name = "mbml")] Mbml,
    #[xml(name = "cpu_cycles")] CpuCycles,
    #[xml(name = "instructions")] Instructions,
    #[xml(name = "cache_references")] CacheReferences,
    #[xml(name = "cache_misses")] CacheMisses,
    #[xml(name = "branch_instructions")] BranchInstructions,
    #[xml(name = "branch_misses")] BranchMisses,
    #[xml(name = "bus_cycles")] BusCycles,
    #[xml(name = "stalled_cycles_frontend")] StalledCyclesFrontend,
    #[xml(name = "stalled_cycles_backend")] StalledCyclesBackend,
    #[xml(name = "ref_cpu_cycles")] RefCpuCycles,
    #[xml(name = "cpu_clock")] CpuClock,
    #[xml(name = "task_clock")] TaskClock,
    #[xml(name = "page_faults")] PageFaults,
    #[xml(name = "context_switches")] ContextSwitches,
    #[xml(name = "cpu_migrations")] CpuMigrations,
    #[xml(name = "page_faults_min")] PageFaultsMin,
    #[xml(name = "page_faults_maj")] PageFaultsMaj,
    #[xml(name = "alignment_faults")] AlignmentFaults,
    #[xml(name = "emulation_faults")] EmulationFaults,
}
