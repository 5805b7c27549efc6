//! Defaults of each device, by machine and emulator: models, buses, sizes, MAC addresses.

use std::path::Path;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::cpu::MemAccess;
use virtbus_schema::domain::device::address::DimmAddress;
use virtbus_schema::domain::device::controller::{Controller, ControllerKind};
use virtbus_schema::domain::device::disk::{Disk, DiskBus, DiskModel};
use virtbus_schema::domain::device::filesystem::{AccessMode, Filesystem, FilesystemKind};
use virtbus_schema::domain::device::graphics::{Graphics, Listen, ListenKind, Vnc};
use virtbus_schema::domain::device::hostdev::{HostSource, HostdevKind, HostdevMode, HostdevModel};
use virtbus_schema::domain::device::input::{Input, InputBus, InputKind};
use virtbus_schema::domain::device::interface::{
    Interface, InterfaceDriver, InterfaceKind, InterfaceMac, InterfaceTarget,
};
use virtbus_schema::domain::device::memory::{MemoryDevice, MemoryModel};
use virtbus_schema::domain::device::rng::{Rng, RngBackend};
use virtbus_schema::domain::device::small::{
    Iommu, IommuDriver, IommuModel, MegaSize, PanicModel, Shmem, ShmemModel, ShmemMsi, VsockCid,
};
use virtbus_schema::domain::device::sound::SoundModel;
use virtbus_schema::domain::device::tpm::{TpmBackend, TpmModel, TpmVersion};
use virtbus_schema::domain::device::video::{Video, VideoKind, VideoModel};
use virtbus_schema::domain::device::{Address, Info};
use virtbus_schema::domain::features::{Ioapic, IoapicDriver};
use virtbus_schema::domain::{Devices, Domain, Features};
use virtbus_schema::xml::{Mac, OnOff, Size, YesNo};

use super::{Board, disk, implicit, is_kvm};
use crate::process::capabilities::QemuCaps;

/// Fills in the defaults of all devices, then adds the controllers the drives need.
///
/// # Errors
/// A device cannot be had on this machine.
pub(super) fn defaults(domain: &mut Domain, caps: &QemuCaps) -> Result<()> {
    let board = Board::of_domain(domain);
    let kvm = is_kvm(domain);
    for it in domain.devices.placed_mut() {
        // Names that are not the user's belong to one run.
        if it.alias().as_ref().is_some_and(|alias| !alias.is_users()) {
            *it.alias_mut() = None;
        }
    }
    // A hub is on USB whatever the document says.
    for it in &mut domain.devices.hubs {
        it.info.address = it.info.address.take().filter(|it| matches!(it, Address::Usb(_) | Address::Unassigned));
    }
    on_usb(&domain.devices)?;
    let cells = domain.cpu.as_ref().and_then(|it| it.numa.as_ref()).map_or(0, |it| it.cells.len());
    for it in &domain.devices.controllers {
        super::controller::on_board(it, board, cells)?;
    }
    disk::defaults(&mut domain.devices.disks)?;
    implicit::drive_controllers(&mut domain.devices)?;
    super::hostdev::places(&mut domain.devices);
    super::port::controllers(&mut domain.devices);
    implicit::card_readers(&mut domain.devices);
    for it in &mut domain.devices.controllers {
        controller(it, board);
    }
    for it in &mut domain.devices.interfaces {
        interface(it, caps, kvm);
    }
    for it in &mut domain.devices.inputs {
        input(it, board);
    }
    implicit::devices(domain)?;
    for it in &mut domain.devices.graphics {
        if let Graphics::Vnc(vnc) = it {
            forget_socket(vnc);
        }
        if let Graphics::Vnc(vnc) = it
            && vnc.autoport == Some(YesNo::Yes)
        {
            // What the port was in another run says nothing.
            vnc.port = Some(-1);
        }
    }
    videos(&mut domain.devices.videos, caps)?;
    for it in &mut domain.devices.rngs {
        rng(it);
    }
    if domain.devices.sounds.iter().any(|it| it.model == SoundModel::Ich7 && it.info.address.is_none()) {
        // Nobody knows which bus this card wants.
        return Err(Error::internal("Cannot automatically add a new PCI bus for a device with connect flags 00"));
    }
    later(domain);
    Ok(())
}

/// A disk on USB is nowhere else.
fn on_usb(devices: &Devices) -> Result<()> {
    let on_usb = |it: &&Disk| it.target.bus == Some(DiskBus::Usb);
    for address in devices.disks.iter().filter(on_usb).filter_map(|it| it.info.address.as_ref()) {
        match address {
            Address::Usb(_) => {}
            Address::Unassigned => {
                return Err(Error::unsupported_config("address of type 'unassigned' is supported only for hostdevs"));
            }
            other => return Err(Error::internal(format!("unexpected address type '{}' for usb disk", other.tag()))),
        }
    }
    Ok(())
}

/// Kinds with one or two defaults.
fn later(domain: &mut Domain) {
    let devices = &mut domain.devices;
    for it in &mut devices.tpms {
        let model = *it.model.get_or_insert(TpmModel::TpmTis);
        if let TpmBackend::Passthrough { device, .. } = &mut it.backend {
            device.get_or_insert_with(|| crate::device::tpm::FIRST.to_owned());
        }
        if let TpmBackend::Emulator(emulator) = &mut it.backend {
            let version = if model == TpmModel::TpmTis { TpmVersion::V1_2 } else { TpmVersion::V2_0 };
            emulator.version.get_or_insert(version);
        }
    }
    let mut slots: Vec<u32> = Vec::new();
    for it in &devices.memories {
        if let Some(Address::Dimm(DimmAddress { slot: Some(slot), .. })) = &it.info.address {
            slots.push(*slot);
        }
    }
    for it in &mut devices.memories {
        memory(it);
    }
    for it in devices.memories.iter_mut().filter(|it| matches!(it.model, MemoryModel::Dimm | MemoryModel::Nvdimm)) {
        let address = it.info.address.get_or_insert(Address::Dimm(DimmAddress::default()));
        if let Address::Dimm(DimmAddress { slot: slot @ None, .. }) = address {
            let free = (0..).find(|number| !slots.contains(number));
            slots.extend(free);
            *slot = free;
        }
    }
    for it in &mut devices.hostdevs {
        let has_driver = matches!(
            it.device.kind,
            HostdevKind::Pci | HostdevKind::Usb | HostdevKind::Mdev | HostdevKind::Scsi | HostdevKind::ScsiHost
        );
        if has_driver && it.mode == HostdevMode::Subsystem {
            it.managed.get_or_insert(YesNo::No);
        }
        if let HostSource::Scsi(source) = &mut it.source
            && let Some(name) = source.name.as_mut().filter(|it| !it.contains('/'))
        {
            name.push_str("/0");
        }
        if it.device.kind == HostdevKind::Mdev && it.model == Some(HostdevModel::VfioPci) {
            it.display.get_or_insert(OnOff::Off);
        }
    }
    for it in &mut devices.panics {
        it.model.get_or_insert(PanicModel::Isa);
    }
    let with_path = |it: &Filesystem| it.source.as_ref().is_none_or(|it| it.socket.is_none());
    for it in devices.filesystems.iter_mut().filter(|it| it.kind == FilesystemKind::Mount && with_path(it)) {
        it.accessmode.get_or_insert(AccessMode::Passthrough);
    }
    for it in &mut devices.vsocks {
        it.model.get_or_insert(DiskModel::Virtio);
        let cid = it.cid.get_or_insert_with(VsockCid::default);
        cid.auto.get_or_insert(if cid.address.is_some() { YesNo::No } else { YesNo::Yes });
    }
    for it in devices.sounds.iter_mut().filter(|it| it.model == SoundModel::Virtio) {
        it.streams.get_or_insert(2);
    }
    for it in &mut devices.shmems {
        shmem(it);
    }
    interrupts(domain);
    let devices = &domain.devices;
    let remaps = |it: &Iommu| it.driver.is_some_and(|it| it.intremap.is_some_and(OnOff::is_on));
    if devices.iommus.iter().any(|it| it.model == IommuModel::Intel && remaps(it)) {
        // Interrupts are remapped only on their way through QEMU's own controller.
        let features = domain.features.get_or_insert_with(Features::default);
        features.ioapic.get_or_insert(Ioapic { driver: Some(IoapicDriver::Qemu) });
    }
}

/// More CPUs than this need interrupts with long addresses, which the IOMMU translates.
pub(super) const MOST_WITHOUT_EIM: u32 = 255;

/// Sees to an IOMMU where the guest has more CPUs than can be interrupted without.
fn interrupts(domain: &mut Domain) {
    if domain.vcpu.count <= MOST_WITHOUT_EIM || Board::of_domain(domain) != Board::Q35 {
        return;
    }
    let iommus = &mut domain.devices.iommus;
    if iommus.is_empty() {
        iommus.push(Iommu { model: IommuModel::Intel, driver: None, info: Info::default() });
    }
    for it in iommus.iter_mut().filter(|it| it.model == IommuModel::Intel) {
        let driver = it.driver.get_or_insert_with(IommuDriver::default);
        driver.intremap.get_or_insert(OnOff::On);
        driver.eim.get_or_insert(OnOff::On);
    }
}

fn memory(it: &mut MemoryDevice) {
    match it.model {
        MemoryModel::VirtioMem => {
            it.target.requested.get_or_insert(Size::from_kib(0));
        }
        MemoryModel::VirtioPmem => {
            it.access.get_or_insert(MemAccess::Shared);
        }
        MemoryModel::Dimm | MemoryModel::Nvdimm | MemoryModel::SgxEpc => {}
    }
}

fn shmem(it: &mut Shmem) {
    match it.model {
        Some(ShmemModel::IvshmemPlain) => {
            it.size.get_or_insert(MegaSize { mib: 4 });
        }
        Some(ShmemModel::IvshmemDoorbell) if it.server.is_some() => {
            let msi = it.msi.get_or_insert_with(ShmemMsi::default);
            msi.ioeventfd.get_or_insert(OnOff::On);
        }
        _ => {}
    }
}

/// Where the last words of a guest are kept unless the document says: beside the variable stores.
pub(super) fn pstores(domain: &mut Domain, nvram: &Path) {
    let name = domain.name.clone();
    for it in domain.devices.pstores.iter_mut().filter(|it| it.path.is_none()) {
        it.path = Some(nvram.join(format!("{name}_PSTORE.raw")).to_string_lossy().into_owned());
    }
}

fn controller(it: &mut Controller, board: Board) {
    match it.kind {
        ControllerKind::Usb => {
            it.model.get_or_insert_with(|| "piix3-uhci".to_owned());
        }
        ControllerKind::Scsi if it.model.as_deref().is_none_or(|model| model == "auto") => {
            it.model = Some("lsilogic".to_owned());
        }
        ControllerKind::Pci => {
            let model = if board == Board::Q35 { "pcie-root-port" } else { "pci-bridge" };
            it.model.get_or_insert_with(|| model.to_owned());
        }
        _ => {}
    }
}

fn interface(it: &mut Interface, caps: &QemuCaps, kvm: bool) {
    card(it, caps, kvm);
    if it.model.as_ref().is_none_or(|it| !it.starts_with("virtio"))
        && let Some(driver) = &mut it.driver
    {
        // Only what can be refused by name is left of what other cards do not have.
        *driver = InterfaceDriver { virtio: driver.virtio, ..InterfaceDriver::default() };
    }
    if it.model.as_ref().is_none_or(|it| !it.starts_with("virtio"))
        && let Some(backend) = &mut it.backend
    {
        backend.vhost = None;
    }
}

fn card(it: &mut Interface, caps: &QemuCaps, kvm: bool) {
    if it.kind == InterfaceKind::Network
        && let Some(source) = &mut it.source
    {
        // The bridge behind a network is another one at each start.
        source.bridge = None;
    }
    // A name the daemon made belongs to one run.
    let is_made = |name: &String| ["vnet", "macvtap", "macvlan"].iter().any(|it| name.starts_with(it));
    if let Some(target) = it.target.as_mut().filter(|it| it.managed != Some(YesNo::No)) {
        target.dev = target.dev.take().filter(|it| !is_made(it));
    }
    it.target = it.target.take().filter(|it| *it != InterfaceTarget::default());
    it.mac = it.mac.filter(|it| it.address.0 != [0; 6]);
    if it.mac.is_none() {
        it.mac = Some(InterfaceMac { address: random_mac(kvm), kind: None, check: None, current: None });
    }
    if it.kind == InterfaceKind::Hostdev || it.model.is_some() {
        return;
    }
    if matches!(it.kind, InterfaceKind::VhostUser | InterfaceKind::Vdpa) {
        it.model = Some("virtio".to_owned());
        return;
    }
    let models = [("rtl8139", "rtl8139"), ("e1000", "e1000"), ("virtio-net-pci", "virtio")];
    let found = models.iter().find(|(device, _)| caps.has(device));
    it.model = found.map(|(_, model)| (*model).to_owned());
}

/// 52:54:00 is QEMU's own prefix; the rest is random.
fn random_mac(_kvm: bool) -> Mac {
    let [a, b, c, ..] = *uuid::Uuid::new_v4().as_bytes();
    Mac([0x52, 0x54, 0x00, a, b, c])
}

fn input(it: &mut Input, board: Board) {
    if it.bus.is_none() {
        let ps2 = matches!(it.kind, InputKind::Mouse | InputKind::Keyboard) && board != Board::Other;
        it.bus = match it.kind {
            InputKind::Passthrough => Some(InputBus::Virtio),
            InputKind::Evdev => None,
            _ if ps2 => Some(InputBus::Ps2),
            _ => Some(InputBus::Usb),
        };
    }
}

/// Where earlier versions of libvirt have made sockets of displays at each start.
const MADE: &str = "/var/lib/libvirt/qemu/";

/// A socket that was made for another run is none of the document's: the display listens where it would without.
fn forget_socket(it: &mut Vnc) {
    let is_made = |path: &Option<String>| path.as_ref().is_some_and(|it| it.starts_with(MADE));
    let before = it.listens.len();
    it.listens.retain(|listen| !(listen.kind == ListenKind::Socket && is_made(&listen.socket)));
    if it.listens.len() < before || is_made(&it.socket) {
        it.socket = None;
        it.port = Some(-1);
        it.autoport = Some(YesNo::Yes);
        if it.listens.is_empty() {
            it.listens.push(Listen::new(ListenKind::Address));
        }
    }
}

fn videos(videos: &mut [Video], caps: &QemuCaps) -> Result<()> {
    for (at, video) in videos.iter_mut().enumerate() {
        let model = video.model.get_or_insert_with(VideoModel::default);
        if model.kind == VideoKind::Default {
            let known = [
                (VideoKind::Cirrus, "cirrus-vga"),
                (VideoKind::Vga, "VGA"),
                (VideoKind::Bochs, "bochs-display"),
                (VideoKind::Virtio, "virtio-gpu-pci"),
            ];
            let found = known.iter().find(|(_, device)| caps.has(device));
            model.kind = found
                .map(|(kind, _)| *kind)
                .ok_or_else(|| Error::unsupported_config("no default video model for this emulator"))?;
        }
        if model.kind == VideoKind::None {
            // What is not there is nowhere.
            video.info.address = None;
            continue;
        }
        // Sizes as powers of two, the smallest each card works with.
        match model.kind {
            VideoKind::Vga | VideoKind::Cirrus | VideoKind::Vmvga | VideoKind::Bochs => {
                model.vram = Some(power_of_two(model.vram.unwrap_or(16 * 1024)));
            }
            VideoKind::Qxl => {
                model.ram = Some(power_of_two(model.ram.unwrap_or(64 * 1024)));
                model.vram = Some(power_of_two(model.vram.unwrap_or(64 * 1024)));
                let room = model.vgamem.unwrap_or(16 * 1024).max(1024);
                model.vgamem = Some(power_of_two(room));
            }
            _ => {}
        }
        model.heads.get_or_insert(1);
        if at == 0 {
            model.primary = Some(YesNo::Yes);
        } else if model.primary == Some(YesNo::No) {
            model.primary = None;
        }
    }
    Ok(())
}

fn power_of_two(size: u32) -> u32 {
    size.checked_next_power_of_two().unwrap_or(size)
}

fn rng(it: &mut Rng) {
    if let RngBackend::Random { path } = &mut it.backend {
        path.get_or_insert_with(|| "/dev/random".to_owned());
    }
}
