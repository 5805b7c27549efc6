//! What cannot work is refused when the guest is defined, under the reference's code for the same fault.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::graphics::Graphics;
use virtbus_schema::domain::device::video::{Video, VideoKind};
use virtbus_schema::domain::{Domain, DomainKind};
use virtbus_schema::xml::YesNo;

use super::{Board, is_kvm};
use crate::process::capabilities::{Accel, QemuCaps};

/// Whether the emulator can run this kind of guest at all.
///
/// # Errors
/// `CONFIG_UNSUPPORTED` when it cannot.
pub(super) fn emulator(domain: &Domain, caps: &QemuCaps) -> Result<()> {
    let binary = caps.binary.display();
    let os = &domain.os.kind;
    if os.value != "hvm" {
        return Err(Error::unsupported_config(format!("Emulator '{binary}' does not support os type '{}'", os.value)));
    }
    if let Some(arch) = &os.arch
        && !is_supported(arch, &caps.arch)
    {
        return Err(Error::unsupported_config(format!("Emulator '{binary}' does not support arch '{arch}'")));
    }
    let accel = match domain.kind {
        DomainKind::Qemu => Some(Accel::Tcg),
        DomainKind::Kvm => Some(Accel::Kvm),
        _ => None,
    };
    if accel.and_then(|it| caps.cpus(it)).is_none() {
        return Err(Error::unsupported_config(format!("Emulator '{binary}' does not support virt type '{}'", domain.kind)));
    }
    Ok(())
}

/// A 64-bit PC is a 32-bit PC as well.
fn is_supported(guest: &str, emulator: &str) -> bool {
    guest == emulator || (guest == "i686" && emulator == "x86_64")
}

/// Whether the emulator has the machine, and the machine the CPUs.
///
/// # Errors
/// `CONFIG_UNSUPPORTED` when not.
pub(super) fn machine(domain: &Domain, caps: &QemuCaps) -> Result<()> {
    let name = domain.os.kind.machine.as_deref().unwrap_or_default();
    if caps.machine(name).is_none_or(|it| it.name == "none") {
        let binary = caps.binary.display();
        return Err(Error::unsupported_config(format!("Emulator '{binary}' does not support machine type '{name}'")));
    }
    Ok(())
}

/// The rest, once everything is filled in.
///
/// # Errors
/// `CONFIG_UNSUPPORTED` and others, each naming what is wrong.
pub(super) fn domain(domain: &Domain, caps: &QemuCaps) -> Result<()> {
    let name = domain.os.kind.machine.as_deref().unwrap_or_default();
    if let Some(machine) = caps.machine(name)
        && domain.vcpu.count > machine.max_cpus
    {
        return Err(Error::unsupported_config(format!(
            "Maximum CPUs greater than specified machine type limit {}",
            machine.max_cpus
        )));
    }
    if let Some(topology) = domain.cpu.as_ref().and_then(|it| it.topology)
        && topology.vcpus() != Some(domain.vcpu.count)
    {
        return Err(Error::unsupported_config("CPU topology doesn't match maximum vcpu count"));
    }
    for it in &domain.devices.videos {
        video(it, caps)?;
    }
    for it in &domain.devices.graphics {
        graphics(it, caps)?;
    }
    let _ = (Board::of_domain(domain), is_kvm(domain));
    Ok(())
}

fn video(it: &Video, caps: &QemuCaps) -> Result<()> {
    let Some(model) = &it.model else { return Ok(()) };
    let device = match model.kind {
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
    if !caps.has(device) {
        return Err(Error::unsupported_config(format!("domain configuration does not support video model '{}'", model.kind)));
    }
    let wants_3d = model.acceleration.as_ref().is_some_and(|it| it.accel3d == Some(YesNo::Yes));
    if wants_3d && !(model.kind == VideoKind::Virtio && caps.has("virtio-gpu-gl-pci")) {
        return Err(Error::unsupported_config("3d acceleration is not supported by this QEMU binary"));
    }
    if model.primary != Some(YesNo::Yes) && matches!(model.kind, VideoKind::Vga | VideoKind::Cirrus | VideoKind::Vmvga) {
        return Err(Error::unsupported_config(format!("video type '{}' is only valid as primary video device", model.kind)));
    }
    Ok(())
}

fn graphics(it: &Graphics, caps: &QemuCaps) -> Result<()> {
    match it {
        Graphics::Spice(_) if !caps.has_schema("command:query-spice") => {
            Err(Error::unsupported_config("spice graphics are not supported with this QEMU"))
        }
        Graphics::Rdp(_) => Err(Error::unsupported_config("graphics type 'rdp' is not supported with this QEMU")),
        Graphics::Desktop { .. } => Err(Error::unsupported_config("unsupported graphics type 'desktop'")),
        _ => Ok(()),
    }
}
