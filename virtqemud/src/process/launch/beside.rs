//! What a guest's devices need of the host besides files: kernel devices that are opened for QEMU, and processes that serve it.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use virtbus_api::{Error, Result, storage::SecretValue};
use virtbus_host::vsock;
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::Placed;
use virtbus_schema::domain::device::graphics::Graphics;
use virtbus_schema::domain::device::hostdev::HostdevKind;
use virtbus_schema::domain::device::interface::InterfaceKind;
use virtbus_schema::domain::device::small::{Vsock, VsockCid};
use virtbus_schema::domain::device::tpm::{Tpm, TpmBackend};
use virtbus_schema::xml::YesNo;

use super::Claims;
use crate::config::{Layout, User};
use crate::device::{HostEnds, filesystem, secret::Wanted, tpm};
use crate::process::helper::{Helper, Plan, Serves, bus, passt, reservations, swtpm, virtiofsd};

fn alias(device: &dyn Placed) -> String {
    device.alias().as_ref().map(|it| it.name.clone()).unwrap_or_default()
}

fn open_both_ways(path: impl AsRef<Path>) -> io::Result<OwnedFd> {
    Ok(OpenOptions::new().read(true).write(true).open(path)?.into())
}

/// Opens what is opened even for a command line that is only shown.
///
/// # Errors
/// The host's TPM cannot be opened.
pub(super) fn open_shown(document: &Domain) -> Result<HostEnds> {
    let mut ends = HostEnds::default();
    for it in &document.devices.tpms {
        if let Some(path) = tpm::host_path(it) {
            ends.descriptors.insert(alias(it), vec![host_tpm(path)?, cancel(path)?]);
        }
    }
    for it in document.devices.hostdevs.iter().filter(|it| it.device.kind == HostdevKind::ScsiHost) {
        // What is lacking is said by the device itself.
        if let Ok(open) = open_both_ways("/dev/vhost-scsi") {
            ends.descriptors.insert(alias(it), vec![open]);
        }
    }
    Ok(ends)
}

fn host_tpm(path: &str) -> Result<OwnedFd> {
    open_both_ways(path).map_err(|error| Error::system(format!("Could not open TPM device {path}"), &error))
}

/// Where a command of the TPM is called off; version 2.0 has no such file, and nothing to call off.
fn cancel(path: &str) -> Result<OwnedFd> {
    let name = Path::new(path).file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    let known = [format!("/sys/class/tpm/{name}/device/cancel"), format!("/sys/class/misc/{name}/device/cancel")];
    let file = known.iter().find(|it| Path::new(it).exists()).map_or("/dev/null", String::as_str);
    let open = OpenOptions::new().write(true).open(file);
    open.map(Into::into)
        .map_err(|error| Error::system(format!("Could not open TPM device's cancel path {file}"), &error))
}

/// Opens everything for a guest that is to run, and notes in the document what it got.
///
/// # Errors
/// A device of the host cannot be opened, naming it.
pub(super) fn open(document: &mut Domain) -> Result<HostEnds> {
    let mut ends = open_shown(document)?;
    for it in &mut document.devices.vsocks {
        let open = vsock(it)?;
        ends.descriptors.insert(alias(it), vec![open]);
    }
    for it in document.devices.interfaces.iter().filter(|it| it.kind == InterfaceKind::Vdpa) {
        let path = it.source.as_ref().and_then(|it| it.dev.as_deref()).unwrap_or_default();
        let cannot = |error| Error::system(format!("Unable to open '{path}' for vdpa device"), &error);
        ends.descriptors.insert(alias(it), vec![open_both_ways(path).map_err(cannot)?]);
    }
    Ok(ends)
}

fn vsock(it: &mut Vsock) -> Result<OwnedFd> {
    let open = vsock::open().map_err(|error| Error::system("unable to open vhost-vsock device", &error))?;
    let cid = it.cid.get_or_insert(VsockCid { auto: Some(YesNo::Yes), address: None });
    match (cid.auto, cid.address) {
        (Some(YesNo::No), Some(address)) | (None, Some(address)) => {
            vsock::set_cid(&open, address).map_err(|error| Error::system("failed to set guest cid", &error))?;
        }
        _ => {
            let taken = vsock::take_cid(&open);
            cid.address = Some(taken.map_err(|error| Error::system("failed to acquire guest cid", &error))?);
        }
    }
    Ok(open)
}

/// Makes the files that hold guests' last words, where there are none: QEMU's user may not make them itself.
///
/// # Errors
/// A file cannot be made, naming it.
pub(super) fn make_stores(document: &Domain) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    for it in &document.devices.pstores {
        let (Some(path), Some(size)) = (&it.path, it.size) else { continue };
        let cannot = |error: io::Error| Error::system(format!("cannot make '{path}'"), &error);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.and_then(|file| file.set_len(size.kib.saturating_mul(1024))).map_err(cannot)?,
        }
    }
    Ok(())
}

/// Whose helpers these are.
pub(super) struct Guest<'a> {
    pub(super) document: &'a Domain,
    pub(super) layout: &'a Layout,
    /// `ID-NAME`.
    pub(super) short_name: &'a str,
    pub(super) home: &'a Path,
    /// Who QEMU runs as.
    pub(super) user: Option<&'a User>,
    /// Values of secrets.
    pub(super) secrets: &'a HashMap<Wanted, SecretValue>,
}

/// What is to be run beside the guest's QEMU; its sockets go to `ends`.
///
/// # Errors
/// A program is not installed, or what it needs cannot be made.
pub(super) fn plan(guest: &Guest<'_>, ends: &mut HostEnds) -> Result<Vec<Plan>> {
    let &Guest { document, layout, short_name, home, user, secrets } = guest;
    let mut plans = Vec::new();
    let uuid = document.uuid.unwrap_or_default();
    let tpm = swtpm::Guest { layout, short_name, name: &document.name, uuid, user, secrets };
    for it in &document.devices.tpms {
        if let Some(plan) = swtpm::plan(it, &tpm)? {
            ends.sockets.insert(alias(it), swtpm::socket(layout, short_name));
            plans.push(plan);
        }
    }
    for it in document.devices.filesystems.iter().filter(|it| filesystem::is_virtiofs(it)) {
        plans.extend(virtiofsd::plan(it, &alias(it), home, user)?);
    }
    for it in &document.devices.interfaces {
        if let Some(plan) = passt::plan(it, &alias(it), layout, short_name, user)? {
            ends.sockets.insert(alias(it), passt::socket(layout, short_name, &alias(it)));
            plans.push(plan);
        }
    }
    if has_bus(document) {
        plans.push(bus::plan(layout, short_name, user)?);
    }
    if reservations::wanted(document) {
        plans.push(reservations::plan(home, user)?);
    }
    Ok(plans)
}

/// What is to be run in the place of a helper that has ended; none where there is nothing to be had of another one.
///
/// # Errors
/// As [`plan`].
pub(super) fn plan_again(guest: &Guest<'_>, serves: &Serves) -> Result<Option<Plan>> {
    match serves {
        Serves::Card(name) => {
            let card = guest.document.devices.interfaces.iter().find(|it| alias(*it) == *name);
            card.map_or(Ok(None), |it| passt::plan(it, name, guest.layout, guest.short_name, guest.user))
        }
        Serves::Reservations => reservations::plan(guest.home, guest.user).map(Some),
        Serves::Tpm | Serves::Filesystem(_) | Serves::Bus => Ok(None),
    }
}

/// Whether QEMU's display is on a bus of the guest's own, which is when it is at the address we gave it.
fn has_bus(document: &Domain) -> bool {
    let own = |it: &Graphics| match it {
        Graphics::Dbus(it) => it.address.as_ref().is_some_and(|it| it.ends_with("-dbus.sock")),
        _ => false,
    };
    document.devices.graphics.iter().any(own)
}

/// Runs them, the guest's claims taking hold of each.
///
/// # Errors
/// What kept one from coming up. Those before it are held by the claims.
pub(super) async fn start(plans: Vec<Plan>, claims: &mut Claims) -> Result<()> {
    for plan in plans {
        let helper = plan.start().await?;
        claims.add_helper(helper);
    }
    Ok(())
}

/// The helpers of a guest that an earlier daemon started.
pub(super) fn find(document: &Domain, layout: &Layout, short_name: &str, home: &Path) -> Vec<Helper> {
    let mut found = Vec::new();
    let mut find = |name: String, serves: Serves, pid_file: PathBuf, socket: &Path, files: Vec<PathBuf>| {
        found.extend(Helper::find(name, serves, &pid_file, &socket.to_string_lossy(), files));
    };
    if document.devices.tpms.iter().any(|it: &Tpm| matches!(it.backend, TpmBackend::Emulator(_))) {
        let socket = swtpm::socket(layout, short_name);
        let pid_file = swtpm::pid_file(layout, short_name);
        find(format!("swtpm of {short_name}"), Serves::Tpm, pid_file, &socket, vec![socket.clone()]);
    }
    for it in document.devices.filesystems.iter().filter(|it| filesystem::is_virtiofs(it)) {
        let alias = alias(it);
        // It was given its socket open: what it serves stands in its command line.
        let directory = it.source.as_ref().and_then(|it| it.dir.clone()).unwrap_or_default();
        let files = vec![filesystem::socket(home, &alias)];
        let (name, pid_file) = (format!("virtiofsd of {alias}"), virtiofsd::pid_file(home, &alias));
        find(name, Serves::Filesystem(alias), pid_file, Path::new(&directory), files);
    }
    for it in document.devices.interfaces.iter().filter(|it| passt::serves(it)) {
        let alias = alias(it);
        let socket = passt::socket(layout, short_name, &alias);
        let pid_file = passt::pid_file(layout, short_name, &alias);
        find(format!("passt of {alias}"), Serves::Card(alias), pid_file, &socket, vec![socket.clone()]);
    }
    if has_bus(document) {
        let configuration = bus::configuration(layout, short_name);
        let files = vec![configuration.clone(), bus::socket(layout, short_name)];
        let pid_file = bus::pid_file(layout, short_name);
        find(format!("the bus of {short_name}"), Serves::Bus, pid_file, &configuration, files);
    }
    if reservations::wanted(document) {
        let socket = reservations::socket(home);
        let pid_file = reservations::pid_file(home);
        find("qemu-pr-helper".to_owned(), Serves::Reservations, pid_file, &socket, vec![socket.clone()]);
    }
    found
}
