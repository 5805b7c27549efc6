//! All devices but drives.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::audio::AudioKind;
use virtbus_schema::domain::device::chardev::{Chardev, Serial, SerialModel, SerialTargetKind};
use virtbus_schema::domain::device::controller::{Controller, ControllerKind};
use virtbus_schema::domain::device::graphics::Graphics;
use virtbus_schema::domain::device::input::{Input, InputBus, InputKind, InputModel};
use virtbus_schema::domain::device::memballoon::MemballoonModel;
use virtbus_schema::domain::device::small::{Panic, PanicModel};
use virtbus_schema::domain::device::video::{Video, VideoBackend, VideoKind};
use virtbus_schema::domain::device::watchdog::{Watchdog, WatchdogModel};
use virtbus_schema::domain::device::{Address, Devices, VirtioOptions};
use virtbus_schema::xml::YesNo;

use super::super::Board;
use super::unsupported;
use crate::process::capabilities::QemuCaps;

pub(super) fn check(domain: &Domain, board: Board, caps: &QemuCaps) -> Result<()> {
    let devices = &domain.devices;
    only_one(devices)?;
    for device in devices.placed() {
        if matches!(device.address(), Some(Address::Ccw(_))) {
            let machine = domain.os.kind.machine.as_deref().unwrap_or_default();
            return unsupported(format!("CCW addresses are not supported by machine type '{machine}'"));
        }
    }
    for it in &devices.controllers {
        controller(it, board)?;
    }
    for it in &devices.serials {
        serial(it, board != Board::Other)?;
    }
    let spice = devices.graphics.iter().any(|it| matches!(it, Graphics::Spice(_)));
    let channels = devices.channels.iter().map(|it| &it.chardev);
    let serials = devices.serials.iter().map(|it| &it.chardev);
    let parallels = devices.parallels.iter().map(|it| &it.chardev);
    let consoles = devices.consoles.iter().map(|it| &it.chardev);
    for it in channels.chain(serials).chain(parallels).chain(consoles) {
        has_viewer(it, spice)?;
    }
    for it in &devices.inputs {
        input(it)?;
        if it.bus == Some(InputBus::Ps2) && !has_ps2(domain) {
            return unsupported("ps2 bus inputs require the ps2 feature not to be disabled");
        }
    }
    let is_first = |it: &&Video| it.model.as_ref().is_some_and(|it| it.primary == Some(YesNo::Yes));
    if devices.videos.iter().filter(is_first).count() > 1 {
        return unsupported("Only one primary video device is supported");
    }
    for it in &devices.videos {
        video(it, domain, caps)?;
    }
    sound(devices, spice)?;
    let mut actions = devices.watchdogs.iter().map(|it| it.action);
    if let Some(first) = actions.next()
        && actions.any(|it| it != first)
    {
        return unsupported("watchdogs with different actions are not supported with this QEMU binary");
    }
    for it in &devices.watchdogs {
        watchdog(it, board)?;
    }
    for it in &devices.panics {
        panic(it)?;
    }
    if devices.nvram.is_some() {
        return unsupported("nvram device is only supported for PPC64");
    }
    Ok(())
}

/// What shows the guest's screen.
pub(super) fn displays(devices: &Devices, caps: &QemuCaps) -> Result<()> {
    devices.graphics.iter().try_for_each(|it| graphics(it, devices, caps))
}

fn only_one(devices: &Devices) -> Result<()> {
    if devices.memballoons.iter().any(|it| it.model == MemballoonModel::Xen) {
        return unsupported("Memory balloon device type 'xen' is not supported by this version of qemu");
    }
    if devices.memballoons.len() > 1 {
        return Err(Error::internal("only a single memory balloon device is supported"));
    }
    if devices.vsocks.len() > 1 {
        return Err(Error::xml("only a single vsock device is supported"));
    }
    if devices.vsocks.iter().filter_map(|it| it.cid).any(|it| it.address.is_some_and(|cid| cid < 3)) {
        return unsupported("guest CIDs must be >= 3");
    }
    if devices.iommus.len() > 1 {
        return Err(Error::xml("only a single IOMMU device is supported"));
    }
    if devices.tpms.len() > 1 {
        return unsupported("only a single TPM non-proxy device is supported");
    }
    let mut seen = std::collections::HashSet::new();
    if let Some(twice) = devices.panics.iter().find(|it| !seen.insert(it.model)) {
        let model = twice.model.map_or("isa", PanicModel::as_str);
        return Err(Error::xml(format!("Multiple panic devices with model '{model}'")));
    }
    Ok(())
}

fn controller(it: &Controller, board: Board) -> Result<()> {
    let index = it.index.unwrap_or(0);
    let has_threads =
        it.kind == ControllerKind::Scsi && it.model.as_deref().is_some_and(|model| model.starts_with("virtio-"));
    if let Some(driver) = it.driver.as_ref().filter(|_| !has_threads) {
        if driver.iothread.is_some() {
            return Err(Error::xml("I/O threads serve controllers of model 'virtio-scsi' only"));
        }
        if !driver.iothreads.is_empty() {
            return unsupported("I/O threads serve controllers of model 'virtio-scsi' only");
        }
    }
    match (it.kind, it.model.as_deref()) {
        (ControllerKind::Ide, _) if board != Board::I440fx => {
            unsupported("IDE controllers are unsupported for this QEMU binary or machine type")
        }
        (ControllerKind::Ide, _) if index > 0 => {
            unsupported("Only a single IDE controller is supported for this machine type")
        }
        (ControllerKind::Usb, Some("qusb1" | "qusb2")) => {
            unsupported("USB controller model type 'qusb1' or 'qusb2' is not supported in qemu")
        }
        (ControllerKind::Scsi, Some(model @ ("buslogic" | "ncr53c90"))) => {
            unsupported(format!("Unsupported controller model: {model}"))
        }
        (ControllerKind::Pci, Some(model))
            if !matches!(model, "pci-root" | "pcie-root-port" | "pcie-switch-downstream-port")
                && it.target.as_ref().is_some_and(|it| it.hotplug.is_some()) =>
        {
            unsupported(format!(
                "Option 'hotplug' is not valid for PCI controller with index '{index}', model '{model}'"
            ))
        }
        (ControllerKind::Pci, Some("pci-bridge")) => match &it.info.address {
            Some(Address::Pci(place)) if place.bus >= index && index > 0 => unsupported(format!(
                "PCI controller at index {index} (0x{index:02x}) has bus='0x{:02x}', but index must be larger than bus",
                place.bus
            )),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn serial(it: &Serial, on_pc: bool) -> Result<()> {
    let Some(target) = &it.target else { return Ok(()) };
    let place = it.info.address.as_ref();
    let fits = match target.kind {
        Some(SerialTargetKind::IsaSerial) => matches!(place, None | Some(Address::Isa(_))),
        Some(SerialTargetKind::UsbSerial) => matches!(place, None | Some(Address::Usb(_))),
        Some(SerialTargetKind::PciSerial) => matches!(place, None | Some(Address::Pci(_))),
        Some(SerialTargetKind::SpaprVioSerial) => matches!(place, None | Some(Address::SpaprVio(_))),
        _ => true,
    };
    if let (Some(kind @ (SerialTargetKind::SclpSerial | SerialTargetKind::SpaprVioSerial)), true) = (target.kind, on_pc)
    {
        return unsupported(format!("Serial device with target type '{kind}' is not for this architecture"));
    }
    if let Some(kind) = target.kind.filter(|_| !fits) {
        return unsupported(format!("Target type '{kind}' does not fit the type of its address"));
    }
    if target.kind == Some(SerialTargetKind::SystemSerial) && target.model.is_some() && on_pc {
        return unsupported("Serial device with target type 'system-serial' is not for this architecture");
    }
    let needed = match target.model {
        Some(SerialModel::IsaSerial) => SerialTargetKind::IsaSerial,
        Some(SerialModel::UsbSerial) => SerialTargetKind::UsbSerial,
        Some(SerialModel::PciSerial) => SerialTargetKind::PciSerial,
        Some(SerialModel::IsaDebugcon) => SerialTargetKind::IsaDebug,
        Some(SerialModel::Pl011 | SerialModel::Uart16550a) => SerialTargetKind::SystemSerial,
        Some(SerialModel::SpaprVty) => SerialTargetKind::SpaprVioSerial,
        Some(SerialModel::Sclpconsole | SerialModel::Sclplmconsole) => SerialTargetKind::SclpSerial,
        None => return Ok(()),
    };
    if target.kind.is_some_and(|kind| kind != needed) {
        let model = target.model.map_or("", SerialModel::as_str);
        return unsupported(format!("Target model '{model}' requires target type '{needed}'"));
    }
    Ok(())
}

fn has_viewer(it: &Chardev, spice: bool) -> Result<()> {
    let kind = match it {
        Chardev::Spicevmc { .. } => "spicevmc",
        Chardev::Spiceport { .. } => "spiceport",
        _ => return Ok(()),
    };
    if spice { Ok(()) } else { unsupported(format!("chardev '{kind}' not supported without spice graphics")) }
}

/// Whether the guest's keyboard controller is there: it is unless it is switched off.
pub(super) fn has_ps2(domain: &Domain) -> bool {
    domain.features.as_ref().and_then(|it| it.ps2).is_none_or(|it| it.state.is_on())
}

fn input(it: &Input) -> Result<()> {
    if let Some(model) = it.model.filter(|_| it.bus != Some(InputBus::Virtio)) {
        return unsupported(format!("only bus 'virtio' is supported for input model '{model}'"));
    }
    match (it.bus, it.kind) {
        (Some(bus @ (InputBus::Xen | InputBus::Parallels)), _) => {
            Err(Error::internal(format!("unsupported input bus {bus}")))
        }
        (Some(InputBus::Ps2), InputKind::Tablet | InputKind::Passthrough) => {
            Err(Error::internal(format!("ps2 bus does not support {} input device", it.kind)))
        }
        (Some(InputBus::Virtio), kind) if it.model.is_some_and(|it| it != InputModel::Virtio) => {
            unsupported(format!("virtio (non-)transitional models are not supported for input type={kind}"))
        }
        _ => Ok(()),
    }
}

fn graphics(it: &Graphics, devices: &Devices, caps: &QemuCaps) -> Result<()> {
    match it {
        Graphics::Spice(_) if !caps.options.contains_key("spice") => {
            unsupported("spice graphics are not supported with this QEMU")
        }
        Graphics::Rdp(_) => unsupported("graphics type 'rdp' is not supported with this QEMU"),
        Graphics::EglHeadless { .. } if devices.graphics.iter().any(|it| !draws_for(it)) => {
            unsupported("graphics type 'egl-headless' is only supported with one of: 'vnc', 'spice' graphics types")
        }
        Graphics::Desktop { .. } => unsupported("unsupported graphics type 'desktop'"),
        Graphics::Vnc(vnc) => {
            if let Some(password) = vnc.passwd.as_ref().filter(|it| it.len() > 8) {
                return unsupported(format!("VNC password is {} characters long, only 8 permitted", password.len()));
            }
            has_audio(vnc.audio, devices)
        }
        _ => Ok(()),
    }
}

/// Whether a display shows what is drawn without a screen, or is such itself.
fn draws_for(it: &Graphics) -> bool {
    matches!(it, Graphics::EglHeadless { .. } | Graphics::Vnc(_) | Graphics::Spice(_))
}

fn has_audio(wanted: Option<u32>, devices: &Devices) -> Result<()> {
    match wanted.filter(|id| !devices.audios.iter().any(|it| it.id == *id)) {
        Some(id) => Err(Error::xml(format!("no audio device with ID {id}"))),
        None => Ok(()),
    }
}

fn sound(devices: &Devices, spice: bool) -> Result<()> {
    for it in &devices.sounds {
        has_audio(it.audio, devices)?;
    }
    let mut numbers = std::collections::BTreeSet::new();
    for stream in devices.audios.iter().flat_map(|it| [&it.input, &it.output]).flatten() {
        if stream.fixed_settings == Some(YesNo::Yes) && stream.mixing_engine != Some(YesNo::Yes) {
            return unsupported("fixed audio settings requires mixing engine");
        }
    }
    if let Some(twice) = devices.audios.iter().find(|it| !numbers.insert(it.id)) {
        return Err(Error::xml(format!("audio ID {} is used multiple times", twice.id)));
    }
    if !spice && devices.audios.iter().any(|it| it.kind == AudioKind::Spice) {
        return unsupported("Spice audio is not supported without spice graphics");
    }
    Ok(())
}

fn video(it: &Video, domain: &Domain, caps: &QemuCaps) -> Result<()> {
    let Some(model) = &it.model else { return Ok(()) };
    let kind = model.kind;
    let device = match kind {
        VideoKind::None | VideoKind::Default => return Ok(()),
        VideoKind::Vga => "VGA",
        VideoKind::Cirrus => "cirrus-vga",
        VideoKind::Vmvga => "vmware-svga",
        VideoKind::Qxl => "qxl",
        VideoKind::Virtio => "virtio-gpu-pci",
        VideoKind::Bochs => "bochs-display",
        VideoKind::Ramfb => "ramfb",
        VideoKind::Xen | VideoKind::Vbox | VideoKind::Parallels | VideoKind::Gop => "",
    };
    if kind != VideoKind::Qxl && (model.ram.is_some() || model.vgamem.is_some() || model.vram64.is_some()) {
        let name = if model.ram.is_some() {
            "ram"
        } else if model.vram64.is_some() {
            "vram64"
        } else {
            "vgamem"
        };
        return unsupported(format!("{name} attribute only supported for video type qxl"));
    }
    if !caps.has(device) {
        return unsupported(format!("domain configuration does not support video model '{kind}'"));
    }
    if kind == VideoKind::Ramfb && it.info.address.is_some() {
        return unsupported("address not supported for video type ramfb");
    }
    let options = it.driver.map(|it| it.virtio).unwrap_or_default();
    if kind != VideoKind::Virtio && options != VirtioOptions::default() {
        return unsupported("virtio driver options are only supported for virtio devices");
    }
    let by_process = it.driver.is_some_and(|it| it.name == Some(VideoBackend::VhostUser));
    if by_process && kind != VideoKind::Virtio {
        return unsupported("'vhostuser' driver is only supported with 'virtio' device");
    }
    let wants_3d = model.acceleration.as_ref().is_some_and(|it| it.accel3d == Some(YesNo::Yes));
    if wants_3d && !by_process && !(kind == VideoKind::Virtio && caps.has("virtio-gpu-gl-pci")) {
        return unsupported("3d acceleration is not supported by this QEMU binary");
    }
    if model.resolution.is_some_and(|it| it.x == 0 || it.y == 0) {
        return unsupported("video resolution values must be greater than 0");
    }
    let has_heads = matches!(kind, VideoKind::Qxl | VideoKind::Virtio);
    if !has_heads && model.heads.is_some_and(|it| it != 1) {
        return unsupported(format!("video type '{kind}' doesn't support multiple 'heads'"));
    }
    if model.primary != Some(YesNo::Yes) && !has_heads {
        return unsupported(format!("video type '{kind}' is only valid as primary video device"));
    }
    let blob = model.blob.is_some_and(|it| it.is_on());
    let memfd = domain.memory_backing.as_ref().and_then(|it| it.source)
        == Some(virtbus_schema::domain::memory::MemorySource::Memfd);
    if blob && !memfd {
        return unsupported("'blob' support for virtio-gpu devices requires a memfd memory backend");
    }
    Ok(())
}

fn watchdog(it: &Watchdog, board: Board) -> Result<()> {
    match it.model {
        WatchdogModel::Itco if board == Board::Q35 && it.info.address.is_some() => {
            unsupported("itco model of watchdog is part of the machine and cannot have any address set.")
        }
        WatchdogModel::I6300esb if !matches!(it.info.address, None | Some(Address::Pci(_))) => {
            unsupported("i6300esb model of watchdog can go only on PCI bus")
        }
        WatchdogModel::Itco if board != Board::Q35 => unsupported("itco model of watchdog is only part of q35 machine"),
        WatchdogModel::Ib700 if board != Board::I440fx => {
            unsupported("ib700 model of watchdog cannot be used with this machine type")
        }
        WatchdogModel::Ib700 if it.info.address.is_some() => {
            unsupported("ib700 model of watchdog is where it is and takes no address")
        }
        WatchdogModel::Diag288 => unsupported("diag288 model of watchdog is allowed for s390 and s390x only"),
        _ => Ok(()),
    }
}

fn panic(it: &Panic) -> Result<()> {
    let is_isa = matches!(it.info.address, None | Some(Address::Isa(_)));
    match it.model {
        Some(PanicModel::Pvpanic) if !matches!(it.info.address, None | Some(Address::Pci(_))) => {
            unsupported("pvpanic is supported only with PCI address type")
        }
        Some(PanicModel::Hyperv) if it.info.address.is_some() => {
            unsupported("setting the panic device address is not supported for model 'hyperv'")
        }
        Some(PanicModel::Isa) if !is_isa => unsupported("panic is supported only with ISA address type"),
        Some(PanicModel::Pseries) => unsupported("only pSeries guests support panic device of model 'pseries'"),
        Some(PanicModel::S390) => unsupported("only S390 guests support panic device of model 's390'"),
        _ => Ok(()),
    }
}
