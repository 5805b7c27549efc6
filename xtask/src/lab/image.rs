//! What the lab boots from: the distribution's kernel with every driver that a host of guests needs, a RAM disk, and
//! packages that nobody has to install. Built once into `target/lab/`, and again when any of that changes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::command::{output, program, run, target_dir};
use crate::guest::{cpio, kernel, package};

/// What a host has that this machine's kernel may lack.
const DRIVERS: &[&str] = &[
    "8021q",
    "9p",
    "9pnet_virtio",
    "act_csum",
    "act_police",
    "br_netfilter",
    "bridge",
    "cls_fw",
    "cls_u32",
    "crc32c_generic",
    "dm_mod",
    "dm_raid",
    "dm_snapshot",
    "dm_thin_pool",
    "dm_zero",
    "e1000e",
    "ext4",
    "ifb",
    "igb",
    "igbvf",
    "loop",
    "macvlan",
    "macvtap",
    "nf_*",
    "nfs",
    "nfsd",
    "nfsv3",
    "nfsv4",
    "nft_*",
    "overlay",
    "sch_htb",
    "sch_ingress",
    "sch_sfq",
    "tun",
    "veth",
    "vfio_iommu_type1",
    "vfio_pci",
    "vhost_net",
    "vhost_vsock",
    "virtio_balloon",
    "virtio_blk",
    "virtio_console",
    "virtio_net",
    "virtio_pci",
    "virtio_rng",
    "xfs",
];

/// Packages whose programs the lab has and this machine need not have.
const PACKAGES: &[&str] = &["nfs-kernel-server", "thin-provisioning-tools"];

/// Files of the RAM disk that are text: path, mode, content.
const FILES: &[(&str, u32, &str)] =
    &[("init", 0o755, include_str!("../../lab/init")), ("agent", 0o644, include_str!("../../lab/agent"))];

/// What a lab boots from: absolute paths.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) kernel: PathBuf,
    pub(super) initrd: PathBuf,
    /// The unpacked packages.
    pub(super) packages: PathBuf,
}

/// The image, built when it is not there yet.
pub(super) fn ready() -> Result<Image> {
    let dir = target_dir().join("lab");
    let image = Image { kernel: dir.join("kernel"), initrd: dir.join("initrd"), packages: dir.join("packages") };
    let stamp = dir.join("stamp");
    let busybox = Path::new("/bin/busybox");
    let built = fs::metadata(busybox).and_then(|it| it.modified()).ok();
    let made_of = format!("{built:?} {FILES:?} {DRIVERS:?} {PACKAGES:?}");
    if image.packages.is_dir() && fs::read_to_string(&stamp).is_ok_and(|it| it == made_of) {
        return Ok(image);
    }
    fs::create_dir_all(&dir)?;
    let work = tempfile::tempdir_in(&dir)?;
    let at = |name: &str| work.path().join(name);
    fs::create_dir(at("packages"))?;
    for name in PACKAGES {
        let file = package::fetch(&dir.join("downloads"), name)?;
        run(program("dpkg-deb").arg("-x").arg(file).arg(at("packages")))?;
    }
    merge(&at("packages"))?;
    // The tiny guest has the same kernel, and its package is large.
    let unpacked = kernel::unpack(&target_dir().join("guest"), work.path(), DRIVERS)?;
    eprintln!("lab: packing {} drivers", unpacked.modules.len());
    kernel::boot_image(&unpacked.image, &at("kernel"))?;
    fs::write(at("initrd"), initrd(busybox, &unpacked)?)?;
    fs::write(at("stamp"), made_of)?;
    if image.packages.exists() {
        fs::remove_dir_all(&image.packages)?;
    }
    for name in ["packages", "kernel", "initrd", "stamp"] {
        fs::rename(at(name), dir.join(name))?;
    }
    Ok(image)
}

/// Packages still put programs where they were before `/usr` had them all.
fn merge(packages: &Path) -> Result<()> {
    for name in ["sbin", "bin", "lib"] {
        let (from, to) = (packages.join(name), packages.join("usr").join(name));
        if from.is_dir() {
            fs::create_dir_all(&to)?;
            run(program("cp").arg("-a").arg(from.join(".")).arg(to))?;
        }
    }
    Ok(())
}

fn initrd(busybox: &Path, kernel: &kernel::Unpacked) -> Result<Vec<u8>> {
    let mut archive = cpio::Archive::default();
    archive.file("tools/busybox", 0o755, &fs::read(busybox).with_context(|| busybox.display().to_string())?)?;
    for applet in output(program(busybox).arg("--list"))?.lines().filter(|it| *it != "busybox") {
        archive.symlink(&format!("tools/{applet}"), "busybox")?;
    }
    for directory in ["bin", "sbin", "lib", "lib64"] {
        archive.symlink(directory, &format!("usr/{directory}"))?;
    }
    for (path, mode, text) in FILES {
        archive.file(path, *mode, text.as_bytes())?;
    }
    let shares = ["host/usr", "host/etc", "host/programs", "host/packages", "host/work"];
    let own =
        ["dev", "proc", "sys", "run", "tmp", "over", "etc", "root", "mnt", "srv", "var/lib/nfs", "var/log", "modules"];
    for directory in shares.into_iter().chain(own) {
        archive.directory(directory)?;
    }
    for (path, from) in &kernel.modules {
        archive.file(&format!("usr/{path}"), 0o644, &fs::read(from)?)?;
    }
    Ok(archive.finish())
}
