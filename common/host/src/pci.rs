//! PCI functions of the host: which driver has one, which others it cannot be told apart from, and handing it to another driver.
//!
//! A function is looked for below a sysfs that the caller names, so that tests need no hardware. Blocks while drivers let go
//! and take over. Whom a function is handed to, and whether that is wise, is the caller's to know.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The kernel's files.
pub const SYS: &str = "/sys";
/// The class of bridges between PCI buses, in the upper 16 bits.
const BRIDGE: u32 = 0x0604;

/// A function, by its address such as `0000:06:12.5`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    name: String,
    bus: PathBuf,
}

impl Function {
    /// Finds one.
    ///
    /// # Errors
    /// `NotFound` when there is none of that address, `InvalidInput` when that is no address.
    pub fn find(sys: &Path, name: &str) -> io::Result<Self> {
        let plain = |it: char| it.is_ascii_hexdigit() || it == ':' || it == '.';
        if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("'{name}' is no PCI address")));
        }
        let it = Self { name: name.to_owned(), bus: sys.join("bus/pci") };
        fs::metadata(it.directory()).map(|_| it)
    }

    /// Its address.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn directory(&self) -> PathBuf {
        self.bus.join("devices").join(&self.name)
    }

    /// The driver that has it.
    pub fn driver(&self) -> Option<String> {
        last_of_link(&self.directory().join("driver"))
    }

    /// The group of functions that the host's IOMMU cannot tell apart; none without an IOMMU.
    pub fn group(&self) -> Option<u32> {
        last_of_link(&self.directory().join("iommu_group"))?.parse().ok()
    }

    /// All functions of its group, itself included.
    pub fn members(&self) -> Vec<Self> {
        let entries = fs::read_dir(self.directory().join("iommu_group/devices")).into_iter().flatten().flatten();
        let names = entries.filter_map(|it| it.file_name().into_string().ok());
        let mut members: Vec<Self> = names.map(|name| Self { name, bus: self.bus.clone() }).collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        members
    }

    /// Whether it is a bridge, which nobody but the host can have.
    pub fn is_bridge(&self) -> bool {
        let class = crate::sysfs::text(&self.directory().join("class"));
        let class = class.and_then(|it| u32::from_str_radix(it.trim_start_matches("0x"), 16).ok());
        class.is_some_and(|it| it >> 8 == BRIDGE)
    }

    /// Whether the host has this driver.
    pub fn knows_driver(&self, driver: &str) -> bool {
        self.bus.join("drivers").join(driver).is_dir()
    }

    /// Hands it to a driver, whoever has it now. When the driver does not take it, the one before gets it back.
    ///
    /// # Errors
    /// `Unsupported` when the driver is not there or does not take it; what the kernel says.
    pub fn hand_to(&self, driver: &str) -> io::Result<()> {
        if self.driver().as_deref() == Some(driver) {
            return Ok(());
        }
        if !self.knows_driver(driver) {
            let text = format!("this host has no driver '{driver}'");
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        self.choose(driver)?;
        let taken = self.driver();
        if taken.as_deref() == Some(driver) {
            return Ok(());
        }
        let back = self.give_back();
        let after = back.err().map(|it| format!("; the driver before cannot have it back: {it}")).unwrap_or_default();
        let text = format!("driver '{driver}' does not take PCI device {}{after}", self.name);
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    }

    /// Lets the kernel choose its driver again.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn give_back(&self) -> io::Result<()> {
        self.choose("\n")
    }

    /// Sets who may have it, takes it from whoever has it, and has it looked for.
    fn choose(&self, driver: &str) -> io::Result<()> {
        let directory = self.directory();
        write(&directory.join("driver_override"), driver)?;
        if self.driver().is_some() {
            write(&directory.join("driver/unbind"), &self.name)?;
        }
        match write(&self.bus.join("drivers_probe"), &self.name) {
            // No driver wants it, as before.
            Err(error) if driver == "\n" && error.kind() == io::ErrorKind::NotFound => Err(error),
            Err(_) if driver == "\n" => Ok(()),
            other => other,
        }
    }
}

fn last_of_link(link: &Path) -> Option<String> {
    fs::read_link(link).ok()?.file_name()?.to_str().map(str::to_owned)
}

fn write(path: &Path, value: &str) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(path).and_then(|mut file| io::Write::write_all(&mut file, value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sysfs with one function, which `driver` has.
    fn fake(driver: &str) -> (tempfile::TempDir, Function) {
        let dir = tempfile::tempdir().expect("a directory");
        let bus = dir.path().join("bus/pci");
        for name in ["vfio-pci", "e1000e"] {
            fs::create_dir_all(bus.join("drivers").join(name)).expect("a directory");
            fs::write(bus.join("drivers").join(name).join("unbind"), "").expect("a file");
        }
        fs::write(bus.join("drivers_probe"), "").expect("a file");
        let device = bus.join("devices/0000:01:00.0");
        let group = dir.path().join("kernel/iommu_groups/7/devices");
        for made in [&device, &group] {
            fs::create_dir_all(made).expect("a directory");
        }
        fs::write(device.join("driver_override"), "").expect("a file");
        fs::write(device.join("class"), "0x020000\n").expect("a file");
        std::os::unix::fs::symlink(bus.join("drivers").join(driver), device.join("driver")).expect("a link");
        std::os::unix::fs::symlink(dir.path().join("kernel/iommu_groups/7"), device.join("iommu_group"))
            .expect("a link");
        for name in ["0000:01:00.1", "0000:01:00.0"] {
            fs::write(group.join(name), "").expect("a file");
        }
        let function = Function::find(dir.path(), "0000:01:00.0").expect("there");
        (dir, function)
    }

    #[test]
    fn a_function_is_looked_at() {
        let (dir, function) = fake("e1000e");
        assert_eq!(
            (function.driver().as_deref(), function.group(), function.is_bridge()),
            (Some("e1000e"), Some(7), false)
        );
        let names: Vec<_> = function.members().iter().map(|it| it.name().to_owned()).collect();
        assert_eq!(names, ["0000:01:00.0", "0000:01:00.1"]);
        assert_eq!(Function::find(dir.path(), "0000:ff:00.0").expect_err("none").kind(), io::ErrorKind::NotFound);
        for bad in ["", "..", "../x", "0000:01:00.0/driver"] {
            assert_eq!(Function::find(dir.path(), bad).expect_err(bad).kind(), io::ErrorKind::InvalidInput, "{bad}");
        }
    }

    #[test]
    fn what_is_not_taken_goes_back() {
        let (dir, function) = fake("e1000e");
        // Nobody acts on what is written to a file, so the driver stays what it was.
        let error = function.hand_to("vfio-pci").expect_err("not taken");
        assert!(error.to_string().contains("does not take PCI device 0000:01:00.0"), "{error}");
        let said = |path: &str| fs::read_to_string(dir.path().join("bus/pci").join(path)).expect("a file");
        assert_eq!(said("drivers/e1000e/unbind"), "0000:01:00.0");
        assert_eq!(said("drivers_probe"), "0000:01:00.0");
        assert!(said("devices/0000:01:00.0/driver_override").starts_with('\n'));
        let error = function.hand_to("no-such-driver").expect_err("none");
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        let (_dir, bound) = fake("vfio-pci");
        bound.hand_to("vfio-pci").expect("has it already");
    }
}
