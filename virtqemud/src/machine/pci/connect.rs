//! What a device wants of the place it is plugged into, and the order in which devices are served.

use virtbus_schema::domain::device::chardev::SerialTargetKind;
use virtbus_schema::domain::device::controller::ControllerKind;
use virtbus_schema::domain::device::disk::{DiskBus, DiskModel};
use virtbus_schema::domain::device::hostdev::{Hostdev, HostdevKind, HostdevModel};
use virtbus_schema::domain::device::input::{InputBus, InputModel};
use virtbus_schema::domain::device::interface::InterfaceKind;
use virtbus_schema::domain::device::memballoon::MemballoonModel;
use virtbus_schema::domain::device::memory::MemoryModel;
use virtbus_schema::domain::device::rng::RngModel;
use virtbus_schema::domain::device::small::{IommuModel, PanicModel};
use virtbus_schema::domain::device::sound::SoundModel;
use virtbus_schema::domain::device::video::VideoKind;
use virtbus_schema::domain::device::watchdog::WatchdogModel;
use virtbus_schema::domain::device::{Address, Devices};

use crate::device::filesystem::is_mtp;
use crate::machine::Board;

bitflags::bitflags! {
    /// Kinds of PCI devices, and how one is placed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Connect: u32 {
        /// It, or the bus, is for plugging in while the guest runs.
        const HOTPLUG = 0x1;
        /// More of its kind may share its slot.
        const SHARE_SLOT = 0x2;
        /// A conventional device.
        const PCI = 0x10;
        /// A PCI Express device.
        const PCIE = 0x20;
        /// A root port.
        const ROOT_PORT = 0x40;
        /// A switch.
        const SWITCH_UPSTREAM = 0x80;
        /// A port of a switch.
        const SWITCH_DOWNSTREAM = 0x100;
        /// A DMI to PCI bridge.
        const DMI_TO_PCI = 0x200;
        /// A further conventional root.
        const PCI_EXPANDER = 0x400;
        /// A further root complex.
        const PCIE_EXPANDER = 0x800;
        /// A conventional bridge.
        const PCI_BRIDGE = 0x1000;
        /// A bridge from PCI Express to conventional PCI.
        const PCIE_TO_PCI = 0x2000;
        /// What is no controller.
        const ENDPOINT = Self::PCI.bits() | Self::PCIE.bits();
        /// All kinds.
        const KINDS = Self::ENDPOINT.bits() | Self::ROOT_PORT.bits() | Self::SWITCH_UPSTREAM.bits()
            | Self::SWITCH_DOWNSTREAM.bits() | Self::DMI_TO_PCI.bits() | Self::PCI_EXPANDER.bits()
            | Self::PCIE_EXPANDER.bits() | Self::PCI_BRIDGE.bits() | Self::PCIE_TO_PCI.bits();
    }
}

impl Connect {
    /// In words, for an error text.
    pub(super) fn needed(self) -> &'static str {
        let words = [
            (Connect::PCIE, "PCI Express device"),
            (Connect::PCI, "standard PCI device"),
            (Connect::ROOT_PORT, "pcie-root-port"),
            (Connect::SWITCH_UPSTREAM, "pcie-switch-upstream-port"),
            (Connect::SWITCH_DOWNSTREAM, "pcie-switch-downstream-port"),
            (Connect::DMI_TO_PCI, "dmi-to-pci-bridge"),
            (Connect::PCI_EXPANDER, "pci-expander-bus"),
            (Connect::PCIE_EXPANDER, "pcie-expander-bus"),
            (Connect::PCI_BRIDGE, "pci-bridge"),
            (Connect::PCIE_TO_PCI, "pcie-to-pci-bridge"),
        ];
        words.iter().find(|(kind, _)| self.contains(*kind)).map_or("device", |(_, text)| text)
    }
}

/// One device of a document, by its list and position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seat {
    Disk(usize),
    Controller(usize),
    Interface(usize),
    Sound(usize),
    Serial(usize),
    Input(usize),
    Video(usize),
    Watchdog(usize),
    Memballoon(usize),
    Rng(usize),
    Filesystem(usize),
    Hostdev(usize),
    Shmem(usize),
    Memory(usize),
    Vsock(usize),
    Crypto(usize),
    Panic(usize),
    Pstore(usize),
    Iommu(usize),
}

/// The kinds of virtio on PCI.
enum Virtio {
    Default,
    Transitional,
    NonTransitional,
}

impl Virtio {
    fn wants(self, board: Board) -> Connect {
        match (self, board) {
            // With a legacy interface a device is a conventional one; the modern one fits any bus of a board.
            (Virtio::Transitional, _) | (_, Board::I440fx) => PLUGGABLE,
            (Virtio::Default | Virtio::NonTransitional, _) => PLUGGABLE_EXPRESS,
        }
    }
}

/// A device that no machine has: it asks for a place and none fits, which is what it is refused for.
const NOWHERE: Connect = Connect::empty();
const PLUGGABLE: Connect = Connect::PCI.union(Connect::HOTPLUG);
const PLUGGABLE_EXPRESS: Connect = Connect::PCIE.union(Connect::HOTPLUG);

impl Seat {
    /// All devices that may be on PCI.
    pub(crate) fn all(devices: &Devices) -> Vec<Seat> {
        let mut seats: Vec<Seat> = (0..devices.disks.len()).map(Seat::Disk).collect();
        seats.extend((0..devices.interfaces.len()).map(Seat::Interface));
        seats.extend((0..devices.sounds.len()).map(Seat::Sound));
        seats.extend((0..devices.controllers.len()).map(Seat::Controller));
        seats.extend((0..devices.serials.len()).map(Seat::Serial));
        seats.extend((0..devices.inputs.len()).map(Seat::Input));
        seats.extend((0..devices.watchdogs.len()).map(Seat::Watchdog));
        seats.extend((0..devices.memballoons.len()).map(Seat::Memballoon));
        seats.extend((0..devices.rngs.len()).map(Seat::Rng));
        seats.extend((0..devices.videos.len()).map(Seat::Video));
        seats.extend((0..devices.filesystems.len()).map(Seat::Filesystem));
        seats.extend((0..devices.hostdevs.len()).map(Seat::Hostdev));
        seats.extend((0..devices.shmems.len()).map(Seat::Shmem));
        seats.extend((0..devices.memories.len()).map(Seat::Memory));
        seats.extend((0..devices.vsocks.len()).map(Seat::Vsock));
        seats.extend((0..devices.cryptos.len()).map(Seat::Crypto));
        seats.extend((0..devices.panics.len()).map(Seat::Panic));
        seats.extend((0..devices.pstores.len()).map(Seat::Pstore));
        seats.extend((0..devices.iommus.len()).map(Seat::Iommu));
        seats
    }

    /// The same in the order in which places are given out.
    pub(crate) fn in_order_of_service(devices: &Devices) -> Vec<Seat> {
        let rank = |seat: &Seat| match seat {
            Seat::Controller(at) => match devices.controllers.get(*at).map(|it| it.kind) {
                Some(ControllerKind::Pci) => 0,
                _ => 3,
            },
            Seat::Filesystem(_) => 1,
            Seat::Interface(_) => 2,
            Seat::Sound(_) => 2,
            Seat::Disk(_) => 4,
            Seat::Hostdev(_) => 5,
            Seat::Memballoon(_) => 6,
            Seat::Rng(_) => 7,
            Seat::Watchdog(_) => 8,
            Seat::Video(_) => 9,
            Seat::Shmem(_) => 10,
            Seat::Input(_) => 11,
            Seat::Serial(_) => 12,
            Seat::Vsock(_) => 13,
            Seat::Memory(_) => 14,
            Seat::Crypto(_) => 15,
            Seat::Panic(_) => 16,
            Seat::Pstore(_) => 17,
            Seat::Iommu(_) => 18,
        };
        let mut seats = Self::all(devices);
        seats.sort_by_key(rank);
        seats
    }

    /// Where the device keeps its address.
    pub(crate) fn address(self, devices: &mut Devices) -> &mut Option<Address> {
        // A seat comes from the same lists, so the position is there; a list that shrank meanwhile would be a fault of ours.
        match self {
            Seat::Disk(at) => &mut devices.disks[at].info.address,
            Seat::Controller(at) => &mut devices.controllers[at].info.address,
            Seat::Interface(at) => &mut devices.interfaces[at].info.address,
            Seat::Sound(at) => &mut devices.sounds[at].info.address,
            Seat::Serial(at) => &mut devices.serials[at].info.address,
            Seat::Input(at) => &mut devices.inputs[at].info.address,
            Seat::Video(at) => &mut devices.videos[at].info.address,
            Seat::Watchdog(at) => &mut devices.watchdogs[at].info.address,
            Seat::Memballoon(at) => &mut devices.memballoons[at].info.address,
            Seat::Rng(at) => &mut devices.rngs[at].info.address,
            Seat::Filesystem(at) => &mut devices.filesystems[at].info.address,
            Seat::Hostdev(at) => &mut devices.hostdevs[at].info.address,
            Seat::Shmem(at) => &mut devices.shmems[at].info.address,
            Seat::Memory(at) => &mut devices.memories[at].info.address,
            Seat::Vsock(at) => &mut devices.vsocks[at].info.address,
            Seat::Crypto(at) => &mut devices.cryptos[at].info.address,
            Seat::Panic(at) => &mut devices.panics[at].info.address,
            Seat::Pstore(at) => &mut devices.pstores[at].info.address,
            Seat::Iommu(at) => &mut devices.iommus[at].info.address,
        }
    }

    /// Whether it is one of the functions of the PIIX3 that every i440FX machine has.
    pub(super) fn is_part_of_piix3(self, devices: &Devices) -> bool {
        let Seat::Controller(at) = self else { return false };
        devices.controllers.get(at).is_some_and(|it| {
            it.index == Some(0)
                && (it.kind == ControllerKind::Ide
                    || (it.kind == ControllerKind::Usb && it.model.as_deref() == Some("piix3-uhci")))
        })
    }

    /// Whether it is a controller of IDE drives.
    pub(super) fn is_ide(self, devices: &Devices) -> bool {
        let Seat::Controller(at) = self else { return false };
        devices.controllers.get(at).is_some_and(|it| it.kind == ControllerKind::Ide)
    }

    /// What it wants of its place; `None` for what is not on PCI.
    pub(crate) fn wants(self, devices: &Devices, board: Board) -> Option<Connect> {
        match self {
            Seat::Disk(at) => {
                let disk = devices.disks.get(at)?;
                (disk.target.bus == Some(DiskBus::Virtio)).then(|| by_model(disk.model).wants(board))
            }
            Seat::Controller(at) => controller(devices, at, board),
            Seat::Interface(at) => interface(devices, at, board),
            Seat::Sound(at) => match devices.sounds.get(at)?.model {
                SoundModel::Sb16 | SoundModel::Pcspk | SoundModel::Usb => None,
                SoundModel::Virtio => Some(Virtio::Default.wants(board)),
                SoundModel::Es1370 | SoundModel::Ac97 | SoundModel::Ich6 | SoundModel::Ich9 => Some(PLUGGABLE),
                SoundModel::Ich7 => Some(NOWHERE),
            },
            Seat::Serial(at) => {
                let kind = devices.serials.get(at)?.target.as_ref().and_then(|it| it.kind);
                (kind == Some(SerialTargetKind::PciSerial)).then_some(PLUGGABLE)
            }
            Seat::Input(at) => {
                let input = devices.inputs.get(at)?;
                (input.bus == Some(InputBus::Virtio)).then(|| {
                    match input.model {
                        Some(InputModel::VirtioTransitional) => Virtio::Transitional,
                        Some(InputModel::VirtioNonTransitional) => Virtio::NonTransitional,
                        Some(InputModel::Virtio) | None => Virtio::Default,
                    }
                    .wants(board)
                })
            }
            Seat::Video(at) => match devices.videos.get(at)?.model.as_ref()?.kind {
                VideoKind::Virtio => Some(Virtio::Default.wants(board)),
                VideoKind::Bochs if board == Board::Q35 => Some(PLUGGABLE_EXPRESS),
                VideoKind::Vga | VideoKind::Cirrus | VideoKind::Vmvga | VideoKind::Qxl | VideoKind::Bochs => {
                    Some(PLUGGABLE)
                }
                VideoKind::Default
                | VideoKind::Xen
                | VideoKind::Vbox
                | VideoKind::Parallels
                | VideoKind::Gop
                | VideoKind::None
                | VideoKind::Ramfb => None,
            },
            Seat::Watchdog(at) => match devices.watchdogs.get(at)?.model {
                WatchdogModel::I6300esb => Some(PLUGGABLE),
                WatchdogModel::Ib700 | WatchdogModel::Diag288 | WatchdogModel::Itco => None,
            },
            Seat::Memballoon(at) => match devices.memballoons.get(at)?.model {
                MemballoonModel::Virtio => Some(Virtio::Default.wants(board)),
                MemballoonModel::VirtioTransitional => Some(Virtio::Transitional.wants(board)),
                MemballoonModel::VirtioNonTransitional => Some(Virtio::NonTransitional.wants(board)),
                MemballoonModel::Xen => Some(NOWHERE),
                MemballoonModel::None => None,
            },
            Seat::Rng(at) => Some(match devices.rngs.get(at)?.model {
                RngModel::Virtio => Virtio::Default.wants(board),
                RngModel::VirtioTransitional => Virtio::Transitional.wants(board),
                RngModel::VirtioNonTransitional => Virtio::NonTransitional.wants(board),
            }),
            Seat::Filesystem(at) => {
                let it = devices.filesystems.get(at)?;
                (!is_mtp(it)).then(|| by_model(it.model).wants(board))
            }
            Seat::Vsock(at) => Some(by_model(devices.vsocks.get(at)?.model).wants(board)),
            Seat::Hostdev(at) => hostdev(devices.hostdevs.get(at)?, board),
            Seat::Shmem(_) | Seat::Pstore(_) | Seat::Crypto(_) => Some(PLUGGABLE),
            Seat::Memory(at) => match devices.memories.get(at)?.model {
                MemoryModel::VirtioPmem | MemoryModel::VirtioMem => Some(Virtio::Default.wants(board)),
                MemoryModel::Dimm | MemoryModel::Nvdimm | MemoryModel::SgxEpc => None,
            },
            Seat::Panic(at) => (devices.panics.get(at)?.model == Some(PanicModel::Pvpanic)).then_some(Connect::PCI),
            // Part of the root complex itself.
            Seat::Iommu(at) => {
                (devices.iommus.get(at)?.model == IommuModel::Virtio).then_some(Connect::PCI | Connect::PCIE)
            }
        }
    }
}

fn by_model(model: Option<DiskModel>) -> Virtio {
    match model {
        Some(DiskModel::VirtioTransitional) => Virtio::Transitional,
        Some(DiskModel::VirtioNonTransitional) => Virtio::NonTransitional,
        Some(DiskModel::Virtio) | None => Virtio::Default,
    }
}

fn hostdev(it: &Hostdev, board: Board) -> Option<Connect> {
    let express = if board == Board::Q35 { PLUGGABLE_EXPRESS } else { PLUGGABLE };
    match it.device.kind {
        HostdevKind::Pci | HostdevKind::Mdev => Some(express),
        HostdevKind::ScsiHost => Some(
            match it.model {
                Some(HostdevModel::VirtioTransitional) => Virtio::Transitional,
                Some(HostdevModel::VirtioNonTransitional) => Virtio::NonTransitional,
                _ => Virtio::Default,
            }
            .wants(board),
        ),
        HostdevKind::Usb | HostdevKind::Scsi | HostdevKind::Storage | HostdevKind::Misc | HostdevKind::Net => None,
    }
}

fn controller(devices: &Devices, at: usize, board: Board) -> Option<Connect> {
    let it = devices.controllers.get(at)?;
    match (it.kind, it.model.as_deref()) {
        (ControllerKind::Pci, Some(model)) => match model {
            "pci-bridge" => Some(Connect::PCI_BRIDGE),
            "dmi-to-pci-bridge" => Some(Connect::DMI_TO_PCI),
            "pcie-to-pci-bridge" => Some(Connect::PCIE_TO_PCI),
            "pcie-root-port" => Some(Connect::ROOT_PORT | Connect::SHARE_SLOT),
            "pcie-switch-upstream-port" => Some(Connect::SWITCH_UPSTREAM),
            "pcie-switch-downstream-port" => Some(Connect::SWITCH_DOWNSTREAM),
            "pci-expander-bus" => Some(Connect::PCI_EXPANDER),
            "pcie-expander-bus" => Some(Connect::PCIE_EXPANDER),
            _ => None,
        },
        (ControllerKind::Usb, Some("none")) => None,
        (ControllerKind::Usb, Some("nec-xhci" | "qemu-xhci")) if board == Board::Q35 => Some(PLUGGABLE_EXPRESS),
        (ControllerKind::Usb | ControllerKind::Sata | ControllerKind::Ide, _) => Some(PLUGGABLE),
        (ControllerKind::Scsi | ControllerKind::VirtioSerial, Some("virtio-transitional")) => {
            Some(Virtio::Transitional.wants(board))
        }
        (ControllerKind::Scsi | ControllerKind::VirtioSerial, Some("virtio-non-transitional")) => {
            Some(Virtio::NonTransitional.wants(board))
        }
        (ControllerKind::VirtioSerial, _) | (ControllerKind::Scsi, Some("virtio-scsi")) => {
            Some(Virtio::Default.wants(board))
        }
        (ControllerKind::Scsi, _) => Some(PLUGGABLE),
        (ControllerKind::Xenbus | ControllerKind::Isa, _) => Some(NOWHERE),
        (ControllerKind::Pci, None) | (ControllerKind::Fdc | ControllerKind::Ccid, _) => None,
    }
}

fn interface(devices: &Devices, at: usize, board: Board) -> Option<Connect> {
    let it = devices.interfaces.get(at)?;
    if it.kind == InterfaceKind::Hostdev {
        return Some(if board == Board::Q35 { PLUGGABLE_EXPRESS } else { PLUGGABLE });
    }
    match it.model.as_deref()? {
        "usb-net" => None,
        "virtio" => Some(Virtio::Default.wants(board)),
        "virtio-transitional" => Some(Virtio::Transitional.wants(board)),
        "virtio-non-transitional" => Some(Virtio::NonTransitional.wants(board)),
        // Conventional cards by name; what is not known may be anything, and goes where it could be plugged.
        "rtl8139" | "e1000" | "vmxnet3" | "vmxnet" | "vmxnet2" | "lan9118" | "scm91c111" | "vlance" | "netfront"
        | "spapr-vlan" | "Am79C970A" | "Am79C973" | "82540EM" | "82545EM" | "82543GC" => Some(PLUGGABLE),
        _ if board == Board::Q35 => Some(PLUGGABLE_EXPRESS),
        _ => Some(PLUGGABLE),
    }
}
