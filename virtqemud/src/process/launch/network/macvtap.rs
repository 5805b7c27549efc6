//! A macvtap device: the guest's card upon one of the host's, with a place of its own on the wire.
//!
//! It has the guest's address, and is down until the guest runs. Unlike a tap it stays until it is removed; one of another's is
//! never removed, even if it has the name.

use std::io;
use std::path::{Path, PathBuf};

use virtbus_api::{Error, Result};
use virtbus_host::netlink::{self, Link, MacvtapMode, Netlink};
use virtbus_host::tap;
use virtbus_schema::domain::device::interface::{Interface, VirtualPortKind};
use virtbus_schema::xml::Mac;

use super::bridged::refused;
use super::{Failure, device, is_virtio, named, queues};
use crate::device::Network;

/// What was the hardware's before it became a guest's alone, in libvirt's form.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Before {
    mac: String,
}

/// Makes the device and opens it. `run` is where the hardware's own address is kept while a guest has it alone.
pub(super) fn open(card: &Interface, run: &Path) -> std::result::Result<Network, Failure> {
    let (lower, mode) = place(card)?;
    check(card, lower, mode)?;
    let name = named(card)?;
    let mac = card.mac.ok_or_else(|| Error::internal("an interface has no MAC address yet"))?.address;
    let mut netlink = Netlink::open().map_err(|error| refused(&error))?;
    let hardware = netlink
        .link(lower)
        .map_err(|error| Error::system(format!("Unable to get index for interface {lower}"), &error.source))?;
    if tap::exists(name) {
        let taken = io::Error::from_raw_os_error(nix::libc::EEXIST);
        return Err(Failure::Taken(Error::system(not_made(name, lower, mac), &taken)));
    }
    if mode == MacvtapMode::Passthrough {
        if let Some(other) = upon(&mut netlink, hardware.index) {
            let busy = io::Error::from_raw_os_error(nix::libc::EINVAL);
            let why = format!("mode 'passthrough' needs {lower} for itself, and '{other}' is upon it");
            return Err(Error::system(format!("{}: {why}", not_made(name, lower, mac)), &busy).into());
        }
        take(&mut netlink, run, &hardware, mac)?;
    }
    let opened = make(&mut netlink, card, lower, mode, mac);
    if opened.is_err() {
        for error in remove(&mut netlink, name, lower, mode, run) {
            tracing::warn!("undoing macvtap device '{name}': {error}");
        }
    }
    opened
}

fn make(
    netlink: &mut Netlink,
    card: &Interface,
    lower: &str,
    mode: MacvtapMode,
    mac: Mac,
) -> std::result::Result<Network, Failure> {
    let name = named(card)?;
    let failed = |error: netlink::Error| {
        let taken = error.exists();
        let error = Error::system(explained(&error, name, lower, mac), &error.source);
        if taken { Failure::Taken(error) } else { Failure::Other(error) }
    };
    netlink.add_macvtap(name, lower, mode, Some(mac.0)).map_err(failed)?;
    let opened = tap::open_macvtap(name, queues(card), is_virtio(card));
    let opened = opened.map_err(|error| Error::system(format!("Unable to open macvtap device '{name}'"), &error))?;
    Ok(Network { taps: opened.queues, vhosts: Vec::new() })
}

fn not_made(name: &str, lower: &str, mac: Mac) -> String {
    format!("error creating macvtap interface {name}@{lower} ({mac})")
}

/// The kernel says `Invalid argument` for each of two common mistakes.
fn explained(error: &netlink::Error, name: &str, lower: &str, mac: Mac) -> String {
    let invalid = error.source.raw_os_error() == Some(nix::libc::EINVAL);
    let why = match (&error.explained, invalid) {
        (Some(words), _) => format!(": {words}"),
        (None, true) => format!(": a guest may have {lower} alone by mode 'passthrough', or it is no Ethernet device"),
        (None, false) => String::new(),
    };
    format!("{}{why}", not_made(name, lower, mac))
}

/// Takes the device away, and gives the hardware its address back. Returns what did not work out.
pub(super) fn close(card: &Interface, run: &Path) -> Vec<String> {
    let (Ok((lower, mode)), Some(name)) = (place(card), device(card)) else { return Vec::new() };
    match Netlink::open() {
        Ok(mut netlink) => remove(&mut netlink, name, lower, mode, run),
        Err(error) => vec![error.to_string()],
    }
}

fn remove(netlink: &mut Netlink, name: &str, lower: &str, mode: MacvtapMode, run: &Path) -> Vec<String> {
    let mut errors = Vec::new();
    if is_ours(netlink, name, lower)
        && let Err(error) = netlink.delete_link(name)
    {
        errors.push(format!("{error}: {}", error.source));
    }
    let alone = mode == MacvtapMode::Passthrough;
    // While a guest has the hardware, what is kept is that guest's to give back.
    let is_free = netlink.link(lower).map_or(true, |it| upon(netlink, it.index).is_none());
    if alone
        && is_free
        && let Err(error) = give_back(netlink, run, lower)
    {
        errors.push(error);
    }
    errors
}

/// Whether the device of this name is one that lies where the guest's would.
fn is_ours(netlink: &mut Netlink, name: &str, lower: &str) -> bool {
    let (Ok(link), Ok(lower)) = (netlink.link(name), netlink.link(lower)) else { return false };
    link.kind.as_deref() == Some("macvtap") && link.lower == Some(lower.index)
}

/// What lies upon the hardware already.
fn upon(netlink: &mut Netlink, hardware: u32) -> Option<String> {
    let is_upon = |it: &Link| it.lower == Some(hardware) && matches!(it.kind.as_deref(), Some("macvtap" | "macvlan"));
    netlink.links().ok()?.into_iter().find(is_upon).map(|it| it.name)
}

/// Takes it up before the guest runs, and down when it is held, so that the host never speaks in its name.
pub(super) fn carry(card: &Interface, on: bool) -> Result<()> {
    let (lower, mode) = place(card)?;
    let name = named(card)?;
    let change = || {
        let mut netlink = Netlink::open()?;
        if mode == MacvtapMode::Passthrough {
            netlink.set_up(lower, on)?;
        }
        netlink.set_up(name, on)
    };
    change().map_err(|error| refused(&error))
}

/// What it lies upon, and how.
fn place(card: &Interface) -> Result<(&str, MacvtapMode)> {
    let source = card.source.as_ref();
    let lower = source.and_then(|it| it.dev.as_deref());
    let lower = lower.ok_or_else(|| Error::xml("an interface of type 'direct' needs a source device"))?;
    let mode = match source.and_then(|it| it.mode.as_deref()) {
        Some("bridge") => MacvtapMode::Bridge,
        Some("private") => MacvtapMode::Private,
        Some("passthrough") => MacvtapMode::Passthrough,
        _ => MacvtapMode::Vepa,
    };
    Ok((lower, mode))
}

/// Refuses what only a switch's own protocol or a virtual function could do.
fn check(card: &Interface, lower: &str, mode: MacvtapMode) -> Result<()> {
    if let Some(kind @ (VirtualPortKind::Qbg | VirtualPortKind::Qbh)) =
        card.virtual_port.as_ref().and_then(|it| it.kind)
    {
        return Err(Error::unsupported_config(format!(
            "<virtualport type='{kind}'> of the interface on '{lower}' is not supported: \
             no switch is asked for the port; leave it out, or use a virtual function"
        )));
    }
    if mode == MacvtapMode::Passthrough && card.vlan.as_ref().is_some_and(|it| !it.tags.is_empty()) {
        let is_function = Path::new("/sys/class/net").join(lower).join("device/physfn").exists();
        return Err(Error::unsupported_config(if is_function {
            format!("the vlan of virtual function {lower} is not set here: use an interface of type 'hostdev'")
        } else {
            format!("vlan can only be set for SR-IOV VFs, but {lower} is not a VF")
        }));
    }
    Ok(())
}

/// Gives the hardware the guest's address; its own is kept in a file, as the reference keeps it.
fn take(netlink: &mut Netlink, run: &Path, hardware: &Link, mac: Mac) -> Result<()> {
    let Some(own) = hardware.mac else { return Ok(()) };
    let file = kept(run, &hardware.name);
    let before = serde_json::to_string_pretty(&Before { mac: Mac(own).to_string() });
    let before = before.map_err(|error| Error::internal("the address of the hardware").caused_by(error))?;
    std::fs::write(&file, before + "\n")
        .map_err(|error| Error::system(format!("cannot write '{}'", file.display()), &error))?;
    netlink.set_mac(&hardware.name, mac.0).map_err(|error| {
        let _ = std::fs::remove_file(&file);
        refused(&error)
    })
}

fn give_back(netlink: &mut Netlink, run: &Path, lower: &str) -> std::result::Result<(), String> {
    let file = kept(run, lower);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("cannot read '{}': {error}", file.display())),
    };
    let before = serde_json::from_str::<Before>(&text).ok().and_then(|it| it.mac.parse::<Mac>().ok());
    let before = before.ok_or_else(|| format!("'{}' says no address of {lower}", file.display()))?;
    match netlink.set_mac(lower, before.0) {
        Err(error) if !error.is_absent() => return Err(format!("{error}: {}", error.source)),
        _ => {}
    }
    std::fs::remove_file(&file).map_err(|error| format!("cannot remove '{}': {error}", file.display()))
}

/// A name of a network device leads nowhere else.
fn kept(run: &Path, lower: &str) -> PathBuf {
    run.join(lower)
}
