//! A virtual function of the host's network hardware that is a guest's card: its driver holds it to the guest's address and VLAN.
//!
//! That is told to the driver of the whole hardware, so the function may have any driver or none. What it was held to before is
//! kept in a file, as the reference keeps it, and set again when the guest has ended. Handing the function over is
//! [`crate::process::passthrough`]'s.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use virtbus_api::{Error, Result};
use virtbus_host::netlink::{self, Netlink, VirtualFunction};
use virtbus_host::sysfs;
use virtbus_schema::domain::device::interface::{HostdevAddress, Interface, InterfaceKind};
use virtbus_schema::xml::Mac;

use super::bridged::refused;
use crate::device::hostdev::pci_name;

/// What the function was held to before, in libvirt's form.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Before {
    /// What its driver held it to; zeros are nothing.
    #[serde(rename = "adminMac")]
    admin: String,
    #[serde(rename = "vlanTag", default)]
    vlan: u16,
    /// The address the host's driver had given it, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
}

/// Where a function belongs.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// The network device of the whole hardware.
    hardware: String,
    number: u32,
    /// The function's own network device, while it has one.
    own: Option<String>,
}

/// The function a card is, if it is one.
pub(crate) fn name(card: &Interface) -> Option<String> {
    match card.source.as_ref().filter(|_| card.kind == InterfaceKind::Hostdev)?.device.as_ref()? {
        HostdevAddress::Pci(address) => Some(pci_name(address)),
        _ => None,
    }
}

/// Refuses what no function can be held to. Changes nothing.
///
/// # Errors
/// `CONFIG_UNSUPPORTED` for a device that is no virtual function, and for more than one VLAN.
pub(crate) fn check(sys: &Path, card: &Interface) -> Result<()> {
    let Some(name) = name(card) else { return Ok(()) };
    if !sys.join("bus/pci/devices").join(&name).join("physfn").exists() {
        return Err(Error::unsupported_config(format!(
            "Interface type hostdev is currently supported on SR-IOV Virtual Functions only, and {name} is none"
        )));
    }
    let Some(vlan) = &card.vlan else { return Ok(()) };
    if vlan.tags.len() > 1 || vlan.trunk == Some(virtbus_schema::xml::YesNo::Yes) {
        return Err(Error::unsupported_config("vlan trunking is not supported by SR-IOV network devices"));
    }
    Ok(())
}

/// Holds the function to the guest's address and VLAN. `kept` is the directory for what it was held to before.
///
/// # Errors
/// `INTERNAL_ERROR` when the hardware has no driver or is down, `SYSTEM_ERROR` with the kernel's words.
pub(crate) fn hold(sys: &Path, kept: &Path, card: &Interface) -> Result<()> {
    let Some(name) = name(card) else { return Ok(()) };
    let Place { hardware, number, own } = place(sys, &name)
        .ok_or_else(|| Error::internal(format!("The PF device for VF {name} has no network device name")))?;
    let mac = card.mac.ok_or_else(|| Error::internal("an interface has no MAC address yet"))?.address;
    let mut netlink = Netlink::open().map_err(|error| refused(&error))?;
    if !netlink.link(&hardware).map_err(|error| refused(&error))?.up {
        return Err(Error::internal(format!(
            "Unable to configure VF {number} of PF '{hardware}' because the PF is not online. Please change host network \
             config to put the PF online."
        )));
    }
    let before = netlink.virtual_function(&hardware, number).map_err(|error| refused(&error))?;
    let file = file(kept, &hardware, number);
    // What an earlier start left there is the older truth.
    if !file.exists() {
        let mac = own.and_then(|it| netlink.link(&it).ok()?.mac).map(|it| Mac(it).to_string());
        let before = Before { admin: Mac(before.mac).to_string(), vlan: before.vlan, mac };
        write(kept, &file, &before)?;
    }
    let vlan = card.vlan.as_ref().and_then(|it| it.tags.first()).map_or(0, |it| it.id);
    let wanted = VirtualFunction { mac: mac.0, vlan: u16::try_from(vlan).unwrap_or(0) };
    set(&mut netlink, &hardware, number, before, wanted).map_err(|error| refused(&error))
}

/// Has the function held to what it was before the guest. Returns what did not work out.
pub(super) fn close(sys: &Path, kept: &Path, card: &Interface) -> Vec<String> {
    let Some(name) = name(card) else { return Vec::new() };
    let Some(Place { hardware, number, .. }) = place(sys, &name) else { return Vec::new() };
    restore(kept, &hardware, number).err().into_iter().collect()
}

fn restore(kept: &Path, hardware: &str, number: u32) -> std::result::Result<(), String> {
    let file = file(kept, hardware, number);
    let text = match fs::read_to_string(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(|error| format!("cannot read '{}': {error}", file.display()))?,
    };
    let wanted = read(&text).ok_or_else(|| format!("'{}' does not say what it was", file.display()))?;
    let words = |error: netlink::Error| format!("{error}: {}", error.source);
    let mut netlink = Netlink::open().map_err(words)?;
    let now = netlink.virtual_function(hardware, number).map_err(words)?;
    set(&mut netlink, hardware, number, now, wanted).map_err(words)?;
    fs::remove_file(&file).map_err(|error| format!("cannot remove '{}': {error}", file.display()))
}

/// What to hold the function to again. A function that was held to nothing keeps the address that the host's driver gave it:
/// not every driver lets go.
fn read(text: &str) -> Option<VirtualFunction> {
    let Before { admin, vlan, mac } = serde_json::from_str(text).ok()?;
    let admin: Mac = admin.parse().ok()?;
    let own = mac.and_then(|it| it.parse::<Mac>().ok());
    let mac = if admin.0 == [0; 6] { own.unwrap_or(admin) } else { admin };
    Some(VirtualFunction { mac: mac.0, vlan })
}

fn set(
    netlink: &mut Netlink,
    hardware: &str,
    number: u32,
    now: VirtualFunction,
    wanted: VirtualFunction,
) -> netlink::Result<()> {
    if now.mac != wanted.mac {
        netlink.set_function_mac(hardware, number, wanted.mac)?;
    }
    if now.vlan != wanted.vlan {
        netlink.set_function_vlan(hardware, number, wanted.vlan)?;
    }
    Ok(())
}

fn write(kept: &Path, file: &Path, before: &Before) -> Result<()> {
    let text = serde_json::to_string_pretty(before)
        .map_err(|error| Error::internal("what a virtual function was held to").caused_by(error))?;
    fs::create_dir_all(kept)
        .and_then(|()| fs::write(file, text + "\n"))
        .map_err(|error| Error::system(format!("cannot write '{}'", file.display()), &error))
}

fn file(kept: &Path, hardware: &str, number: u32) -> PathBuf {
    kept.join(format!("{hardware}_vf{number}"))
}

fn place(sys: &Path, name: &str) -> Option<Place> {
    let device = sys.join("bus/pci/devices").join(name);
    let whole = device.join("physfn");
    let is_it = |number: &u32| {
        let link = fs::read_link(whole.join(format!("virtfn{number}"))).ok();
        link.and_then(|it| it.file_name().map(|it| it.to_owned())).is_some_and(|it| it == name)
    };
    let number = sysfs::numbered(&whole, "virtfn").into_iter().find(is_it)?;
    Some(Place { hardware: network_device(&whole)?, number, own: network_device(&device) })
}

fn network_device(device: &Path) -> Option<String> {
    fs::read_dir(device.join("net")).ok()?.flatten().find_map(|it| it.file_name().into_string().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_functions_place() {
        let dir = tempfile::tempdir().expect("a directory");
        let devices = dir.path().join("bus/pci/devices");
        for name in ["0000:01:00.0/net/eth0", "0000:01:10.0/net/eth5", "0000:01:10.2"] {
            fs::create_dir_all(devices.join(name)).expect("a directory");
        }
        for (number, name) in [(0, "0000:01:10.0"), (1, "0000:01:10.2")] {
            let whole = devices.join("0000:01:00.0");
            std::os::unix::fs::symlink(format!("../{name}"), whole.join(format!("virtfn{number}"))).expect("a link");
            std::os::unix::fs::symlink(&whole, devices.join(name).join("physfn")).expect("a link");
        }
        let expected =
            |number, own: Option<&str>| Place { hardware: "eth0".into(), number, own: own.map(str::to_owned) };
        assert_eq!(place(dir.path(), "0000:01:10.0"), Some(expected(0, Some("eth5"))));
        assert_eq!(place(dir.path(), "0000:01:10.2"), Some(expected(1, None)));
        assert_eq!(place(dir.path(), "0000:01:00.0"), None);
    }

    #[test]
    fn libvirts_file_is_read() {
        let read = |text: &str| read(text).map(|it| (Mac(it.mac).to_string(), it.vlan));
        let free = r#"{"adminMac": "00:00:00:00:00:00", "vlanTag": 7, "mac": "26:9a:4d:ce:c6:36"}"#;
        assert_eq!(read(free), Some(("26:9a:4d:ce:c6:36".into(), 7)));
        let held = r#"{"adminMac": "52:54:00:00:00:01", "vlanTag": 0, "mac": "26:9a:4d:ce:c6:36"}"#;
        assert_eq!(read(held), Some(("52:54:00:00:00:01".into(), 0)));
        assert_eq!(read(r#"{"adminMac": "00:00:00:00:00:00"}"#), Some(("00:00:00:00:00:00".into(), 0)));
        assert_eq!(read("{}"), None);
    }
}
