//! Kinds of devices that are still to be done: a guest that has one is refused when it starts, naming the element.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::filesystem::Filesystem;
use virtbus_schema::domain::device::hostdev::Hostdev;
use virtbus_schema::domain::device::memory::MemoryDevice;
use virtbus_schema::domain::device::redirected::{Redirdev, Smartcard};
use virtbus_schema::domain::device::small::{Crypto, Iommu, Lease, Pstore, Shmem, Vsock};
use virtbus_schema::domain::device::tpm::Tpm;

use super::{AddressKind, Cx, Part, QemuDevice};

macro_rules! unsupported {
    ($($kind:ty: $tag:literal,)*) => {
        /// The elements of device kinds that cannot be started yet.
        pub const UNSUPPORTED: &[&str] = &[$($tag),*];

        $(impl QemuDevice for $kind {
            fn address(&self) -> AddressKind {
                AddressKind::None
            }

            fn parts(&self, _: &mut Cx<'_>) -> Result<Vec<Part>> {
                Err(Error::unsupported_config(concat!("device <", $tag, "> is not supported yet")))
            }
        })*
    };
}

unsupported! {
    Crypto: "crypto",
    Filesystem: "filesystem",
    Hostdev: "hostdev",
    Iommu: "iommu",
    Lease: "lease",
    MemoryDevice: "memory",
    Pstore: "pstore",
    Redirdev: "redirdev",
    Shmem: "shmem",
    Smartcard: "smartcard",
    Tpm: "tpm",
    Vsock: "vsock",
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_ledger_is_what_is_missing() {
        let ledger = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/coverage/devices.txt");
        let ledger = std::fs::read_to_string(ledger).expect("the ledger is there");
        let kinds: Vec<_> = ledger.lines().filter(|it| !it.starts_with('#')).collect();
        assert_eq!(kinds, super::UNSUPPORTED);
    }
}
