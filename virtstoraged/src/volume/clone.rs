//! Copying the content of one raw image to another: by sharing blocks, or data for data and hole for hole.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use virtbus_api::Result;
use virtbus_host::file::{self, Extent};

use crate::blocking::Progress;
use crate::fault;

/// Bytes copied at a time.
const CHUNK: usize = 1 << 20;

/// Has `to` share the blocks of `from`. Blocks.
///
/// # Errors
/// When the file systems cannot, with the text that tells a user so.
pub(crate) fn reflink(from: &File, to: &File, source: &Path, shown: &Path) -> Result<()> {
    let text = format!("failed to clone files from '{}' to '{}'", source.display(), shown.display());
    file::reflink(from, to).map_err(|error| fault::system(text, &error))
}

/// Copies the data of `from` to the same places of `to`, which is at least as long and holds nothing yet. Data that is all
/// zeroes becomes a hole where the source has none, unless `whole`: then all of it takes room. Blocks.
pub(crate) fn copy(from: &File, to: &File, whole: bool, shown: &Path, progress: &Progress) -> Result<()> {
    let failed = |what: &'static str| move |error: std::io::Error| fault::at(what, shown)(error);
    let size = file::length(from).map_err(failed("cannot read the source of"))?;
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    while at < size {
        let length = match file::extent(from, at, size).map_err(failed("cannot read the source of"))? {
            Extent::End => break,
            Extent::Hole(length) => {
                at += length;
                continue;
            }
            Extent::Data(length) => length,
        };
        let end = at + length;
        while at < end {
            let wanted = usize::try_from(end - at).unwrap_or(CHUNK).min(CHUNK);
            let Some(room) = buffer.get_mut(..wanted) else { break };
            let count = from.read_at(room, at).map_err(failed("cannot read the source of"))?;
            if count == 0 {
                return Ok(());
            }
            let chunk = room.get(..count).unwrap_or_default();
            if whole || chunk.iter().any(|it| *it != 0) {
                to.write_all_at(chunk, at).map_err(failed("failed writing to file"))?;
            }
            at += count as u64;
            progress.step()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn holes_stay_holes_and_zeroes_become_some() {
        let (from, to) = (tempfile::tempfile().expect("a file"), tempfile::tempfile().expect("a file"));
        from.set_len(8 << 20).expect("sized");
        from.write_all_at(&vec![7; 70_000], 3 << 20).expect("written");
        from.write_all_at(&vec![0; 1 << 20], 5 << 20).expect("written");
        to.set_len(8 << 20).expect("sized");
        copy(&from, &to, false, Path::new("x"), &Progress::default()).expect("copied");
        let mut after = vec![1; 8 << 20];
        to.read_exact_at(&mut after, 0).expect("read");
        let mut before = vec![2; 8 << 20];
        from.read_exact_at(&mut before, 0).expect("read");
        assert!(after == before);
        assert!(to.metadata().expect("there").blocks() * 512 < 1 << 20);
    }
}
