//! `<target>` of a volume: where it is and how it is laid out.

use virtbus_xml::{ByteSize, Describe, Error, ErrorKind, Escaped, Fault, Node, Value, Writer, Xml};

use super::{Encryption, FormatName, VolumeFormat};
use crate::storage_pool::Permissions;

/// `<target>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = VolumeTarget::complete)]
pub struct VolumeTarget {
    /// The file or device; what a definition says is of no account.
    #[xml(child)]
    pub path: Option<String>,
    #[xml(child)]
    pub format: Option<FormatName>,
    #[xml(child, omit_empty)]
    pub permissions: Option<Permissions>,
    #[xml(child, omit_empty)]
    pub timestamps: Option<Timestamps>,
    #[xml(child)]
    pub encryption: Option<Encryption>,
    /// The version of qcow2, as the QEMU version that can read it: `0.10`, `1.1`.
    #[xml(child)]
    pub compat: Option<String>,
    /// Whether the file is exempt from copy on write. It is asked for, but never written.
    #[xml(flag, when = VolumeTarget::never)]
    pub nocow: bool,
    #[xml(child = "clusterSize")]
    pub cluster_size: Option<ClusterSize>,
    #[xml(child)]
    pub features: Option<VolumeFeatures>,
}

impl VolumeTarget {
    /// The format, where one is said that has a name.
    #[must_use]
    pub fn volume_format(&self) -> Option<VolumeFormat> {
        self.format.as_ref().and_then(FormatName::known)
    }

    fn never(_: &bool, _: &virtbus_xml::FormatOptions) -> bool {
        false
    }
}

/// A size in bytes, written `<x unit='bytes'>1048576</x>`; any unit is read. Empty counts as absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct VolumeSize {
    /// The size in bytes.
    pub bytes: u64,
}

impl VolumeSize {
    /// A size of so many bytes.
    #[must_use]
    pub const fn of(bytes: u64) -> Self {
        Self { bytes }
    }
}

impl Xml for VolumeSize {
    fn read(node: Node<'_>) -> Result<Self, Error> {
        let bytes = ByteSize::read(node)?.bytes;
        if i64::try_from(bytes).is_err() {
            // Offsets in files have a sign.
            return Err(node.error(ErrorKind::Overflow, format!("value too large: {bytes}")));
        }
        Ok(Self { bytes })
    }

    fn write_attrs(&self, w: &mut Writer) {
        ByteSize { bytes: self.bytes }.write_attrs(w);
    }

    fn write_content(&self, w: &mut Writer) {
        w.text(&self.bytes);
    }

    fn describe(to: &mut dyn Describe) {
        ByteSize::describe(to);
    }

    fn is_absent(node: Node<'_>) -> bool {
        node.text().is_empty()
    }
}

/// `<clusterSize unit='B'>65536</clusterSize>`; empty counts as absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterSize {
    /// The size in bytes.
    pub bytes: u64,
}

impl Xml for ClusterSize {
    fn read(node: Node<'_>) -> Result<Self, Error> {
        ByteSize::read(node).map(|it| Self { bytes: it.bytes })
    }

    fn write_attrs(&self, w: &mut Writer) {
        w.attr_str("unit", "B");
    }

    fn write_content(&self, w: &mut Writer) {
        w.text(&self.bytes);
    }

    fn describe(to: &mut dyn Describe) {
        ByteSize::describe(to);
    }

    fn is_absent(node: Node<'_>) -> bool {
        node.text().is_empty()
    }
}

/// `<features>` of a qcow2 image. What is not known is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
#[xml(before = VolumeFeatures::check_known)]
pub struct VolumeFeatures {
    /// Reference counts are written late, and mended after a crash.
    #[xml(flag = "lazy_refcounts")]
    pub lazy_refcounts: bool,
    /// Clusters have parts of their own.
    #[xml(flag = "extended_l2")]
    pub extended_l2: bool,
    /// The content is in another file.
    #[xml(flag = "data_file")]
    pub data_file: bool,
}

/// `<timestamps>`: when the file was read, written, changed and made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct Timestamps {
    #[xml(child, lenient)]
    pub atime: Option<Timestamp>,
    #[xml(child, lenient)]
    pub mtime: Option<Timestamp>,
    #[xml(child, lenient)]
    pub ctime: Option<Timestamp>,
    #[xml(child, lenient)]
    pub btime: Option<Timestamp>,
}

/// A point in time: `1341933637.273190990`, seconds since 1970 and nanoseconds where there are any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds on top, less than 1,000,000,000.
    pub nanoseconds: u32,
}

impl Value for Timestamp {
    const SAMPLES: &'static [&'static str] =
        &["1341933637.273190990", "0", "1341933637.5", "-1.000000001", "18446744073709551615"];

    fn from_text(text: &str) -> Result<Self, Fault> {
        const WHAT: Fault = Fault::NotA("seconds since 1970, with up to nine digits after a point");
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = fraction.bytes().all(|it| it.is_ascii_digit()) && fraction.len() <= 9;
        // The reference writes times before 1970 as unsigned numbers.
        let unsigned = || seconds.parse::<u64>().ok().map(u64::cast_signed);
        let seconds = seconds.parse().ok().or_else(unsigned).filter(|_| digits).ok_or(WHAT)?;
        Ok(Self { seconds, nanoseconds: format!("{fraction:0<9}").parse().map_err(|_| WHAT)? })
    }

    fn put(&self, out: &mut Escaped<'_>) {
        self.seconds.put(out);
        if self.nanoseconds > 0 {
            out.push(&format!(".{:09}", self.nanoseconds));
        }
    }
}
