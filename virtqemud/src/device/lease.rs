//! `<lease>`: a lock that a lock manager holds while the guest runs. QEMU knows nothing of it.

use virtbus_api::Result;
use virtbus_schema::domain::device::small::Lease;

use super::{AddressKind, Cx, Part, QemuDevice};

impl QemuDevice for Lease {
    fn address(&self) -> AddressKind {
        AddressKind::None
    }

    fn parts(&self, _: &mut Cx<'_>) -> Result<Vec<Part>> {
        Ok(Vec::new())
    }
}
