//! The tiny guest: the distribution's own kernel and busybox, which boots to a shell in a few seconds without KVM.
//!
//! On `ttyS0`, `hvc0` and `tty1` it shows [`PROMPT`]. It loads drivers for what it finds and for what is plugged later,
//! asks for an address on every network interface, powers off at the power button and reboots at Ctrl-Alt-Del. `look KIND...`
//! lists what it finds, one thing a line.
//! Built once into `target/guest/`; built again when the kernel, busybox or the files in `xtask/guest/` change.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::command::{output, program, target_dir};

pub(crate) mod cpio;
pub(crate) mod kernel;
pub(crate) mod package;

/// What each console shows when the guest is ready for a command.
pub const PROMPT: &str = "virtbus-guest# ";

/// Kernel arguments that put the kernel's messages and the first shell on the serial port.
pub const CMDLINE: &str = "console=ttyS0 quiet panic=-1";

/// The guest's files: absolute paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// For `<kernel>`.
    pub kernel: PathBuf,
    /// For `<initrd>`.
    pub initrd: PathBuf,
    /// For `<kernel>` where firmware loads it: the image as the distribution has it, which takes longer to unpack itself.
    pub image: PathBuf,
}

impl Guest {
    fn below(dir: &Path) -> Self {
        Self { kernel: dir.join("kernel"), initrd: dir.join("initrd"), image: dir.join("image") }
    }

    /// Copies the files to where the user that QEMU runs as can read them.
    pub fn copy_to(&self, dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        let copy = Self::below(dir);
        for (from, to) in [(&self.kernel, &copy.kernel), (&self.initrd, &copy.initrd), (&self.image, &copy.image)] {
            fs::copy(from, to).with_context(|| format!("copy {} to {}", from.display(), to.display()))?;
        }
        Ok(copy)
    }
}

/// Files of the initial RAM disk that are text: path, mode, content.
const FILES: &[(&str, u32, &str)] = &[
    ("init", 0o755, include_str!("../guest/init")),
    ("bin/look", 0o755, include_str!("../guest/look")),
    ("etc/acpi/PWRF/00000080", 0o755, include_str!("../guest/power-button")),
    ("etc/dhcp", 0o755, include_str!("../guest/dhcp")),
    ("etc/net", 0o755, include_str!("../guest/net")),
    ("etc/plug", 0o755, include_str!("../guest/plug")),
    ("etc/profile", 0o644, include_str!("../guest/profile")),
    ("etc/rc", 0o755, include_str!("../guest/rc")),
];

/// The guest, built when it is not there yet.
pub fn ready() -> Result<Guest> {
    let dir = target_dir().join("guest");
    let guest = Guest::below(&dir);
    let stamp = dir.join("stamp");
    let busybox = Path::new("/bin/busybox");
    let made_of =
        format!("{:?} {:?} {:?}", fs::metadata(busybox).and_then(|it| it.modified()).ok(), FILES, kernel::MODULES);
    let is_there = [&guest.kernel, &guest.initrd, &guest.image].iter().all(|it| it.is_file());
    if is_there && fs::read_to_string(&stamp).is_ok_and(|it| it == made_of) {
        return Ok(guest);
    }
    // Two test programs may come here at once: each builds beside, and a rename puts it in place.
    fs::create_dir_all(&dir)?;
    let work = tempfile::tempdir_in(&dir)?;
    let unpacked = kernel::unpack(&dir, work.path(), kernel::MODULES)?;
    eprintln!("guest: packing {} drivers and busybox", unpacked.modules.len());
    kernel::boot_image(&unpacked.image, &work.path().join("kernel"))?;
    fs::copy(&unpacked.image, work.path().join("image"))?;
    fs::write(work.path().join("initrd"), initrd(busybox, &unpacked)?)?;
    fs::write(work.path().join("stamp"), made_of)?;
    for name in ["kernel", "initrd", "image", "stamp"] {
        fs::rename(work.path().join(name), dir.join(name))?;
    }
    Ok(guest)
}

/// The RAM disk is not compressed: unpacking it in an emulated machine costs more than loading it.
fn initrd(busybox: &Path, kernel: &kernel::Unpacked) -> Result<Vec<u8>> {
    let mut archive = cpio::Archive::default();
    archive.file("bin/busybox", 0o755, &fs::read(busybox).with_context(|| busybox.display().to_string())?)?;
    for applet in output(program(busybox).arg("--list"))?.lines().filter(|it| *it != "busybox") {
        archive.symlink(&format!("bin/{applet}"), "busybox")?;
    }
    // The kernel and init look for these two here.
    archive.symlink("sbin", "bin")?;
    for (path, mode, text) in FILES {
        archive.file(path, *mode, text.as_bytes())?;
    }
    for directory in ["dev", "proc", "sys"] {
        archive.directory(directory)?;
    }
    for (path, from) in &kernel.modules {
        archive.file(path, 0o644, &fs::read(from)?)?;
    }
    Ok(archive.finish())
}
