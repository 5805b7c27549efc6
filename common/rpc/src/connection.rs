//! A socket that carries frames: reads and writes them without ever blocking a thread, in the caller's own task.
//!
//! Everything here is `poll`: whoever owns a connection asks for frames and pushes frames in one place, so no frame
//! changes hands between tasks. Which frames belong together, and what they mean, is not known here.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::task::{Context, Poll, ready};

use tokio::net::UnixStream;
use virtbus_host::fd;
use virtbus_host::socket::Socket;

use crate::frame::{Decoder, FrameError, Incoming, Next, Outbox};

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The socket failed.
    #[error("socket: {0}")]
    Io(#[from] io::Error),
    /// What arrived is no sequence of frames.
    #[error("malformed: {0}")]
    Frame(#[from] FrameError),
}

/// Frames over a connected Unix socket.
#[derive(Debug)]
pub struct Link {
    socket: Socket,
    decoder: Decoder,
    /// What waits to be written; anyone may push, [`Link::poll_flush`] writes.
    pub outbox: Outbox,
    fds: Vec<OwnedFd>,
    ended: bool,
}

impl Link {
    /// Frames over `socket`.
    ///
    /// # Errors
    /// When the socket cannot be watched.
    pub fn new(socket: UnixStream) -> io::Result<Self> {
        let socket = Socket::new(socket.into_std()?)?;
        Ok(Self { socket, decoder: Decoder::default(), outbox: Outbox::default(), fds: Vec::new(), ended: false })
    }

    /// Connects to the socket at `path`.
    ///
    /// # Errors
    /// As connect(2).
    pub async fn connect(path: &Path) -> io::Result<Self> {
        UnixStream::connect(path).await.and_then(Self::new)
    }

    /// Who is at the other end.
    ///
    /// # Errors
    /// As getsockopt(2).
    pub fn peer(&self) -> io::Result<fd::Peer> {
        fd::Peer::of(self.socket.as_fd())
    }

    /// The next frame among the bytes already read; `None` when more must be read.
    ///
    /// # Errors
    /// The peer breaks the framing; the connection is of no use any more.
    pub fn next_buffered(&mut self) -> Result<Option<Incoming>, FrameError> {
        self.decoder.next_frame()
    }

    /// Reads what has arrived into the buffer. `false` is the end of the connection.
    ///
    /// # Errors
    /// The socket failed, or the peer ended in the middle of a frame.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, LinkError>> {
        if self.ended {
            return Poll::Ready(Ok(false));
        }
        loop {
            let mut count = None;
            let result = self.socket.poll_read(cx, |socket| {
                let buffer = self.decoder.buffer();
                let room = buffer.capacity() - buffer.len();
                let seen = fd::receive(socket, buffer, &mut self.fds)?;
                count = Some(seen);
                // A short read has emptied the socket, unless it stopped at a descriptor. Saying so here spares the
                // read that would find nothing: the next bytes to arrive make the socket ready again.
                if seen > 0 && seen < room && self.fds.is_empty() {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(())
            });
            match (count, result) {
                (Some(0), _) => {
                    self.ended = true;
                    let clean = self.decoder.is_empty();
                    return Poll::Ready(if clean {
                        Ok(false)
                    } else {
                        Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
                    });
                }
                (Some(_), _) => {
                    self.decoder.appended(&mut self.fds)?;
                    return Poll::Ready(Ok(true));
                }
                (None, Poll::Pending) => {
                    self.decoder.rest();
                    return Poll::Pending;
                }
                (None, Poll::Ready(Err(error))) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Poll::Ready(Err(error.into()));
                }
                (None, Poll::Ready(_)) => {}
            }
        }
    }

    /// Writes what waits in the outbox. Ready when nothing waits any more.
    ///
    /// # Errors
    /// The socket failed.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.socket.lacks_room() {
            ready!(self.socket.poll_room(cx))?;
        }
        while !self.outbox.is_empty() {
            // Writing is tried first: a socket is nearly always writable, and asking costs as much.
            let socket = self.socket.as_fd();
            let written = self.outbox.with_next(|next| match next {
                Next::Bytes(slices) => fd::send(socket, slices).map(Some),
                Next::Descriptor(descriptor) => fd::send_descriptor(socket, descriptor.as_fd()).map(|()| None),
            });
            match written {
                None => break,
                Some(Ok(Some(count))) => self.outbox.wrote(count),
                Some(Ok(None)) => self.outbox.sent_descriptor(),
                Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.socket.poll_room(cx))?,
                Some(Err(error)) => return Poll::Ready(Err(error)),
            }
        }
        self.socket.forget_room();
        Poll::Ready(Ok(()))
    }

    /// The next frame, waiting for it; writes what waits meanwhile. `None` is the end of the connection.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn receive(&mut self) -> Result<Option<Incoming>, LinkError> {
        poll_fn(|cx| {
            if let Poll::Ready(Err(error)) = self.poll_flush(cx) {
                return Poll::Ready(Err(error.into()));
            }
            loop {
                if let Some(incoming) = self.next_buffered()? {
                    return Poll::Ready(Ok(Some(incoming)));
                }
                if !ready!(self.poll_read(cx))? {
                    return Poll::Ready(Ok(None));
                }
            }
        })
        .await
    }

    /// Writes what waits in the outbox.
    ///
    /// # Errors
    /// The socket failed.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }
}
