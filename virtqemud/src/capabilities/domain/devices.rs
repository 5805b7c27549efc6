//! `<devices>`: kinds of device, and which of the schema's values this emulator has something for.

use virtbus_schema::domain::device::disk::{DiskBus, DiskDevice, DiskModel};
use virtbus_schema::domain::device::rng::RngModel;
use virtbus_schema::domain::device::video::VideoKind;
use virtbus_schema::domain::memory::MemorySource;
use virtbus_schema::domain_capabilities::{Capable, CapableDevices, Choice};

use super::{Subject, Surroundings};
use crate::process::capabilities::QemuCaps;

/// Those of an enum's values that `has` finds.
macro_rules! offered {
    ($name:literal, $kind:ty, $has:expr) => {
        Choice::of($name, <$kind>::ALL.iter().copied().filter($has).map(<$kind>::as_str))
    };
}

/// Those of some texts whose condition holds.
fn texts<const N: usize>(name: &str, texts: [(&str, bool); N]) -> Choice {
    Choice::of(name, texts.into_iter().filter(|(_, has)| *has).map(|(text, _)| text))
}

pub(super) fn memory_backing(caps: &QemuCaps) -> Capable {
    let source = offered!("sourceType", MemorySource, |it| match it {
        MemorySource::File => caps.has("memory-backend-file"),
        MemorySource::Anonymous => true,
        MemorySource::Memfd => caps.has("memory-backend-memfd"),
    });
    Capable::yes(vec![source])
}

pub(super) fn devices(it: Subject<'_>, host: Surroundings<'_>) -> CapableDevices {
    let caps = it.caps;
    CapableDevices {
        disk: Some(disk(it)),
        graphics: Some(graphics(caps)),
        video: Some(video(caps)),
        hostdev: Some(hostdev(host)),
        rng: Some(rng(caps)),
        filesystem: Some(filesystem(caps)),
        tpm: Some(tpm(caps, host)),
        redirdev: Some(Capable::when(caps.has("usb-redir"), vec![Choice::of("bus", ["usb"])])),
        channel: Some(Capable::yes(vec![texts(
            "type",
            [
                ("pty", true),
                ("unix", true),
                ("spicevmc", has_spice(caps)),
                ("qemu-vdagent", has_spice(caps) && caps.has_schema("chardev.qemu-vdagent")),
            ],
        )])),
        crypto: Some(crypto(caps)),
        interface: Some(Capable::yes(vec![texts(
            "backendType",
            [("default", true), ("passt", caps.has_schema("netdev.stream"))],
        )])),
        panic: Some(panic(it)),
    }
}

/// Whether SPICE is there; QEMU's schema names its parts even where its module is not installed, its option does not.
fn has_spice(caps: &QemuCaps) -> bool {
    caps.options.contains_key("spice")
}

/// Virtio devices come in three forms where the emulator has PCI ones of the old kind.
fn has_old_virtio(caps: &QemuCaps) -> bool {
    caps.has("virtio-blk-pci-non-transitional")
}

fn disk(it: Subject<'_>) -> Capable {
    let caps = it.caps;
    let is_ppc = it.arch.name.starts_with("ppc");
    let is_s390 = it.arch.name.starts_with("s390");
    let has_floppies = !is_ppc && !is_s390 && !it.arch.is_arm();
    // Old PCs have an IDE controller on board; it cannot be added to other machines.
    let has_ide = it.machine.name.starts_with("pc-i440fx-");
    let device = offered!("diskDevice", DiskDevice, |it| *it != DiskDevice::Floppy || has_floppies);
    let bus = offered!("bus", DiskBus, |it| match it {
        DiskBus::Ide => has_ide,
        DiskBus::Fdc => has_floppies,
        DiskBus::Scsi | DiskBus::Virtio => true,
        DiskBus::Usb => caps.has("usb-storage"),
        DiskBus::Sata => caps.has("ich9-ahci"),
        DiskBus::Xen | DiskBus::Uml | DiskBus::Sd => false,
    });
    let model = offered!("model", DiskModel, |it| *it == DiskModel::Virtio || has_old_virtio(caps));
    Capable::yes(vec![device, bus, model])
}

fn graphics(caps: &QemuCaps) -> Capable {
    let kinds = texts(
        "type",
        [
            ("sdl", caps.has_schema("display.sdl")),
            ("vnc", caps.has_schema("command:query-vnc")),
            ("spice", has_spice(caps)),
            ("egl-headless", caps.has_schema("display.egl-headless")),
            ("dbus", caps.has_schema("display.dbus")),
        ],
    );
    Capable::yes(vec![kinds])
}

fn video(caps: &QemuCaps) -> Capable {
    let kinds = offered!("modelType", VideoKind, |it| match it {
        VideoKind::Vga => caps.has("VGA"),
        VideoKind::Cirrus => caps.has("cirrus-vga"),
        VideoKind::Vmvga => caps.has("vmware-svga"),
        VideoKind::Qxl => caps.has("qxl"),
        VideoKind::Virtio => ["virtio-gpu-pci", "virtio-gpu-device", "virtio-gpu-ccw"].iter().any(|it| caps.has(it)),
        VideoKind::None => true,
        VideoKind::Bochs => caps.has("bochs-display"),
        VideoKind::Ramfb => caps.has("ramfb"),
        VideoKind::Default | VideoKind::Xen | VideoKind::Vbox | VideoKind::Parallels | VideoKind::Gop => false,
    });
    Capable::yes(vec![kinds])
}

fn hostdev(host: Surroundings<'_>) -> Capable {
    Capable::yes(vec![
        Choice::of("mode", ["subsystem"]),
        Choice::of("startupPolicy", ["default", "mandatory", "requisite", "optional"]),
        Choice::of("subsysType", ["usb", "pci", "scsi"]),
        Choice::of::<&str>("capsType", []),
        texts("pciBackend", [("default", host.vfio), ("vfio", host.vfio)]),
    ])
}

fn rng(caps: &QemuCaps) -> Capable {
    let model = offered!("model", RngModel, |it| *it == RngModel::Virtio || has_old_virtio(caps));
    let backend = texts(
        "backendModel",
        [("random", caps.has("rng-random")), ("egd", caps.has("rng-egd")), ("builtin", caps.has("rng-builtin"))],
    );
    let is_there = ["virtio-rng-pci", "virtio-rng-device", "virtio-rng-ccw"].iter().any(|it| caps.has(it));
    Capable::when(is_there, vec![model, backend])
}

fn filesystem(caps: &QemuCaps) -> Capable {
    let is_shared = ["virtio-9p-pci", "virtio-9p-device", "virtio-9p-ccw"].iter().any(|it| caps.has(it));
    let virtiofs = caps.has("vhost-user-fs-device") || caps.has("vhost-user-fs-pci");
    let kinds = texts("driverType", [("path", is_shared), ("handle", is_shared), ("virtiofs", virtiofs)]);
    Capable::when(is_shared || virtiofs, vec![kinds])
}

fn tpm(caps: &QemuCaps, host: Surroundings<'_>) -> Capable {
    let models =
        ["tpm-tis", "tpm-crb", "tpm-spapr", "tpm-spapr-proxy"].into_iter().filter(|it| caps.tpm_models.contains(*it));
    let models = Choice::of("model", models);
    // Both of them speak to swtpm, which either starts here or has been started elsewhere.
    let emulated = host.tpm_versions.filter(|_| caps.tpm_backends.contains("emulator"));
    let backends = texts(
        "backendModel",
        [
            ("passthrough", caps.tpm_backends.contains("passthrough")),
            ("emulator", emulated.is_some()),
            ("external", emulated.is_some()),
        ],
    );
    let is_there = !models.values.is_empty() && !backends.values.is_empty();
    let versions = emulated.map(|it| Choice::of("backendVersion", it.iter().copied()));
    Capable::when(is_there, [models, backends].into_iter().chain(versions).collect())
}

fn crypto(caps: &QemuCaps) -> Capable {
    let backends = texts(
        "backendModel",
        [("builtin", caps.has("cryptodev-backend-builtin")), ("lkcf", caps.has("cryptodev-backend-lkcf"))],
    );
    let is_there = ["virtio-crypto-pci", "virtio-crypto-device", "virtio-crypto-ccw"].iter().any(|it| caps.has(it));
    let is_there = is_there && !backends.values.is_empty();
    Capable::when(is_there, vec![Choice::of("model", ["virtio"]), Choice::of("type", ["qemu"]), backends])
}

fn panic(it: Subject<'_>) -> Capable {
    let models = texts(
        "model",
        [
            ("isa", it.caps.has("pvpanic")),
            ("pseries", it.arch.name.starts_with("ppc64") && it.machine.name.starts_with("pseries")),
            ("hyperv", it.arch.is_x86()),
            ("s390", it.arch.name == "s390x"),
            ("pvpanic", it.caps.has("pvpanic-pci")),
        ],
    );
    Capable::when(!models.values.is_empty(), vec![models])
}
