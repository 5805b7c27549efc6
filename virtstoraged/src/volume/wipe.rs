//! Overwriting a volume: zeroes, random bytes, published sequences of passes, or giving the blocks back.
//!
//! The reference leaves all but zeroes to the program `scrub`; the passes here are that program's. What a disk
//! keeps of overwritten blocks is beyond any of them.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::libc;
use virtbus_api::{Error, ErrorCode, Result, storage::WipeAlgorithm};
use virtbus_host::file;

use crate::blocking::Progress;
use crate::fault::{self, Faults as _};

/// Bytes written at a time.
const CHUNK: usize = 1 << 20;

/// One pass over the volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// These three bytes over and over.
    Fill([u8; 3]),
    /// Random bytes.
    Random,
    /// Reads back whether this byte is everywhere.
    Check(u8),
}

const fn byte(value: u8) -> Pass {
    Pass::Fill([value; 3])
}

const R: Pass = Pass::Random;
const ZERO: [Pass; 1] = [byte(0)];
const NNSA: [Pass; 4] = [R, R, byte(0), Pass::Check(0)];
const DOD: [Pass; 4] = [R, byte(0), byte(0xff), Pass::Check(0xff)];
const BSI: [Pass; 9] =
    [byte(0xff), byte(0xfe), byte(0xfd), byte(0xfb), byte(0xf7), byte(0xef), byte(0xdf), byte(0xbf), byte(0x7f)];
const SCHNEIER: [Pass; 7] = [byte(0), byte(0xff), R, R, R, R, R];
/// Peter Gutmann, Secure Deletion of Data from Magnetic and Solid-State Memory (1996), table 1.
const GUTMANN: [Pass; 35] = [
    R,
    R,
    R,
    R,
    byte(0x55),
    byte(0xaa),
    Pass::Fill([0x92, 0x49, 0x24]),
    Pass::Fill([0x49, 0x24, 0x92]),
    Pass::Fill([0x24, 0x92, 0x49]),
    byte(0x00),
    byte(0x11),
    byte(0x22),
    byte(0x33),
    byte(0x44),
    byte(0x55),
    byte(0x66),
    byte(0x77),
    byte(0x88),
    byte(0x99),
    byte(0xaa),
    byte(0xbb),
    byte(0xcc),
    byte(0xdd),
    byte(0xee),
    byte(0xff),
    Pass::Fill([0x92, 0x49, 0x24]),
    Pass::Fill([0x49, 0x24, 0x92]),
    Pass::Fill([0x24, 0x92, 0x49]),
    Pass::Fill([0x6d, 0xb6, 0xdb]),
    Pass::Fill([0xb6, 0xdb, 0x6d]),
    Pass::Fill([0xdb, 0x6d, 0xb6]),
    R,
    R,
    R,
    R,
];

fn passes(algorithm: WipeAlgorithm) -> &'static [Pass] {
    match algorithm {
        WipeAlgorithm::Zero => &ZERO,
        WipeAlgorithm::Nnsa => &NNSA,
        WipeAlgorithm::Dod => &DOD,
        WipeAlgorithm::Bsi => &BSI,
        WipeAlgorithm::Gutmann => &GUTMANN,
        WipeAlgorithm::Schneier => &SCHNEIER,
        WipeAlgorithm::Pfitzner7 => &[R; 7],
        WipeAlgorithm::Pfitzner33 => &[R; 33],
        WipeAlgorithm::Random => &[R],
        WipeAlgorithm::Trim => &[],
    }
}

/// Overwrites the file or device at `path`. Blocks.
pub(crate) fn wipe(path: &Path, algorithm: WipeAlgorithm, progress: &Progress) -> Result<()> {
    let failed = |error: std::io::Error| fault::system(format!("cannot wipe volume '{}'", path.display()), &error);
    let opened = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path);
    let content = opened.map_err(fault::at("Failed to open storage volume with path", path))?;
    let about = content.metadata().map_err(failed)?;
    let size = file::length(&content).map_err(failed)?;
    if algorithm == WipeAlgorithm::Trim {
        return trim(&content, size, about.is_file());
    }
    // Holes need no zeroes, and a file with holes keeps its promise of taking little room.
    if algorithm == WipeAlgorithm::Zero && about.is_file() && about.blocks().saturating_mul(512) < size {
        content.set_len(0).and_then(|()| content.set_len(size)).map_err(failed)?;
        return content.sync_all().map_err(failed);
    }
    let mut random = File::open("/dev/urandom").map_err(failed)?;
    for pass in passes(algorithm) {
        run(*pass, &content, size, &mut random, path, progress)?;
        content.sync_data().map_err(failed)?;
    }
    Ok(())
}

fn trim(content: &File, size: u64, is_file: bool) -> Result<()> {
    let given_back = if is_file { file::punch_hole(content, 0, size) } else { file::discard(content, 0, size) };
    given_back.map_err(|error| {
        let code = ErrorCode::ArgumentUnsupported;
        Error::new(code, "'trim' algorithm not supported").of_storage().caused_by(error)
    })
}

fn run(pass: Pass, content: &File, size: u64, random: &mut File, path: &Path, progress: &Progress) -> Result<()> {
    let failed = |error: std::io::Error| fault::system(format!("cannot wipe volume '{}'", path.display()), &error);
    // A multiple of three, so that patterns go on across chunks.
    let mut buffer = vec![0; CHUNK - CHUNK % 3];
    if let Pass::Fill(pattern) = pass {
        for (place, value) in buffer.iter_mut().zip(pattern.iter().cycle()) {
            *place = *value;
        }
    }
    let mut at = 0;
    while at < size {
        let count = usize::try_from(size - at).unwrap_or(usize::MAX).min(buffer.len());
        let Some(chunk) = buffer.get_mut(..count) else { break };
        match pass {
            Pass::Fill(_) => content.write_all_at(chunk, at).map_err(failed)?,
            Pass::Random => {
                random.read_exact(chunk).map_err(failed)?;
                content.write_all_at(chunk, at).map_err(failed)?;
            }
            Pass::Check(value) => {
                content.read_exact_at(chunk, at).map_err(failed)?;
                if chunk.iter().any(|it| *it != value) {
                    return Err(fault::failed(format!("volume '{}' does not keep what it is given", path.display())));
                }
            }
        }
        at += count as u64;
        progress.step()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [WipeAlgorithm; 10] = [
        WipeAlgorithm::Zero,
        WipeAlgorithm::Nnsa,
        WipeAlgorithm::Dod,
        WipeAlgorithm::Bsi,
        WipeAlgorithm::Gutmann,
        WipeAlgorithm::Schneier,
        WipeAlgorithm::Pfitzner7,
        WipeAlgorithm::Pfitzner33,
        WipeAlgorithm::Random,
        WipeAlgorithm::Trim,
    ];

    #[test]
    fn nothing_is_left_and_the_size_stays() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("v");
        let size = CHUNK + 4711;
        for algorithm in ALL {
            std::fs::write(&path, vec![b'x'; size]).expect("written");
            wipe(&path, algorithm, &Progress::default()).expect("wiped");
            let after = std::fs::read(&path).expect("read");
            assert_eq!(after.len(), size, "{algorithm:?}");
            let kept = after.windows(8).filter(|it| *it == b"xxxxxxxx").count();
            assert_eq!(kept, 0, "{algorithm:?}");
            match algorithm {
                WipeAlgorithm::Zero | WipeAlgorithm::Trim | WipeAlgorithm::Nnsa => {
                    assert!(after.iter().all(|it| *it == 0), "{algorithm:?}");
                }
                WipeAlgorithm::Bsi => assert!(after.iter().all(|it| *it == 0x7f)),
                _ => {}
            }
        }
    }

    #[test]
    fn a_sparse_file_stays_sparse() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("v");
        File::create(&path).and_then(|it| it.set_len(1 << 30)).expect("made");
        wipe(&path, WipeAlgorithm::Zero, &Progress::default()).expect("wiped");
        let about = std::fs::metadata(&path).expect("there");
        assert_eq!((about.len(), about.blocks()), (1 << 30, 0));
    }

    #[test]
    fn a_wipe_nobody_wants_ends() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("v");
        std::fs::write(&path, vec![1; CHUNK * 3]).expect("written");
        let progress = Progress::default();
        progress.give_up();
        let error = wipe(&path, WipeAlgorithm::Random, &progress).expect_err("given up");
        assert_eq!(error.code, ErrorCode::OperationAborted);
    }
}
