//! `<filesystem>`: a directory of the host in the guest, served by QEMU itself (9p) or by a process beside it (virtiofs).

use std::fmt::Write as _;
use std::path::PathBuf;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::disk::DiskModel;
use virtbus_schema::domain::device::filesystem::{
    AccessMode, Filesystem, FilesystemDriver, FilesystemDriverKind, FilesystemKind, FilesystemSource, MultiDevs,
};

use super::address::{Place, Virtio, place, virtio, virtio_device};
use super::chardev::{Backend, Chardev, Socket, escape};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, alias};
use crate::process::helper::virtiofsd;

props! {
    struct NineP<'a> {
        driver: String,
        #[serde(flatten)]
        virtio: Virtio,
        id: &'a str,
        fsdev: String,
        #[serde(rename = "mount_tag")]
        mount_tag: &'a str,
        #[serde(flatten)]
        place: Place,
    }

    struct Mtp<'a> {
        driver: &'static str,
        id: &'a str,
        rootdir: &'a str,
        desc: &'a str,
        readonly: bool,
        #[serde(flatten)]
        place: Place,
    }

    struct VirtioFs<'a> {
        driver: String,
        #[serde(flatten)]
        virtio: Virtio,
        id: &'a str,
        chardev: String,
        queue_size: Option<u64>,
        tag: &'a str,
        bootindex: Option<u32>,
        #[serde(flatten)]
        place: Place,
    }
}

/// Whether a process beside QEMU serves it.
pub(crate) fn is_virtiofs(it: &Filesystem) -> bool {
    it.driver.as_ref().is_some_and(|it| it.kind == Some(FilesystemDriverKind::Virtiofs))
}

/// Whether the guest finds it on USB.
pub(crate) fn is_mtp(it: &Filesystem) -> bool {
    it.driver.as_ref().is_some_and(|it| it.kind == Some(FilesystemDriverKind::Mtp))
}

/// The socket of the process that serves the file system of this name.
pub(crate) fn socket(home: &std::path::Path, alias: &str) -> PathBuf {
    home.join(format!("{alias}-fs.sock"))
}

impl QemuDevice for Filesystem {
    fn address(&self) -> AddressKind {
        if is_mtp(self) { AddressKind::Usb } else { AddressKind::Pci }
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        if self.kind != FilesystemKind::Mount {
            return Err(Error::unsupported_config("only supports mount filesystem type"));
        }
        if is_virtiofs(self) {
            virtiofs(self, cx)
        } else if is_mtp(self) {
            mtp(self, cx)
        } else {
            nine_p(self, cx)
        }
    }
}

fn tag(it: &Filesystem) -> Result<&str> {
    it.target.as_deref().ok_or_else(|| Error::xml("<filesystem> has no <target dir>"))
}

fn nine_p(it: &Filesystem, cx: &Cx<'_>) -> Result<Vec<Part>> {
    let Filesystem {
        kind: _,
        accessmode,
        model,
        multidevs,
        fmode,
        dmode,
        driver,
        // Of virtiofs.
        binary: _,
        idmap: _,
        source,
        target: _,
        readonly,
        info,
        // Of containers.
        space_hard_limit: _,
        space_soft_limit: _,
    } = it;
    let id = alias::of(it)?;
    let fsdev = format!("fsdev-{id}");
    let none = FilesystemDriver::default();
    let FilesystemDriver { kind, format: _, wrpolicy, queue: _, virtio: options } = driver.as_ref().unwrap_or(&none);
    let by_handle = *kind == Some(FilesystemDriverKind::Handle);
    if by_handle && !cx.only_shown {
        return Err(Error::unsupported_config("filesystem driver type 'handle' is gone from QEMU: use 'path'"));
    }
    if let Some(kind) = kind.filter(|it| !by_handle && *it != FilesystemDriverKind::Path) {
        return Err(Error::unsupported_config(format!("filesystem driver type '{kind}' is not supported by QEMU")));
    }
    let Some(FilesystemSource { dir: Some(dir), .. }) = source else {
        return Err(Error::xml("a <filesystem> of type 'mount' needs a <source dir>"));
    };
    cx.needs("virtio-9p-pci", "<filesystem>")?;
    let mut back = String::from(match accessmode {
        _ if by_handle => "handle",
        Some(AccessMode::Mapped) => "local,security_model=mapped",
        Some(AccessMode::Squash) => "local,security_model=none",
        Some(AccessMode::Passthrough) | None => "local,security_model=passthrough",
    });
    // Writing to a String cannot fail.
    if let Some(multidevs) = multidevs.filter(|it| !by_handle && *it != MultiDevs::Default) {
        let _ = write!(back, ",multidevs={multidevs}");
    }
    for (name, mode) in [("fmode", fmode), ("dmode", dmode)] {
        if let Some(mode) = mode {
            let _ = write!(back, ",{name}={:04o}", mode.0);
        }
    }
    if wrpolicy.is_some() {
        back.push_str(",writeout=immediate");
    }
    let _ = write!(back, ",id={fsdev},path={}", escape(dir));
    if *readonly {
        back.push_str(",readonly");
    }
    let model = model.map_or("virtio", DiskModel::as_str);
    let device = NineP {
        driver: virtio_device("virtio-9p", model, info.address.as_ref())?,
        virtio: virtio(Some(options)),
        id,
        fsdev,
        mount_tag: tag(it)?,
        place: place(info.address.as_ref(), info.acpi_index, cx)?,
    };
    Ok(vec![Part::Option("-fsdev", back), Part::device(id, &device)?])
}

/// A folder as a camera or player shows it.
fn mtp(it: &Filesystem, cx: &Cx<'_>) -> Result<Vec<Part>> {
    let Some(FilesystemSource { dir: Some(dir), .. }) = &it.source else {
        return Err(Error::xml("a <filesystem> of type 'mount' needs a <source dir>"));
    };
    cx.needs("usb-mtp", "<filesystem> of driver type 'mtp'")?;
    let id = alias::of(it)?;
    let device = Mtp {
        driver: "usb-mtp",
        id,
        rootdir: dir,
        desc: tag(it)?,
        readonly: it.readonly,
        place: place(it.info.address.as_ref(), None, cx)?,
    };
    Ok(vec![Part::device(id, &device)?])
}

fn virtiofs(it: &Filesystem, cx: &Cx<'_>) -> Result<Vec<Part>> {
    let Filesystem { driver, source, info, .. } = it;
    let id = alias::of(it)?;
    let Some(FilesystemDriver { kind: _, format: _, wrpolicy: _, queue, virtio: options }) = driver else {
        return Err(Error::internal("virtiofs without a driver"));
    };
    cx.needs("vhost-user-fs-pci", "<filesystem> of driver type 'virtiofs'")?;
    // Somebody else's process has its own socket; ours is made beside the guest's other files.
    let path = match source.as_ref().and_then(|it| it.socket.clone()) {
        Some(theirs) => theirs,
        None if cx.only_shown => {
            virtiofsd::program(it)?;
            socket(&cx.home, id).to_string_lossy().into_owned()
        }
        None => socket(&cx.home, id).to_string_lossy().into_owned(),
    };
    let chardev = Chardev::new(format!("chr-vu-{id}"), Backend::Unix { path, socket: Socket::default() });
    let device = VirtioFs {
        driver: virtio_device("vhost-user-fs", "virtio", info.address.as_ref())?,
        virtio: virtio(Some(options)),
        id,
        chardev: chardev.id().to_owned(),
        queue_size: *queue,
        tag: tag(it)?,
        bootindex: cx.boot_index(id),
        place: place(info.address.as_ref(), info.acpi_index, cx)?,
    };
    Ok(vec![Part::Chardev(chardev), Part::device(id, &device)?])
}
