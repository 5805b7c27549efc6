//! Status files of running domains: `NAME.xml` and `NAME.pid` below /run.
//!
//! They are how a daemon finds its guests again after it ended in any way. The directory does not outlive a boot, and
//! neither does a guest, so nothing is synced: a written file survives the end of the daemon.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use virtbus_schema::domain_status::DomainStatus;

use crate::atomic::{self, Durability};
use crate::definitions::{Broken, name_of};
use crate::{Error, Result, header, text_of};

/// The status files of one kind of domain.
#[derive(Debug, Clone)]
pub struct StatusFiles {
    directory: PathBuf,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Domains that ran when the file was written.
    pub running: Vec<DomainStatus>,
    /// Files that could not be understood. They stay.
    pub broken: Vec<Broken>,
}

impl StatusFiles {
    /// The status files in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Where the status of `name` lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.xml"))
    }

    /// Where the pid of `name` lies.
    pub fn pid_path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.pid"))
    }

    /// Writes the status. When this returns it survives the end of this process.
    ///
    /// # Errors
    /// When it cannot be written; the old one is untouched then.
    pub fn save(&self, status: &DomainStatus) -> Result<()> {
        let name = &status.domain.name;
        let mut text = header("virsh edit", name);
        text.push_str(&status.format());
        atomic::replace(&self.path(name), text.as_bytes(), Durability::Process)
    }

    /// Writes the pid for other programs to read.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save_pid(&self, name: &str, pid: i32) -> Result<()> {
        let path = self.pid_path(name);
        fs::write(&path, pid.to_string()).map_err(Error::at("write", &path))
    }

    /// Reads the status of one domain.
    ///
    /// # Errors
    /// When it is not there or cannot be understood, in words.
    pub fn read(&self, name: &str) -> std::result::Result<DomainStatus, String> {
        read(&self.path(name))
    }

    /// Removes status and pid file.
    ///
    /// # Errors
    /// When one of them is still there.
    pub fn remove(&self, name: &str) -> Result<()> {
        let status = atomic::remove(&self.path(name), Durability::Process);
        let pid = atomic::remove(&self.pid_path(name), Durability::Process);
        status.and(pid)
    }

    /// Reads all status files.
    ///
    /// # Errors
    /// When the directory exists and cannot be listed.
    pub fn load(&self) -> Result<Found> {
        let mut found = Found::default();
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            other => other.map_err(Error::at("list", &self.directory))?,
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            if name_of(&path).is_none() {
                continue;
            }
            match read(&path) {
                Ok(status) => found.running.push(status),
                Err(reason) => found.broken.push(Broken { path, reason }),
            }
        }
        Ok(found)
    }
}

fn read(path: &Path) -> std::result::Result<DomainStatus, String> {
    let (text, _) = text_of(path).map_err(|error| error.to_string())?;
    DomainStatus::parse(&text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: &str = "<domain type='kvm' id='3'><name>vm</name><memory>65536</memory>\
        <os><type arch='x86_64' machine='q35'>hvm</type></os></domain>";

    #[test]
    fn a_status_is_found_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = StatusFiles::new(dir.path());
        let text = format!("<domstatus state='running' reason='booted' pid='77'>{DOMAIN}</domstatus>");
        let status = DomainStatus::parse(&text).expect("understood");
        files.save(&status).expect("written");
        files.save_pid("vm", 77).expect("written");
        fs::write(dir.path().join("bad.xml"), "<x/>").expect("written");
        let found = files.load().expect("listed");
        assert_eq!(found.running, std::slice::from_ref(&status));
        assert_eq!(found.broken.len(), 1);
        assert_eq!(fs::read_to_string(files.pid_path("vm")).expect("read"), "77");
        files.remove("vm").expect("removed");
        files.remove("vm").expect("already gone");
        assert!(files.load().expect("listed").running.is_empty());
        let mut hidden = status;
        hidden.domain.name = ".vm".to_owned();
        files.save(&hidden).expect("written");
        assert_eq!(files.load().expect("listed").running, [hidden]);
    }
}
