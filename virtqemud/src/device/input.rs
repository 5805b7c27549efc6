//! `<input>`: USB and virtio devices; PS/2 keyboard and mouse are part of the board.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::input::{Input, InputBus, InputGrab, InputKind, InputModel, InputSource};
use virtbus_schema::xml::OnOff;

use super::address::{Place, Virtio, place, virtio, virtio_device};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, Resource, alias};

props! {
    struct Device<'a> {
        driver: String,
        #[serde(flatten)]
        virtio: Virtio,
        id: String,
        evdev: Option<&'a str>,
        #[serde(flatten)]
        place: Place,
    }

    struct Evdev<'a> {
        qom_type: &'static str,
        id: String,
        evdev: Option<&'a str>,
        repeat: Option<bool>,
        #[serde(rename = "grab_all")]
        grab_all: Option<bool>,
        grab_toggle: Option<&'static str>,
    }
}

impl QemuDevice for Input {
    fn resources(&self, _: &Cx<'_>) -> Vec<Resource> {
        let path = self.source.as_ref().and_then(|it| it.evdev.as_ref().or(it.dev.as_ref()));
        path.map(|path| Resource::Device { path: path.clone() }).into_iter().collect()
    }

    fn address(&self) -> AddressKind {
        match self.bus {
            Some(InputBus::Usb) => AddressKind::Usb,
            Some(InputBus::Virtio) => AddressKind::Pci,
            _ => AddressKind::None,
        }
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        let Input { kind, bus, model, driver, source, info } = self;
        if *kind == InputKind::Evdev {
            return evdev(self, source.as_ref());
        }
        let name = match bus {
            Some(InputBus::Ps2) => return Ok(Vec::new()),
            Some(InputBus::Usb) => match kind {
                InputKind::Mouse => "usb-mouse",
                InputKind::Tablet => "usb-tablet",
                InputKind::Keyboard => "usb-kbd",
                InputKind::Passthrough | InputKind::Evdev => {
                    return Err(Error::unsupported_config(format!("input '{kind}' cannot be on USB")));
                }
            }
            .to_owned(),
            Some(InputBus::Virtio) => {
                let stem = match kind {
                    InputKind::Mouse => "virtio-mouse",
                    InputKind::Tablet => "virtio-tablet",
                    InputKind::Keyboard => "virtio-keyboard",
                    InputKind::Passthrough | InputKind::Evdev => "virtio-input-host",
                };
                virtio_device(stem, model.map_or("", InputModel::as_str), info.address.as_ref())?
            }
            other => {
                let bus = other.map_or("none", InputBus::as_str);
                return Err(Error::unsupported_config(format!("input bus '{bus}' is not supported by QEMU")));
            }
        };
        let id = alias::of(self)?;
        let device = Device {
            driver: name,
            virtio: virtio(driver.as_ref()),
            id: id.to_owned(),
            evdev: source.as_ref().and_then(|it| it.evdev.as_deref()),
            place: place(info.address.as_ref(), info.acpi_index, cx)?,
        };
        Ok(vec![Part::device(id, &device)?])
    }
}

/// A device of the host that QEMU reads itself.
fn evdev(input: &Input, source: Option<&InputSource>) -> Result<Vec<Part>> {
    let id = alias::of(input)?;
    let Some(InputSource { dev, evdev: _, grab, grab_toggle, repeat }) = source else {
        return Err(Error::unsupported_config("input 'evdev' has no source"));
    };
    let object = Evdev {
        qom_type: "input-linux",
        id: id.to_owned(),
        evdev: dev.as_deref(),
        repeat: repeat.map(OnOff::is_on),
        grab_all: grab.map(|InputGrab::All| true),
        grab_toggle: grab_toggle.map(|it| it.as_str()),
    };
    Ok(vec![Part::object(id, &object)?])
}
