//! Where log lines are written: standard error, a file, syslog, the journal.
//!
//! Each line is one write, so that lines of several threads do not mix. Errors are dropped: there is nobody to tell.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use tracing::Metadata;

use super::rules::{Output, Target};
use super::{Level, line};

/// Where the journal and syslog listen.
const JOURNAL: &str = "/run/systemd/journal/socket";
const SYSLOG: &str = "/dev/log";

/// An open output.
#[derive(Debug)]
pub(super) struct Sink {
    level: Level,
    channel: Channel,
    begun: AtomicBool,
}

#[derive(Debug)]
enum Channel {
    Stderr,
    File(File),
    Syslog(UnixDatagram, String),
    Journal(UnixDatagram),
}

impl Sink {
    pub(super) fn open(output: &Output) -> io::Result<Self> {
        let channel = match &output.target {
            Target::Stderr => Channel::Stderr,
            Target::File(path) => Channel::File(OpenOptions::new().append(true).create(true).mode(0o600).open(path)?),
            Target::Syslog(name) => Channel::Syslog(datagrams_to(SYSLOG)?, name.clone()),
            Target::Journald => Channel::Journal(datagrams_to(JOURNAL)?),
        };
        Ok(Self { level: output.level, channel, begun: AtomicBool::new(false) })
    }

    pub(super) fn write(&self, level: Level, metadata: &Metadata<'_>, text: &str) {
        if level < self.level {
            return;
        }
        let whole = || {
            let now = SystemTime::now();
            let mut lines = String::new();
            if !self.begun.swap(true, Ordering::Relaxed) {
                for text in super::BANNER.get().into_iter().flatten() {
                    lines.push_str(&line::whole(now, Level::Info, None, text));
                }
            }
            lines + &line::whole(now, level, Some(metadata), text)
        };
        let _ = match &self.channel {
            Channel::Stderr => io::stderr().lock().write_all(whole().as_bytes()),
            Channel::File(file) => (&mut &*file).write_all(whole().as_bytes()),
            Channel::Syslog(socket, name) => {
                // Facility 3: daemons.
                let message = format!("<{}>{name}[{}]: {text}", 24 + priority(level), std::process::id());
                socket.send(message.as_bytes()).map(drop)
            }
            Channel::Journal(socket) => socket.send(&journal_entry(level, metadata, text)).map(drop),
        };
    }
}

fn datagrams_to(path: &str) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    // A log that does not keep up loses lines rather than holding up the daemon.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// syslog's priorities.
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warning => 4,
        Level::Info => 6,
        Level::Debug => 7,
    }
}

/// The journal's own format: `NAME=value` lines, or for text with line ends the name, a length and the bytes.
fn journal_entry(level: Level, metadata: &Metadata<'_>, text: &str) -> Vec<u8> {
    let mut entry = Vec::new();
    let mut field = |name: &str, value: &str| {
        entry.extend_from_slice(name.as_bytes());
        if value.contains('\n') {
            entry.push(b'\n');
            entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            entry.push(b'=');
        }
        entry.extend_from_slice(value.as_bytes());
        entry.push(b'\n');
    };
    field("MESSAGE", text);
    field("PRIORITY", &priority(level).to_string());
    field("LIBVIRT_SOURCE", metadata.target());
    field("CODE_FILE", metadata.file().unwrap_or_default());
    field("CODE_LINE", &metadata.line().unwrap_or(0).to_string());
    entry
}
