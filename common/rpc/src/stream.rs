//! Streams: what follows the reply of a call that transfers data, in either direction, under the call's serial.
//!
//! A stream is a pair of bounded channels between the connection and whoever produces or consumes the data. There are no
//! windows on the wire, so back-pressure is all there is: a consumer that is slow fills its channel, then a bounded
//! backlog, and only then holds up the connection it shares with other calls.
//!
//! ```text
//!              client                                   server
//! download   <- data ... <- end (empty)     finish ->      <- finished
//! upload        data ... -> finish ->                      <- finished | error
//! abort         abort ->                                   <- finished
//! ```

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use virtbus_proto::STREAM_CHUNK_MAX;

use crate::error::{self, Failure};
use crate::peer::Gone;

/// Packets in each channel: with the largest packets, a megabyte.
const CHANNEL_LEN: usize = 4;
/// Room for the first read of a source, which may be a console as well as a disk.
const CHUNK_MIN: usize = 4 * 1024;

/// What comes from the other side of the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// Bytes, never empty on the server's side.
    Data(Bytes),
    /// So many bytes of zeros (only when the call asked for a sparse stream).
    Hole(u64),
    /// The peer has sent everything, or has all it wants. A server confirms by [`Stream::finish`].
    Finish,
    /// The peer gave up, or is gone. Nothing follows and nothing can be sent.
    Abort,
}

/// What goes to the other side of the wire.
#[derive(Debug, Clone, PartialEq)]
pub enum Outgoing {
    /// Bytes, of any length; an empty one is left out.
    Data(Bytes),
    /// So many bytes of zeros.
    Hole(u64),
    /// No more data follows; the stream stays until the peer finishes it.
    End,
    /// The stream is over, well or not.
    Finished(Result<(), Failure>),
}

/// The side of whoever produces or consumes the data.
#[derive(Debug)]
pub struct Stream {
    to_peer: mpsc::Sender<Outgoing>,
    from_peer: mpsc::Receiver<Incoming>,
}

/// The side of the connection: handed to [`crate::call::Reply::with_stream`].
#[derive(Debug)]
pub struct StreamEnd {
    pub(crate) to_peer: mpsc::Receiver<Outgoing>,
    pub(crate) from_peer: mpsc::Sender<Incoming>,
}

/// Makes both sides of a stream.
pub fn channel() -> (Stream, StreamEnd) {
    let (to_peer, outgoing) = mpsc::channel(CHANNEL_LEN);
    let (incoming, from_peer) = mpsc::channel(CHANNEL_LEN);
    (Stream { to_peer, from_peer }, StreamEnd { to_peer: outgoing, from_peer: incoming })
}

impl Stream {
    /// What the peer sends next. [`Incoming::Abort`] once it is gone.
    pub async fn receive(&mut self) -> Incoming {
        self.from_peer.recv().await.unwrap_or(Incoming::Abort)
    }

    /// Sends bytes, waiting while the peer is slow.
    ///
    /// # Errors
    /// The peer has aborted or is gone.
    pub async fn send(&self, data: Bytes) -> Result<(), Gone> {
        self.put(Outgoing::Data(data)).await
    }

    /// Sends a hole.
    ///
    /// # Errors
    /// The peer has aborted or is gone.
    pub async fn send_hole(&self, length: u64) -> Result<(), Gone> {
        self.put(Outgoing::Hole(length)).await
    }

    /// Says that no more data follows. A peer that has seen it finishes the stream.
    ///
    /// # Errors
    /// The peer has aborted or is gone.
    pub async fn end(&self) -> Result<(), Gone> {
        self.put(Outgoing::End).await
    }

    /// Ends the stream: confirms the peer's finish, or fails it. A stream dropped without this fails with an internal
    /// error.
    pub async fn finish(self, result: Result<(), Failure>) {
        // A peer that is gone needs no answer.
        let _ = self.put(Outgoing::Finished(result)).await;
    }

    async fn put(&self, item: Outgoing) -> Result<(), Gone> {
        self.to_peer.send(item).await.map_err(|_| Gone)
    }

    /// Sends all that `reader` gives, then waits for the peer to finish.
    pub async fn download(mut self, mut reader: impl AsyncRead + Unpin) {
        let mut room = CHUNK_MIN;
        loop {
            tokio::select! {
                biased;
                // Until the data has ended the peer has nothing to say but that it wants no more.
                incoming = self.from_peer.recv() => match incoming {
                    Some(Incoming::Finish) => return self.finish(Ok(())).await,
                    Some(Incoming::Abort) | None => return,
                    Some(Incoming::Data(_) | Incoming::Hole(_)) => {}
                },
                chunk = read_chunk(&mut reader, &mut room) => match chunk {
                    Ok(Some(chunk)) => if self.send(chunk).await.is_err() { return },
                    Ok(None) => break,
                    Err(failure) => return self.finish(Err(error::system("cannot read from stream", &failure))).await,
                },
            }
        }
        if self.end().await.is_err() {
            return;
        }
        self.confirm().await;
    }

    /// Writes all that the peer sends to `writer`, holes as zeros, and confirms once it is flushed.
    pub async fn upload(mut self, mut writer: impl AsyncWrite + Unpin) {
        loop {
            let written = match self.receive().await {
                Incoming::Data(data) => writer.write_all(&data).await,
                Incoming::Hole(length) => {
                    tokio::io::copy(&mut tokio::io::repeat(0).take(length), &mut writer).await.map(drop)
                }
                Incoming::Finish => {
                    let result = writer.shutdown().await.map_err(|it| error::system("cannot write to stream", &it));
                    return self.finish(result).await;
                }
                Incoming::Abort => return,
            };
            if let Err(failure) = written {
                return self.finish(Err(error::system("cannot write to stream", &failure))).await;
            }
        }
    }

    /// Joins the peer and `io` (a console, a channel) until either side ends it.
    pub async fn join(mut self, io: impl AsyncRead + AsyncWrite) {
        match self.copy_both(io).await {
            Ok(true) => self.finish(Ok(())).await,
            Ok(false) => {}
            Err(failure) => self.finish(Err(error::system("cannot transfer stream data", &failure))).await,
        }
    }

    /// `true` when the peer has finished, `false` when it is gone.
    async fn copy_both(&mut self, io: impl AsyncRead + AsyncWrite) -> io::Result<bool> {
        let (mut reader, mut writer) = tokio::io::split(io);
        let Self { to_peer, from_peer } = self;
        let down = async {
            let mut room = CHUNK_MIN;
            while let Some(chunk) = read_chunk(&mut reader, &mut room).await? {
                if to_peer.send(Outgoing::Data(chunk)).await.is_err() {
                    break;
                }
            }
            // A closed channel is noticed by the other direction as well.
            let _ = to_peer.send(Outgoing::End).await;
            io::Result::Ok(())
        };
        let up = async {
            loop {
                match from_peer.recv().await {
                    Some(Incoming::Data(data)) => writer.write_all(&data).await?,
                    Some(Incoming::Hole(_)) => {}
                    Some(Incoming::Finish) => return Ok(true),
                    Some(Incoming::Abort) | None => return Ok(false),
                }
            }
        };
        tokio::pin!(down, up);
        tokio::select! {
            done = &mut up => done,
            ended = &mut down => {
                ended?;
                up.await
            }
        }
    }

    /// Waits for the peer's finish and confirms it.
    async fn confirm(mut self) {
        loop {
            match self.receive().await {
                Incoming::Finish => return self.finish(Ok(())).await,
                Incoming::Abort => return,
                Incoming::Data(_) | Incoming::Hole(_) => {}
            }
        }
    }
}

/// The next bytes of `reader`, at most `room`, which grows up to a whole packet while reads fill it; `None` at its end.
async fn read_chunk(reader: &mut (impl AsyncRead + Unpin), room: &mut usize) -> io::Result<Option<Bytes>> {
    let mut buffer = BytesMut::with_capacity(*room);
    match (&mut *reader).take(*room as u64).read_buf(&mut buffer).await? {
        0 => Ok(None),
        count => {
            if count == *room {
                *room = (*room * 4).min(STREAM_CHUNK_MAX);
            }
            Ok(Some(buffer.freeze()))
        }
    }
}
