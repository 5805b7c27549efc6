//! `<console>`: a virtio console; the one that is a serial port is made there.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::chardev::{Console, ConsoleTargetKind};

use super::address::{Place, place};
use super::chardev::{self, Chardev};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, Resource, alias};

props! {
    struct Port { driver: &'static str, #[serde(flatten)] place: Place, chardev: String, id: String }
}

/// Whether it is a serial port by another name.
pub(super) fn is_serial(it: &Console) -> bool {
    it.target.is_none_or(|it| matches!(it.kind, None | Some(ConsoleTargetKind::Serial)))
}

impl QemuDevice for Console {
    fn resources(&self, _: &Cx<'_>) -> Vec<Resource> {
        if is_serial(self) { Vec::new() } else { chardev::resources(&self.chardev) }
    }

    fn address(&self) -> AddressKind {
        if is_serial(self) { AddressKind::None } else { AddressKind::VirtioSerial }
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        // The terminal is QEMU's to tell.
        let Console { chardev, tty: _, target, info } = self;
        match target.and_then(|it| it.kind) {
            None | Some(ConsoleTargetKind::Serial) => return Ok(Vec::new()),
            Some(ConsoleTargetKind::Virtio) => {}
            Some(other) => {
                return Err(Error::unsupported_config(format!("unsupported console target type {other}")));
            }
        }
        let id = alias::of(self)?;
        let backend = Chardev::of(chardev, format!("char{id}"), cx)?;
        let place = place(info.address.as_ref(), info.acpi_index, cx)?;
        let device = Port { driver: "virtconsole", place, chardev: backend.id().to_owned(), id: id.to_owned() };
        Ok([backend.into_parts()?, vec![Part::device(id, &device)?]].concat())
    }
}
