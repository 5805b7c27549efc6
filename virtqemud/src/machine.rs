//! What a definition leaves open, filled in as the reference does it: machine type, emulator, CPU, devices every machine has,
//! buses, and the place of each device on them.
//!
//! Everything here is guest ABI: a guest defined today must find its devices where it finds them tomorrow. So nothing that a
//! document says is changed, and what is added depends on the document and the emulator alone.

mod check;
mod controller;
pub mod cpu;
mod defaults;
mod devices;
mod disk;
pub mod firmware;
mod hostdev;
mod implicit;
pub mod pci;
mod port;
mod spapr;
mod usb;

use std::path::{Path, PathBuf};

use virtbus_api::{Error, Result};
use virtbus_schema::domain::{Domain, DomainKind};

use crate::process::capabilities::QemuCaps;

pub use firmware::Installed;

/// Boards that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Board {
    /// The PC of 1996: i440FX with PIIX3, conventional PCI.
    I440fx,
    /// The PC of 2009: Q35 with ICH9, PCI Express.
    Q35,
    /// A PC without PCI.
    IsaPc,
    /// QEMU's minimal PC, without PCI.
    Microvm,
    /// Any other.
    Other,
}

impl Board {
    /// The board of a machine type, by its canonical name or alias.
    #[must_use]
    pub fn of(machine: &str) -> Self {
        if machine == "q35" || machine.starts_with("pc-q35-") {
            Self::Q35
        } else if machine == "pc"
            || machine.starts_with("pc-i440fx-")
            || machine.starts_with("pc-0.")
            || machine.starts_with("pc-1.")
        {
            Self::I440fx
        } else if machine == "isapc" {
            Self::IsaPc
        } else if machine == "microvm" {
            Self::Microvm
        } else {
            Self::Other
        }
    }

    /// The board of a domain.
    #[must_use]
    pub fn of_domain(domain: &Domain) -> Self {
        Self::of(domain.os.kind.machine.as_deref().unwrap_or_default())
    }

    /// Whether it has a PCI root.
    #[must_use]
    pub fn has_pci(self) -> bool {
        matches!(self, Self::I440fx | Self::Q35)
    }
}

/// Whether the domain runs on the host's CPU.
#[must_use]
pub fn is_kvm(domain: &Domain) -> bool {
    domain.kind == DomainKind::Kvm
}

/// The emulator a definition means: its own, else the one of its architecture in `/usr/bin`, found through `exists`.
///
/// # Errors
/// There is none for that architecture.
pub fn emulator(domain: &Domain, exists: impl Fn(&Path) -> bool) -> Result<PathBuf> {
    let arch = domain.os.kind.arch.as_deref().unwrap_or(std::env::consts::ARCH);
    if !virtbus_schema::domain::os::is_architecture(arch) {
        return Err(Error::unsupported_config(format!("Unknown architecture {arch}")));
    }
    if let Some(path) = domain.devices.emulator.as_ref().filter(|it| !it.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    let names: &[&str] = match arch {
        "i686" => &["i386", "x86_64"],
        "armv7l" | "armv6l" => &["arm", "aarch64"],
        other => &[other],
    };
    let paths = names.iter().map(|name| PathBuf::from(format!("/usr/bin/qemu-system-{name}")));
    paths
        .into_iter()
        .find(|path| exists(path))
        .ok_or_else(|| Error::unsupported_config(format!("No emulator found for arch '{arch}'")))
}

/// Fills in what `domain` leaves open, and refuses what cannot work. Firmware is chosen among what the system has, with variable
/// stores in the directory `nvram`.
///
/// # Errors
/// Under the reference's codes for the same fault.
pub fn complete(domain: &mut Domain, caps: &QemuCaps, nvram: &Path) -> Result<()> {
    let wanted = firmware::is_wanted(domain) || !domain.devices.pstores.is_empty();
    let installed = wanted.then(|| Installed::read(nvram));
    complete_with(domain, caps, installed.as_ref())
}

/// As [`complete`], with the firmware that is installed; none leaves the firmware as the document has it.
///
/// # Errors
/// As [`complete`].
pub fn complete_with(domain: &mut Domain, caps: &QemuCaps, installed: Option<&Installed>) -> Result<()> {
    check::preferred(domain, caps)?;
    defaults::basics(domain, caps);
    firmware::settle(domain, installed)?;
    check::architecture(domain, caps)?;
    check::boot_order(domain)?;
    disk::order(&mut domain.devices.disks);
    hostdev::controllers(&mut domain.devices);
    implicit::board(domain, caps)?;
    defaults::cpu(domain, caps)?;
    devices::defaults(domain, caps)?;
    if let Some(installed) = installed {
        devices::pstores(domain, &installed.nvram);
    }
    implicit::devices(domain)?;
    port::consoles(domain)?;
    port::addresses(domain)?;
    spapr::addresses(&mut domain.devices)?;
    pci::assign::addresses(domain, true)?;
    usb::addresses(domain)?;
    port::shown_twice(&mut domain.devices);
    // Last, as the reference: a guest without room for its devices is told so first.
    check::emulator(domain, caps)?;
    check::machine(domain, caps)?;
    check::domain(domain, caps)
}

/// Places what has no place on USB.
///
/// # Errors
/// There is no port left.
pub(crate) fn usb_addresses(domain: &mut Domain) -> Result<()> {
    usb::addresses(domain)
}
