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
pub(crate) struct Place(PathBuf);

/// The partition of guests that name none.
const PARTITION: &str = "machine";
/// The state directory of the system's daemon; others' groups must not meet its.
const SYSTEM: &str = "/var/lib/libvirt/qemu";
/// Bytes of a name in a group's.
const LONGEST: usize = 64;

impl Place {
    /// Of the guest of this document. `lib` tells daemons apart.
    pub(crate) fn of(document: &Domain, id: u32, lib: &Path) -> Self {
        let partition = document.resource.as_ref().and_then(|it| it.partition.as_deref());
        let mut path = PathBuf::new();
        for part in partition.unwrap_or(PARTITION).split('/').filter(|it| !it.is_empty() && *it != "..") {
            path.push(part);
        }
        let name: String = document.name.chars().filter(|it| it.is_ascii_alphanumeric() || *it == '-').collect();
        let name: String = format!("qemu-{id}-{name}").chars().take(LONGEST).collect();
        let ending = if lib == Path::new(SYSTEM) {
            "libvirt-qemu".to_owned()
        } else {
            let mut hasher = DefaultHasher::new();
            lib.hash(&mut hasher);
            format!("virtbus-{:08x}", hasher.finish() & 0xffff_ffff)
        };
        Self(path.join(format!("{name}.{ending}")))
    }

    /// The group, made if it is missing.
    ///
    /// # Errors
    /// What the host says, or that it has none.
    pub(crate) fn make(&self) -> io::Result<Group> {
        Group::make(&Mounts::read()?, &self.0)
    }

    /// The group, if the host has it.
    pub(crate) fn find(&self) -> Option<Group> {
        let group = Group::at(&Mounts::read().ok()?, &self.0).ok()?;
        group.exists().then_some(group)
    }
}

/// Makes the guest's group with the limits of its document, if that asks for any. Blocks for some small files.
///
/// # Errors
/// `CONFIG_UNSUPPORTED` naming the element and what the host lacks, else what the kernel says.
pub(crate) fn make(document: &Domain, place: &Place) -> Result<Option<Group>> {
    if !is_wanted(document) {
        return Ok(None);
    }
    let element = first_element(document);
    let group = place.make().map_err(|error| refused(element, error))?;
    let limited = limit(document, &group);
    if limited.is_err() {
        // Nothing runs in it yet.
        let _ = group.remove();
    }
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
        assert_eq!(place, Place("machine/qemu-7-abc-1.libvirt-qemu".into()));
        let named = document("<resource><partition>/machine/../prod</partition></resource>");
        let place = Place::of(&named, 7, Path::new(SYSTEM));
        assert_eq!(place, Place("machine/prod/qemu-7-abc-1.libvirt-qemu".into()));
        assert_ne!(Place::of(&plain, 7, Path::new("/a")), Place::of(&plain, 7, Path::new("/b")));
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
