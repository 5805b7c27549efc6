//! A stream as its client has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;
use virtbus_proto::error::ErrorMessage;
use virtbus_proto::types::StreamHole;
use virtbus_proto::{Header, MessageType, STREAM_CHUNK_MAX, Status, Xdr};

use super::{CallError, Connection};
use crate::error::Failure;
use crate::frame::Frame;

/// Bytes that may wait for a slow consumer; with more, nothing is read from the daemon.
const WAITING_MAX: usize = 4 * 1024 * 1024;
/// What an entry of the queue costs beyond its bytes.
const PACKET_COST: usize = 1024;

/// What the daemon sends.
#[derive(Debug, Clone, PartialEq)]
pub enum Packet {
    /// Bytes.
    Data(Bytes),
    /// So many bytes of zeros.
    Hole(u64),
    /// No more data follows.
    End,
    /// The stream is over: what [`ClientStream::finish`] and [`ClientStream::abort`] wait for.
    Finished,
    /// The stream has failed; it is over.
    Failed(Failure),
}

impl Packet {
    /// `None` when the frame is no packet that a daemon sends.
    pub(super) fn of(frame: &Frame) -> Option<Self> {
        Some(match (frame.header.kind, frame.header.status) {
            (MessageType::StreamHole, _) => {
                Self::Hole(StreamHole::from_bytes(frame.payload()).ok()?.length.try_into().ok()?)
            }
            (_, Status::Continue) if frame.payload().is_empty() => Self::End,
            (_, Status::Continue) => Self::Data(frame.body()),
            (_, Status::Ok) => Self::Finished,
            (_, Status::Error) => Self::Failed(Box::new(ErrorMessage::from_bytes(frame.payload()).ok()?)),
        })
    }

    fn cost(&self) -> usize {
        match self {
            Packet::Data(data) => PACKET_COST + data.len(),
            _ => PACKET_COST,
        }
    }
}

/// The reading task's end of the queue of packets, which knows how much is in it.
#[derive(Debug)]
pub(super) struct PacketSender {
    queue: mpsc::UnboundedSender<Packet>,
    waiting: Arc<AtomicUsize>,
}

impl PacketSender {
    pub(super) fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Acquire) >= WAITING_MAX && !self.queue.is_closed()
    }

    /// `false` when nobody takes it.
    pub(super) fn send(&self, packet: Packet) -> bool {
        self.waiting.fetch_add(packet.cost(), Ordering::AcqRel);
        self.queue.send(packet).is_ok()
    }
}

/// The consumer's end.
#[derive(Debug)]
pub(super) struct PacketReceiver {
    queue: mpsc::UnboundedReceiver<Packet>,
    waiting: Arc<AtomicUsize>,
}

pub(super) fn packets() -> (PacketSender, PacketReceiver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    (PacketSender { queue: sender, waiting: Arc::clone(&waiting) }, PacketReceiver { queue: receiver, waiting })
}

/// A stream that follows a call. Dropped before it is over, it is aborted.
#[derive(Debug)]
pub struct ClientStream {
    connection: Connection,
    call: Header,
    packets: PacketReceiver,
    over: bool,
}

impl ClientStream {
    pub(super) fn new(connection: Connection, call: Header, packets: PacketReceiver) -> Self {
        Self { connection, call, packets, over: false }
    }

    /// What the daemon sends next. `None` when the stream is over or the connection has ended.
    pub async fn receive(&mut self) -> Option<Packet> {
        let packet = self.packets.queue.recv().await?;
        let cost = packet.cost();
        let before = self.packets.waiting.fetch_sub(cost, Ordering::AcqRel);
        if before >= WAITING_MAX && before - cost < WAITING_MAX {
            self.connection.caught_up();
        }
        self.over |= matches!(packet, Packet::Finished | Packet::Failed(_));
        Some(packet)
    }

    /// Sends bytes, of any number, waiting while the daemon is slow.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn send(&self, mut data: Bytes) -> Result<(), CallError> {
        let header = self.call.answer(MessageType::Stream, Status::Continue);
        while !data.is_empty() {
            let chunk = data.split_to(data.len().min(STREAM_CHUNK_MAX));
            self.connection.send_packet(header, chunk).await?;
        }
        Ok(())
    }

    /// Sends a hole.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn send_hole(&self, length: u64) -> Result<(), CallError> {
        let hole = StreamHole { length: i64::try_from(length).unwrap_or(i64::MAX), flags: 0 };
        let header = self.call.answer(MessageType::StreamHole, Status::Continue);
        self.connection.send_packet(header, hole.to_bytes()?.into()).await
    }

    /// Says that all is sent, or that all is received, and waits for the daemon to confirm it; data that still come are
    /// dropped.
    ///
    /// # Errors
    /// The daemon's error, or the connection has ended.
    pub async fn finish(self) -> Result<(), CallError> {
        self.leave(Status::Ok).await
    }

    /// Gives up, and waits for the daemon to confirm it.
    ///
    /// # Errors
    /// The daemon's error, or the connection has ended.
    pub async fn abort(self) -> Result<(), CallError> {
        self.leave(Status::Error).await
    }

    async fn leave(mut self, status: Status) -> Result<(), CallError> {
        if !self.over {
            let header = self.call.answer(MessageType::Stream, status);
            self.connection.send_packet(header, Bytes::new()).await?;
        }
        loop {
            match self.receive().await {
                Some(Packet::Finished) => return Ok(()),
                Some(Packet::Failed(failure)) => return Err(CallError::Refused(failure)),
                Some(_) => {}
                None if self.over => return Ok(()),
                None => return Err(CallError::Ended("in the middle of a stream".into())),
            }
        }
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        if !self.over {
            self.connection.abandon(self.call.answer(MessageType::Stream, Status::Error));
        }
    }
}
