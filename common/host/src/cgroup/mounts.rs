//! Where the host has its control groups mounted.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Controller;

/// The roots of the hierarchies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mounts {
    /// Version 1, by controller.
    old: BTreeMap<Controller, PathBuf>,
    /// Version 2, and the controllers it has.
    new: Option<(PathBuf, Vec<Controller>)>,
}

impl Mounts {
    /// Reads them of this process's mount namespace.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn read() -> io::Result<Self> {
        Ok(Self::of(&fs::read_to_string("/proc/self/mountinfo")?))
    }

    /// A hierarchy of version 2 at a directory, with the controllers it says it has.
    pub fn unified(root: &Path) -> Self {
        Self { old: BTreeMap::new(), new: Some((root.to_owned(), controllers(root))) }
    }

    fn of(mounts: &str) -> Self {
        let mut found = Self::default();
        for line in mounts.lines() {
            // "... ROOT POINT OPTIONS [optional fields] - TYPE SOURCE SUPER-OPTIONS"
            let Some((first, rest)) = line.split_once(" - ") else { continue };
            let Some(point) = first.split(' ').nth(4) else { continue };
            let mut rest = rest.split(' ');
            let (kind, options) = (rest.next().unwrap_or_default(), rest.nth(1).unwrap_or_default());
            match kind {
                "cgroup2" => {
                    let root = PathBuf::from(point);
                    found.new = Some((root.clone(), controllers(&root)));
                }
                "cgroup" => {
                    for controller in Controller::ALL {
                        if options.split(',').any(|it| it == controller.old_name()) {
                            found.old.insert(controller, PathBuf::from(point));
                        }
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// The root of a controller's hierarchy, and whether that is of version 1.
    pub(super) fn find(&self, controller: Controller) -> Option<(&Path, bool)> {
        if let Some(root) = self.old.get(&controller) {
            return Some((root, true));
        }
        let (root, has) = self.new.as_ref()?;
        has.contains(&controller).then_some((root, false))
    }

    /// The root of a controller that [`Mounts::find`] finds.
    pub(super) fn root(&self, controller: Controller) -> &Path {
        self.find(controller).map_or(Path::new("/"), |(root, _)| root)
    }
}

fn controllers(root: &Path) -> Vec<Controller> {
    let text = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
    Controller::ALL.into_iter().filter(|it| text.split_whitespace().any(|word| word == it.name())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_found() {
        let text = "25 1 0:22 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755\n\
            26 25 0:23 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
            27 25 0:24 / /sys/fs/cgroup/blkio rw shared:9 - cgroup cgroup rw,blkio\n\
            28 25 0:25 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n";
        let mounts = Mounts::of(text);
        assert_eq!(mounts.find(Controller::Cpu), Some((Path::new("/sys/fs/cgroup/cpu,cpuacct"), true)));
        assert_eq!(mounts.find(Controller::Io), Some((Path::new("/sys/fs/cgroup/blkio"), true)));
        assert_eq!(mounts.find(Controller::Memory), None);
        assert_eq!(Mounts::of("nonsense\n"), Mounts::default());
    }
}
