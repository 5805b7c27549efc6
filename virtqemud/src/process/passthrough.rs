//! PCI functions of the host that guests have: one guest each, detached from the host's drivers before and given back after.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use virtbus_api::{Error, Result};
use virtbus_host::pci::{Function, SYS};
use virtbus_host::process::Spawn;
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::hostdev::HostSource;
use virtbus_schema::domain::device::interface::{HostdevAddress, HostdevDriverName, InterfaceKind};
use virtbus_schema::xml::YesNo;

use crate::device::hostdev::{check_driver, pci_name};

/// The driver that hands functions to processes.
const DRIVER: &str = "vfio-pci";
/// How long loading its module may take.
const LOADED: Duration = Duration::from_secs(30);

/// A function that a guest asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Its address.
    pub(crate) name: String,
    /// Whether the daemon detaches it from the host and gives it back.
    pub(crate) managed: bool,
    /// The driver it is handed over with.
    pub(crate) driver: String,
}

/// Who has which function.
#[derive(Debug, Default)]
pub(crate) struct InUse(Mutex<BTreeMap<String, String>>);

impl InUse {
    /// Takes a function for a domain, if no other domain has it.
    ///
    /// # Errors
    /// `OPERATION_INVALID`, naming the other.
    pub(crate) fn take(&self, name: &str, domain: &str) -> Result<()> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get(name) {
            Some(other) if other != domain => {
                Err(Error::invalid_operation(format!("PCI device {name} is in use by driver QEMU, domain {other}")))
            }
            _ => {
                all.insert(name.to_owned(), domain.to_owned());
                Ok(())
            }
        }
    }

    /// Lets go of it.
    pub(crate) fn drop(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    fn owner(&self, name: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

/// The functions a document asks for.
pub(crate) fn wanted(document: &Domain) -> Vec<Wanted> {
    let managed = |it: Option<YesNo>| it == Some(YesNo::Yes);
    let driver = |it: Option<&String>| it.cloned().unwrap_or_else(|| DRIVER.to_owned());
    let devices = document.devices.hostdevs.iter().filter_map(|it| match &it.source {
        HostSource::Pci(source) => Some(Wanted {
            name: pci_name(&source.address),
            managed: managed(it.managed),
            driver: driver(it.driver.as_ref().and_then(|it| it.model.as_ref())),
        }),
        _ => None,
    });
    let cards = document.devices.interfaces.iter().filter(|it| it.kind == InterfaceKind::Hostdev).filter_map(|it| {
        let Some(HostdevAddress::Pci(address)) = it.source.as_ref().and_then(|it| it.device.as_ref()) else {
            return None;
        };
        let driver = driver(it.hostdev_driver.as_ref().and_then(|it| it.model.as_ref()));
        Some(Wanted { name: pci_name(address), managed: managed(it.managed), driver })
    });
    devices.chain(cards).collect()
}

/// Loads the driver's module where it is not there yet; what comes of it shows when a function is handed over.
pub(crate) async fn load_driver(driver: &str) {
    if !Path::new(SYS).join("bus/pci/drivers").join(driver).is_dir() {
        let loaded = Spawn::new("modprobe").args(["-b", driver]).output(LOADED).await;
        if let Ok(done) = loaded
            && !done.exit.success()
        {
            tracing::warn!("modprobe {driver}: {}", done.last_error_line());
        }
    }
}

/// Looks at a function, and at those that come with it.
///
/// # Errors
/// `SYSTEM_ERROR` when it is not there, `INTERNAL_ERROR` for a bridge, `CONFIG_UNSUPPORTED` without an IOMMU, `OPERATION_INVALID`
/// when another domain has it or one of its group, or it is to be detached by hand.
pub(crate) fn check(sys: &Path, wanted: &Wanted, in_use: &InUse, domain: &str) -> Result<Function> {
    let Wanted { name, managed, driver } = wanted;
    let absent = |error: io::Error| {
        let at = sys.join("bus/pci/devices").join(name).join("config");
        Error::system(format!("Device {name} not found: could not access {}", at.display()), &error)
    };
    let function = Function::find(sys, name).map_err(absent)?;
    if function.is_bridge() {
        let text = format!("Non-endpoint PCI devices cannot be assigned to guests, and {name} is a bridge");
        return Err(Error::internal(text));
    }
    if function.group().is_none() {
        return Err(Error::unsupported_config(format!(
            "host doesn't support passthrough of host PCI devices: {name} is in no IOMMU group"
        )));
    }
    for other in function.members().iter().filter(|it| it.name() != name) {
        if let Some(owner) = in_use.owner(other.name()).filter(|it| it != domain) {
            return Err(Error::invalid_operation(format!(
                "PCI device {name} shares its IOMMU group with {}, which is in use by domain {owner}",
                other.name()
            )));
        }
    }
    if !managed && function.driver().as_deref() != Some(driver) {
        let text = format!("Unmanaged PCI device {name} must be manually detached from the host");
        return Err(Error::invalid_operation(text));
    }
    Ok(function)
}

/// Looks at the functions that the host's IOMMU cannot tell from this one: none of them may stay with the host. `all` are those
/// that the guest asks for.
///
/// # Errors
/// `INTERNAL_ERROR`, as when QEMU finds out, naming the function, its driver and the way out.
pub(crate) fn check_group(function: &Function, all: &[Wanted]) -> Result<()> {
    let is_ours = |it: &Function| all.iter().any(|wanted| wanted.managed && wanted.name == it.name());
    for other in function.members().iter().filter(|it| it.name() != function.name() && !it.is_bridge() && !is_ours(it))
    {
        let Some(driver) = other.driver() else { continue };
        // Drivers that let others have the memory of the group.
        if driver.contains("vfio") || driver.ends_with("stub") || driver == "pcieport" {
            continue;
        }
        let (name, group) = (function.name(), function.group().unwrap_or_default());
        return Err(Error::internal(format!(
            "PCI device {name} cannot be given to a guest alone: group {group} is not viable as long as the host's driver \
             '{driver}' has {other}; give the guest {other} as well, or bind it to {DRIVER}",
            other = other.name()
        )));
    }
    Ok(())
}

/// Says in a live document how the functions were handed over.
///
/// # Errors
/// As [`check_driver`].
pub(crate) fn settle_driver(document: &mut Domain) -> Result<()> {
    for it in document.devices.hostdevs.iter_mut().filter(|it| matches!(it.source, HostSource::Pci(_))) {
        let driver = it.driver.get_or_insert_default();
        check_driver(driver.name, driver.model.as_deref())?;
        driver.name.get_or_insert(HostdevDriverName::Vfio);
    }
    for it in document.devices.interfaces.iter_mut().filter(|it| it.kind == InterfaceKind::Hostdev) {
        let driver = it.hostdev_driver.get_or_insert_default();
        if driver.name.is_none() {
            check_driver(None, driver.model.as_deref())?;
            driver.name = Some("vfio".to_owned());
        }
    }
    Ok(())
}

/// Hands a managed function over.
///
/// # Errors
/// The driver is not there or does not take it; the host's driver has it again then.
pub(crate) fn detach(function: &Function, wanted: &Wanted) -> Result<()> {
    if !wanted.managed {
        return Ok(());
    }
    function.hand_to(&wanted.driver).map_err(|error| {
        Error::internal(format!("Failed to bind PCI device '{}' to {}", wanted.name, wanted.driver)).caused_by(error)
    })
}

/// Gives a managed function back to the host's driver; returns what did not work out.
pub(crate) fn attach(sys: &Path, wanted: &Wanted) -> Option<String> {
    if !wanted.managed {
        return None;
    }
    let back = Function::find(sys, &wanted.name).and_then(|it| {
        // Somebody has taken it by hand meanwhile.
        if it.driver().is_some_and(|driver| driver != wanted.driver) { Ok(()) } else { it.give_back() }
    });
    back.err().map(|error| format!("cannot give PCI device {} back to the host: {error}", wanted.name))
}

/// The node of a function's group, which QEMU opens.
pub(crate) fn node(sys: &Path, name: &str) -> Option<PathBuf> {
    Some(Path::new("/dev/vfio").join(Function::find(sys, name).ok()?.group()?.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_document_asks_for() {
        let text = "<domain type='qemu'><name>v</name><memory>65536</memory>\
            <os><type arch='x86_64' machine='q35'>hvm</type></os><devices>\
            <hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='6' slot='0x12' function='5'/>\
            </source></hostdev><hostdev mode='subsystem' type='pci'><source><address domain='0' bus='7' slot='0' function='0'/>\
            </source></hostdev></devices></domain>";
        let found = wanted(&Domain::parse(text).expect("a document"));
        let said: Vec<_> = found.iter().map(|it| (it.name.as_str(), it.managed, it.driver.as_str())).collect();
        assert_eq!(said, [("0000:06:12.5", true, DRIVER), ("0000:07:00.0", false, DRIVER)]);
    }

    #[test]
    fn one_guest_each() {
        let dir = tempfile::tempdir().expect("a directory");
        let devices = dir.path().join("bus/pci/devices");
        let group = dir.path().join("kernel/iommu_groups/3");
        std::fs::create_dir_all(group.join("devices")).expect("a directory");
        for name in ["0000:01:00.0", "0000:01:00.1", "0000:02:00.0"] {
            std::fs::create_dir_all(devices.join(name)).expect("a directory");
        }
        for name in ["0000:01:00.0", "0000:01:00.1"] {
            std::fs::write(group.join("devices").join(name), "").expect("a file");
            std::os::unix::fs::symlink(&group, devices.join(name).join("iommu_group")).expect("a link");
        }
        let one = |name: &str| Wanted { name: name.to_owned(), managed: true, driver: DRIVER.to_owned() };
        let in_use = InUse::default();
        let look = |name: &str, domain: &str| check(dir.path(), &one(name), &in_use, domain).map(drop);
        look("0000:01:00.0", "a").expect("free");
        in_use.take("0000:01:00.0", "a").expect("free");
        let error = in_use.take("0000:01:00.0", "b").expect_err("is a's");
        assert!(error.message().ends_with("PCI device 0000:01:00.0 is in use by driver QEMU, domain a"), "{error}");
        let error = look("0000:01:00.1", "b").expect_err("of the same group");
        assert!(error.message().contains("in use by domain a"), "{error}");
        in_use.drop("0000:01:00.0");
        look("0000:01:00.1", "b").expect("free again");
        let error = look("0000:02:00.0", "b").expect_err("in no group");
        assert_eq!(error.code, virtbus_api::ErrorCode::ConfigUnsupported);
        let error = look("0000:03:00.0", "b").expect_err("not there");
        assert!(error.message().contains("Device 0000:03:00.0 not found"), "{error}");
        let by_hand = Wanted { managed: false, ..one("0000:01:00.0") };
        let error = check(dir.path(), &by_hand, &in_use, "a").expect_err("the host has it");
        assert!(error.message().ends_with("must be manually detached from the host"), "{error}");
    }

    #[test]
    fn a_group_goes_as_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let devices = dir.path().join("bus/pci/devices");
        let group = dir.path().join("kernel/iommu_groups/3");
        let link = |to: &Path, at: PathBuf| std::os::unix::fs::symlink(to, at).expect("a link");
        for (name, driver, class) in [
            ("0000:00:1e.0", "shpchp", "0x060400"),
            ("0000:01:00.0", "e1000e", "0x020000"),
            ("0000:01:01.0", "e1000e", ""),
        ] {
            std::fs::create_dir_all(devices.join(name)).expect("a directory");
            std::fs::create_dir_all(group.join("devices").join(name)).expect("a directory");
            std::fs::write(devices.join(name).join("class"), class).expect("a file");
            link(&dir.path().join("drivers").join(driver), devices.join(name).join("driver"));
            link(&group, devices.join(name).join("iommu_group"));
        }
        let one = |name: &str| Wanted { name: name.to_owned(), managed: true, driver: DRIVER.to_owned() };
        let function = Function::find(dir.path(), "0000:01:00.0").expect("there");
        let error = check_group(&function, &[one("0000:01:00.0")]).expect_err("one stays");
        assert!(error.message().contains("driver 'e1000e' has 0000:01:01.0"), "{error}");
        check_group(&function, &[one("0000:01:00.0"), one("0000:01:01.0")]).expect("both go");
        std::fs::remove_file(devices.join("0000:01:01.0/driver")).expect("a link");
        check_group(&function, &[one("0000:01:00.0")]).expect("nobody has the other");
    }
}
