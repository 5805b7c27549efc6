//! Headers of disk images: the format, and what an image is based on.
//!
//! Only the header is read, never more than [`MOST`] bytes, and nothing in it is trusted: a guest can write into its own image.
//! In particular a backing file's format is never guessed from its content; where the header above does not name it, it is raw.
//! This module will move to the host's side with the storage daemon; it knows no domain.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

/// How much of a file is looked at. A qcow2 header with its extensions and the backing file's name fit in the first cluster.
const MOST: u64 = 64 * 1024;

/// The longest chain that is followed.
const LONGEST_CHAIN: usize = 200;

/// What an image says it is based on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backing {
    /// The name as written, relative to the image's directory unless absolute or a URL.
    pub name: String,
    /// The format as written.
    pub format: Option<String>,
}

/// One image of a chain, from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its file.
    pub path: PathBuf,
    /// Its format, `raw` where the image above does not say.
    pub format: String,
}

/// Why a chain cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A file cannot be read.
    #[error("{}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A header is damaged.
    #[error("{}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The chain comes back to a file it has been at, or is longer than 200 images.
    #[error("{}: the chain of backing files does not end", .0.display())]
    Endless(PathBuf),
    /// The backing file is not a file of this host.
    #[error("{}: backing file {name:?} is not a path", path.display())]
    NotAPath {
        /// The image.
        path: PathBuf,
        /// What it names.
        name: String,
    },
}

/// What the image at `path`, known to be of `format`, is based on. Formats other than qcow2 are taken to have no backing file.
///
/// # Errors
/// When the file cannot be read or its header is damaged.
pub fn backing(path: &Path, format: &str) -> Result<Option<Backing>, ImageError> {
    if !matches!(format, "qcow2" | "qcow") {
        return Ok(None);
    }
    let read = || {
        let mut header = Vec::new();
        File::open(path)?.take(MOST).read_to_end(&mut header)?;
        Ok(header)
    };
    let header = read().map_err(|source| ImageError::Read { path: path.to_owned(), source })?;
    qcow2_backing(&header).map_err(|what| ImageError::Damaged { path: path.to_owned(), what })
}

/// The chain below the image at `path`, nearest first. Blocks on the file system.
///
/// # Errors
/// When an image cannot be read, is damaged, names what is not a path, or the chain has no end.
pub fn chain(path: &Path, format: &str) -> Result<Vec<Layer>, ImageError> {
    let mut layers: Vec<Layer> = Vec::new();
    let mut here = Layer { path: path.to_owned(), format: format.to_owned() };
    while let Some(next) = backing(&here.path, &here.format)? {
        let Some(found) = resolve(&here.path, &next.name) else {
            return Err(ImageError::NotAPath { path: here.path, name: next.name });
        };
        if layers.len() >= LONGEST_CHAIN || found == path || layers.iter().any(|it| it.path == found) {
            return Err(ImageError::Endless(path.to_owned()));
        }
        here = Layer { path: found, format: next.format.unwrap_or_else(|| "raw".to_owned()) };
        layers.push(here.clone());
    }
    Ok(layers)
}

/// The file meant by a backing file's name: relative to the directory of the image. `None` for URLs and JSON descriptions.
#[must_use]
pub fn resolve(image: &Path, name: &str) -> Option<PathBuf> {
    let name = name.strip_prefix("file:").unwrap_or(name);
    if name.is_empty() || name.starts_with("json:") || has_protocol(name) {
        return None;
    }
    let joined = image.parent().unwrap_or(Path::new("/")).join(name);
    // Lexically: the file may not exist, and two names of one file are told apart by the reference as well.
    let parts = joined.components().filter(|part| !matches!(part, Component::CurDir));
    Some(parts.collect())
}

/// `nbd://host/x`, `rbd:pool/x`: a word before the first colon that comes before any slash.
fn has_protocol(name: &str) -> bool {
    let head = name.split('/').next().unwrap_or_default();
    head.split_once(':')
        .is_some_and(|(word, _)| !word.is_empty() && word.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'+'))
}

/// The backing file named in a qcow2 header (docs/interop/qcow2.txt of QEMU): offset and length at bytes 8 and 16, header
/// extensions from the header's end (bytes 100 to 103 tell its length from version 3 on) to the one of type 0.
fn qcow2_backing(header: &[u8]) -> Result<Option<Backing>, &'static str> {
    if header.get(..4) != Some(b"QFI\xfb") {
        return Err("no qcow2 header");
    }
    let version = be32(header, 4).ok_or("the header is cut off")?;
    let offset = be64(header, 8).ok_or("the header is cut off")?;
    let length = be32(header, 16).ok_or("the header is cut off")?;
    if offset == 0 {
        return Ok(None);
    }
    if length > 1023 {
        return Err("the backing file's name is longer than 1023 bytes");
    }
    let start = usize::try_from(offset).map_err(|_| "the backing file's name lies outside the header")?;
    let name = usize::try_from(length).ok().and_then(|it| start.checked_add(it)).and_then(|end| header.get(start..end));
    let name = name.ok_or("the backing file's name lies outside the header")?;
    let name = std::str::from_utf8(name).map_err(|_| "the backing file's name is not UTF-8")?;
    if name.is_empty() {
        return Ok(None);
    }
    let first = if version >= 3 { be32(header, 100).ok_or("the header is cut off")? } else { 72 };
    Ok(Some(Backing { name: name.to_owned(), format: backing_format(header, first, start)? }))
}

/// The extension that names the backing file's format.
fn backing_format(header: &[u8], first: u32, end: usize) -> Result<Option<String>, &'static str> {
    const BACKING_FORMAT: u32 = 0xe279_2aca;
    let mut at = usize::try_from(first).map_err(|_| "the header's length is wrong")?;
    while at.checked_add(8).is_some_and(|next| next <= end) {
        let kind = be32(header, at).ok_or("a header extension is cut off")?;
        let length =
            be32(header, at + 4).and_then(|it| usize::try_from(it).ok()).ok_or("a header extension is cut off")?;
        if kind == 0 {
            break;
        }
        let start = at + 8;
        let content =
            start.checked_add(length).and_then(|end| header.get(start..end)).ok_or("a header extension is cut off")?;
        if kind == BACKING_FORMAT {
            let format = std::str::from_utf8(content).map_err(|_| "the backing format is not UTF-8")?;
            return Ok(Some(format.to_owned()));
        }
        at = length
            .checked_next_multiple_of(8)
            .and_then(|it| it.checked_add(start))
            .ok_or("a header extension is too long")?;
    }
    Ok(None)
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}

fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    let eight = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_be_bytes(eight.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, format: Option<&str>) -> Vec<u8> {
        let mut it = vec![0; 104];
        it[..4].copy_from_slice(b"QFI\xfb");
        it[7] = 3;
        it[103] = 104;
        if let Some(format) = format {
            it.extend(0xe279_2aca_u32.to_be_bytes());
            it.extend(u32::try_from(format.len()).expect("short").to_be_bytes());
            it.extend(format.as_bytes());
            it.resize(it.len().next_multiple_of(8), 0);
        }
        it.extend([0; 8]);
        let offset = it.len() as u64;
        it[8..16].copy_from_slice(&offset.to_be_bytes());
        it[16..20].copy_from_slice(&u32::try_from(name.len()).expect("short").to_be_bytes());
        it.extend(name.as_bytes());
        it
    }

    #[test]
    fn name_and_format() {
        let found = qcow2_backing(&header("base.img", Some("qcow2"))).expect("sound");
        assert_eq!(found, Some(Backing { name: "base.img".to_owned(), format: Some("qcow2".to_owned()) }));
        let found = qcow2_backing(&header("/b", None)).expect("sound").expect("has one");
        assert_eq!(found.format, None);
    }

    #[test]
    fn no_prefix_or_flipped_byte_of_a_header_panics() {
        let sound = header("base.img", Some("raw"));
        for end in 0..sound.len() {
            let _ = qcow2_backing(&sound[..end]);
        }
        for at in 0..sound.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut torn = sound.clone();
                torn[at] = value;
                let _ = qcow2_backing(&torn);
            }
        }
    }

    #[test]
    fn chains_end_and_names_resolve() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |name: &str| directory.path().join(name);
        std::fs::write(file("top"), header("middle", Some("qcow2"))).expect("written");
        std::fs::write(file("middle"), header("base", None)).expect("written");
        std::fs::write(file("base"), header("top", Some("qcow2"))).expect("written");
        // The base has no format in the image above: it is raw, whatever it looks like.
        let layers = chain(&file("top"), "qcow2").expect("sound");
        assert_eq!(layers.iter().map(|it| it.format.as_str()).collect::<Vec<_>>(), ["qcow2", "raw"]);
        std::fs::write(file("middle"), header("top", Some("qcow2"))).expect("written");
        assert!(matches!(chain(&file("top"), "qcow2"), Err(ImageError::Endless(_))));
        assert_eq!(resolve(Path::new("/a/b.img"), "./c"), Some(PathBuf::from("/a/c")));
        assert_eq!(resolve(Path::new("/a/b.img"), "nbd://h/x"), None);
        assert_eq!(resolve(Path::new("/a/b.img"), "json:{}"), None);
    }
}
