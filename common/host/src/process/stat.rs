//! `/proc/PID/stat`: state, start time, processor time and resident memory of a process.
//!
//! The command name in it is chosen by the process and may hold spaces and parentheses; it is skipped, not parsed.

use std::io;
use std::time::Duration;

/// What is used of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// State letter: R, S, D, T, t, Z, X, I.
    pub state: char,
    /// Pid of the parent.
    pub parent: i32,
    /// Start time in clock ticks since boot.
    pub start_time: u64,
    /// Processor time used, all threads.
    pub cpu: CpuTime,
    /// Resident memory in bytes.
    pub rss: u64,
}

/// Processor time of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CpuTime {
    /// In user mode; includes guest time.
    pub user: Duration,
    /// In kernel mode.
    pub system: Duration,
}

impl Stat {
    /// Reads it for `pid`.
    ///
    /// # Errors
    /// `NotFound` when there is no such process, `InvalidData` when the kernel's line is not as documented in proc(5).
    pub fn read(pid: i32) -> io::Result<Self> {
        let text = match std::fs::read(format!("/proc/{pid}/stat")) {
            // A process that ends between open and read gives ESRCH.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {
                return Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no process {pid}")));
            }
            other => other?,
        };
        Self::parse(&String::from_utf8_lossy(&text))
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat is malformed")))
    }

    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // `fields` begins with field 3 of proc(5).
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Self {
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            start_time: number(22)?,
            cpu: CpuTime { user: ticks(number(14)?), system: ticks(number(15)?) },
            rss: number(24)?.saturating_mul(page_size()),
        })
    }

    /// Whether the process has ended and only waits to be reaped.
    pub fn is_zombie(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

/// A count of clock ticks (USER_HZ) as a duration.
pub(crate) fn ticks(count: u64) -> Duration {
    let per_second = sysconf(nix::unistd::SysconfVar::CLK_TCK).unwrap_or(100);
    let seconds = count / per_second;
    let nanos = (count % per_second).saturating_mul(1_000_000_000) / per_second;
    Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos))
}

/// Bytes in a page.
pub(crate) fn page_size() -> u64 {
    sysconf(nix::unistd::SysconfVar::PAGE_SIZE).unwrap_or(4096)
}

fn sysconf(name: nix::unistd::SysconfVar) -> Option<u64> {
    let value = nix::unistd::sysconf(name).ok()??;
    u64::try_from(value).ok().filter(|value| *value > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_does_not_shift_the_fields() {
        let line =
            "77 (a) Z 1 (b) S 12 77 77 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 1 0 987654 2048 3 18446744073709551615";
        let stat = Stat::parse(line).expect("parses");
        assert_eq!((stat.state, stat.parent, stat.start_time), ('S', 12, 987_654));
        assert_eq!(stat.rss, 3 * page_size());
        assert_eq!(stat.cpu.user, Duration::from_millis(2500));
        assert_eq!(stat.cpu.system, Duration::from_millis(500));
    }

    #[test]
    fn short_lines_are_refused() {
        assert_eq!(Stat::parse(""), None);
        assert_eq!(Stat::parse("1 (x) S 1 2 3"), None);
    }

    #[test]
    fn this_process_reads_itself() {
        let pid = i32::try_from(std::process::id()).expect("a pid");
        let stat = Stat::read(pid).expect("readable");
        assert!(stat.rss > 0 && !stat.is_zombie());
    }
}
