//! Control groups: how much of the host some processes and threads may use.
//!
//! Both of the kernel's interfaces: version 2, and version 1 with its hierarchy for each controller, as the host has them
//! mounted. Callers speak of groups by path below the root and of limits by what they mean; files and their forms are known
//! here alone. What a host has no controller for is `Unsupported`, naming the controller.
//!
//! ```text
//! machine/qemu-1-vm.libvirt-qemu          the process, limits of all of it
//! ├── emulator, vcpu0, iothread1 ...      single threads, limits of each
//! ```

mod limits;
mod mounts;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use limits::{CpuLimit, DeviceLimits};
pub use mounts::Mounts;

/// What a controller is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Controller {
    /// Time on processors.
    Cpu,
    /// Which processors and memory nodes.
    Cpuset,
    /// Memory.
    Memory,
    /// Block devices.
    Io,
}

impl Controller {
    const ALL: [Self; 4] = [Self::Cpu, Self::Cpuset, Self::Memory, Self::Io];

    /// Its name in version 2.
    fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cpuset => "cpuset",
            Self::Memory => "memory",
            Self::Io => "io",
        }
    }

    /// Its name in version 1.
    fn old_name(self) -> &'static str {
        match self {
            Self::Io => "blkio",
            other => other.name(),
        }
    }

    /// Whether it can be given to single threads.
    fn is_for_threads(self) -> bool {
        matches!(self, Self::Cpu | Self::Cpuset)
    }
}

/// Where a controller's files of a group lie.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    directory: PathBuf,
    /// Version 1.
    old: bool,
}

/// A group. Dropping it leaves it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    places: BTreeMap<Controller, Place>,
}

impl Group {
    /// The group at `path` below the root, made with those above it where they are missing.
    ///
    /// # Errors
    /// `Unsupported` when the host has none of the controllers mounted; as mkdir(2).
    pub fn make(mounts: &Mounts, path: &Path) -> io::Result<Self> {
        let group = Self::at(mounts, path)?;
        for (controller, place) in &group.places {
            let mut directory = mounts.root(*controller).to_owned();
            for part in path {
                if !place.old {
                    // What a group may hand on has to be said in the one above it.
                    hand_on(&directory, *controller)?;
                }
                directory.push(part);
                make_directory(&directory)?;
                if place.old && *controller == Controller::Cpuset {
                    inherit_sets(&directory)?;
                }
            }
        }
        Ok(group)
    }

    /// The group at `path`, whether it is there or not.
    ///
    /// # Errors
    /// `Unsupported` when the host has none of the controllers mounted.
    pub fn at(mounts: &Mounts, path: &Path) -> io::Result<Self> {
        let place = |it: Controller| {
            let (root, old) = mounts.find(it)?;
            Some((it, Place { directory: root.join(path), old }))
        };
        let places: BTreeMap<_, _> = Controller::ALL.into_iter().filter_map(place).collect();
        if places.is_empty() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "this host has no control groups mounted"));
        }
        Ok(Self { places })
    }

    /// Whether the host has this controller.
    pub fn has(&self, controller: Controller) -> bool {
        self.places.contains_key(&controller)
    }

    /// Whether the group is there.
    pub fn exists(&self) -> bool {
        self.places.values().any(|it| it.directory.is_dir())
    }

    /// A group below this one for single threads, made if it is missing.
    ///
    /// # Errors
    /// As mkdir(2).
    pub fn threads(&self, name: &str) -> io::Result<Self> {
        let mut places = BTreeMap::new();
        for (controller, place) in self.places.iter().filter(|(it, _)| it.is_for_threads()) {
            let directory = place.directory.join(name);
            make_directory(&directory)?;
            if place.old {
                if *controller == Controller::Cpuset {
                    inherit_sets(&directory)?;
                }
            } else {
                let kind = directory.join("cgroup.type");
                if fs::read_to_string(&kind).is_ok_and(|it| it.trim() != "threaded") {
                    write(&kind, "threaded")?;
                }
                hand_on(&place.directory, *controller)?;
            }
            places.insert(*controller, Place { directory, old: place.old });
        }
        Ok(Self { places })
    }

    /// The group below this one of that name, whether it is there or not.
    pub fn below(&self, name: &str) -> Self {
        let below = |place: &Place| Place { directory: place.directory.join(name), old: place.old };
        Self { places: self.places.iter().map(|(it, place)| (*it, below(place))).collect() }
    }

    /// Moves a process here with all its threads.
    ///
    /// # Errors
    /// `ESRCH` when there is no such process; what the kernel says.
    pub fn add_process(&self, pid: i32) -> io::Result<()> {
        self.each_directory(|directory, _| write(&directory.join("cgroup.procs"), &pid.to_string()))
    }

    /// Moves one thread here, which must be of a process in the group above.
    ///
    /// # Errors
    /// `ESRCH` when there is no such thread; what the kernel says.
    pub fn add_thread(&self, tid: i32) -> io::Result<()> {
        self.each_directory(|directory, old| {
            let file = if old { "tasks" } else { "cgroup.threads" };
            write(&directory.join(file), &tid.to_string())
        })
    }

    /// Controllers of version 2 share a directory, which is visited once.
    fn each_directory(&self, mut work: impl FnMut(&Path, bool) -> io::Result<()>) -> io::Result<()> {
        let mut done: Vec<&Path> = Vec::new();
        for Place { directory, old } in self.places.values() {
            if !done.contains(&directory.as_path()) {
                work(directory, *old)?;
                done.push(directory);
            }
        }
        Ok(())
    }

    /// Removes the group with what is below it. Those that are gone already are no error. Blocks for up to a second while
    /// processes that have just ended are still counted.
    ///
    /// # Errors
    /// `EBUSY` when something still runs in it.
    pub fn remove(&self) -> io::Result<()> {
        self.each_directory(|directory, _| {
            let mut tries = 0;
            loop {
                match remove_tree(directory) {
                    Err(error) if error.raw_os_error() == Some(libc::EBUSY) && tries < 50 => {
                        tries += 1;
                        #[allow(clippy::disallowed_methods, reason = "on a thread that may block")]
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    done => return done,
                }
            }
        })
    }

    fn place(&self, controller: Controller) -> io::Result<&Place> {
        self.places.get(&controller).ok_or_else(|| {
            let text = format!("this host has no control group controller '{}'", controller.name());
            io::Error::new(io::ErrorKind::Unsupported, text)
        })
    }
}

fn make_directory(directory: &Path) -> io::Result<()> {
    match fs::create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

fn hand_on(directory: &Path, controller: Controller) -> io::Result<()> {
    let file = directory.join("cgroup.subtree_control");
    let name = controller.name();
    let known = fs::read_to_string(&file).unwrap_or_default();
    if known.split_whitespace().any(|it| it == name) { Ok(()) } else { write(&file, &format!("+{name}")) }
}

/// A set of version 1 is empty at first, and an empty one takes no task.
fn inherit_sets(directory: &Path) -> io::Result<()> {
    let Some(above) = directory.parent() else { return Ok(()) };
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = fs::read_to_string(directory.join(file)).unwrap_or_default();
        if own.trim().is_empty() {
            let value = fs::read_to_string(above.join(file))?;
            write(&directory.join(file), value.trim())?;
        }
    }
    Ok(())
}

/// Only directories can be removed, and only from below.
fn remove_tree(directory: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|it| it.is_dir()) {
            remove_tree(&entry.path())?;
        }
    }
    match fs::remove_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// One write, as the kernel's files want it; the error names the file.
fn write(path: &Path, value: &str) -> io::Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| io::Write::write_all(&mut file, value.as_bytes()))
        .map_err(|error| io::Error::new(error.kind(), WriteError { path: path.to_owned(), source: error }))
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write '{}'", path.display())]
struct WriteError {
    path: PathBuf,
    source: io::Error,
}

#[cfg(test)]
mod tests;
