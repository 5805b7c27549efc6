//! A volume's bytes on their way.

use std::collections::VecDeque;

use async_trait::async_trait;
use bytes::Bytes;
use virtbus_api::{
    PoolEventKind, Result, VolumeRef,
    storage::{Piece, VolumeReader, VolumeWriter, Volumes},
};

use super::SimStorage;

/// How much a piece holds at most: a small one, so that tests see several.
const PIECE: usize = 4096;

/// The pieces that are still to come.
pub(super) struct Reader(VecDeque<Piece>);

impl Reader {
    /// The content from `offset`, `length` bytes of it or all; zeroes are holes where it is `sparse`.
    pub(super) fn new(content: &[u8], offset: u64, length: u64, sparse: bool) -> Self {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        let rest = content.get(start..).unwrap_or_default();
        let length = if length == 0 { rest.len() } else { usize::try_from(length).unwrap_or(usize::MAX) };
        let wanted = rest.get(..length.min(rest.len())).unwrap_or_default();
        let mut pieces = VecDeque::new();
        for chunk in wanted.chunks(PIECE) {
            let size = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            let empty = sparse && chunk.iter().all(|it| *it == 0);
            match (empty, pieces.back_mut()) {
                (true, Some(Piece::Hole(hole))) => *hole = hole.saturating_add(size),
                (true, _) => pieces.push_back(Piece::Hole(size)),
                (false, _) => pieces.push_back(Piece::Data(Bytes::copy_from_slice(chunk))),
            }
        }
        Self(pieces)
    }
}

#[async_trait]
impl VolumeReader for Reader {
    async fn next(&mut self) -> Result<Option<Piece>> {
        Ok(self.0.pop_front())
    }
}

/// Where the next bytes go.
pub(super) struct Writer {
    sim: SimStorage,
    volume: VolumeRef,
    at: u64,
    left: u64,
}

impl Writer {
    /// From `offset` on, `length` bytes or as many as come.
    pub(super) fn new(sim: SimStorage, volume: VolumeRef, offset: u64, length: u64) -> Self {
        Self { sim, volume, at: offset, left: if length == 0 { u64::MAX } else { length } }
    }
}

#[async_trait]
impl VolumeWriter for Writer {
    async fn write(&mut self, piece: Piece) -> Result<()> {
        let length = match &piece {
            Piece::Data(data) => u64::try_from(data.len()).unwrap_or(u64::MAX),
            Piece::Hole(length) => *length,
        };
        let length = length.min(self.left);
        match piece {
            Piece::Data(data) => {
                let wanted = usize::try_from(length).unwrap_or(usize::MAX);
                self.sim.write(&self.volume, self.at, data.get(..wanted).unwrap_or_default())?;
            }
            Piece::Hole(_) => {
                let zeroes = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(1 << 26)];
                self.sim.write(&self.volume, self.at, &zeroes)?;
            }
        }
        self.at = self.at.saturating_add(length);
        self.left = self.left.saturating_sub(length);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        let pool = self.sim.pool_of(&self.volume)?;
        self.sim.tell(&pool, PoolEventKind::Refresh);
        Ok(())
    }
}
