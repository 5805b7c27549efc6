//! The chain of images below one: each named by the one above, in the format the one above says.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use super::json::{Described, described};
use super::{Backing, Header, ImageFormat};

/// The longest chain that is followed.
const LONGEST_CHAIN: usize = 200;

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

/// What the image at `path`, known to be of `format`, is based on. Formats other than qcow and qcow2 are taken to have no
/// backing file. Blocks.
///
/// # Errors
/// When the file cannot be read or its header is damaged.
pub fn backing(path: &Path, format: &str) -> Result<Option<Backing>, ImageError> {
    let Some(format) = ImageFormat::from_name(format).filter(|it| matches!(it, ImageFormat::Qcow | ImageFormat::Qcow2))
    else {
        return Ok(None);
    };
    // Opening a pipe would wait for somebody to write into it.
    let open = || File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let read = || Header::of(&open()?, Some(format));
    let header = read().map_err(|source| ImageError::Read { path: path.to_owned(), source })?;
    header.backing.map_err(|what| ImageError::Damaged { path: path.to_owned(), what })
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

/// The file meant by a backing file's name: relative to the directory of the image. `None` for URLs, and for descriptions in
/// JSON of anything but a whole file.
#[must_use]
pub fn resolve(image: &Path, name: &str) -> Option<PathBuf> {
    let described = described(name);
    let name = match &described {
        Some(Described::Path { path, is_whole: true }) if path.starts_with('/') => path,
        Some(_) => return None,
        None => name.strip_prefix("file:").unwrap_or(name),
    };
    if name.is_empty() || has_protocol(name) {
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
