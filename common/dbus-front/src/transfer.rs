//! A volume's content through a caller's descriptor: a pipe or a socket, which the caller gives away.
//!
//! Reading a regular file of the caller's could take for ever (a dead mount), and nothing tells beforehand; such
//! descriptors are refused.

use std::os::fd::OwnedFd;

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{UnixStream, unix::pipe},
};
use virtbus_api::{
    Error as ApiError,
    storage::{Piece, VolumeReader, VolumeWriter},
};

use crate::error::Result;

/// Bytes that are moved at once, the most that a piece has.
const PIECE: usize = 256 * 1024;

/// Where content comes from.
pub(crate) struct Source(Box<dyn AsyncRead + Send + Unpin>);

/// Where content goes.
pub(crate) struct Target(Box<dyn AsyncWrite + Send + Unpin>);

impl Source {
    /// Refuses what is neither a readable pipe nor a socket.
    pub(crate) fn new(fd: OwnedFd) -> Result<Self> {
        if let Ok(socket) = socket(&fd) {
            return Ok(Self(Box::new(socket)));
        }
        let pipe = pipe::Receiver::from_owned_fd(fd).map_err(|it| refused(&it))?;
        Ok(Self(Box::new(pipe)))
    }
}

impl Target {
    /// Refuses what is neither a writable pipe nor a socket.
    pub(crate) fn new(fd: OwnedFd) -> Result<Self> {
        if let Ok(socket) = socket(&fd) {
            return Ok(Self(Box::new(socket)));
        }
        let pipe = pipe::Sender::from_owned_fd(fd).map_err(|it| refused(&it))?;
        Ok(Self(Box::new(pipe)))
    }
}

fn refused(why: &std::io::Error) -> ApiError {
    ApiError::invalid_arg(format!("the descriptor is neither a pipe nor a socket: {why}"))
}

/// The descriptor as a stream socket.
fn socket(fd: &OwnedFd) -> std::io::Result<UnixStream> {
    let socket = std::os::unix::net::UnixStream::from(fd.try_clone()?);
    // Fails for what is no UNIX socket.
    socket.local_addr()?;
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

/// Moves the content to its end.
pub(crate) async fn download(mut content: Box<dyn VolumeReader>, mut target: Target) -> Result<()> {
    let lost = |it: std::io::Error| ApiError::system("cannot write to the caller's descriptor", &it);
    while let Some(piece) = content.next().await? {
        match piece {
            Piece::Data(data) => target.0.write_all(&data).await.map_err(lost)?,
            Piece::Hole(length) => {
                let mut zeroes = tokio::io::repeat(0).take(length);
                tokio::io::copy(&mut zeroes, &mut target.0).await.map_err(lost)?;
            }
        }
    }
    target.0.shutdown().await.map_err(lost)?;
    Ok(())
}

/// Moves what comes, at most `length` bytes of it (0: all).
pub(crate) async fn upload(source: Source, length: u64, mut content: Box<dyn VolumeWriter>) -> Result<()> {
    let limit = if length == 0 { u64::MAX } else { length };
    let mut source = source.0.take(limit);
    loop {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = source.read_buf(&mut piece).await;
        if read.map_err(|it| ApiError::system("cannot read from the caller's descriptor", &it))? == 0 {
            return Ok(content.finish().await?);
        }
        content.write(Piece::Data(piece.freeze())).await?;
    }
}
