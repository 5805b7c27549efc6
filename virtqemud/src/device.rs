//! Devices in QEMU's terms: each kind of the domain document has its twin here, in the file of the same name.
//!
//! A twin says once what its device is made of ([`QemuDevice::parts`]); cold start, plugging, unplugging and rollback are made
//! from that.

pub mod address;
pub mod alias;
mod audio;
pub mod boot;
pub mod channel;
pub mod chardev;
mod console;
mod controller;
mod crypto;
mod cx;
pub mod disk;
pub(crate) mod filesystem;
mod graphics;
pub(crate) mod hostdev;
mod hub;
mod input;
mod interface;
mod iommu;
mod lease;
mod memballoon;
pub(crate) mod memory;
mod panic;
mod parallel;
pub mod part;
pub mod props;
mod pstore;
mod redirdev;
mod rng;
pub mod secret;
mod serial;
mod shmem;
mod smartcard;
mod sound;
pub(crate) mod tpm;
mod video;
mod vsock;
mod watchdog;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::AnyDevice;

pub use cx::{Cx, HostEnds, Network};
pub use part::Part;

/// What of the host a device uses: to be labelled, passed on, allowed, or claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A file QEMU opens, and whether it writes to it.
    File {
        /// Its path.
        path: String,
        /// Whether QEMU writes to it.
        write: bool,
    },
    /// A device node QEMU opens.
    Device {
        /// Its path.
        path: String,
    },
    /// A socket QEMU makes.
    Socket {
        /// Its path.
        path: String,
    },
}

/// What kind of place a device takes in the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// A slot of a PCI bus.
    Pci,
    /// A target and unit of a drive controller.
    Drive,
    /// A USB port.
    Usb,
    /// A port of a virtio-serial controller.
    VirtioSerial,
    /// Ports and interrupts of the ISA bus.
    Isa,
    /// None.
    None,
}

/// A change that can be made to a running device.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A QMP command.
    Command(&'static str, serde_json::Value),
}

/// A device in QEMU's terms.
pub trait QemuDevice {
    /// What of the host it uses.
    fn resources(&self, cx: &Cx<'_>) -> Vec<Resource> {
        let _ = cx;
        Vec::new()
    }

    /// What kind of place it takes.
    fn address(&self) -> AddressKind;

    /// What it is made of, in creation order.
    ///
    /// # Errors
    /// The emulator cannot do what the document asks, or the document is not complete.
    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>>;

    /// What must change for it to become `new` while the guest runs; nothing is an empty list.
    ///
    /// # Errors
    /// `OPERATION_UNSUPPORTED` when that takes a restart.
    fn update(&self, new: &Self) -> Result<Vec<Change>>
    where
        Self: Sized + PartialEq,
    {
        if self == new {
            return Ok(Vec::new());
        }
        Err(Error::new(virtbus_api::ErrorCode::OperationUnsupported, "this change needs a restart of the guest"))
    }
}

macro_rules! twins {
    ($($kind:ident $module:ident $tag:literal $list:ident,)*) => {
        /// The twin of any device.
        #[must_use]
        pub fn of(device: &AnyDevice) -> &dyn QemuDevice {
            match device { $(AnyDevice::$kind(it) => it),* }
        }
    };
}
// A kind of the schema without its half here does not build.
virtbus_schema::for_each_device!(twins);
