//! Serial ports, consoles and channels: their numbers, the console that is the first serial port, places on virtio-serial.

use std::collections::{HashMap, HashSet};

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

/// Said of character devices that would have to connect again and never do.
pub(super) const IN_VAIN: &str = "a character device connects again only where it connects, not where it waits";

/// Ports of a virtio-serial controller that does not say.
const PORTS: u32 = 31;

/// Where libvirt and this daemon have put sockets of channels.
const CHOSEN: [&str; 2] = ["/var/lib/libvirt/qemu/channel/", "/run/libvirt/qemu/channel/"];

/// Whether the path of the channel `name` was chosen at an earlier start, by this daemon or any version of libvirt's: below a
/// directory of channels `DOMAIN.NAME`, `domain-DOMAIN/NAME` or `ID-DOMAIN/NAME`, with or without `target/`.
fn is_chosen(path: &str, name: Option<&str>) -> bool {
    let Some(rest) = CHOSEN.iter().find_map(|directory| path.strip_prefix(directory)) else { return false };
    let rest = rest.strip_prefix("target/").unwrap_or(rest);
    match rest.split_once('/') {
        Some((domain, file)) => {
            let digits = domain.trim_start_matches(|c: char| c.is_ascii_digit());
            let numbered = digits.len() < domain.len() && digits.len() > 1 && digits.starts_with('-');
            let named = domain.strip_prefix("domain-").is_some_and(|it| !it.is_empty());
            (numbered || named || (name.is_none() && is_dotted(domain))) && name.is_none_or(|it| it == file)
        }
        None => match name {
            Some(name) => rest.strip_suffix(name).is_some_and(|it| it.len() > 1 && it.ends_with('.')),
            None => is_dotted(rest),
        },
    }
}

/// Whether there is a dot behind something.
fn is_dotted(text: &str) -> bool {
    text.char_indices().any(|(at, c)| at > 0 && c == '.')
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
/// A channel whose socket is the daemon's own would connect again.
pub(super) fn consoles(domain: &mut Domain) -> Result<()> {
    let devices = &mut domain.devices;
    for it in &mut devices.channels {
        if let (ChannelTarget::Virtio { name, .. }, Chardev::Unix { source, .. }) = (&it.target, &mut it.chardev)
            && let Some(given) = source.take_if(|it| it.path.as_deref().is_none_or(|it| is_chosen(it, name.as_deref())))
            && given.reconnect.is_some()
        {
            // The path is chosen at each start, and QEMU waits there.
            return Err(Error::internal(IN_VAIN));
        }
    }
    pair(devices);
    let mut ports: Vec<Option<u32>> =
        devices.serials.iter().map(|it| it.target.as_ref().and_then(|target| target.port)).collect();
    number(&mut ports);
    let of_power = domain.os.kind.arch.as_deref().is_some_and(|it| it.starts_with("ppc64"));
    for (it, port) in devices.serials.iter_mut().zip(ports) {
        let target = it.target.get_or_insert_with(SerialTarget::default);
        target.port = port;
        serial_defaults(target, of_power);
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

fn serial_defaults(target: &mut SerialTarget, of_power: bool) {
    let usual = if of_power { SerialTargetKind::SpaprVioSerial } else { SerialTargetKind::IsaSerial };
    let kind = *target.kind.get_or_insert(usual);
    let model = match kind {
        SerialTargetKind::IsaSerial => SerialModel::IsaSerial,
        SerialTargetKind::UsbSerial => SerialModel::UsbSerial,
        SerialTargetKind::PciSerial => SerialModel::PciSerial,
        SerialTargetKind::SpaprVioSerial => SerialModel::SpaprVty,
        // Which it is depends on the board; a PC has none.
        SerialTargetKind::SystemSerial => return,
        SerialTargetKind::SclpSerial => SerialModel::Sclpconsole,
        SerialTargetKind::IsaDebug => SerialModel::IsaDebugcon,
    };
    target.model.get_or_insert(model);
}

/// The console that is the first serial port by another name is where that port is.
pub(super) fn shown_twice(devices: &mut Devices) {
    if let (Some(serial), Some(console)) = (devices.serials.first(), devices.consoles.first_mut())
        && console.target.is_none_or(|it| matches!(it.kind, None | Some(ConsoleTargetKind::Serial)))
    {
        console.info.address.clone_from(&serial.info.address);
    }
}

/// Places of channels on virtio-serial controllers. Port 0 is for consoles. Where all ports are taken there is one more controller.
///
/// # Errors
/// Two want the same port, or one the controller does not have.
pub(super) fn addresses(domain: &mut Domain) -> Result<()> {
    let devices = &mut domain.devices;
    let mut ports: Vec<(u32, u32)> = devices
        .controllers
        .iter()
        .filter(|it| it.kind == ControllerKind::VirtioSerial)
        .map(|it: &Controller| (it.index.unwrap_or(0), it.ports.unwrap_or(PORTS)))
        .collect();
    let mut taken = taken(devices, &ports)?;
    // Controllers before this one are full.
    let mut room = 0;
    for channel in &mut devices.channels {
        if !matches!(channel.target, ChannelTarget::Virtio { .. }) {
            continue;
        }
        let wanted = match &channel.info.address {
            None => None,
            Some(Address::VirtioSerial(it)) if it.port == 0 => Some(it.controller),
            Some(Address::VirtioSerial(_)) => continue,
            // It can be nowhere else.
            Some(_) => None,
        };
        let free_on = |(index, ports): &(u32, u32)| {
            (1..*ports).find(|port| !taken.contains(&(*index, *port))).map(|port| (*index, port))
        };
        let free = match wanted {
            Some(wanted) => ports.iter().filter(|(index, _)| *index == wanted).find_map(free_on),
            None => {
                let found = ports.iter().enumerate().skip(room).find_map(|(at, it)| Some((at, free_on(it)?)));
                room = found.map_or(ports.len(), |(at, _)| at);
                found.map(|(_, free)| free)
            }
        };
        let (controller, port) = match free {
            Some(free) => free,
            None if wanted.is_some() => return Err(Error::xml("Unable to find a free virtio-serial port")),
            None => {
                let next = (0..).find(|index| !ports.iter().any(|(taken, _)| taken == index)).unwrap_or(0);
                controller::ensure(&mut devices.controllers, ControllerKind::VirtioSerial, next);
                ports.push((next, PORTS));
                (next, 1)
            }
        };
        taken.insert((controller, port));
        channel.info.address = Some(Address::VirtioSerial(VirtioSerialAddress { controller, bus: 0, port }));
    }
    Ok(())
}

/// The ports that the document gives away, as (controller, port).
fn taken(devices: &Devices, ports: &[(u32, u32)]) -> Result<HashSet<(u32, u32)>> {
    let counts: HashMap<u32, u32> = ports.iter().copied().collect();
    let mut taken = HashSet::new();
    for device in devices.placed() {
        let Some(Address::VirtioSerial(it)) = device.address() else { continue };
        let Some(count) = counts.get(&it.controller) else {
            return Err(Error::xml(format!("virtio serial controller {} is missing", it.controller)));
        };
        if it.port == 0 {
            continue;
        }
        if it.port >= *count {
            return Err(Error::xml(format!(
                "virtio serial controller {} does not have port {}",
                it.controller, it.port
            )));
        }
        if !taken.insert((it.controller, it.port)) {
            return Err(Error::xml(format!(
                "virtio serial port {} on controller {} is already occupied",
                it.port, it.controller
            )));
        }
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_chosen_earlier_are_known() {
        let below = |rest: &str| format!("/var/lib/libvirt/qemu/channel/{rest}");
        for chosen in ["1-t/a", "domain-1-t/a", "target/domain-t/a", "target/t.a", "t.a", "target/12-t/a", "t.x.a"] {
            assert!(is_chosen(&below(chosen), Some("a")), "{chosen}");
            assert!(is_chosen(&format!("/run/libvirt/qemu/channel/{chosen}"), Some("a")), "{chosen}");
        }
        for own in ["a", "t/a", "target/a", "1-/a", "1/a", "domain-/a", "-1-t/a", "1-t/b", "1-t/x/a", "x/t.a", ".a"] {
            assert!(!is_chosen(&below(own), Some("a")), "{own}");
        }
        assert!(!is_chosen("/x/var/lib/libvirt/qemu/channel/1-t/a", Some("a")));
        // Of a port without a name nobody knows what its file was called.
        assert!(is_chosen(&below("1-t/foo"), None) && is_chosen(&below("target/foo.bar"), None));
        assert!(!is_chosen(&below("target/foo"), None) && !is_chosen(&below("1/x"), None));
    }
}
