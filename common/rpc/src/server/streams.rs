//! The open streams of one connection, as a server has them.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;
use virtbus_proto::types::StreamHole;
use virtbus_proto::{Header, MessageType, STREAM_CHUNK_MAX, Status, Xdr};

use crate::error::{self, Failure};
use crate::frame::{Frame, Outbox};
use crate::stream::{Incoming, Outgoing, StreamEnd};

/// Bytes that may wait for a slow consumer before it holds up the connection.
const BACKLOG_BYTES: usize = 4 * 1024 * 1024;
/// Packets that may wait likewise.
const BACKLOG_PACKETS: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Streams {
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    /// Header of the call.
    call: Header,
    from_front: mpsc::Receiver<Outgoing>,
    to_front: PollSender<Incoming>,
    backlog: VecDeque<Incoming>,
    backlog_bytes: usize,
}

impl Streams {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether reading on would only make a backlog longer that is too long already.
    pub(super) fn is_congested(&self) -> bool {
        self.open.iter().any(|it| it.backlog_bytes >= BACKLOG_BYTES || it.backlog.len() >= BACKLOG_PACKETS)
    }

    /// Opens the stream of `call`. `false` when the client has one under the same serial already.
    pub(super) fn open(&mut self, call: Header, end: StreamEnd) -> bool {
        if self.position(&call).is_some() {
            return false;
        }
        let to_front = PollSender::new(end.from_peer);
        let (backlog, backlog_bytes) = (VecDeque::new(), 0);
        self.open.push(Open { call, from_front: end.to_peer, to_front, backlog, backlog_bytes });
        true
    }

    /// Takes a packet from the client. One of a stream that is not open is dropped, as the reference does.
    pub(super) fn deliver(&mut self, frame: &Frame, outbox: &mut Outbox) {
        let Some(index) = self.position(&frame.header) else { return };
        let Some(stream) = self.open.get_mut(index) else { return };
        match (frame.header.kind, frame.header.status) {
            (MessageType::StreamHole, Status::Continue) => match StreamHole::from_bytes(frame.payload()) {
                Ok(StreamHole { length, flags: 0 }) if length >= 0 => stream.put(Incoming::Hole(length.unsigned_abs())),
                _ => {
                    let failure = Err(error::rpc("malformed hole in stream"));
                    end(&self.open.swap_remove(index), failure, outbox);
                }
            },
            (_, Status::Continue) if frame.payload().is_empty() => {}
            (_, Status::Continue) => stream.put(Incoming::Data(frame.body())),
            (_, Status::Ok) => stream.put(Incoming::Finish),
            // Dropping the channel is how the front learns of it, even when it is behind.
            (_, Status::Error) => end(&self.open.swap_remove(index), Ok(()), outbox),
        }
    }

    /// Moves one packet of each stream each way. `true` when anything moved.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, outbox: &mut Outbox) -> bool {
        let mut moved = false;
        let mut index = 0;
        while let Some(stream) = self.open.get_mut(index) {
            moved |= stream.poll_backlog(cx);
            let Poll::Ready(item) = stream.from_front.poll_recv(cx) else {
                index += 1;
                continue;
            };
            moved = true;
            match item {
                Some(Outgoing::Data(data)) => push_data(&stream.call, data, outbox),
                Some(Outgoing::Hole(length)) => push_hole(&stream.call, length, outbox),
                Some(Outgoing::End) => outbox.push_empty(stream.call.answer(MessageType::Stream, Status::Continue)),
                Some(Outgoing::Finished(result)) => {
                    end(&self.open.swap_remove(index), result, outbox);
                    continue;
                }
                None => {
                    let failure = Err(error::internal("stream ended unexpectedly"));
                    end(&self.open.swap_remove(index), failure, outbox);
                    continue;
                }
            }
            index += 1;
        }
        moved
    }

    fn position(&self, header: &Header) -> Option<usize> {
        let same =
            |it: &Header| (it.serial, it.procedure, it.program) == (header.serial, header.procedure, header.program);
        self.open.iter().position(|it| same(&it.call))
    }
}

impl Open {
    fn put(&mut self, item: Incoming) {
        if let Incoming::Data(data) = &item {
            self.backlog_bytes += data.len();
        }
        self.backlog.push_back(item);
    }

    fn poll_backlog(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        while !self.backlog.is_empty() {
            match self.to_front.poll_reserve(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(())) => {
                    let Some(item) = self.backlog.pop_front() else { break };
                    if let Incoming::Data(data) = &item {
                        self.backlog_bytes -= data.len();
                    }
                    moved = true;
                    if self.to_front.send_item(item).is_ok() {
                        continue;
                    }
                    self.discard();
                }
                Poll::Ready(Err(_)) => self.discard(),
            }
        }
        moved
    }

    /// The front does not want to hear more; what it still says counts.
    fn discard(&mut self) {
        self.backlog.clear();
        self.backlog_bytes = 0;
    }
}

fn push_data(call: &Header, mut data: Bytes, outbox: &mut Outbox) {
    let header = call.answer(MessageType::Stream, Status::Continue);
    while !data.is_empty() {
        let chunk = data.split_to(data.len().min(STREAM_CHUNK_MAX));
        // Never too large by the line above.
        let _ = outbox.push(header, chunk, Vec::new());
    }
}

fn push_hole(call: &Header, length: u64, outbox: &mut Outbox) {
    let header = call.answer(MessageType::StreamHole, Status::Continue);
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    if let Ok(body) = (StreamHole { length, flags: 0 }).to_bytes() {
        let _ = outbox.push(header, body, Vec::new());
    }
}

fn end(stream: &Open, result: Result<(), Failure>, outbox: &mut Outbox) {
    match result {
        Ok(()) => outbox.push_empty(stream.call.answer(MessageType::Stream, Status::Ok)),
        Err(failure) => {
            let body = failure.to_bytes().unwrap_or_default();
            let _ = outbox.push(stream.call.answer(MessageType::Stream, Status::Error), body, Vec::new());
        }
    }
}
