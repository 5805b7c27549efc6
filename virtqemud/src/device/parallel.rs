//! `<parallel>`: a printer port and what it leads to.

use virtbus_api::Result;
use virtbus_schema::domain::device::chardev::Parallel;

use super::chardev::{self, Backend, Chardev};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, Resource, alias};

props! {
    struct Port { driver: &'static str, chardev: String, id: String }
}

impl QemuDevice for Parallel {
    fn resources(&self, _: &Cx<'_>) -> Vec<Resource> {
        chardev::resources(&self.chardev)
    }

    fn address(&self) -> AddressKind {
        AddressKind::Isa
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        // QEMU numbers these ports itself, and each number has its place.
        let Parallel { chardev, target: _, info: _ } = self;
        let id = alias::of(self)?;
        let mut backend = Chardev::of(chardev, format!("char{id}"), cx)?;
        if let Backend::Serial { path } = backend.backend {
            backend.backend = Backend::Parallel { path };
        }
        let device = Port { driver: "isa-parallel", chardev: backend.id().to_owned(), id: id.to_owned() };
        Ok([backend.into_parts()?, vec![Part::device(id, &device)?]].concat())
    }
}
