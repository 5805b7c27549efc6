//! `<channel>`: a named port between guest and host.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::Address;
use virtbus_schema::domain::device::chardev::{Channel, ChannelTarget, Chardev as Source};

use super::address::{Place, place};
use super::chardev::{self, Chardev};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, Resource, alias};

props! {
    struct Port { driver: &'static str, #[serde(flatten)] place: Place, chardev: String, id: String, name: Option<String> }

    struct Forward { r#type: &'static str, guestfwd: Vec<Text>, id: String }

    struct Text { str: String }
}

/// The file of a channel's socket in the guest's directory of channels: the port's name, else its place. A name is no path.
#[must_use]
pub fn socket_name(channel: &Channel) -> String {
    let name = match &channel.target {
        ChannelTarget::Virtio { name, .. } | ChannelTarget::Xen { name, .. } => name.as_deref(),
        ChannelTarget::Guestfwd { .. } => None,
    };
    let place = match &channel.info.address {
        Some(Address::VirtioSerial(it)) => (it.controller, it.bus, it.port),
        _ => (0, 0, 0),
    };
    name.map_or_else(|| format!("vioser-{:02}-{:02}-{:02}.sock", place.0, place.1, place.2), |it| it.replace('/', "_"))
}

impl QemuDevice for Channel {
    fn resources(&self, _: &Cx<'_>) -> Vec<Resource> {
        chardev::resources(&self.chardev)
    }

    fn address(&self) -> AddressKind {
        AddressKind::VirtioSerial
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        let Channel { chardev, target, info } = self;
        let id = alias::of(self)?;
        let backend = Chardev::of(chardev, format!("char{id}"), cx)?;
        match target {
            ChannelTarget::Virtio { name, state: _ } => {
                // SPICE's agent is found by its name.
                let agent = matches!(chardev, Source::Spicevmc { .. });
                let name = name.clone().or_else(|| agent.then(|| "com.redhat.spice.0".to_owned()));
                let place = place(info.address.as_ref(), info.acpi_index, cx)?;
                let port =
                    Port { driver: "virtserialport", place, chardev: backend.id().to_owned(), id: id.to_owned(), name };
                Ok([backend.into_parts()?, vec![Part::device(id, &port)?]].concat())
            }
            ChannelTarget::Guestfwd { address, port } => {
                let (Some(address), Some(port)) = (address, port) else {
                    return Err(Error::unsupported_config("a guestfwd channel needs an address and a port"));
                };
                let rule = format!("tcp:{address}:{port}-chardev:{}", backend.id());
                let forward = Forward { r#type: "user", guestfwd: vec![Text { str: rule }], id: id.to_owned() };
                Ok([backend.into_parts()?, vec![Part::netdev(id, &forward)?]].concat())
            }
            ChannelTarget::Xen { .. } => Err(Error::internal("channel target 'xen' is not supported by QEMU")),
        }
    }
}
