//! Giving a raw image another length.

use std::fs::OpenOptions;
use std::path::Path;

use virtbus_api::Result;

use super::create;
use crate::blocking::Progress;
use crate::fault;

/// Makes the raw image at `path` so many bytes long; `allocate` reserves room for all of it. Blocks.
pub(crate) fn raw(path: &Path, capacity: u64, allocate: bool, progress: &Progress) -> Result<()> {
    let content = OpenOptions::new().read(true).write(true).open(path).map_err(fault::at("Unable to open", path))?;
    if allocate {
        create::allocate(&content, path, capacity, progress)?;
    }
    content.set_len(capacity).map_err(fault::at("Failed to truncate file", path))
}
