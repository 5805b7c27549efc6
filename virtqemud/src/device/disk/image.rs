//! Block nodes of a disk's images: for each a node that reaches the file, and one that reads its format.
//!
//! A raw image needs no second node. Nodes are named by numbers that are unique in the guest (`libvirt-1-storage`), kept in the
//! live document as `index`.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::disk::{
    Auth, BackingStore, DataStore, Disk, DiskCache, DiskDetect, DiskDevice, DiskDiscard, DiskDriver, DiskIo, DiskKind,
    DiskSource, Encryption,
};
use virtbus_schema::domain::os::{Nvram, NvramKind};
use virtbus_schema::xml::OnOff;

use super::storage::{self, How, Reached};
use crate::device::props::props;
use crate::device::{Cx, Part, Resource};

props! {
    struct Cache { direct: bool, no_flush: bool }

    struct Storage {
        #[serde(flatten)]
        how: How,
        node_name: String,
        auto_read_only: Option<bool>,
        read_only: Option<bool>,
        discard: Option<&'static str>,
        detect_zeroes: Option<&'static str>,
        cache: Option<Cache>,
    }

    /// A part of a file or device that is an image of its own.
    struct SliceNode {
        driver: &'static str,
        file: String,
        offset: u64,
        size: u64,
        node_name: String,
        auto_read_only: Option<bool>,
        read_only: Option<bool>,
        discard: Option<&'static str>,
        detect_zeroes: Option<&'static str>,
        cache: Option<Cache>,
    }

    struct Encrypted { format: &'static str, key_secret: String }

    struct Format {
        node_name: String,
        read_only: bool,
        discard: Option<&'static str>,
        detect_zeroes: Option<&'static str>,
        cache: Option<Cache>,
        driver: String,
        encrypt: Option<Encrypted>,
        key_secret: Option<String>,
        cache_size: Option<u64>,
        discard_no_unref: Option<bool>,
        data_file: Option<String>,
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

/// Numbers the images of all disks: the last disk first, each chain from the top down with its data files, then the disk's
/// filters, as the reference does at a start.
pub fn number_images(domain: &mut Domain) {
    number(&mut domain.devices.disks);
}

/// How many numbers the images of all disks take.
pub(crate) fn count_images(domain: &Domain) -> u32 {
    number(&mut domain.devices.disks.clone())
}

fn number(disks: &mut [Disk]) -> u32 {
    let mut next = 1;
    for disk in disks.iter_mut().rev() {
        let mut take = |index: &mut Option<u32>| {
            *index = Some(next);
            next += 1;
        };
        // A drive without a medium has its number as well, for the medium it may get.
        match &mut disk.source {
            Some(source) => number_source(source, &mut take),
            None => take(&mut None),
        }
        let mut below = disk.backing_store.as_mut();
        while let Some(it) = below {
            if !it.is_end() {
                take(&mut it.index);
                number_data(it.source.as_mut(), &mut take);
            }
            below = it.below.as_deref_mut();
        }
        for _ in &disk.throttlefilters {
            take(&mut None);
        }
    }
    next - 1
}

fn number_source(source: &mut DiskSource, take: &mut impl FnMut(&mut Option<u32>)) {
    take(&mut source.index);
    number_data(Some(source), take);
}

fn number_data(source: Option<&mut DiskSource>, take: &mut impl FnMut(&mut Option<u32>)) {
    if let Some(data) = source.and_then(|it| it.data_store.as_mut()).and_then(|it| it.source.as_mut()) {
        take(&mut data.index);
    }
}

/// One image of a chain.
struct Image<'a> {
    kind: DiskKind,
    source: &'a DiskSource,
    format: &'a str,
    index: u32,
    top: bool,
    /// Whether it is the data of another image.
    data: bool,
    cache_size: Option<u64>,
    /// Of the top: what an older document has beside the source.
    auth: Option<&'a Auth>,
    encryption: Option<&'a Encryption>,
}

/// Files the chain opens.
pub(super) fn resources(disk: &Disk) -> Vec<Resource> {
    let Ok((images, _)) = chain(disk) else { return Vec::new() };
    let write = !disk.readonly;
    let one = |kind: DiskKind, source: &DiskSource, top: bool| match kind {
        DiskKind::File => source.file.clone().map(|path| Resource::File { path, write: write && top }),
        DiskKind::Block => source.dev.clone().map(|path| Resource::Device { path }),
        DiskKind::VhostUser => source.path.clone().map(|path| Resource::File { path, write: true }),
        _ => None,
    };
    let data = images.iter().filter_map(|it| {
        let store = it.source.data_store.as_ref()?;
        one(store.kind, store.source.as_ref()?, it.top)
    });
    images.iter().filter_map(|it| one(it.kind, it.source, it.top)).chain(data).collect()
}

/// The chain from the top down, and whether the document says where it ends.
fn chain(disk: &Disk) -> Result<(Vec<Image<'_>>, bool)> {
    let Some(source) = &disk.source else { return Ok((Vec::new(), true)) };
    let driver = disk.driver.as_ref();
    let format = driver.and_then(|it| it.format.as_deref()).unwrap_or("raw");
    let mut images = vec![Image {
        kind: disk.kind,
        source,
        format,
        index: numbered(disk, source.index)?,
        top: true,
        data: false,
        cache_size: driver
            .and_then(|it| it.metadata_cache.as_ref())
            .and_then(|it| it.max_size.as_ref())
            .map(|it| it.bytes),
        auth: source.auth.as_ref().or(disk.auth.as_ref()),
        encryption: source.encryption.as_ref().or(disk.encryption.as_ref()),
    }];
    let mut below = disk.backing_store.as_ref();
    while let Some(BackingStore { kind, index, format, source, below: next }) = below {
        let (Some(kind), Some(source)) = (kind, source) else { return Ok((images, true)) };
        let cache = format.as_ref().and_then(|it| it.metadata_cache.as_ref()).and_then(|it| it.max_size.as_ref());
        images.push(Image {
            kind: *kind,
            source,
            format: format.as_ref().map_or("raw", |it| it.kind.as_str()),
            index: numbered(disk, *index)?,
            top: false,
            data: false,
            cache_size: cache.map(|it| it.bytes),
            auth: source.auth.as_ref(),
            encryption: source.encryption.as_ref(),
        });
        below = next.as_deref();
    }
    Ok((images, false))
}

fn numbered(disk: &Disk, index: Option<u32>) -> Result<u32> {
    index.ok_or_else(|| Error::internal(format!("disk {}: image without a number", disk.target.dev)))
}

/// The nodes of a disk, lowest first, and the name of the topmost; no name for a drive without a medium.
pub(super) fn nodes(disk: &Disk, cx: &mut Cx<'_>) -> Result<(Vec<Part>, Option<String>)> {
    let (images, ends) = chain(disk)?;
    let mut parts = Vec::new();
    let mut below = if ends { Below::End } else { Below::Unsaid };
    for image in images.iter().rev() {
        let mut data = None;
        if let Some(DataStore { kind, format: _, source: Some(source) }) = image.source.data_store.as_deref() {
            let store = Image {
                kind: *kind,
                source,
                format: "raw",
                index: numbered(disk, source.index)?,
                data: true,
                cache_size: None,
                auth: source.auth.as_ref(),
                encryption: None,
                ..*image
            };
            let (mut made, node) = image_nodes(disk, &store, Below::Unsaid, None, cx)?;
            parts.append(&mut made);
            data = Some(node);
        }
        let (mut made, node) = image_nodes(disk, image, below, data, cx)?;
        parts.append(&mut made);
        below = Below::Node(node);
    }
    let Below::Node(mut top) = below else { return Ok((parts, None)) };
    if images.is_empty() {
        return Ok((parts, None));
    }
    // An image put over a transient disk is numbered behind all others.
    let over = usize::from(disk.transient.is_some() && images.len() > 1);
    let last = images.iter().skip(over).map(|it| it.index.max(data_index(it.source))).max().unwrap_or(0);
    filters(disk, last, &mut top, &mut parts)?;
    Ok((parts, Some(top)))
}

/// The node that reaches a variable store, with what it needs.
///
/// # Errors
/// As for a disk of that source.
pub(crate) fn nvram_storage(nvram: &Nvram, node: &str, raw: bool, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
    let path = DiskSource { file: nvram.path.clone(), ..DiskSource::default() };
    let (kind, source) = match (&nvram.path, nvram.kind, &nvram.source) {
        (None, kind, Some(source)) => (kind.map_or(DiskKind::File, disk_kind), source),
        _ => (DiskKind::File, &path),
    };
    let reached = Reached {
        kind,
        source,
        node,
        aio: None,
        device: DiskDevice::Disk,
        auth: source.auth.as_ref(),
        auth_secret: storage::ACCOUNT,
        encryption: None,
    };
    let (mut parts, how) = storage::reach(&reached, cx)?;
    let storage = Storage {
        how,
        node_name: node.to_owned(),
        auto_read_only: (!raw).then_some(true),
        read_only: raw.then_some(false),
        discard: (!raw).then_some("unmap"),
        ..Storage::default()
    };
    parts.push(Part::blockdev(node, &storage)?);
    Ok(parts)
}

fn disk_kind(kind: NvramKind) -> DiskKind {
    match kind {
        NvramKind::File => DiskKind::File,
        NvramKind::Block => DiskKind::Block,
        NvramKind::Network => DiskKind::Network,
    }
}

fn data_index(source: &DiskSource) -> u32 {
    let data = source.data_store.as_ref().and_then(|it| it.source.as_ref());
    data.and_then(|it| it.index).unwrap_or(0)
}

props! {
    struct CopyOnRead { driver: &'static str, node_name: String, file: String, discard: &'static str }

    struct Throttle { driver: &'static str, node_name: String, throttle_group: String, file: String }
}

/// What lies between the guest and its image; `last` is the highest number of the images.
fn filters(disk: &Disk, last: u32, top: &mut String, parts: &mut Vec<Part>) -> Result<()> {
    if disk.driver.as_ref().is_some_and(|it| it.copy_on_read == Some(OnOff::On)) {
        let node = format!("libvirt-CoR-{}", disk.target.dev);
        let filter = CopyOnRead {
            driver: "copy-on-read",
            node_name: node.clone(),
            file: std::mem::replace(top, node.clone()),
            discard: "unmap",
        };
        parts.push(Part::blockdev(node, &filter)?);
    }
    for (number, it) in (last.saturating_add(1)..).zip(&disk.throttlefilters) {
        let node = format!("libvirt-{number}-filter");
        let filter = Throttle {
            driver: "throttle",
            node_name: node.clone(),
            throttle_group: format!("throttle-{}", it.group),
            file: std::mem::replace(top, node.clone()),
        };
        parts.push(Part::blockdev(node, &filter)?);
    }
    Ok(())
}

/// The node that reaches the image and, unless it is plain and raw, the one that reads it.
fn image_nodes(
    disk: &Disk,
    image: &Image<'_>,
    below: Below,
    data_file: Option<String>,
    cx: &mut Cx<'_>,
) -> Result<(Vec<Part>, String)> {
    let storage = format!("libvirt-{}-storage", image.index);
    let format_name = format!("libvirt-{}-format", image.index);
    let driver = disk.driver.as_ref();
    let own = image.encryption.filter(|it| it.engine.as_deref() != Some("librbd") && !it.secrets.is_empty());
    let reads = Reads::of(disk, image, own.is_some());
    let cache = || cache(driver.and_then(|it| it.cache), disk.shareable && !disk.readonly);
    let reached = Reached {
        kind: image.kind,
        source: image.source,
        node: &storage,
        aio: driver.and_then(aio),
        device: disk.device,
        auth: image.auth,
        auth_secret: storage::ACCOUNT,
        encryption: image.encryption,
    };
    let (mut parts, how) = storage::reach(&reached, cx)?;
    let mut secrets = Vec::new();
    if let Some(encryption) = own {
        secrets = storage::passphrases(&format_name, encryption, cx, &mut parts)?;
    }
    let slice = image.source.slices.iter().find(|it| it.kind == "storage");
    let is_last = slice.is_none() && reads.format.is_none();
    let mut node = Storage { how, node_name: storage.clone(), cache: cache(), ..Storage::default() };
    reads.settle(is_last, &mut node.auto_read_only, &mut node.read_only, &mut node.discard, &mut node.detect_zeroes);
    parts.push(Part::blockdev(storage.clone(), &node)?);
    let mut top = storage;
    if let Some(slice) = slice {
        let name = format!("libvirt-{}-slice-sto", image.index);
        let is_last = reads.format.is_none();
        let mut node = SliceNode {
            driver: "raw",
            file: top,
            offset: slice.offset,
            size: slice.size,
            node_name: name.clone(),
            cache: cache(),
            ..SliceNode::default()
        };
        let SliceNode { auto_read_only, read_only, discard, detect_zeroes, .. } = &mut node;
        reads.settle(is_last, auto_read_only, read_only, discard, detect_zeroes);
        parts.push(Part::blockdev(name.clone(), &node)?);
        top = name;
    }
    let Some(format) = reads.format else { return Ok((parts, top)) };
    let mut secret = secrets.into_iter().next();
    let encrypt =
        if format == "qcow2" { secret.take().map(|key_secret| Encrypted { format: "luks", key_secret }) } else { None };
    let node = Format {
        node_name: format_name.clone(),
        read_only: reads.read_only,
        discard: reads.discard,
        detect_zeroes: reads.detect_zeroes,
        cache: cache(),
        driver: format.to_owned(),
        encrypt,
        key_secret: secret,
        cache_size: image.cache_size,
        discard_no_unref: driver.and_then(|it| it.discard_no_unref).filter(|_| image.top).map(OnOff::is_on),
        data_file,
        file: top,
        // Other formats have no image below, and QEMU does not take even the word.
        backing: match below {
            Below::End if !matches!(format, "qcow2" | "qcow" | "qed" | "vmdk") => Below::Unsaid,
            below => below,
        },
    };
    parts.push(Part::blockdev(format_name.clone(), &node)?);
    Ok((parts, format_name))
}

/// How an image is read.
struct Reads<'a> {
    /// The format that has a node of its own.
    format: Option<&'a str>,
    read_only: bool,
    discard: Option<&'static str>,
    detect_zeroes: Option<&'static str>,
}

impl<'a> Reads<'a> {
    fn of(disk: &Disk, image: &Image<'a>, encrypted: bool) -> Self {
        let driver = disk.driver.as_ref();
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
        let format = match image.format {
            "raw" if encrypted => Some("luks"),
            "raw" => None,
            // QEMU makes the file system up; what is seen is a raw disk.
            "fat" => Some("raw"),
            other => Some(other),
        };
        Self {
            format,
            read_only: disk.readonly || !image.top,
            discard,
            detect_zeroes: detect_zeroes.filter(|_| image.top && !image.data),
        }
    }

    /// Of a node: the last one is read as the guest may; those below let everything through.
    fn settle(
        &self,
        is_last: bool,
        auto_read_only: &mut Option<bool>,
        read_only: &mut Option<bool>,
        discard: &mut Option<&'static str>,
        detect_zeroes: &mut Option<&'static str>,
    ) {
        if is_last {
            *read_only = Some(self.read_only);
            (*discard, *detect_zeroes) = (self.discard, self.detect_zeroes);
        } else {
            *auto_read_only = Some(true);
            *discard = Some("unmap");
        }
    }
}

/// What others write as well is not cached on this host, unless the document says so.
fn cache(mode: Option<DiskCache>, shareable: bool) -> Option<Cache> {
    let (direct, no_flush) = match mode.unwrap_or(DiskCache::Default) {
        DiskCache::Default if shareable => (true, false),
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
