//! What every machine has without being asked: roots, controllers devices need, balloon, keyboard and mouse, watchdog, sound back end.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::address::CcidAddress;
use virtbus_schema::domain::device::audio::Audio;
use virtbus_schema::domain::device::controller::{Controller, ControllerKind};
use virtbus_schema::domain::device::disk::DiskBus;
use virtbus_schema::domain::device::graphics::Graphics;
use virtbus_schema::domain::device::input::{Input, InputBus, InputKind};
use virtbus_schema::domain::device::memballoon::{Memballoon, MemballoonModel};
use virtbus_schema::domain::device::video::{Video, VideoModel};
use virtbus_schema::domain::device::watchdog::{Watchdog, WatchdogAction, WatchdogModel};
use virtbus_schema::domain::device::{Address, Info};
use virtbus_schema::domain::{Devices, Domain};

use super::{Board, controller};
use crate::process::capabilities::QemuCaps;

/// What the board brings, before devices are looked at.
pub(super) fn board(domain: &mut Domain, caps: &QemuCaps) -> Result<()> {
    let board = Board::of_domain(domain);
    controller::order(&mut domain.devices.controllers);
    controller::number(&mut domain.devices.controllers);
    let devices = &mut domain.devices;
    let has_usb = devices
        .controllers
        .iter()
        .any(|it| it.kind == ControllerKind::Usb && (it.index == Some(0) || it.model.as_deref() == Some("none")));
    if board != Board::IsaPc && !has_usb {
        let mut usb = Controller::new(ControllerKind::Usb, 0);
        usb.model = match board {
            Board::Q35 if caps.has("qemu-xhci") => Some("qemu-xhci".to_owned()),
            _ => None,
        };
        controller::insert(&mut devices.controllers, usb);
    }
    if board == Board::Q35 {
        controller::ensure(&mut devices.controllers, ControllerKind::Sata, 0);
    }
    match board {
        Board::I440fx => root(&mut devices.controllers, "pci-root")?,
        Board::Q35 => root(&mut devices.controllers, "pcie-root")?,
        Board::IsaPc | Board::Microvm | Board::Other => {}
    }
    if devices.memballoons.is_empty() {
        devices.memballoons.push(Memballoon::new(MemballoonModel::Virtio));
    }
    let itco = |it: &Watchdog| it.model == WatchdogModel::Itco;
    if board == Board::Q35 && !devices.watchdogs.iter().any(itco) {
        // The chipset has it whether asked for or not; its action is what the others' is.
        let action = devices.watchdogs.first().map_or(WatchdogAction::Reset, |it| it.action);
        devices.watchdogs.push(Watchdog { model: WatchdogModel::Itco, action, info: Info::default() });
    }
    audio(devices);
    inputs(domain);
    Ok(())
}

fn root(controllers: &mut Vec<Controller>, model: &str) -> Result<()> {
    let first = controllers.iter_mut().find(|it| it.kind == ControllerKind::Pci && it.index == Some(0));
    match first {
        None => {
            let mut root = Controller::new(ControllerKind::Pci, 0);
            root.model = Some(model.to_owned());
            controller::insert(controllers, root);
            Ok(())
        }
        Some(it) => match it.model.as_deref().unwrap_or("(null)") {
            found if found == model => Ok(()),
            found => Err(Error::xml(format!(
                "The PCI controller with index='0' must be model='{model}' for this machine type, but model='{found}' was found instead"
            ))),
        },
    }
}

/// A back end for sound that goes nowhere, unless the display brings its own.
fn audio(devices: &mut Devices) {
    if !devices.audios.is_empty() {
        return;
    }
    let vnc = devices.graphics.iter().any(|it| matches!(it, Graphics::Vnc(_)));
    if vnc || devices.graphics.is_empty() {
        devices.audios.push(Audio { id: 1, ..Audio::default() });
    }
}

/// The PS/2 keyboard and mouse, unless the port is switched off.
fn inputs(domain: &mut Domain) {
    let ps2 = domain.features.as_ref().and_then(|it| it.ps2).is_none_or(|it| it.state.is_on());
    let board = Board::of_domain(domain);
    if !ps2 || board == Board::Microvm {
        return;
    }
    for kind in [InputKind::Mouse, InputKind::Keyboard] {
        let there = domain.devices.inputs.iter().any(|it| it.kind == kind && it.bus == Some(InputBus::Ps2));
        if !there {
            domain.devices.inputs.push(Input::new(kind, InputBus::Ps2));
        }
    }
}

/// What devices of the document need: a screen for a display, controllers for drives and ports.
pub(super) fn devices(domain: &mut Domain) -> Result<()> {
    let devices = &mut domain.devices;
    if devices.videos.is_empty() && !devices.graphics.is_empty() {
        devices.videos.push(Video { model: Some(VideoModel::default()), ..Video::default() });
    }
    Ok(())
}

/// A reader for smart cards.
pub(super) fn card_readers(devices: &mut Devices) {
    for at in 0..devices.smartcards.len() {
        let Some(it) = devices.smartcards.get_mut(at) else { continue };
        let number = match &it.info.address {
            Some(Address::Ccid(address)) => address.controller,
            _ => 0,
        };
        it.info.address.get_or_insert(Address::Ccid(CcidAddress { controller: number, slot: 0 }));
        controller::ensure(&mut devices.controllers, ControllerKind::Ccid, number);
    }
}

/// The number of the last controller that is made for a drive: no board has slots for more.
const MOST_CONTROLLERS: u32 = 255;

/// Controllers for the drives, by the addresses these have.
///
/// # Errors
/// An address names a controller that no board has a slot for.
pub(super) fn drive_controllers(devices: &mut Devices) -> Result<()> {
    let kinds = [
        (DiskBus::Scsi, ControllerKind::Scsi),
        (DiskBus::Fdc, ControllerKind::Fdc),
        (DiskBus::Ide, ControllerKind::Ide),
        (DiskBus::Sata, ControllerKind::Sata),
    ];
    for (bus, kind) in kinds {
        let numbers =
            devices.disks.iter().filter(|it| it.target.bus == Some(bus)).filter_map(|it| match &it.info.address {
                Some(Address::Drive(address)) => Some(address.controller),
                _ => None,
            });
        let Some(last) = numbers.max() else { continue };
        if last > MOST_CONTROLLERS {
            return Err(Error::internal(format!(
                "the address of a drive names {kind} controller {last}, and no board has slots for more than {MOST_CONTROLLERS}"
            )));
        }
        for index in 0..=last {
            controller::ensure(&mut devices.controllers, kind, index);
        }
    }
    Ok(())
}
