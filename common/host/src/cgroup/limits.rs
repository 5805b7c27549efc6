//! The limits of a group, in the forms of both versions.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use super::{Controller, Group, Place, write};

/// Time on processors within a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CpuLimit {
    /// Microseconds of a period; what it was if `None`.
    pub period: Option<u64>,
    /// Microseconds of processor time in each; negative is without limit; what it was if `None`.
    pub quota: Option<i64>,
}

/// Limits on one block device; `None` leaves what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeviceLimits {
    /// Its share in relation to others'.
    pub weight: Option<u32>,
    /// Requests a second; 0 lifts the limit.
    pub read_iops: Option<u64>,
    /// The same for writing.
    pub write_iops: Option<u64>,
    /// Bytes a second; 0 lifts the limit.
    pub read_bps: Option<u64>,
    /// The same for writing.
    pub write_bps: Option<u64>,
}

/// No limit, as version 1 writes it.
const WITHOUT: &str = "-1";

impl Group {
    /// The group's share of busy processors in relation to others': 1024 is usual in version 1, 100 in version 2.
    ///
    /// # Errors
    /// `Unsupported`; `InvalidInput` when the kernel does not take the number.
    pub fn set_cpu_shares(&self, shares: u64) -> io::Result<()> {
        let Place { directory, old } = self.place(Controller::Cpu)?;
        write(&directory.join(if *old { "cpu.shares" } else { "cpu.weight" }), &shares.to_string())
    }

    /// What [`Group::set_cpu_shares`] set.
    ///
    /// # Errors
    /// `Unsupported`, or the file cannot be read.
    pub fn cpu_shares(&self) -> io::Result<u64> {
        let Place { directory, old } = self.place(Controller::Cpu)?;
        number(&directory.join(if *old { "cpu.shares" } else { "cpu.weight" }))
    }

    /// Limits time on processors.
    ///
    /// # Errors
    /// `Unsupported`; `InvalidInput` when the kernel does not take the numbers.
    pub fn set_cpu_limit(&self, limit: CpuLimit) -> io::Result<()> {
        let Place { directory, old } = self.place(Controller::Cpu)?;
        if *old {
            if let Some(period) = limit.period {
                write(&directory.join("cpu.cfs_period_us"), &period.to_string())?;
            }
            return match limit.quota {
                Some(quota) if quota < 0 => write(&directory.join("cpu.cfs_quota_us"), WITHOUT),
                Some(quota) => write(&directory.join("cpu.cfs_quota_us"), &quota.to_string()),
                None => Ok(()),
            };
        }
        let file = directory.join("cpu.max");
        let before = fs::read_to_string(&file).unwrap_or_default();
        let mut words = before.split_whitespace();
        let (quota, period) = (words.next().unwrap_or("max"), words.next().unwrap_or("100000"));
        let quota = match limit.quota {
            Some(quota) if quota < 0 => "max".to_owned(),
            Some(quota) => quota.to_string(),
            None => quota.to_owned(),
        };
        write(&file, &format!("{quota} {}", limit.period.map_or_else(|| period.to_owned(), |it| it.to_string())))
    }

    /// The limit on time, with both numbers.
    ///
    /// # Errors
    /// `Unsupported`, or the file cannot be read.
    pub fn cpu_limit(&self) -> io::Result<CpuLimit> {
        let Place { directory, old } = self.place(Controller::Cpu)?;
        if *old {
            let quota: i64 = number(&directory.join("cpu.cfs_quota_us"))?;
            return Ok(CpuLimit { period: Some(number(&directory.join("cpu.cfs_period_us"))?), quota: Some(quota) });
        }
        let text = fs::read_to_string(directory.join("cpu.max"))?;
        let mut words = text.split_whitespace();
        let quota = words.next().and_then(|it| it.parse().ok()).unwrap_or(-1);
        Ok(CpuLimit { period: words.next().and_then(|it| it.parse().ok()), quota: Some(quota) })
    }

    /// Keeps the group to these processors.
    ///
    /// # Errors
    /// `Unsupported`; what the kernel says, above all of processors that are not online.
    pub fn set_cpus(&self, cpus: &BTreeSet<u32>) -> io::Result<()> {
        write(&self.place(Controller::Cpuset)?.directory.join("cpuset.cpus"), &list(cpus))
    }

    /// Keeps the group's memory to these nodes; what it has moves there if `move_over`, which is version 1's alone to decide:
    /// version 2 always moves.
    ///
    /// # Errors
    /// `Unsupported`; what the kernel says, above all of nodes that are not there.
    pub fn set_nodes(&self, nodes: &BTreeSet<u32>, move_over: bool) -> io::Result<()> {
        let Place { directory, old } = self.place(Controller::Cpuset)?;
        if *old {
            write(&directory.join("cpuset.memory_migrate"), if move_over { "1" } else { "0" })?;
        }
        write(&directory.join("cpuset.mems"), &list(nodes))
    }

    /// The most memory the group may have, in KiB; `None` is without limit.
    ///
    /// # Errors
    /// `Unsupported`; what the kernel says.
    pub fn set_memory_limit(&self, kib: Option<u64>) -> io::Result<()> {
        self.set_memory("memory.limit_in_bytes", "memory.max", kib)
    }

    /// What the group is brought back to when the host runs short of memory, in KiB.
    ///
    /// # Errors
    /// As [`Group::set_memory_limit`].
    pub fn set_soft_memory_limit(&self, kib: Option<u64>) -> io::Result<()> {
        self.set_memory("memory.soft_limit_in_bytes", "memory.high", kib)
    }

    /// The most memory and swap together, in KiB. `memory` is the limit on memory, which version 2 counts apart.
    ///
    /// # Errors
    /// As [`Group::set_memory_limit`]; `InvalidInput` when it is less than the limit on memory.
    pub fn set_swap_limit(&self, kib: Option<u64>, memory: Option<u64>) -> io::Result<()> {
        let Place { old, .. } = self.place(Controller::Memory)?;
        let apart = match (kib, memory) {
            (Some(both), Some(memory)) if !*old => Some(both.checked_sub(memory).ok_or(io::ErrorKind::InvalidInput)?),
            (both, _) => both,
        };
        self.set_memory("memory.memsw.limit_in_bytes", "memory.swap.max", apart)
    }

    fn set_memory(&self, old_file: &str, file: &str, kib: Option<u64>) -> io::Result<()> {
        let Place { directory, old } = self.place(Controller::Memory)?;
        let bytes = kib.map(|it| it.saturating_mul(1024).to_string());
        let (file, without) = if *old { (old_file, WITHOUT) } else { (file, "max") };
        write(&directory.join(file), bytes.as_deref().unwrap_or(without))
    }

    /// The group's share of busy block devices in relation to others': 100 is usual.
    ///
    /// # Errors
    /// `Unsupported` also where the host's scheduler of requests knows no shares.
    pub fn set_io_weight(&self, weight: u32) -> io::Result<()> {
        let Place { directory, old } = self.place(Controller::Io)?;
        let (plain, bfq) = if *old { ("blkio.weight", "blkio.bfq.weight") } else { ("io.weight", "io.bfq.weight") };
        let first = directory.join(plain);
        let file = if first.exists() { first } else { directory.join(bfq) };
        if !file.exists() {
            let text = "this host's scheduler of block requests knows no weights";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        let default = if *old || file.ends_with("io.bfq.weight") { "" } else { "default " };
        write(&file, &format!("{default}{weight}"))
    }

    /// Limits one block device.
    ///
    /// # Errors
    /// `Unsupported`; `InvalidInput` when `device` is none.
    pub fn set_device_limits(&self, device: &Path, limits: DeviceLimits) -> io::Result<()> {
        let Place { directory, old } = self.place(Controller::Io)?;
        let meta = fs::metadata(device)?;
        if !meta.file_type().is_block_device() {
            let text = format!("'{}' is not a block device", device.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let number = meta.rdev();
        let device = format!("{}:{}", nix::sys::stat::major(number), nix::sys::stat::minor(number));
        let DeviceLimits { weight, read_iops, write_iops, read_bps, write_bps } = limits;
        if let Some(weight) = weight {
            let known =
                if *old { ["blkio.weight_device", "blkio.bfq.weight_device"] } else { ["io.weight", "io.bfq.weight"] };
            let file = known.map(|it| directory.join(it)).into_iter().find(|it| it.exists()).ok_or_else(|| {
                io::Error::new(io::ErrorKind::Unsupported, "this host's scheduler of block requests knows no weights")
            })?;
            write(&file, &format!("{device} {weight}"))?;
        }
        let rates = [
            ("blkio.throttle.read_iops_device", "riops", read_iops),
            ("blkio.throttle.write_iops_device", "wiops", write_iops),
            ("blkio.throttle.read_bps_device", "rbps", read_bps),
            ("blkio.throttle.write_bps_device", "wbps", write_bps),
        ];
        for (file, key, rate) in rates {
            let Some(rate) = rate else { continue };
            if *old {
                write(&directory.join(file), &format!("{device} {rate}"))?;
            } else {
                let rate = if rate == 0 { "max".to_owned() } else { rate.to_string() };
                write(&directory.join("io.max"), &format!("{device} {key}={rate}"))?;
            }
        }
        Ok(())
    }
}

/// `0-3,8`.
fn list(set: &BTreeSet<u32>) -> String {
    let mut text = String::new();
    let mut rest = set.iter().copied().peekable();
    while let Some(first) = rest.next() {
        let mut last = first;
        while let Some(next) = rest.next_if(|it| Some(*it) == last.checked_add(1)) {
            last = next;
        }
        let comma = if text.is_empty() { "" } else { "," };
        text.push_str(&if first == last { format!("{comma}{first}") } else { format!("{comma}{first}-{last}") });
    }
    text
}

fn number<T: std::str::FromStr>(path: &Path) -> io::Result<T> {
    crate::sysfs::number(path)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("'{}' has no number", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_written_as_the_kernel_reads_them() {
        assert_eq!(list(&BTreeSet::from([0, 1, 2, 5, 7, 8])), "0-2,5,7-8");
        assert_eq!(list(&BTreeSet::new()), "");
    }
}
