//! The header of qcow and qcow2 (docs/interop/qcow2.txt of QEMU). The offsets that matter here: name of the backing file
//! at 8 and 16, cluster bits at 20, encryption at 32; from version 3 on feature bits at 72 and 80 and the header's length
//! at 100. Header extensions follow.

use super::field::{be32, be64};
use super::{Backing, ImageEncryption, text};

/// What only qcow2 has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qcow2 {
    /// 2 (`compat=0.10`) or 3 (`compat=1.1`).
    pub version: u32,
    /// In bytes; absent for what QEMU would refuse (it takes 512 bytes to 2 MiB).
    pub cluster_size: Option<u64>,
    /// Reference counts are written late.
    pub lazy_refcounts: bool,
    /// Clusters have parts of their own.
    pub extended_l2: bool,
    /// The content is in another file.
    pub has_data_file: bool,
    /// The name of that file, as written.
    pub data_file: Option<String>,
}

impl Qcow2 {
    pub(super) fn read(head: &[u8]) -> Self {
        let version = be32(head, 4).unwrap_or_default();
        let bits = |at| if version >= 3 { be64(head, at).unwrap_or_default() } else { 0 };
        let (incompatible, compatible) = (bits(72), bits(80));
        let has_data_file = incompatible & (1 << 2) != 0;
        let cluster_bits = be32(head, 20).filter(|it| (9..=21).contains(it));
        Self {
            version,
            cluster_size: cluster_bits.map(|it| 1 << it),
            lazy_refcounts: compatible & 1 != 0,
            extended_l2: incompatible & (1 << 4) != 0,
            has_data_file,
            data_file: extension(head, DATA_FILE).ok().flatten().filter(|_| has_data_file).and_then(text),
        }
    }
}

/// The encryption with this number.
pub(super) fn encryption(number: Option<u32>) -> Option<ImageEncryption> {
    match number {
        Some(1) => Some(ImageEncryption::Qcow),
        Some(2) => Some(ImageEncryption::Luks),
        _ => None,
    }
}

/// What a qcow2 image is based on.
pub(super) fn backing(head: &[u8]) -> Result<Option<Backing>, &'static str> {
    let Some(name) = name(head)? else { return Ok(None) };
    let format = match extension(head, BACKING_FORMAT)? {
        Some(format) => Some(std::str::from_utf8(format).map_err(|_| "the backing format is not UTF-8")?.to_owned()),
        None => None,
    };
    Ok(Some(Backing { name, format }))
}

/// What an image of the first qcow is based on; it never says the format.
pub(super) fn backing_of_first(head: &[u8]) -> Result<Option<Backing>, &'static str> {
    Ok(name(head)?.map(|name| Backing { name, format: None }))
}

fn name(head: &[u8]) -> Result<Option<String>, &'static str> {
    const OUTSIDE: &str = "the backing file's name lies outside the header";
    let (offset, length) = be64(head, 8).zip(be32(head, 16)).ok_or("the header is cut off")?;
    if offset == 0 {
        return Ok(None);
    }
    if length > 1023 {
        return Err("the backing file's name is longer than 1023 bytes");
    }
    let start = usize::try_from(offset).map_err(|_| OUTSIDE)?;
    let length = usize::try_from(length).map_err(|_| OUTSIDE)?;
    let name = start.checked_add(length).and_then(|end| head.get(start..end)).ok_or(OUTSIDE)?;
    let name = std::str::from_utf8(name).map_err(|_| "the backing file's name is not UTF-8")?;
    // What comes behind a NUL is not part of the name, for QEMU neither.
    let name = name.split('\0').next().unwrap_or_default();
    Ok(Some(name.to_owned()).filter(|it| !it.is_empty()))
}

const BACKING_FORMAT: u32 = 0xe279_2aca;
const DATA_FILE: u32 = 0x4441_5441;

/// The content of the first header extension of this kind.
fn extension(head: &[u8], wanted: u32) -> Result<Option<&[u8]>, &'static str> {
    const CUT_OFF: &str = "a header extension is cut off";
    let version = be32(head, 4).ok_or("the header is cut off")?;
    let first = if version >= 3 { be32(head, 100).ok_or("the header is cut off")? } else { 72 };
    let mut at = usize::try_from(first).map_err(|_| "the header's length is wrong")?;
    // Extensions end where the backing file's name begins; without one, with the first cluster.
    let name = be64(head, 8).and_then(|it| usize::try_from(it).ok()).filter(|it| *it > 0);
    let end = name.unwrap_or(head.len());
    while at.checked_add(8).is_some_and(|next| next <= end) {
        let kind = be32(head, at).ok_or(CUT_OFF)?;
        let length = be32(head, at + 4).and_then(|it| usize::try_from(it).ok()).ok_or(CUT_OFF)?;
        if kind == 0 {
            break;
        }
        let start = at + 8;
        let content = start.checked_add(length).and_then(|end| head.get(start..end)).ok_or(CUT_OFF)?;
        if kind == wanted {
            return Ok(Some(content));
        }
        let padded = length.checked_next_multiple_of(8).and_then(|it| it.checked_add(start));
        at = padded.ok_or("a header extension is too long")?;
    }
    Ok(None)
}
