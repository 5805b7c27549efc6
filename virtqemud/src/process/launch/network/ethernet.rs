//! A tap whose other end is nobody's here: a script plugs it in, or it was made beforehand by an administrator.

use std::path::Path;
use std::time::Duration;

use virtbus_api::{Error, Result};
use virtbus_host::netlink::Netlink;
use virtbus_host::process::Spawn;
use virtbus_host::tap;
use virtbus_schema::domain::device::interface::Interface;
use virtbus_schema::xml::YesNo;

use super::bridged::{make, refused};
use super::{Failure, device, is_virtio, named, queues};
use crate::device::Network;

/// What a script has until it is ended.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes the tap, or opens the one that is there, and has the script plug it in.
pub(super) fn open(card: &Interface) -> std::result::Result<Network, Failure> {
    let network = if card.target.as_ref().and_then(|it| it.managed) == Some(YesNo::No) {
        existing(card)?
    } else {
        let network = make(card)?;
        let name = named(card)?;
        if let Some(mtu) = card.mtu {
            tap::set_mtu(name, mtu)
                .map_err(|error| Error::system(format!("Unable to set the MTU of '{name}' to {mtu}"), &error))?;
        }
        tap::set_up(name, true).map_err(|error| Error::system(format!("Unable to take '{name}' up"), &error))?;
        network
    };
    let name = named(card)?;
    if let Some(script) = &card.script {
        run(&script.path, name)?;
    }
    give_addresses(card, name)?;
    Ok(network)
}

/// One that is there, and stays. It may be a macvtap device.
fn existing(card: &Interface) -> Result<Network> {
    let name = device(card).ok_or_else(|| {
        Error::unsupported_config("target managed='no' but specified dev doesn't exist: it has no name")
    })?;
    if !tap::exists(name) {
        return Err(Error::unsupported_config(format!("target managed='no' but specified dev doesn't exist: {name}")));
    }
    let link = Netlink::open().and_then(|mut netlink| netlink.link(name)).map_err(|error| refused(&error))?;
    let opened = if link.kind.as_deref() == Some("macvtap") {
        tap::open_macvtap(name, queues(card), is_virtio(card))
    } else {
        tap::create(name, queues(card), is_virtio(card))
    };
    let opened = opened.map_err(|error| Error::system(format!("Unable to open tap device {name}"), &error))?;
    Ok(Network { taps: opened.queues, vhosts: Vec::new() })
}

/// The guest has ended: the other script says so to whatever the first one did. Returns what did not work out.
pub(super) fn close(card: &Interface) -> Vec<String> {
    let (Some(script), Some(name)) = (&card.downscript, device(card)) else { return Vec::new() };
    run(&script.path, name).err().map(|error| error.to_string()).into_iter().collect()
}

/// The addresses that the host has at its end.
fn give_addresses(card: &Interface, name: &str) -> Result<()> {
    let Some(source) = card.source.as_ref().filter(|it| !it.ips.is_empty() || !it.routes.is_empty()) else {
        return Ok(());
    };
    let mut netlink = Netlink::open().map_err(|error| refused(&error))?;
    for ip in &source.ips {
        let address = ip.address;
        let all = if address.is_ipv6() { 64 } else { 24 };
        let prefix = ip.prefix.and_then(|it| u8::try_from(it).ok()).unwrap_or(all);
        netlink.add_address(name, address, prefix, true).map_err(|error| refused(&error))?;
    }
    for route in &source.routes {
        let Some(prefix) = route.prefix_length() else { continue };
        let metric = route.metric.unwrap_or(1);
        netlink.add_route(name, route.address, prefix, route.gateway, metric).map_err(|error| refused(&error))?;
    }
    Ok(())
}

/// Runs a script with the device's name; it may take its time, but not for ever.
fn run(script: &str, name: &str) -> Result<()> {
    if !Path::new(script).exists() {
        let missing = std::io::Error::from_raw_os_error(nix::libc::ENOENT);
        return Err(Error::system(format!("cannot run script '{script}' for '{name}'"), &missing));
    }
    let failed = |why: String| Error::internal(format!("script '{script}' for '{name}': {why}"));
    let output = tokio::runtime::Handle::current().block_on(Spawn::new(script).arg(name).output(PATIENCE));
    let output = output.map_err(|error| failed("it could not be run".to_owned()).caused_by(error))?;
    if output.exit.success() {
        return Ok(());
    }
    Err(failed(format!("unexpected {}: {}", output.exit, output.last_error_line())))
}
