//! The distribution's kernel package, unpacked and not installed: the boot image and the drivers a guest can meet.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};

use crate::command::{output, program, run};
use crate::setup::{Distribution, update_lists};

use super::package;

/// The drivers, by module name; what they depend on comes with them. One that the kernel has built in is no file.
pub(super) const MODULES: &[&str] = &[
    "8139cp",
    "8139too",
    "9p",
    "9pnet_virtio",
    "ahci",
    "am53c974",
    "ata_generic",
    "ata_piix",
    "button",
    "cdc_ether",
    "e100",
    "e1000",
    "e1000e",
    "ehci_hcd",
    "ehci_pci",
    "esp_scsi",
    "evdev",
    "ext4",
    "floppy",
    "ftdi_sio",
    "hid_generic",
    "i6300esb",
    "iTCO_wdt",
    "ib700wdt",
    "igb",
    "isofs",
    "lp",
    "lpc_ich",
    "megaraid_sas",
    "mptsas",
    "nbd",
    "nd_pmem",
    "ne2k_pci",
    "nfit",
    "nvme",
    "ohci_hcd",
    "ohci_pci",
    "parport_pc",
    "pciehp",
    "pcnet32",
    "ppdev",
    "psmouse",
    "pvpanic",
    "pvpanic_pci",
    "qemu_fw_cfg",
    "rndis_host",
    "sd_mod",
    "shpchp",
    "snd_ens1370",
    "snd_hda_codec_generic",
    "snd_hda_intel",
    "snd_intel8x0",
    "snd_usb_audio",
    "sr_mod",
    "sym53c8xx",
    "tpm_crb",
    "tpm_tis",
    "tulip",
    "uas",
    "uhci_hcd",
    "usb_storage",
    "usbhid",
    "vfat",
    "virtio_balloon",
    "virtio_blk",
    "virtio_console",
    "virtio_crypto",
    "virtio_gpu",
    "virtio_input",
    "virtio_iommu",
    "virtio_mem",
    "virtio_mmio",
    "virtio_net",
    "virtio_pci",
    "virtio_pmem",
    "virtio_rng",
    "virtio_scsi",
    "virtio_snd",
    "virtiofs",
    "vmgenid",
    "vmw_pvscsi",
    "vmw_vsock_virtio_transport",
    "vmxnet3",
    "xhci_hcd",
    "xhci_pci",
];

/// An unpacked kernel package.
pub(crate) struct Unpacked {
    /// The compressed boot image as the package has it.
    pub(crate) image: PathBuf,
    /// Path in the RAM disk, and the file to put there: drivers and their index.
    pub(crate) modules: BTreeMap<String, PathBuf>,
}

/// Downloads the kernel package into `cache` (once) and unpacks it below `work`, with the drivers of these names (see
/// [`MODULES`]; a `*` at the end stands for anything).
pub(crate) fn unpack(cache: &Path, work: &Path, drivers: &[&str]) -> Result<Unpacked> {
    let tree = work.join("tree");
    fs::create_dir(&tree)?;
    for package in packages(cache)? {
        run(program("dpkg-deb").arg("-x").arg(package).arg(&tree))?;
    }
    let image = package::only_file(&tree.join("boot"), "vmlinuz-")?;
    let version = image.file_name().and_then(|it| it.to_str()).and_then(|it| it.strip_prefix("vmlinuz-"));
    let version = version.context("the kernel's file name")?.to_owned();
    // Since the /usr merge, packages put modules in either place.
    let mut from = tree.join("lib/modules").join(&version);
    if !from.is_dir() {
        from = tree.join("usr/lib/modules").join(&version);
    }
    let base = format!("lib/modules/{version}");
    let chosen = work.join("chosen");
    let mut modules = BTreeMap::new();
    for file in choose(&from, drivers)? {
        let inside = file.strip_prefix(&from)?.with_extension("");
        let inside = if inside.extension().is_some() { inside } else { inside.with_extension("ko") };
        let to = chosen.join(&base).join(&inside);
        fs::create_dir_all(to.parent().context("a driver has a directory")?)?;
        decompress(&file, &to)?;
        modules.insert(format!("{base}/{}", inside.display()), to);
    }
    run(program("/bin/busybox").current_dir(chosen.join(&base)).args(["depmod", "-b"]).arg(&chosen).arg(&version))?;
    for index in ["modules.alias", "modules.dep", "modules.symbols"] {
        modules.insert(format!("{base}/{index}"), chosen.join(&base).join(index));
    }
    Ok(Unpacked { image, modules })
}

/// The packages' files, downloaded when they are not in the cache.
fn packages(cache: &Path) -> Result<Vec<PathBuf>> {
    let names = match package_names() {
        Ok(names) => names,
        Err(_) => {
            update_lists()?;
            package_names()?
        }
    };
    let dir = cache.join("packages");
    names.iter().map(|name| package::fetch(&dir, name)).collect()
}

/// The names behind the distribution's meta package for "the kernel".
fn package_names() -> Result<Vec<String>> {
    let arch = output(program("dpkg").arg("--print-architecture"))?;
    let meta = match Distribution::here()?.id.as_str() {
        "ubuntu" => "linux-image-virtual".to_owned(),
        _ => format!("linux-image-{}", arch.trim()),
    };
    let answer = output(program("apt-cache").args(["depends", "--important", &meta]))?;
    let is_kernel = |it: &&str| it.starts_with("linux-image-") || it.starts_with("linux-modules-");
    let depends = answer.lines().filter_map(|line| line.trim().strip_prefix("Depends: ")).filter(is_kernel);
    let mut names: Vec<_> = depends.map(str::to_owned).collect();
    // Ubuntu's image package holds the image alone.
    let modules = names.iter().filter(|_| meta.ends_with("virtual")).map(|it| it.replace("-image-", "-modules-"));
    names.extend(modules.collect::<Vec<_>>());
    ensure!(!names.is_empty(), "apt knows no kernel behind {meta}");
    Ok(names)
}

/// The files of these drivers and of everything those name in their `depends=`.
fn choose(dir: &Path, drivers: &[&str]) -> Result<Vec<PathBuf>> {
    let mut by_name = BTreeMap::new();
    collect(&dir.join("kernel"), &mut by_name)?;
    let mut wanted: Vec<String> = Vec::new();
    for driver in drivers {
        match driver.strip_suffix('*') {
            Some(start) => wanted.extend(by_name.keys().filter(|it| it.starts_with(start)).cloned()),
            None => wanted.push((*driver).to_owned()),
        }
    }
    let mut chosen = BTreeMap::new();
    while let Some(name) = wanted.pop() {
        let Some(file) = by_name.get(&name) else { continue };
        if chosen.contains_key(&name) {
            continue;
        }
        wanted.extend(depends(&contents(file)?));
        chosen.insert(name, file.clone());
    }
    ensure!(chosen.contains_key("virtio_blk"), "{} holds no virtio drivers", dir.display());
    Ok(chosen.into_values().collect())
}

/// Every driver's file below `dir`, by module name (a dash in a file's name is an underscore in the module's).
fn collect(dir: &Path, into: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, into)?;
        } else if let Some((name, "ko" | "ko.xz" | "ko.zst")) =
            path.file_name().and_then(|it| it.to_str()).and_then(|it| it.split_once('.'))
        {
            into.insert(name.replace('-', "_"), path);
        }
    }
    Ok(())
}

/// The modules a driver says it needs, hard and soft: a `depends=` and `softdep=` string in its `.modinfo` section.
fn depends(module: &[u8]) -> Vec<String> {
    let strings = module.split(|it| *it == 0).filter_map(|it| std::str::from_utf8(it).ok());
    let mut names = Vec::new();
    for string in strings {
        if let Some(list) = string.strip_prefix("depends=") {
            names.extend(list.split(',').map(str::to_owned));
        } else if let Some(list) = string.strip_prefix("softdep=") {
            names.extend(list.split_whitespace().filter(|it| !it.ends_with(':')).map(str::to_owned));
        }
    }
    names.into_iter().filter(|it| !it.is_empty()).map(|it| it.replace('-', "_")).collect()
}

fn contents(file: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(file)?;
    match decompressor(&bytes) {
        Some(tool) => crate::command::output_bytes(tool.command().arg(file)),
        None => Ok(bytes),
    }
}

fn decompress(from: &Path, to: &Path) -> Result<()> {
    fs::write(to, contents(from)?)?;
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Decompressor(&'static [&'static str]);

impl Decompressor {
    fn command(self) -> std::process::Command {
        let mut command = program(self.0[0]);
        command.args(&self.0[1..]);
        command
    }
}

fn decompressor(bytes: &[u8]) -> Option<Decompressor> {
    match bytes {
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Decompressor(&["xz", "-dc", "--single-stream"])),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Decompressor(&["zstd", "-dcq"])),
        _ => None,
    }
}

/// Writes what QEMU boots. Unpacking the image takes an emulated processor more than half of the boot time, so it is
/// done here: QEMU starts an uncompressed kernel that has a PVH entry. Otherwise the image is taken as it is.
pub(crate) fn boot_image(image: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(image).with_context(|| image.display().to_string())?;
    match payload(&bytes).and_then(|it| Some((it, decompressor(it)?))) {
        Some((payload, tool)) => {
            let compressed = to.with_extension("payload");
            fs::write(&compressed, payload)?;
            // The size stands behind the stream, which some tools call an error after they have written everything.
            let out = tool.command().arg(&compressed).stdin(Stdio::null()).stderr(Stdio::null()).output()?;
            fs::remove_file(&compressed)?;
            if !has_pvh_entry(&out.stdout) {
                bail!("{} unpacks to something that is no kernel with a PVH entry", image.display());
            }
            fs::write(to, out.stdout)?;
        }
        None => fs::write(to, bytes)?,
    }
    Ok(())
}

/// The compressed kernel inside a boot image: "The Linux/x86 Boot Protocol", `setup_sects`, `payload_offset`,
/// `payload_length`.
fn payload(image: &[u8]) -> Option<&[u8]> {
    let word = |at: usize| Some(u32::from_le_bytes(image.get(at..at + 4)?.try_into().ok()?));
    let setup = (usize::from(*image.get(0x1f1)?) + 1) * 512;
    let start = setup.checked_add(usize::try_from(word(0x248)?).ok()?)?;
    let length = usize::try_from(word(0x24c)?).ok()?;
    (image.get(0x202..0x206)? == b"HdrS").then_some(())?;
    image.get(start..start.checked_add(length)?)
}

/// An ELF file with a note of the name `Xen` and the type 18 (the address of the PVH entry).
fn has_pvh_entry(kernel: &[u8]) -> bool {
    let note = [&4u32.to_le_bytes()[..], &4u32.to_le_bytes(), &18u32.to_le_bytes(), b"Xen\0"].concat();
    let long = [&4u32.to_le_bytes()[..], &8u32.to_le_bytes(), &18u32.to_le_bytes(), b"Xen\0"].concat();
    kernel.starts_with(b"\x7fELF") && kernel.windows(16).any(|it| it == note || it == long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read_from_modinfo() {
        let module = b"\x7fELF..\0license=GPL\0depends=virtio,virtio-ring\0softdep=pre: crc32c post: x\0name=y\0";
        assert_eq!(depends(module), ["virtio", "virtio_ring", "crc32c", "x"]);
    }

    #[test]
    fn a_short_image_has_no_payload() {
        assert_eq!(payload(&[0; 64]), None);
        assert_eq!(payload(&[0xff; 0x300]), None);
    }
}
