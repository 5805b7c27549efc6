//! Block nodes of a disk's images: for each a node that reaches the file, and one that reads its format.
//!
//! A raw image needs no second node. Nodes are named by numbers that are unique in the guest (`libvirt-1-storage`), kept in the
//! live document as `index`.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::disk::{
    BackingStore, Disk, DiskCache, DiskDetect, DiskDiscard, DiskDriver, DiskIo, DiskKind, DiskSource,
};
use virtbus_schema::xml::OnOff;

use crate::device::props::props;
use crate::device::{Part, Resource};

props! {
    struct Cache { direct: bool, no_flush: bool }

    struct File<'a> {
        driver: &'static str,
        filename: &'a str,
        aio: Option<&'static str>,
        node_name: String,
        auto_read_only: Option<bool>,
        read_only: Option<bool>,
        discard: Option<&'static str>,
        detect_zeroes: Option<&'static str>,
        cache: Option<Cache>,
    }

    struct Format {
        node_name: String,
        read_only: bool,
        discard: Option<&'static str>,
        detect_zeroes: Option<&'static str>,
        cache: Option<Cache>,
        driver: String,
        cache_size: Option<u64>,
        discard_no_unref: Option<bool>,
        file: String,
        backing: Below,
    }
}

/// What lies below an image.
#[derive(Debug, Clone, Default)]
enum Below {
    /// Not said: QEMU reads the image's header.
    #[default]
    Unsaid,
    /// Nothing.
    End,
    /// A node.
    Node(String),
}

impl Below {
    fn unsaid(&self) -> bool {
        matches!(self, Self::Unsaid)
    }
}

impl serde::Serialize for Below {
    fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Unsaid | Self::End => to.serialize_none(),
            Self::Node(name) => to.serialize_str(name),
        }
    }
}

impl crate::device::props::Absent for Below {
    fn absent(&self) -> bool {
        self.unsaid()
    }
}

/// Numbers the images of all disks: the last disk first, each chain from the top down, as the reference does at a start.
pub fn number_images(domain: &mut Domain) {
    let mut next = 1;
    let mut take = |index: &mut Option<u32>| {
        *index = Some(next);
        next += 1;
    };
    for disk in domain.devices.disks.iter_mut().rev() {
        // A drive without a medium has its number as well, for the medium it may get.
        match &mut disk.source {
            Some(source) => take(&mut source.index),
            None => take(&mut None),
        }
        let mut below = disk.backing_store.as_mut();
        while let Some(it) = below {
            if !it.is_end() {
                take(&mut it.index);
            }
            below = it.below.as_deref_mut();
        }
    }
}

/// One image of a chain.
struct Image<'a> {
    kind: DiskKind,
    source: &'a DiskSource,
    format: &'a str,
    index: u32,
    top: bool,
}

/// Files the chain opens.
pub(super) fn resources(disk: &Disk) -> Vec<Resource> {
    let Ok((images, _)) = chain(disk) else { return Vec::new() };
    let write = !disk.readonly;
    let one = |it: &Image<'_>| match it.kind {
        DiskKind::File => it.source.file.clone().map(|path| Resource::File { path, write: write && it.top }),
        DiskKind::Block => it.source.dev.clone().map(|path| Resource::Device { path }),
        _ => None,
    };
    images.iter().filter_map(one).collect()
}

/// The chain from the top down, and whether the document says where it ends.
fn chain(disk: &Disk) -> Result<(Vec<Image<'_>>, bool)> {
    let Some(source) = &disk.source else { return Ok((Vec::new(), true)) };
    let numbered = |index: Option<u32>| {
        index.ok_or_else(|| Error::internal(format!("disk {}: image without a number", disk.target.dev)))
    };
    let format = disk.driver.as_ref().and_then(|it| it.format.as_deref()).unwrap_or("raw");
    let mut images = vec![Image { kind: disk.kind, source, format, index: numbered(source.index)?, top: true }];
    let mut below = disk.backing_store.as_ref();
    while let Some(BackingStore { kind, index, format, source, below: next }) = below {
        let (Some(kind), Some(source)) = (kind, source) else { return Ok((images, true)) };
        let format = format.as_ref().map_or("raw", |it| it.kind.as_str());
        images.push(Image { kind: *kind, source, format, index: numbered(*index)?, top: false });
        below = next.as_deref();
    }
    Ok((images, false))
}

/// The nodes of a disk, lowest first, and the name of the topmost; no name for a drive without a medium.
pub(super) fn nodes(disk: &Disk) -> Result<(Vec<Part>, Option<String>)> {
    let (images, ends) = chain(disk)?;
    let mut parts = Vec::new();
    let mut below = if ends { Below::End } else { Below::Unsaid };
    for image in images.iter().rev() {
        let (mut made, node) = image_nodes(disk, image, below)?;
        parts.append(&mut made);
        below = Below::Node(node);
    }
    let top = match below {
        Below::Node(name) if !images.is_empty() => Some(name),
        _ => None,
    };
    Ok((parts, top))
}

/// The file node and, unless the image is raw, the format node.
fn image_nodes(disk: &Disk, image: &Image<'_>, below: Below) -> Result<(Vec<Part>, String)> {
    let storage = format!("libvirt-{}-storage", image.index);
    let raw = image.format == "raw";
    let driver = disk.driver.as_ref();
    let (driver_name, path) = match image.kind {
        DiskKind::File => ("file", image.source.file.as_deref()),
        DiskKind::Block => ("host_device", image.source.dev.as_deref()),
        other => {
            return Err(Error::unsupported_config(format!(
                "disk {}: source type '{other}' is not supported yet",
                disk.target.dev
            )));
        }
    };
    let path = path.ok_or_else(|| Error::internal(format!("disk {}: the source has no path", disk.target.dev)))?;
    let read_only = disk.readonly || !image.top;
    let discard = driver.and_then(|it| it.discard).map(|it| match it {
        DiskDiscard::Unmap => "unmap",
        DiskDiscard::Ignore => "ignore",
    });
    let detect_zeroes = driver.and_then(|it| it.detect_zeroes).map(|it| match it {
        DiskDetect::Off => "off",
        DiskDetect::On => "on",
        // Without permission to discard, zeroes are written.
        DiskDetect::Unmap if discard == Some("unmap") => "unmap",
        DiskDetect::Unmap => "on",
    });
    let cache = || driver.and_then(|it| cache(it.cache));
    let mut file = File {
        driver: driver_name,
        filename: path,
        aio: driver.and_then(aio),
        node_name: storage.clone(),
        cache: cache(),
        ..File::default()
    };
    if raw {
        file.read_only = Some(read_only);
        file.discard = discard;
        file.detect_zeroes = detect_zeroes;
        return Ok((vec![Part::blockdev(storage.clone(), &file)?], storage));
    }
    // What the format lets through may be discarded; whether it does is said there.
    file.auto_read_only = Some(true);
    file.discard = Some("unmap");
    let name = format!("libvirt-{}-format", image.index);
    let format = Format {
        node_name: name.clone(),
        read_only,
        discard: discard.filter(|_| image.top),
        detect_zeroes: detect_zeroes.filter(|_| image.top),
        cache: cache(),
        driver: image.format.to_owned(),
        cache_size: metadata_cache(image, driver),
        discard_no_unref: driver.and_then(|it| it.discard_no_unref).filter(|_| image.top).map(OnOff::is_on),
        file: storage.clone(),
        backing: below,
    };
    Ok((vec![Part::blockdev(storage, &file)?, Part::blockdev(name.clone(), &format)?], name))
}

fn metadata_cache(image: &Image<'_>, driver: Option<&DiskDriver>) -> Option<u64> {
    let cache = driver.filter(|_| image.top)?.metadata_cache.as_ref()?;
    cache.max_size.as_ref().map(|it| it.bytes)
}

fn cache(mode: Option<DiskCache>) -> Option<Cache> {
    let (direct, no_flush) = match mode? {
        DiskCache::Default => return None,
        DiskCache::None | DiskCache::Directsync => (true, false),
        DiskCache::Writethrough | DiskCache::Writeback => (false, false),
        DiskCache::Unsafe => (false, true),
    };
    Some(Cache { direct, no_flush })
}

fn aio(driver: &DiskDriver) -> Option<&'static str> {
    driver.io.map(|it| match it {
        DiskIo::Native => "native",
        DiskIo::Threads => "threads",
        DiskIo::IoUring => "io_uring",
    })
}
