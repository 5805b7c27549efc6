//! Serial ports, consoles and channels: their numbers, the console that is the first serial port, places on virtio-serial.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::address::VirtioSerialAddress;
use virtbus_schema::domain::device::chardev::{
    ChannelTarget, Chardev, Console, ConsoleTarget, ConsoleTargetKind, Serial, SerialModel, SerialTarget,
    SerialTargetKind,
};
use virtbus_schema::domain::device::controller::{Controller, ControllerKind};
use virtbus_schema::domain::device::{Address, Info};
use virtbus_schema::domain::{Devices, Domain};

use super::controller;

/// Ports of a virtio-serial controller that does not say.
const PORTS: u32 = 31;

/// Whether a channel's path was chosen at an earlier start, by this daemon or libvirt's.
fn is_chosen(path: &str) -> bool {
    let below = ["/var/lib/libvirt/qemu/channel/target/", "/run/libvirt/qemu/channel/"];
    below.iter().find_map(|directory| path.strip_prefix(directory)).is_some_and(|rest| {
        rest.split_once('/').is_some_and(|(domain, _)| {
            domain.starts_with("domain-") || domain.starts_with(|c: char| c.is_ascii_digit())
        })
    })
}

fn is_virtio(it: &Console) -> bool {
    it.target.is_some_and(|target| target.kind == Some(ConsoleTargetKind::Virtio))
}

/// Adds the virtio-serial controllers that channels and consoles need.
pub(super) fn controllers(devices: &mut Devices) {
    let placed = |address: &Option<Address>| match address {
        Some(Address::VirtioSerial(it)) => it.controller,
        _ => 0,
    };
    let channels = devices.channels.iter().filter(|it| matches!(it.target, ChannelTarget::Virtio { .. }));
    let mut needed: Vec<u32> = channels.map(|it| placed(&it.info.address)).collect();
    needed.extend(devices.consoles.iter().filter(|it| is_virtio(it)).map(|it| placed(&it.info.address)));
    for index in needed {
        controller::ensure(&mut devices.controllers, ControllerKind::VirtioSerial, index);
    }
}

/// Numbers serial and parallel ports and consoles, and makes the first console and the first serial port one.
///
/// # Errors
/// Never so far.
pub(super) fn consoles(domain: &mut Domain) -> Result<()> {
    let devices = &mut domain.devices;
    for it in &mut devices.channels {
        if let Chardev::Unix { source, .. } = &mut it.chardev
            && source.as_ref().is_some_and(|it| it.path.as_deref().is_none_or(is_chosen))
        {
            // Its path is chosen at each start.
            *source = None;
        }
    }
    pair(devices);
    let mut ports: Vec<Option<u32>> =
        devices.serials.iter().map(|it| it.target.as_ref().and_then(|target| target.port)).collect();
    number(&mut ports);
    for (it, port) in devices.serials.iter_mut().zip(ports) {
        let target = it.target.get_or_insert_with(SerialTarget::default);
        target.port = port;
        serial_defaults(target, it.info.address.as_ref());
    }
    let mut ports: Vec<Option<u32>> =
        devices.parallels.iter().map(|it| it.target.and_then(|target| target.port)).collect();
    number(&mut ports);
    for (it, port) in devices.parallels.iter_mut().zip(ports) {
        it.target.get_or_insert_default().port = port;
    }
    for (at, it) in (0..).zip(&mut devices.consoles) {
        let target = it.target.get_or_insert_with(ConsoleTarget::default);
        target.kind.get_or_insert(ConsoleTargetKind::Serial);
        target.port = Some(at);
    }
    if let (Some(serial), Some(console)) = (devices.serials.first(), devices.consoles.first_mut())
        && console.target.is_some_and(|it| it.kind == Some(ConsoleTargetKind::Serial))
    {
        console.target = Some(ConsoleTarget {
            kind: Some(ConsoleTargetKind::Serial),
            port: serial.target.as_ref().and_then(|it| it.port),
        });
    }
    Ok(())
}

/// The document's first console, unless it is of another kind, is the first serial port by another name.
fn pair(devices: &mut Devices) {
    let is_serial = |it: &Console| it.target.is_none_or(|it| matches!(it.kind, None | Some(ConsoleTargetKind::Serial)));
    match (devices.serials.first_mut(), devices.consoles.first_mut()) {
        (Some(serial), Some(console)) if is_serial(console) => {
            let named = serial.info.alias.clone();
            console.chardev = serial.chardev.clone();
            console.info = Info { alias: named, ..Info::default() };
        }
        (None, Some(console)) if is_serial(console) => {
            let info = std::mem::take(&mut console.info);
            console.info.alias = info.alias.clone();
            let port = console.target.and_then(|it| it.port);
            let target = SerialTarget { kind: None, port, model: None };
            devices.serials.push(Serial { chardev: console.chardev.clone(), target: Some(target), info });
        }
        (Some(serial), _) => {
            let kind = serial.target.as_ref().and_then(|it| it.kind);
            // Only ports a kernel can take as its console.
            if matches!(
                kind,
                None | Some(
                    SerialTargetKind::IsaSerial | SerialTargetKind::SystemSerial | SerialTargetKind::SpaprVioSerial
                )
            ) {
                let target = ConsoleTarget { kind: Some(ConsoleTargetKind::Serial), port: None };
                let info = Info { alias: serial.info.alias.clone(), ..Info::default() };
                let console = Console { chardev: serial.chardev.clone(), tty: None, target: Some(target), info };
                devices.consoles.insert(0, console);
            }
        }
        _ => {}
    }
}

/// Ports without a number go behind the highest.
fn number(ports: &mut [Option<u32>]) {
    let mut next = ports.iter().flatten().max().map_or(0, |it| it.saturating_add(1));
    for port in ports.iter_mut().filter(|it| it.is_none()) {
        *port = Some(next);
        next = next.saturating_add(1);
    }
}

fn serial_defaults(target: &mut SerialTarget, address: Option<&Address>) {
    let kind = *target.kind.get_or_insert(match address {
        Some(Address::Usb(_)) => SerialTargetKind::UsbSerial,
        Some(Address::Pci(_)) => SerialTargetKind::PciSerial,
        Some(Address::SpaprVio(_)) => SerialTargetKind::SpaprVioSerial,
        _ => SerialTargetKind::IsaSerial,
    });
    let model = match kind {
        SerialTargetKind::IsaSerial => SerialModel::IsaSerial,
        SerialTargetKind::UsbSerial => SerialModel::UsbSerial,
        SerialTargetKind::PciSerial => SerialModel::PciSerial,
        SerialTargetKind::SpaprVioSerial => SerialModel::SpaprVty,
        SerialTargetKind::SystemSerial => SerialModel::Pl011,
        SerialTargetKind::SclpSerial => SerialModel::Sclpconsole,
        SerialTargetKind::IsaDebug => SerialModel::IsaDebugcon,
    };
    target.model.get_or_insert(model);
}

/// Places of channels on virtio-serial controllers. Port 0 is for consoles.
///
/// # Errors
/// Two want the same port, or a controller is full.
pub(super) fn addresses(domain: &mut Domain) -> Result<()> {
    let devices = &mut domain.devices;
    let mut taken: Vec<(u32, u32)> = Vec::new();
    let addresses =
        devices.channels.iter().map(|it| &it.info.address).chain(devices.consoles.iter().map(|it| &it.info.address));
    for address in addresses {
        if let Some(Address::VirtioSerial(it)) = address
            && it.port != 0
        {
            if taken.contains(&(it.controller, it.port)) {
                return Err(Error::xml(format!(
                    "virtio serial port {} on controller {} is already occupied",
                    it.port, it.controller
                )));
            }
            taken.push((it.controller, it.port));
        }
    }
    let controllers: Vec<(u32, u32)> = devices
        .controllers
        .iter()
        .filter(|it| it.kind == ControllerKind::VirtioSerial)
        .map(|it: &Controller| (it.index.unwrap_or(0), it.ports.unwrap_or(PORTS)))
        .collect();
    for channel in &mut devices.channels {
        if !matches!(channel.target, ChannelTarget::Virtio { .. }) {
            continue;
        }
        let wanted = match &channel.info.address {
            None => None,
            Some(Address::VirtioSerial(it)) if it.port == 0 => Some(it.controller),
            Some(_) => continue,
        };
        let free =
            controllers.iter().filter(|(index, _)| wanted.is_none_or(|it| it == *index)).find_map(|(index, ports)| {
                (1..*ports).find(|port| !taken.contains(&(*index, *port))).map(|port| (*index, port))
            });
        let Some((controller, port)) = free else {
            return Err(Error::xml("Unable to find a free virtio-serial port"));
        };
        taken.push((controller, port));
        channel.info.address = Some(Address::VirtioSerial(VirtioSerialAddress { controller, bus: 0, port }));
    }
    Ok(())
}
