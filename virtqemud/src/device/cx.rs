//! What the parts of a device depend on besides the device itself.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::path::PathBuf;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::controller::{Controller, ControllerKind};

use super::secret::Secrets;
use super::{Part, alias, boot};
use crate::machine::{Board, is_kvm};
use crate::process::argv::Backing;
use crate::process::capabilities::QemuCaps;

/// The host's end of a network card: descriptors by queue, already open.
#[derive(Debug, Default)]
pub struct Network {
    /// Tap devices.
    pub taps: Vec<OwnedFd>,
    /// vhost-net, as many as taps or none.
    pub vhosts: Vec<OwnedFd>,
}

/// What was opened or started on the host before QEMU, by the alias of the device that needs it.
#[derive(Debug, Default)]
pub struct HostEnds {
    /// Descriptors, in the device's order.
    pub descriptors: HashMap<String, Vec<OwnedFd>>,
    /// Sockets of processes that serve a device.
    pub sockets: HashMap<String, PathBuf>,
}

/// Surroundings of a device that is being made.
#[derive(Debug)]
pub struct Cx<'a> {
    /// What the emulator can do.
    pub caps: &'a QemuCaps,
    /// The guest, complete and with aliases.
    pub domain: &'a Domain,
    /// Its board.
    pub board: Board,
    /// Whether it runs on the host's CPU.
    pub kvm: bool,
    /// Host ends of network cards by alias. A card that needs one and has none here belongs to a command line that is only
    /// shown: it gets a number nobody has.
    pub networks: HashMap<String, Network>,
    /// The guest's own directory (`domain-ID-NAME`): sockets of processes that serve it lie there.
    pub home: PathBuf,
    /// Where memory comes from.
    pub backing: Backing,
    /// What was opened or started on the host for other devices.
    pub host: HostEnds,
    /// Whether the command line is only shown: then parts that have to be made on the host first, or told to the running
    /// guest, may be missing.
    pub only_shown: bool,
    /// Values of secrets the document names.
    pub secrets: Secrets,
    descriptor_sets: u32,
    boot: BTreeMap<String, u32>,
    fds: Vec<(OwnedFd, RawFd)>,
    shown: RawFd,
}

impl<'a> Cx<'a> {
    /// The surroundings of a guest's devices.
    #[must_use]
    pub fn new(domain: &'a Domain, caps: &'a QemuCaps) -> Self {
        Self {
            caps,
            domain,
            board: Board::of_domain(domain),
            kvm: is_kvm(domain),
            networks: HashMap::new(),
            home: PathBuf::new(),
            backing: Backing::default(),
            host: HostEnds::default(),
            only_shown: false,
            secrets: Secrets::default(),
            descriptor_sets: 0,
            boot: boot::indices(domain),
            fds: Vec::new(),
            shown: 2,
        }
    }

    /// Asks for a type of the emulator, for the sake of an element.
    ///
    /// # Errors
    /// `CONFIG_UNSUPPORTED`, naming both, when the emulator has no such type.
    pub fn needs(&self, type_name: &str, element: &str) -> Result<()> {
        if self.caps.has(type_name) {
            return Ok(());
        }
        Err(Error::unsupported_config(format!("{element}: '{type_name}' is not supported in this QEMU binary")))
    }

    /// The device's turn when the guest boots, from 1.
    #[must_use]
    pub fn boot_index(&self, alias: &str) -> Option<u32> {
        self.boot.get(alias).copied()
    }

    /// Passes a descriptor to QEMU under the number it has here.
    pub fn pass(&mut self, fd: OwnedFd) -> RawFd {
        let number = fd.as_raw_fd();
        self.fds.push((fd, number));
        number
    }

    /// Passes a descriptor in a set of its own: the option that does it, and the path QEMU opens it by. `purpose` is for
    /// people who look at QEMU's sets.
    pub fn pass_as_file(&mut self, fd: OwnedFd, purpose: &str) -> (Part, String) {
        let (set, number) = (self.descriptor_sets, self.pass(fd));
        self.descriptor_sets += 1;
        let argument = format!("set={set},fd={number},opaque={purpose}");
        (Part::Option("-add-fd", argument), format!("/dev/fdset/{set}"))
    }

    /// A number for a descriptor of a command line that is only shown.
    pub fn show_descriptor(&mut self) -> RawFd {
        self.shown += 1;
        self.shown
    }

    /// The descriptors QEMU is to get, by number.
    pub fn take_descriptors(&mut self) -> Vec<(OwnedFd, RawFd)> {
        std::mem::take(&mut self.fds)
    }

    /// The controller of a kind and number.
    #[must_use]
    pub fn controller(&self, kind: ControllerKind, index: u32) -> Option<&'a Controller> {
        self.domain.devices.controllers.iter().find(|it| it.kind == kind && it.index == Some(index))
    }

    /// The name in QEMU of the controller of a kind and number.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` when there is none, or it has no alias yet.
    pub fn controller_name(&self, kind: ControllerKind, index: u32) -> Result<&'a str> {
        let found = self.controller(kind, index);
        // The board's own is there under QEMU's name, whatever the document calls it.
        if let Some(name) = found.and_then(|it| alias::on_board(it, self.board)) {
            return Ok(name);
        }
        let found = found.and_then(|it| it.info.alias.as_ref());
        found
            .map(|it| it.name.as_str())
            .ok_or_else(|| Error::internal(format!("no alias for {kind} controller {index}")))
    }
}
