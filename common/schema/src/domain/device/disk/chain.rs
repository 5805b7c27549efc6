//! The images of a disk below and beside the one it has: backing stores, data stores, copies.

use virtbus_xml::{Describe, Error, ErrorKind, Node, Writer, Xml, XmlEnum};

use super::{DiskKind, DiskSource, MetadataCache};

/// `<format type='qcow2'/>` of an image in a chain.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct Format {
    #[xml(attr = "type", form = crate::forms::store_format)]
    pub kind: String,
    #[xml(child)]
    pub metadata_cache: Option<MetadataCache>,
}

/// Formats an image below another can have.
const FORMATS: &[&str] = &[
    "none", "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "cow", "qcow", "qcow2",
    "qed", "vmdk",
];

/// An image below another says its format and where it is.
fn check_image(
    format: Option<&Format>,
    source: Option<&DiskSource>,
    kind: Option<DiskKind>,
    node: Node<'_>,
) -> Result<(), Error> {
    let bad = |text: String| Err(node.error(ErrorKind::BadValue, text));
    match (format, source) {
        (None, _) => bad("the image has no format".to_owned()),
        (Some(_), None) => bad("the image has no source".to_owned()),
        (Some(it), _) if !FORMATS.contains(&it.kind.as_str()) => bad(format!("unknown image format '{}'", it.kind)),
        (Some(_), Some(source)) => kind.map_or(Ok(()), |kind| source.check_name(kind, node)),
    }
}

/// `<dataStore type='file'>`: the external data file of a qcow2 image.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(before = DataStore::check_depth, check = DataStore::check, form = DataStore::form)]
pub struct DataStore {
    #[xml(attr = "type")]
    pub kind: DiskKind,
    #[xml(child)]
    pub format: Option<Format>,
    #[xml(child)]
    pub source: Option<DiskSource>,
}

impl DataStore {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        check_image(self.format.as_ref(), self.source.as_ref(), Some(self.kind), node)
    }

    fn form(node: Node<'_>) -> Result<(), Error> {
        let kind = node.attr("type").and_then(|it| DiskKind::from_name(it.value())).unwrap_or(DiskKind::File);
        if node.child("format").is_none() {
            return Err(node.missing("format"));
        }
        node.child("source").map_or(Ok(()), |it| DiskSource::form(it, kind))
    }

    /// A store of a store is nothing a disk can be; a few levels are read, since they do no harm.
    fn check_depth(node: Node<'_>) -> Result<(), Error> {
        let around = std::iter::successors(node.parent(), |it| it.parent());
        if around.filter(|it| it.local_name() == node.local_name()).count() < 8 {
            return Ok(());
        }
        Err(node.error(ErrorKind::Unsupported, "data stores nest too deeply"))
    }
}

/// `<backingStore>`: the image below; an empty one ends the chain.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BackingStore {
    pub kind: Option<DiskKind>,
    pub index: Option<u32>,
    pub format: Option<Format>,
    pub source: Option<DiskSource>,
    pub below: Option<Box<Self>>,
}

/// What a `<backingStore>` says of its own image.
#[derive(Xml)]
struct Image {
    #[xml(attr = "type")]
    kind: Option<DiskKind>,
    #[xml(attr, live)]
    index: Option<u32>,
    #[xml(child)]
    format: Option<Format>,
    #[xml(child)]
    source: Option<DiskSource>,
}

/// Reading goes down the chain in a loop: on a stack, the deepest document would need more than a worker has.
impl Xml for BackingStore {
    fn read(node: Node<'_>) -> Result<Self, Error> {
        let mut images = Vec::new();
        let mut next = Some(node);
        // What has no type ends the chain, whatever else it says.
        while let Some(node) = next.filter(|it| it.attr("type").is_some()) {
            let image = Image::read(node)?;
            check_image(image.format.as_ref(), image.source.as_ref(), image.kind, node)?;
            images.push(image);
            next = node.child(BELOW);
        }
        let end = next.map(|_| Box::new(Self::default()));
        let chain = images.into_iter().rev().fold(end, |below, Image { kind, index, format, source }| {
            Some(Box::new(Self { kind, index, format, source, below }))
        });
        Ok(chain.map(|it| *it).unwrap_or_default())
    }

    fn examine(node: Node<'_>) -> Result<(), Error> {
        for node in std::iter::successors(Some(node), |it| it.child(BELOW)) {
            Image::examine(node)?;
            let is_end = node.attr("type").is_none() && node.elements().next().is_none();
            if is_end {
                continue;
            }
            if node.child("format").is_none() {
                return Err(node.missing("format"));
            }
            let kind = node.attr("type").and_then(|it| DiskKind::from_name(it.value())).unwrap_or(DiskKind::File);
            if let Some(source) = node.child("source") {
                DiskSource::form(source, kind)?;
            }
        }
        Ok(())
    }

    fn write_attrs(&self, w: &mut Writer) {
        if let Some(kind) = &self.kind {
            w.attr("type", kind);
        }
        if let Some(index) = self.index.filter(|_| !w.options().inactive) {
            w.attr("index", &index);
        }
    }

    fn write_content(&self, w: &mut Writer) {
        if let Some(format) = &self.format {
            format.write("format", w);
        }
        if let Some(source) = &self.source {
            source.write("source", w);
        }
        if let Some(below) = &self.below {
            below.write(BELOW, w);
        }
    }

    fn describe(to: &mut dyn Describe) {
        Image::describe(to);
        virtbus_xml::describe::optional_child::<Self>(to, BELOW);
    }
}

/// The element of the image below.
const BELOW: &str = "backingStore";

impl BackingStore {
    /// Whether it says that there is nothing below.
    #[must_use]
    pub const fn is_end(&self) -> bool {
        self.kind.is_none()
    }
}

/// `<mirror>` of a running copy.
#[derive(Debug, Clone, PartialEq, Xml)]
pub struct Mirror {
    #[xml(attr = "type")]
    pub kind: Option<DiskKind>,
    #[xml(attr)]
    pub file: Option<String>,
    #[xml(attr)]
    pub format: Option<String>,
    #[xml(attr)]
    pub job: Option<MirrorJob>,
    #[xml(attr)]
    pub ready: Option<MirrorReady>,
    #[xml(child = "format")]
    pub image_format: Option<Format>,
    #[xml(child)]
    pub source: Option<DiskSource>,
    #[xml(child = "backingStore")]
    pub backing_store: Option<BackingStore>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum MirrorJob {
    Copy,
    ActiveCommit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum MirrorReady {
    Yes,
    Abort,
    Pivot,
}
