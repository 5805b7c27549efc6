//! A domain's log `NAME.log`: what QEMU was started with, what it wrote to its standard error, why it ended.
//!
//! The first lines of a start and the last one have the reference's form, which people grep for.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of QEMU's last words that go into an error.
const TAIL: u64 = 4096;

/// The log of one run of a domain.
#[derive(Debug)]
pub(crate) struct DomainLog {
    path: PathBuf,
    file: File,
    /// Where QEMU's own output begins.
    begin: u64,
}

impl DomainLog {
    /// Opens `directory/NAME.log` to append to it. Blocks.
    ///
    /// # Errors
    /// When it cannot be opened or its directory not made.
    pub(crate) fn open(directory: &Path, name: &str) -> io::Result<Self> {
        let path = directory.join(format!("{name}.log"));
        let open = || OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let file = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::create_dir_all(directory)?;
                open()?
            }
            other => other?,
        };
        let begin = file.metadata()?.len();
        Ok(Self { path, file, begin })
    }

    /// Notes a start: `versions`, then environment and arguments, one line each. Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn begin<'a>(
        &mut self,
        versions: &str,
        env: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
        command: &[String],
    ) -> io::Result<()> {
        let mut text = format!("{}: starting up {versions}\n", now());
        for (name, value) in env {
            text.push_str(&format!("{}={} \\\n", name.to_string_lossy(), value.to_string_lossy()));
        }
        text.push_str(&lines(command));
        self.file.write_all(text.as_bytes())?;
        self.begin = self.file.metadata()?.len();
        Ok(())
    }

    /// A descriptor for QEMU's standard output and error.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        Ok(self.file.try_clone()?.into())
    }

    /// Notes the end. Blocks.
    pub(crate) fn end(&mut self, reason: &str) {
        // A full disk must not keep a guest from being cleaned up.
        let _ = writeln!(self.file, "{}: shutting down, reason={reason}", now());
    }

    /// What QEMU has said since it was started, at most the last 4 KiB; lines of our own left out. Blocks.
    pub(crate) fn said(&self) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(&self.path)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(self.begin.max(length.saturating_sub(TAIL))))?;
            let mut bytes = Vec::new();
            file.take(TAIL).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_default();
        let ours = |line: &str| line.contains(": shutting down, reason=") || line.starts_with("char device redirected");
        text.lines().filter(|line| !ours(line)).collect::<Vec<_>>().join("\n")
    }
}

/// A command as a shell would take it, an option and its argument on one line.
pub(crate) fn lines(command: &[String]) -> String {
    let mut out = String::new();
    for (index, word) in command.iter().enumerate() {
        if index > 0 {
            out.push_str(if word.starts_with('-') { " \\\n" } else { " " });
        }
        out.push_str(&quote(word));
    }
    out.push('\n');
    out
}

/// A command as a shell would take it, on one line.
pub(crate) fn line(command: &[String]) -> String {
    command.iter().map(|it| quote(it)).collect::<Vec<_>>().join(" ")
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=.,:/+%@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// `2026-11-21 08:03:23.741+0000`.
pub(crate) fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, millis) = (since.as_secs(), since.subsec_millis());
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{millis:03}+0000")
}

/// Year, month and day of a number of days since 1970 (proleptic Gregorian calendar).
fn date(days: u64) -> (u64, u64, u64) {
    // Count from 1 March of year 0, so that leap days end a year.
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(19_782), (2024, 2, 29));
        assert_eq!(date(20_778), (2026, 11, 21));
    }

    #[test]
    fn a_command_is_written_for_a_shell() {
        let command = ["/bin/qemu", "-S", "-name", "guest=a b", "-device", "{\"a\":1}"].map(str::to_owned);
        assert_eq!(lines(&command), "/bin/qemu \\\n-S \\\n-name 'guest=a b' \\\n-device '{\"a\":1}'\n");
    }

    #[test]
    fn only_qemus_own_words_are_quoted_back() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut log = DomainLog::open(dir.path(), "vm").expect("opened");
        log.begin("v1", std::iter::empty(), &["/bin/qemu".to_owned()]).expect("written");
        let mut qemu = File::from(log.descriptor().expect("a descriptor"));
        writeln!(qemu, "qemu: no such disk").expect("written");
        log.end("failed");
        assert_eq!(log.said(), "qemu: no such disk");
        let mut again = DomainLog::open(dir.path(), "vm").expect("opened");
        again.begin("v1", std::iter::empty(), &["/bin/qemu".to_owned()]).expect("written");
        assert_eq!(again.said(), "");
    }
}
