//! A volume's content on its way out and in.
//!
//! A thread of its own reads or writes, a few pieces ahead of the client; the client's side waits for it up to a deadline.
//! So neither a slow client nor a disk that does not answer holds anything but this transfer. A stream that is dropped ends
//! its thread at the next piece.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use nix::libc;
use tokio::sync::{mpsc, oneshot};
use virtbus_api::{
    Error, Result,
    storage::{Piece, VolumeReader, VolumeWriter},
};
use virtbus_host::abandon::{self, Abandoned};
use virtbus_host::file::{self, Extent};

use crate::fault;
use crate::pool::hold::Hold;

/// The most that one piece holds.
const PIECE: usize = 256 * 1024;
/// Pieces between the thread and the client.
const AHEAD: usize = 4;
/// How long a disk may take over one piece.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which part of a volume is meant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// Where it begins.
    pub(crate) offset: u64,
    /// How long it is; 0 is as much as there is.
    pub(crate) length: u64,
    /// Whether holes are told from zeroes.
    pub(crate) sparse: bool,
}

impl Span {
    fn end(self) -> u64 {
        if self.length == 0 { u64::MAX } else { self.offset.saturating_add(self.length) }
    }
}

/// Opens the content of a volume for a transfer. What would wait for somebody (a pipe) is refused. Blocks.
pub(crate) fn open(path: &Path, write: bool) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(!write).write(write).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let opened = options.open(path).map_err(fault::at("cannot open volume", path))?;
    let kind = opened.metadata().map_err(fault::at("cannot stat volume", path))?.file_type();
    if kind.is_file() || kind.is_block_device() {
        return Ok(opened);
    }
    Err(fault::invalid(format!("volume '{}' has no content that could be transferred", path.display())))
}

/// Content on its way out.
#[derive(Debug)]
pub(crate) struct Reader {
    path: PathBuf,
    pieces: mpsc::Receiver<Result<Piece>>,
}

impl Reader {
    /// Begins to read. The volume may be deleted meanwhile; what is open stays readable.
    pub(crate) fn new(content: File, path: PathBuf, span: Span) -> Result<Self> {
        let (sender, pieces) = mpsc::channel(AHEAD);
        let named = path.clone();
        let work = move || {
            if let Err(error) = read(&content, &named, span, &sender) {
                // The client may have gone; then nobody minds.
                let _ = sender.blocking_send(Err(error));
            }
        };
        abandon::start("volume download", work).map_err(|why| fault::hung("the download", why))?;
        Ok(Self { path, pieces })
    }
}

#[async_trait]
impl VolumeReader for Reader {
    async fn next(&mut self) -> Result<Option<Piece>> {
        match tokio::time::timeout(PATIENCE, self.pieces.recv()).await {
            Ok(piece) => piece.transpose(),
            Err(_) => Err(late("reading", &self.path)),
        }
    }
}

fn late(what: &str, path: &Path) -> Error {
    fault::hung(format!("{what} volume '{}'", path.display()), Abandoned::Late(PATIENCE))
}

fn read(content: &File, path: &Path, span: Span, sender: &mpsc::Sender<Result<Piece>>) -> Result<()> {
    let failed = |at: u64| {
        move |error: std::io::Error| {
            fault::system(format!("cannot read volume '{}' at offset {at}", path.display()), &error)
        }
    };
    let size = file::length(content).map_err(failed(0))?;
    let end = span.end().min(size);
    let mut at = span.offset;
    let mut stored_until = if span.sparse { at } else { end };
    while at < end {
        if at >= stored_until {
            match file::extent(content, at, end).map_err(failed(at))? {
                Extent::End => break,
                Extent::Data(length) => stored_until = at.saturating_add(length),
                Extent::Hole(length) => {
                    if sender.blocking_send(Ok(Piece::Hole(length))).is_err() {
                        return Ok(());
                    }
                    at = at.saturating_add(length);
                    continue;
                }
            }
        }
        let wanted = usize::try_from(stored_until.min(end) - at).unwrap_or(PIECE).min(PIECE);
        let mut buffer = vec![0; wanted];
        let count = content.read_at(&mut buffer, at).map_err(failed(at))?;
        if count == 0 {
            break;
        }
        buffer.truncate(count);
        if sender.blocking_send(Ok(Piece::Data(Bytes::from(buffer)))).is_err() {
            return Ok(());
        }
        at = at.saturating_add(count as u64);
    }
    Ok(())
}

/// Content on its way in.
pub(crate) struct Writer {
    path: PathBuf,
    pieces: Option<mpsc::Sender<Piece>>,
    result: oneshot::Receiver<Result<()>>,
    finished: Option<Finish>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What is left to do when all has come.
type Finish = std::pin::Pin<Box<dyn Future<Output = Result<()>> + Send>>;

impl Writer {
    /// Begins to write; `finished` follows when all is on disk. The hold lasts until then.
    pub(crate) fn new(
        content: File,
        path: PathBuf,
        span: Span,
        hold: Hold,
        finished: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Result<Self> {
        let (pieces, mut incoming) = mpsc::channel(AHEAD);
        let named = path.clone();
        let work = move || {
            let _hold = hold;
            write(&content, &named, span, &mut incoming)
        };
        let result = abandon::start("volume upload", work).map_err(|why| fault::hung("the upload", why))?;
        Ok(Self { path, pieces: Some(pieces), result, finished: Some(Box::pin(finished)) })
    }

    async fn outcome(&mut self) -> Result<()> {
        self.pieces = None;
        match tokio::time::timeout(PATIENCE * 3, &mut self.result).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(fault::hung("the upload", Abandoned::Ended)),
            Err(_) => Err(late("writing", &self.path)),
        }
    }
}

#[async_trait]
impl VolumeWriter for Writer {
    async fn write(&mut self, piece: Piece) -> Result<()> {
        let Some(pieces) = &self.pieces else {
            return Err(fault::invalid(format!("the upload to '{}' has ended", self.path.display())));
        };
        match tokio::time::timeout(PATIENCE, pieces.send(piece)).await {
            Ok(Ok(())) => Ok(()),
            // The thread has ended early: it knows why.
            Ok(Err(_)) => {
                self.outcome().await?;
                Err(fault::invalid(format!("the upload to '{}' has ended", self.path.display())))
            }
            Err(_) => Err(late("writing", &self.path)),
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        self.outcome().await?;
        match self.finished.take() {
            Some(finished) => finished.await,
            None => Ok(()),
        }
    }
}

fn write(content: &File, path: &Path, span: Span, incoming: &mut mpsc::Receiver<Piece>) -> Result<()> {
    let failed = |at: u64| {
        move |error: std::io::Error| {
            fault::system(format!("cannot write to volume '{}' at offset {at}", path.display()), &error)
        }
    };
    let end = span.end();
    let mut at = span.offset;
    while let Some(piece) = incoming.blocking_recv() {
        let length = match &piece {
            Piece::Data(bytes) => bytes.len() as u64,
            Piece::Hole(length) => *length,
        };
        if length > end.saturating_sub(at) {
            return Err(failed(end)(std::io::Error::from_raw_os_error(libc::ENOSPC)));
        }
        match piece {
            Piece::Data(bytes) => write_all(content, &bytes, at).map_err(|(at, error)| failed(at)(error))?,
            Piece::Hole(length) => leave_hole(content, at, length).map_err(failed(at))?,
        }
        at = at.saturating_add(length);
    }
    content.sync_all().map_err(failed(at))
}

/// Writes all of `bytes`; where it stopped, on an error: what fits is written.
fn write_all(content: &File, bytes: &[u8], at: u64) -> std::result::Result<(), (u64, std::io::Error)> {
    let mut done = 0;
    while let Some(rest) = bytes.get(done..).filter(|it| !it.is_empty()) {
        let here = at.saturating_add(done as u64);
        match content.write_at(rest, here) {
            Ok(0) => return Err((here, std::io::Error::from_raw_os_error(libc::ENOSPC))),
            Ok(count) => done += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err((here, error)),
        }
    }
    Ok(())
}

/// Has `length` bytes from `at` on read as zero, without room for them where that can be.
pub(crate) fn leave_hole(content: &File, at: u64, length: u64) -> std::io::Result<()> {
    let size = file::length(content)?;
    let end = at.saturating_add(length);
    let is_file = content.metadata()?.is_file();
    if is_file && end > size {
        content.set_len(end)?;
    }
    let inside = if is_file { size.saturating_sub(at).min(length) } else { length };
    if inside == 0 {
        return Ok(());
    }
    match file::punch_hole(content, at, inside) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENODEV | libc::EINVAL)) => {
            zero(content, at, inside)
        }
        other => other,
    }
}

fn zero(content: &File, mut at: u64, mut length: u64) -> std::io::Result<()> {
    let zeroes = vec![0; PIECE];
    while length > 0 {
        let count = usize::try_from(length).unwrap_or(PIECE).min(PIECE);
        content.write_all_at(zeroes.get(..count).unwrap_or_default(), at)?;
        at += count as u64;
        length -= count as u64;
    }
    Ok(())
}
