//! Headers of disk images: the format, the size a guest sees, and what an image is based on.
//!
//! Only the front of a file is read, never more than [`MOST`] bytes, and nothing in it is trusted: a guest can write into
//! its own image. Reading never fails and never panics on content; what is damaged is absent. Whoever opens an image for
//! a guest says its format; [`Header::detect`] is for lists that show what a file looks like, as libvirt 11.3's do (seen
//! on the installation, format by format). In particular a backing file's format is never guessed from its content; where
//! the header above does not name it, it is raw.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

mod chain;
mod field;
mod json;
mod qcow;
#[cfg(test)]
mod tests;
mod vhdx;
mod vmdk;

pub use chain::{ImageError, Layer, backing, chain, resolve};
pub use json::{Described, described};
pub use qcow::Qcow2;

use field::{be16, be32, be64, le32, le64};

/// How much of a file is looked at. A qcow2 header with its extensions and the backing file's name fit in the first cluster.
pub const MOST: usize = 64 * 1024;

/// A format of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageFormat {
    /// No format: the content is what the guest sees. Whether it is LUKS shows in [`Header::encryption`].
    Raw,
    /// A file system of an optical disc; as raw, for a guest.
    Iso,
    /// Virtual PC, dynamic or differencing; a fixed one is raw with a footer.
    Vpc,
    /// VirtualBox.
    Vdi,
    /// Parallels, second version.
    Ploop,
    /// User-mode Linux.
    Cow,
    /// QEMU's first.
    Qcow,
    /// QEMU's, versions 2 and 3.
    Qcow2,
    /// QEMU's enhanced disk.
    Qed,
    /// VMware, sparse extents with an embedded descriptor.
    Vmdk,
    /// Hyper-V. Never detected, since libvirt does not know it; read where it is said.
    Vhdx,
}

impl ImageFormat {
    /// All formats, in the order they are told by: the first whose signature is there counts.
    const DETECTED: [Self; 9] =
        [Self::Iso, Self::Vpc, Self::Vdi, Self::Ploop, Self::Cow, Self::Qcow, Self::Qcow2, Self::Qed, Self::Vmdk];

    /// The name that libvirt and qemu-img know it by.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Iso => "iso",
            Self::Vpc => "vpc",
            Self::Vdi => "vdi",
            Self::Ploop => "ploop",
            Self::Cow => "cow",
            Self::Qcow => "qcow",
            Self::Qcow2 => "qcow2",
            Self::Qed => "qed",
            Self::Vmdk => "vmdk",
            Self::Vhdx => "vhdx",
        }
    }

    /// The format of this name; `None` for one whose header says nothing to us.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let more = [Self::Raw, Self::Vhdx];
        Self::DETECTED.into_iter().chain(more).find(|it| it.as_str() == name)
    }

    /// Whether the front of a file bears this format's signature, in a version that is known.
    fn is_of(self, head: &[u8]) -> bool {
        let says = |at: usize, magic: &[u8]| head.get(at..).is_some_and(|it| it.starts_with(magic));
        match self {
            Self::Raw => true,
            Self::Iso => says(32769, b"CD001"),
            Self::Vpc => says(0, b"conectix") && be32(head, 12) == Some(0x1_0000),
            Self::Vdi => says(64, b"\x7f\x10\xda\xbe") && le32(head, 68) == Some(0x1_0001),
            Self::Ploop => says(0, b"WithouFreSpacExt"),
            Self::Cow => says(0, b"OOOM") && be32(head, 4) == Some(2),
            Self::Qcow => says(0, b"QFI") && be32(head, 4) == Some(1),
            Self::Qcow2 => says(0, b"QFI\xfb") && matches!(be32(head, 4), Some(2 | 3)),
            Self::Qed => says(0, b"QED"),
            Self::Vmdk => says(0, b"KDMV") && matches!(le32(head, 4), Some(1..=3)),
            Self::Vhdx => says(0, b"vhdxfile"),
        }
    }

    /// The size a guest sees, in bytes, as the header has it.
    fn capacity(self, head: &[u8]) -> Option<u64> {
        match self {
            Self::Raw | Self::Iso | Self::Ploop | Self::Vhdx => None,
            Self::Vpc => be64(head, 40),
            Self::Vdi => le64(head, 368),
            Self::Cow => be64(head, 1036),
            Self::Qcow | Self::Qcow2 => be64(head, 24),
            Self::Qed => le64(head, 48),
            Self::Vmdk => le64(head, 12)?.checked_mul(512),
        }
    }

    fn backing(self, head: &[u8]) -> Result<Option<Backing>, &'static str> {
        match self {
            Self::Qcow => qcow::backing_of_first(head),
            Self::Qcow2 => qcow::backing(head),
            Self::Vmdk => Ok(vmdk::backing(head)),
            Self::Cow => Ok(head.get(8..8 + 1024).and_then(text).map(|name| Backing { name, format: None })),
            Self::Qed => Ok(qed_backing(head)),
            Self::Raw | Self::Iso | Self::Vpc | Self::Vdi | Self::Ploop | Self::Vhdx => Ok(None),
        }
    }
}

/// How an image's content is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageEncryption {
    /// QEMU's own of old.
    Qcow,
    /// LUKS, first version.
    Luks,
    /// LUKS, second version; QEMU cannot open it.
    Luks2,
}

/// What an image says it is based on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backing {
    /// The name as written, relative to the image's directory unless absolute or a URL.
    pub name: String,
    /// The format as written.
    pub format: Option<String>,
}

/// What the front of an image says. All of it is the image's own claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The format it was read as.
    pub format: ImageFormat,
    /// The size a guest sees, in bytes; absent where the format leaves it to the file's length, or it is damaged.
    pub capacity: Option<u64>,
    /// What it is based on, or what is wrong with the place that says so.
    pub backing: Result<Option<Backing>, &'static str>,
    /// How it is encrypted.
    pub encryption: Option<ImageEncryption>,
    /// What only qcow2 has.
    pub qcow2: Option<Qcow2>,
}

impl Header {
    /// Reads the front of an image of a known format; `length` is that of the whole file, in bytes.
    #[must_use]
    pub fn read(head: &[u8], length: u64, format: ImageFormat) -> Self {
        let (mut encryption, mut capacity) = (None, None);
        match format {
            ImageFormat::Raw => (encryption, capacity) = luks(head, length),
            _ if !format.is_of(head) => {
                // Not what it was said to be; what it looks like instead is not for us to act on.
                let backing = match format {
                    ImageFormat::Qcow | ImageFormat::Qcow2 => Err("it has no header of its format"),
                    _ => Ok(None),
                };
                return Self { format, capacity, backing, encryption, qcow2: None };
            }
            ImageFormat::Qcow => encryption = qcow::encryption(be32(head, 36)),
            ImageFormat::Qcow2 => encryption = qcow::encryption(be32(head, 32)),
            _ => {}
        }
        let qcow2 = (format == ImageFormat::Qcow2).then(|| Qcow2::read(head));
        let capacity = capacity.or_else(|| format.capacity(head));
        Self { format, capacity, backing: format.backing(head), encryption, qcow2 }
    }

    /// Reads the front of a file as what it looks like; what has no signature is raw. For lists, never for a guest.
    #[must_use]
    pub fn detect(head: &[u8], length: u64) -> Self {
        let format = ImageFormat::DETECTED.into_iter().find(|it| it.is_of(head)).unwrap_or(ImageFormat::Raw);
        Self::read(head, length, format)
    }

    /// Reads the header of an open file, as the format that is said or else as what it looks like. Blocks. The file's own
    /// position is not used.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of(file: &File, format: Option<ImageFormat>) -> io::Result<Self> {
        let head = head(file)?;
        let length = file.metadata()?.len();
        let mut header = match format {
            Some(format) => Self::read(&head, length, format),
            None => Self::detect(&head, length),
        };
        if header.format == ImageFormat::Vhdx && ImageFormat::Vhdx.is_of(&head) {
            header.capacity = vhdx::capacity(file)?;
        }
        Ok(header)
    }
}

/// The front of a file, as far as it goes.
///
/// # Errors
/// When the file cannot be read.
pub fn head(file: &File) -> io::Result<Vec<u8>> {
    let mut head = vec![0; MOST];
    let length = read_at(file, &mut head, 0)?;
    head.truncate(length);
    Ok(head)
}

/// Fills the buffer from there on; less only at the file's end.
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|it| !it.is_empty()) {
        match file.read_at(rest, offset.saturating_add(done as u64)) {
            Ok(0) => break,
            Ok(more) => done += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Encryption and capacity of raw content: LUKS names at byte 104 the sector where the payload begins.
fn luks(head: &[u8], length: u64) -> (Option<ImageEncryption>, Option<u64>) {
    if !head.starts_with(b"LUKS\xba\xbe") {
        return (None, None);
    }
    match be16(head, 6) {
        Some(1) => {
            let payload = be32(head, 104).map(|it| u64::from(it) * 512);
            (Some(ImageEncryption::Luks), payload.and_then(|it| length.checked_sub(it)))
        }
        Some(2) => (Some(ImageEncryption::Luks2), None),
        _ => (None, None),
    }
}

/// QED: features at byte 16 (bit 0: there is a backing file, bit 2: it is raw), its name's place and length at 56 and 60.
fn qed_backing(head: &[u8]) -> Option<Backing> {
    let features = le64(head, 16)?;
    if features & 1 == 0 {
        return None;
    }
    let (start, length) = (usize::try_from(le32(head, 56)?).ok()?, usize::try_from(le32(head, 60)?).ok()?);
    let name = text(head.get(start..start.checked_add(length)?)?)?;
    Some(Backing { name, format: (features & 4 != 0).then(|| "raw".to_owned()) })
}

/// A name up to its end or the first NUL; `None` for one that is empty or not UTF-8.
fn text(bytes: &[u8]) -> Option<String> {
    let name = bytes.split(|it| *it == 0).next().unwrap_or_default();
    std::str::from_utf8(name).ok().filter(|it| !it.is_empty()).map(str::to_owned)
}
