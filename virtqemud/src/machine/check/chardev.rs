//! Character devices: what their back ends must say, and which ports a viewer can be behind.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::Devices;
use virtbus_schema::domain::device::chardev::{
    ChannelTarget, Chardev, Console, ConsoleTargetKind, NullModem, ProtocolKind, SerialTarget, SerialTargetKind,
    SocketChardev,
};
use virtbus_schema::domain::device::redirected::SmartcardKind;
use virtbus_schema::domain::device::rng::RngBackend;

use super::super::port::IN_VAIN;
use super::unsupported;

pub(super) fn check(devices: &Devices, on_pc: bool) -> Result<()> {
    for it in &devices.smartcards {
        if let SmartcardKind::Passthrough(chardev) = &it.card {
            complete(chardev)?;
        }
    }
    let serials = devices.serials.iter().map(|it| &it.chardev);
    for chardev in serials.chain(devices.parallels.iter().map(|it| &it.chardev)) {
        complete(chardev)?;
        no_viewer(chardev)?;
    }
    for it in &devices.channels {
        // The path of a named port's socket is chosen at each start.
        let is_named = !matches!(it.target, ChannelTarget::Guestfwd { .. });
        if !(is_named && matches!(it.chardev, Chardev::Unix { source: None, .. })) {
            complete(&it.chardev)?;
        }
        if !matches!(it.target, ChannelTarget::Virtio { .. }) {
            no_viewer(&it.chardev)?;
        }
    }
    let mut ports = std::collections::BTreeSet::new();
    let on_isa = |it: &&SerialTarget| it.kind == Some(SerialTargetKind::IsaSerial);
    let targets = devices.serials.iter().filter_map(|it| it.target.as_ref());
    for port in targets.filter(on_isa).filter_map(|it| it.port) {
        if !ports.insert(port) {
            return Err(Error::internal(format!("target port '{port}' of a serial device already allocated")));
        }
    }
    // The first console may be the first serial port under another name.
    for (at, it) in devices.consoles.iter().enumerate() {
        match it.target.and_then(|it| it.kind) {
            None | Some(ConsoleTargetKind::Serial) if at > 0 => {
                return unsupported("Only the first console can be a serial port");
            }
            Some(kind @ (ConsoleTargetKind::Sclp | ConsoleTargetKind::Sclplm)) if on_pc => {
                return unsupported(format!("{kind}console is not supported in this QEMU binary"));
            }
            Some(
                kind @ (ConsoleTargetKind::Xen
                | ConsoleTargetKind::Uml
                | ConsoleTargetKind::Lxc
                | ConsoleTargetKind::Openvz),
            ) => return unsupported(format!("unsupported console target type {kind}")),
            _ => {}
        }
    }
    for it in devices.consoles.iter().skip(usize::from(devices.consoles.first().is_some_and(is_serial))) {
        complete(&it.chardev)?;
        if it.target.is_none_or(|it| it.kind != Some(ConsoleTargetKind::Virtio)) {
            no_viewer(&it.chardev)?;
        }
    }
    for it in &devices.rngs {
        if let RngBackend::Egd(chardev) = &it.backend {
            complete(chardev)?;
        }
    }
    devices.redirdevs.iter().try_for_each(|it| complete(&it.chardev))
}

fn is_serial(it: &Console) -> bool {
    it.target.is_none_or(|it| matches!(it.kind, None | Some(ConsoleTargetKind::Serial)))
}

fn complete(chardev: &Chardev) -> Result<()> {
    if chardev.reconnects_in_vain() {
        return Err(Error::internal(IN_VAIN));
    }
    if let Chardev::Tcp(SocketChardev { protocol: Some(kind @ (ProtocolKind::Telnets | ProtocolKind::Tls)), .. }) =
        chardev
    {
        return unsupported(format!("tcp chardev protocol '{kind}' not supported"));
    }
    match chardev.lacks() {
        Some("channel") => unsupported("Missing source channel attribute for char device"),
        Some(what @ ("path" | "host" | "service")) => {
            Err(Error::internal(format!("Missing source {what} attribute for char device")))
        }
        // A null modem is none of QEMU's: it is refused at the start, but half of one at once.
        _ => match chardev {
            Chardev::Nmdm { source: Some(NullModem { master, slave }), .. } if master.is_some() != slave.is_some() => {
                Err(Error::internal("Should define both master and slave path attributes for nmdm device"))
            }
            _ => Ok(()),
        },
    }
}

fn no_viewer(chardev: &Chardev) -> Result<()> {
    match chardev {
        Chardev::Spicevmc { .. } => unsupported("spicevmc device type only supports virtio"),
        _ => Ok(()),
    }
}
