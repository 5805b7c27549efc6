//! A guest's control group: what all of QEMU may use of the host, and what single threads of it may.
//!
//! A group is made for guests that ask for a limit or a partition; others stay where the daemon was started from. The reference
//! makes one for each guest; who sets a limit on a running guest finds or makes it with [`Place::make`].

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};

use virtbus_api::{Error, Result};
use virtbus_host::cgroup::{Controller, CpuLimit, DeviceLimits, Group, Mounts};
use virtbus_schema::domain::memory::{NumaMode, NumaTune, Placement};
use virtbus_schema::domain::tune::BlkioDevice;
use virtbus_schema::domain::{BlkioTune, CpuTune, Domain, MemoryTune};

/// Where a guest's group is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    partition: PathBuf,
    name: String,
}

/// The partition of guests that name none.
const PARTITION: &str = "/machine";
/// The state directory of the system's daemon; others' groups must not meet its.
const SYSTEM: &str = "/var/lib/libvirt/qemu";
/// Bytes of a name in a group's.
const LONGEST: usize = 64;

impl Place {
    /// Of the guest of this document. `lib` tells daemons apart.
    pub(crate) fn of(document: &Domain, id: u32, lib: &Path) -> Self {
        let partition = document.resource.as_ref().and_then(|it| it.partition.as_deref());
        let name: String = document.name.chars().filter(|it| it.is_ascii_alphanumeric() || *it == '-').collect();
        let name: String = format!("qemu-{id}-{name}").chars().take(LONGEST).collect();
        let ending = if lib == Path::new(SYSTEM) {
            "libvirt-qemu".to_owned()
        } else {
            let mut hasher = DefaultHasher::new();
            lib.hash(&mut hasher);
            format!("virtbus-{:08x}", hasher.finish() & 0xffff_ffff)
        };
        Self { partition: partition_path(partition.unwrap_or(PARTITION)), name: format!("{name}.{ending}") }
    }

    fn path(&self) -> PathBuf {
        self.partition.join(&self.name)
    }

    /// The group, made if it is missing.
    ///
    /// # Errors
    /// What the host says, or that it has none.
    pub(crate) fn make(&self) -> io::Result<Group> {
        Group::make(&Mounts::read()?, &self.path())
    }

    /// The group, if the host has it.
    pub(crate) fn find(&self) -> Option<Group> {
        let group = Group::at(&Mounts::read().ok()?, &self.path()).ok()?;
        group.exists().then_some(group)
    }
}

/// A partition's directory. The reference gives each part an ending, but for the three that systemd has as well, and marks names
/// that the kernel's own files could have.
fn partition_path(partition: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in partition.split('/').filter(|it| !it.is_empty() && *it != "..") {
        let is_first = path.as_os_str().is_empty();
        let mut part = part.to_owned();
        if !(is_first && matches!(part.as_str(), "machine" | "system" | "user") || part.contains('.')) {
            part.push_str(".partition");
        }
        let (head, _) = part.split_once('.').unwrap_or_default();
        if part.starts_with(['_', '.']) || KERNELS.contains(&head) {
            part.insert(0, '_');
        }
        path.push(part);
    }
    path
}

/// What the kernel's own files in a group begin with.
const KERNELS: &[&str] = &[
    "cgroup", "cpu", "cpuacct", "cpuset", "memory", "io", "blkio", "devices", "freezer", "pids", "hugetlb", "net_cls",
];

/// Partitions are the administrator's to make, but for the usual one: one of another name would have no limits of its own.
fn check_partition(document: &Domain, place: &Place) -> Result<()> {
    let partition = document.resource.as_ref().and_then(|it| it.partition.as_deref());
    let Some(partition) = partition.filter(|_| place.partition != Path::new("machine")) else { return Ok(()) };
    if !partition.starts_with('/') {
        let text = format!("Resource partition '{partition}' must start with '/'");
        return Err(Error::unsupported_config(text));
    }
    let mounts = Mounts::read().map_err(|error| refused("<resource>", error))?;
    let there = Group::at(&mounts, &place.partition).map_err(|error| refused("<resource>", error))?.exists();
    if there {
        return Ok(());
    }
    let text = format!("Failed to find control group '{}' of partition '{partition}'", place.partition.display());
    Err(Error::system(text, &io::Error::from_raw_os_error(nix::libc::ENOENT)))
}

/// Makes the guest's group with the limits of its document, if that asks for any; the document then says in which partition.
/// Blocks for some small files.
///
/// # Errors
/// `CONFIG_UNSUPPORTED` naming the element and what the host lacks, `SYSTEM_ERROR` for a partition that is not there, else what
/// the kernel says.
pub(crate) fn make(document: &mut Domain, place: &Place) -> Result<Option<Group>> {
    if !is_wanted(document) {
        return Ok(None);
    }
    check_partition(document, place)?;
    let element = first_element(document);
    let group = place.make().map_err(|error| refused(element, error))?;
    let limited = limit(document, &group);
    if limited.is_err() {
        // Nothing runs in it yet.
        let _ = group.remove();
    }
    document.resource.get_or_insert_default().partition.get_or_insert_with(|| PARTITION.to_owned());
    limited.map(|()| Some(group))
}

fn is_wanted(document: &Domain) -> bool {
    document.resource.as_ref().is_some_and(|it| it.partition.is_some())
        || document.cputune.as_ref().is_some_and(has_times)
        || document.memtune.as_ref().is_some_and(has_memory)
        || document.blkiotune.as_ref().is_some_and(|it| *it != BlkioTune::default())
        || document.numatune.as_ref().is_some_and(|it| nodes(it).is_some())
}

fn first_element(document: &Domain) -> &'static str {
    if document.cputune.as_ref().is_some_and(has_times) {
        "<cputune>"
    } else if document.memtune.as_ref().is_some_and(has_memory) {
        "<memtune>"
    } else if document.blkiotune.is_some() {
        "<blkiotune>"
    } else if document.numatune.is_some() {
        "<numatune>"
    } else {
        "<resource>"
    }
}

fn has_memory(it: &MemoryTune) -> bool {
    // What is guaranteed at least is no limit, and the reference passes it over as well.
    it.hard_limit.is_some() || it.soft_limit.is_some() || it.swap_hard_limit.is_some()
}

fn has_times(it: &CpuTune) -> bool {
    let pairs = [vcpu_time(it), emulator_time(it), iothread_time(it), global_time(it)];
    it.shares.is_some() || pairs.into_iter().any(|it| it.is_some())
}

fn time(period: Option<u64>, quota: Option<i64>) -> Option<CpuLimit> {
    (period.is_some() || quota.is_some()).then_some(CpuLimit { period, quota })
}

/// Of each vCPU.
pub(crate) fn vcpu_time(it: &CpuTune) -> Option<CpuLimit> {
    time(it.period, it.quota)
}

/// Of QEMU's own threads.
pub(crate) fn emulator_time(it: &CpuTune) -> Option<CpuLimit> {
    time(it.emulator_period, it.emulator_quota)
}

/// Of each I/O thread.
pub(crate) fn iothread_time(it: &CpuTune) -> Option<CpuLimit> {
    time(it.iothread_period, it.iothread_quota)
}

fn global_time(it: &CpuTune) -> Option<CpuLimit> {
    time(it.global_period, it.global_quota)
}

/// The nodes that all of the guest's memory must come from. Other modes are QEMU's to keep, which binds what it takes.
fn nodes(it: &NumaTune) -> Option<&std::collections::BTreeSet<u32>> {
    let memory = it.memory.as_ref().filter(|it| it.placement != Some(Placement::Auto))?;
    let set = memory.nodeset.as_ref().filter(|_| matches!(memory.mode, NumaMode::Strict | NumaMode::Restrictive))?;
    // Cells with nodes of their own are bound by QEMU, each to its own.
    it.memnodes.is_empty().then_some(&set.0)
}

fn limit(document: &Domain, group: &Group) -> Result<()> {
    if let Some(tune) = &document.cputune {
        let said = |error| refused("<cputune>", error);
        if let Some(shares) = tune.shares {
            group.set_cpu_shares(shares).map_err(said)?;
        }
        if let Some(time) = global_time(tune) {
            group.set_cpu_limit(time).map_err(said)?;
        }
    }
    if let Some(tune) = &document.memtune {
        let said = |error| refused("<memtune>", error);
        let kib = |it: Option<virtbus_schema::xml::Size>| it.map(|it| it.kib);
        if tune.hard_limit.is_some() {
            group.set_memory_limit(kib(tune.hard_limit)).map_err(said)?;
        }
        if tune.soft_limit.is_some() {
            group.set_soft_memory_limit(kib(tune.soft_limit)).map_err(said)?;
        }
        if tune.swap_hard_limit.is_some() {
            group.set_swap_limit(kib(tune.swap_hard_limit), kib(tune.hard_limit)).map_err(said)?;
        }
    }
    if let Some(tune) = &document.blkiotune {
        let said = |error| refused("<blkiotune>", error);
        if let Some(weight) = tune.weight.filter(|it| *it > 0) {
            group.set_io_weight(weight).map_err(said)?;
        }
        for BlkioDevice { path, weight, read_iops_sec, write_iops_sec, read_bytes_sec, write_bytes_sec } in
            &tune.devices
        {
            let limits = DeviceLimits {
                weight: weight.filter(|it| *it > 0),
                read_iops: read_iops_sec.map(u64::from),
                write_iops: write_iops_sec.map(u64::from),
                read_bps: *read_bytes_sec,
                write_bps: *write_bytes_sec,
            };
            group.set_device_limits(Path::new(path), limits).map_err(said)?;
        }
    }
    if let Some(nodes) = document.numatune.as_ref().and_then(nodes)
        && group.has(Controller::Cpuset)
    {
        group.set_nodes(nodes, true).map_err(|error| refused("<numatune>", error))?;
    }
    Ok(())
}

/// What the host does not have is the document's fault there, as in the reference.
pub(crate) fn refused(element: &str, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::Unsupported => {
            Error::unsupported_config(format!("{element} cannot be kept on this host")).caused_by(error)
        }
        io::ErrorKind::PermissionDenied => {
            Error::unsupported_config(format!("{element} needs the right to make control groups")).caused_by(error)
        }
        _ => Error::internal(format!("{element} cannot be kept")).caused_by(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(inner: &str) -> Domain {
        let text = format!(
            "<domain type='qemu'><name>a b/c-1</name><memory>65536</memory>{inner}\
             <os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
        );
        Domain::parse(&text.replace("b/c", "bc")).expect("a document")
    }

    #[test]
    fn groups_have_the_references_names() {
        let plain = document("");
        let place = Place::of(&plain, 7, Path::new(SYSTEM));
        assert_eq!(place.path(), Path::new("machine/qemu-7-abc-1.libvirt-qemu"));
        let named = document("<resource><partition>/machine/../prod</partition></resource>");
        let place = Place::of(&named, 7, Path::new(SYSTEM));
        assert_eq!(place.path(), Path::new("machine/prod.partition/qemu-7-abc-1.libvirt-qemu"));
        assert_ne!(Place::of(&plain, 7, Path::new("/a")), Place::of(&plain, 7, Path::new("/b")));
    }

    #[test]
    fn partitions_have_the_references_names() {
        for (partition, expected) in [
            ("/machine", "machine"),
            ("/prod", "prod.partition"),
            ("/prod/machine/web.slice", "prod.partition/machine.partition/web.slice"),
            ("/_a/.b/cpu.x/tasks", "__a.partition/_.b/_cpu.x/tasks.partition"),
            ("/../..//x", "x.partition"),
        ] {
            assert_eq!(partition_path(partition), Path::new(expected), "{partition}");
        }
    }

    #[test]
    fn a_group_is_made_for_those_who_ask() {
        for (inner, wanted) in [
            ("", false),
            ("<cputune><vcpupin vcpu='0' cpuset='0'/></cputune>", false),
            ("<cputune><shares>100</shares></cputune>", true),
            ("<cputune><emulator_quota>5000</emulator_quota></cputune>", true),
            ("<memtune><hard_limit>900000</hard_limit></memtune>", true),
            ("<memtune><min_guarantee>900000</min_guarantee></memtune>", false),
            ("<blkiotune><weight>500</weight></blkiotune>", true),
            ("<numatune><memory mode='strict' nodeset='0'/></numatune>", true),
            ("<numatune><memory mode='interleave' nodeset='0'/></numatune>", false),
        ] {
            assert_eq!(is_wanted(&document(inner)), wanted, "{inner}");
        }
    }
}
