//! The host's ends of a guest's network cards: opened here and passed on, taken away with the guest.
//!
//! | kind | its end | at the guest's end |
//! |---|---|---|
//! | bridge, network | a tap that is a port of a bridge | goes with QEMU |
//! | direct | a macvtap device upon one of the host's | is removed |
//! | ethernet | a tap, the rest is a script's or the administrator's | goes with QEMU; the other script is run |
//! | hostdev | a virtual function, held to an address | is held to its own again |
//!
//! A card on a network has its plug by now ([`super::ports`]). Names are given, and noted in the status file, before anything is
//! made: a daemon that ends in between leaves nothing that the next one does not find.

mod bridged;
mod ethernet;
pub(super) mod function;
mod macvtap;

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use virtbus_api::{Error, Result, hypervisor::State};
use virtbus_host::pci::SYS;
use virtbus_schema::domain::{
    Domain,
    device::interface::{Interface, InterfaceKind, InterfaceTarget},
};
use virtbus_schema::xml::YesNo;

use super::Claims;
use crate::device::Network;
use crate::driver::Shared;

/// Opens what the cards need, by alias; their names are in the document then. Blocks for some system calls and scripts.
///
/// # Errors
/// When a device does not exist or cannot be made, naming it. What was opened before is in `claims`.
pub(super) fn open(document: &mut Domain, claims: &mut Claims) -> Result<HashMap<String, Network>> {
    let shared = Arc::clone(claims.shared());
    for card in &mut document.devices.interfaces {
        bridged::check_vlan(card)?;
        check_floor(card)?;
        name(card, &shared);
    }
    if document.devices.interfaces.iter().any(|it| it.kind == InterfaceKind::Direct) {
        note(document, claims)?;
    }
    let mut open = HashMap::new();
    for at in 0..document.devices.interfaces.len() {
        let Some(card) = document.devices.interfaces.get(at) else { break };
        let opened = match open_one(card, &shared) {
            // Somebody has made one of this name since it was found free; not one that was asked for by name.
            Err(Failure::Taken(_)) if is_made_up(card) => {
                if let Some(card) = document.devices.interfaces.get_mut(at) {
                    card.target = None;
                    name(card, &shared);
                }
                note(document, claims)?;
                document.devices.interfaces.get(at).map_or(Ok(None), |card| open_one(card, &shared))
            }
            other => other,
        };
        let opened = opened.map_err(Error::from)?;
        let (Some(network), Some(card)) = (opened, document.devices.interfaces.get(at)) else { continue };
        claims.add_card(card.clone());
        let alias = card.info.alias.as_ref().map(|it| it.name.clone()).unwrap_or_default();
        open.insert(alias, network);
    }
    Ok(open)
}

/// Opens one card's end; `None` for one that has none here. A failed call leaves nothing behind.
fn open_one(card: &Interface, shared: &Shared) -> std::result::Result<Option<Network>, Failure> {
    let mut network = match card.kind {
        InterfaceKind::Bridge | InterfaceKind::Network => bridged::open(card)?,
        InterfaceKind::Direct => macvtap::open(card, &shared.config.layout.run)?,
        InterfaceKind::Ethernet => ethernet::open(card)?,
        _ => return Ok(None),
    };
    if is_virtio(card) {
        network.vhosts = vhosts(card, network.taps.len());
    }
    Ok(Some(network))
}

/// Takes away what a card's end leaves on the host, when its guest has ended. Goes on past errors and returns them.
pub(super) fn close(card: &Interface, shared: &Shared) -> Vec<String> {
    match card.kind {
        InterfaceKind::Direct => macvtap::close(card, &shared.config.layout.run),
        InterfaceKind::Ethernet => ethernet::close(card),
        InterfaceKind::Hostdev => function::close(Path::new(SYS), &shared.config.layout.functions(), card),
        _ => Vec::new(),
    }
}

/// Has the cards' ends carry packets, or no more: for a guest that is about to run, or that is held. Until it runs, nothing on
/// the wire may hear of its addresses.
///
/// # Errors
/// As the kernel refuses, naming the device; when a guest is held, there are none but for the log.
pub(crate) async fn carry(document: Arc<Domain>, on: bool) -> Result<()> {
    let concerns = |it: &Interface| it.kind == InterfaceKind::Direct || bridged::is_table_ours(it);
    if !document.devices.interfaces.iter().any(concerns) {
        return Ok(());
    }
    let done = tokio::task::spawn_blocking(move || {
        for card in &document.devices.interfaces {
            let done = match card.kind {
                InterfaceKind::Direct => macvtap::carry(card, on),
                InterfaceKind::Bridge | InterfaceKind::Network => bridged::carry(card, on),
                _ => Ok(()),
            };
            match done {
                Err(error) if !on => tracing::warn!(domain = document.name, "holding its network card: {error}"),
                other => other?,
            }
        }
        Ok(())
    });
    done.await.map_err(|error| Error::internal("the network cards").caused_by(error))?
}

/// Refuses a guarantee that nobody would keep: only a network with a bridge of its own shares its rate.
fn check_floor(card: &Interface) -> Result<()> {
    let floor = card.bandwidth.as_ref().and_then(|it| it.inbound.as_ref()?.floor).filter(|it| *it > 0);
    if floor.is_some() && card.kind != InterfaceKind::Network {
        let mac = card.mac.map(|it| it.address.to_string()).unwrap_or_default();
        return Err(Error::unsupported_config(format!(
            "floor attribute is not supported for this config: interface {mac} is on no network that shares its rate"
        )));
    }
    Ok(())
}

/// The cards of a guest that was found running, as [`close`] takes them, with their names noted.
pub(super) fn find(document: &Domain, shared: &Shared) -> Vec<Interface> {
    for dev in document.devices.interfaces.iter().filter_map(device) {
        shared.names.note(dev);
    }
    document.devices.interfaces.clone()
}

/// Why a card's end could not be opened.
enum Failure {
    /// Its name is another device's.
    Taken(Error),
    /// Anything else.
    Other(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Taken(error) | Failure::Other(error) => error,
        }
    }
}

fn is_virtio(card: &Interface) -> bool {
    card.model.as_deref().is_some_and(|it| it.starts_with("virtio"))
}

fn queues(card: &Interface) -> usize {
    let queues = card.driver.as_ref().and_then(|it| it.queues).unwrap_or(1).max(1);
    usize::try_from(queues).unwrap_or(1)
}

/// The name of the card's end on the host.
fn device(card: &Interface) -> Option<&str> {
    card.target.as_ref()?.dev.as_deref()
}

fn named(card: &Interface) -> Result<&str> {
    device(card).ok_or_else(|| Error::internal("a network card's end has no name yet"))
}

fn name(card: &mut Interface, shared: &Shared) {
    if card.target.as_ref().is_some_and(|it| it.managed == Some(YesNo::No)) {
        return;
    }
    let name = match card.kind {
        InterfaceKind::Bridge | InterfaceKind::Network | InterfaceKind::Ethernet => shared.names.tap(device(card)),
        InterfaceKind::Direct => shared.names.macvtap(device(card)),
        _ => return,
    };
    card.target.get_or_insert_with(InterfaceTarget::default).dev = Some(name);
}

fn is_made_up(card: &Interface) -> bool {
    device(card).is_some_and(|it| it.starts_with("vnet") || it.starts_with("macvtap"))
}

/// Notes the names, so that what is made under them is found by whichever daemon comes next.
fn note(document: &Domain, claims: &Claims) -> Result<()> {
    let status = super::status(claims, document, None, State::PausedStartingUp);
    claims.shared().status.save(&status).map_err(|error| Error::system(error.to_string(), &error.source))
}

/// The kernel's own way for packets, one for each queue; without the module QEMU moves them itself.
fn vhosts(card: &Interface, queues: usize) -> Vec<std::os::fd::OwnedFd> {
    use virtbus_schema::domain::device::interface::InterfaceDriverName;
    if card.driver.as_ref().and_then(|it| it.name) == Some(InterfaceDriverName::Qemu) {
        return Vec::new();
    }
    let own = card.backend.as_ref().and_then(|it| it.vhost.as_deref());
    let path = Path::new(own.unwrap_or("/dev/vhost-net"));
    let open = || std::fs::OpenOptions::new().read(true).write(true).open(path).map(Into::into);
    (0..queues).map(|_| open()).collect::<io::Result<_>>().unwrap_or_default()
}
