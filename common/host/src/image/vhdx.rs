//! The size of a Hyper-V image (MS-VHDX of Microsoft): a region table at 192 KiB names the metadata region, whose table names the item
//! with the virtual disk size.

use std::fs::File;
use std::io;

use super::field::{le32, le64};
use super::read_at;

const REGION_TABLE: u64 = 192 * 1024;
/// 8B7CA206-4790-4B9A-B8FE-575F050F886E, the metadata region, as it lies in the file.
const METADATA_REGION: [u8; 16] =
    [0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b, 0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e];
/// 2FA54224-CD1B-4876-B211-5DBED83BF4B8, the virtual disk size, as it lies in the file.
const VIRTUAL_SIZE: [u8; 16] =
    [0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48, 0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8];
/// As the format has it, for both tables.
const MOST_ENTRIES: usize = 2047;

/// The size a guest sees, in bytes; `None` where the tables do not say it.
pub(super) fn capacity(file: &File) -> io::Result<Option<u64>> {
    let regions = piece(file, REGION_TABLE, 64 * 1024)?;
    let count = count(&regions, b"regi", 8);
    let region = (0..count).map(|it| 16 + 32 * it).find(|at| says(&regions, *at, &METADATA_REGION));
    let Some(start) = region.and_then(|at| le64(&regions, at + 16)) else { return Ok(None) };
    let metadata = piece(file, start, 64 * 1024)?;
    let count = self::count(&metadata, b"metadata", 10);
    let item = (0..count).map(|it| 32 + 32 * it).find(|at| says(&metadata, *at, &VIRTUAL_SIZE));
    let Some(place) = item.and_then(|at| le32(&metadata, at + 16)) else { return Ok(None) };
    let Some(place) = start.checked_add(u64::from(place)) else { return Ok(None) };
    Ok(le64(&piece(file, place, 8)?, 0))
}

/// How many entries a table with this signature says it has, at a byte of its header.
fn count(table: &[u8], signature: &[u8], at: usize) -> usize {
    let Some(&[low, high]) = table.get(at..at + 2).filter(|_| table.starts_with(signature)) else { return 0 };
    usize::from(u16::from_le_bytes([low, high])).min(MOST_ENTRIES)
}

fn says(table: &[u8], at: usize, name: &[u8; 16]) -> bool {
    table.get(at..at + 16).is_some_and(|it| it == name)
}

fn piece(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    // Beyond what an offset of a file can be, there is nothing.
    if i64::try_from(offset).is_err() {
        return Ok(Vec::new());
    }
    let mut piece = vec![0; length];
    let length = read_at(file, &mut piece, offset)?;
    piece.truncate(length);
    Ok(piece)
}
