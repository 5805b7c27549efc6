//! Frames cut out of a byte stream, and byte streams made of frames: no socket is touched here.
//!
//! [`Decoder`] takes bytes and descriptors as they come and gives whole frames; [`Outbox`] takes frames and holds what
//! is still to be written. Both are bounded: the decoder refuses a frame before its bytes have arrived and never
//! reserves memory by a claimed length alone; how full an outbox may become is decided by whoever fills it.
//!
//! Descriptors travel behind their frame, one dummy byte each, in messages of their own. They are matched by their place
//! in the byte stream, so a peer that sends one elsewhere, or none, is found out.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem;
use std::os::fd::OwnedFd;

use bytes::{Buf, Bytes, BytesMut};
use virtbus_proto::{FDS_MAX, HEADER_LEN, Header, HeaderError, LENGTH_LEN, MESSAGE_MAX, MessageType};

/// Bytes in front of each payload: length and header.
pub const PREFIX_LEN: usize = LENGTH_LEN + HEADER_LEN;
/// Room for the next read when nothing is known about its size.
const READ_MIN: usize = 8 * 1024;
/// Most room for one read of a frame whose length is known.
const READ_MAX: usize = 1024 * 1024;
/// Payloads from this size on are handed to the kernel where they are instead of being copied behind the others.
const COPY_MAX: usize = 16 * 1024;
/// An empty outbox keeps a buffer up to this size.
const KEEP_MAX: usize = 64 * 1024;
/// Descriptors that may have arrived ahead of their frame being cut out.
const LOOSE_FDS_MAX: usize = 4 * FDS_MAX as usize;

/// Why a byte stream is no sequence of frames. There is no going on after one: the connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length word is below that of an empty frame or above the limit.
    #[error("frame of {0} bytes")]
    Length(u32),
    /// A frame announces more descriptors than allowed, or lacks the count.
    #[error("frame announces {0} descriptors")]
    Count(u32),
    /// A descriptor came where none was announced, or none where one was.
    #[error("descriptors do not match what their frame announces")]
    Descriptors,
}

/// A whole frame as it came, with its header decoded.
#[derive(Debug)]
pub struct Frame {
    /// The decoded header.
    pub header: Header,
    /// All bytes: length, header, count of descriptors (if any), payload.
    pub raw: Bytes,
    /// Its descriptors.
    pub fds: Vec<OwnedFd>,
}

impl Frame {
    /// The payload, without the count of descriptors.
    pub fn body(&self) -> Bytes {
        self.raw.slice(self.body_start()..)
    }

    /// The payload, borrowed.
    pub fn payload(&self) -> &[u8] {
        self.raw.get(self.body_start()..).unwrap_or_default()
    }

    fn body_start(&self) -> usize {
        let count = if self.header.kind.has_fds() { size_of::<u32>() } else { 0 };
        (PREFIX_LEN + count).min(self.raw.len())
    }
}

/// What a decoder cut out.
#[derive(Debug)]
pub enum Incoming {
    /// A frame of a known kind and status.
    Frame(Frame),
    /// A frame whose kind or status the protocol does not have; its payload and descriptors are dropped.
    Unknown(HeaderError),
}

/// Cuts frames out of a byte stream.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    /// Place of the first byte of `buffer` in the whole stream.
    position: u64,
    /// Descriptors not yet taken by a frame, each with the place *behind* its dummy byte.
    loose: VecDeque<(u64, OwnedFd)>,
    /// A frame that is whole but for its descriptors.
    partial: Option<Partial>,
}

#[derive(Debug)]
struct Partial {
    header: Result<Header, HeaderError>,
    raw: Bytes,
    fds: Vec<OwnedFd>,
    missing: u32,
}

impl Decoder {
    /// The buffer to append read bytes to, with room for what is likely to come next. Every append is followed by
    /// [`Decoder::appended`].
    pub fn buffer(&mut self) -> &mut BytesMut {
        let wanted = match self.frame_length() {
            Some(length) if self.partial.is_none() => {
                length.saturating_sub(self.buffer.len()).clamp(READ_MIN, READ_MAX)
            }
            _ => READ_MIN,
        };
        if self.buffer.capacity() - self.buffer.len() < wanted.min(READ_MIN) || wanted > READ_MIN {
            self.buffer.reserve(wanted);
        }
        &mut self.buffer
    }

    /// Says that bytes were appended and that `fds` came with the last of them.
    ///
    /// # Errors
    /// More descriptors than any sequence of frames so short can announce.
    pub fn appended(&mut self, fds: &mut Vec<OwnedFd>) -> Result<(), FrameError> {
        if fds.is_empty() {
            return Ok(());
        }
        let end = self.position.saturating_add(self.buffer.len() as u64);
        self.loose.extend(fds.drain(..).map(|fd| (end, fd)));
        if self.loose.len() > LOOSE_FDS_MAX { Err(FrameError::Descriptors) } else { Ok(()) }
    }

    /// Whether the stream ends between two frames.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.partial.is_none()
    }

    /// Gives the memory of an empty buffer back.
    pub fn rest(&mut self) {
        if self.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// Cuts out the next frame; `None` when its bytes or descriptors are not all there.
    ///
    /// # Errors
    /// See [`FrameError`].
    pub fn next_frame(&mut self) -> Result<Option<Incoming>, FrameError> {
        let mut partial = match self.partial.take() {
            Some(partial) => partial,
            None => match self.cut()? {
                Some(partial) => partial,
                None => return Ok(None),
            },
        };
        while partial.missing > 0 && !self.buffer.is_empty() {
            self.buffer.advance(1);
            self.position += 1;
            match self.loose.pop_front() {
                Some((end, fd)) if end == self.position => partial.fds.push(fd),
                _ => return Err(FrameError::Descriptors),
            }
            partial.missing -= 1;
        }
        if partial.missing > 0 {
            self.partial = Some(partial);
            return Ok(None);
        }
        let Partial { header, raw, fds, .. } = partial;
        Ok(Some(match header {
            Ok(header) => Incoming::Frame(Frame { header, raw, fds }),
            Err(unknown) => Incoming::Unknown(unknown),
        }))
    }

    /// The length of the frame at the front of the buffer, once its length word is there.
    fn frame_length(&self) -> Option<usize> {
        let word = self.buffer.first_chunk::<LENGTH_LEN>()?;
        usize::try_from(u32::from_be_bytes(*word)).ok()
    }

    /// Takes the frame at the front of the buffer, up to its descriptors.
    fn cut(&mut self) -> Result<Option<Partial>, FrameError> {
        let Some(length) = self.frame_length() else { return Ok(None) };
        if !(PREFIX_LEN..=MESSAGE_MAX + LENGTH_LEN).contains(&length) {
            return Err(FrameError::Length(u32::try_from(length).unwrap_or(u32::MAX)));
        }
        if self.buffer.len() < length {
            return Ok(None);
        }
        let raw = self.buffer.split_to(length).freeze();
        self.position = self.position.saturating_add(length as u64);
        if self.loose.front().is_some_and(|(end, _)| *end <= self.position) {
            return Err(FrameError::Descriptors);
        }
        let Some(encoded) = raw.get(LENGTH_LEN..).and_then(|it| it.first_chunk::<HEADER_LEN>()) else {
            return Err(FrameError::Length(u32::try_from(length).unwrap_or(u32::MAX)));
        };
        let header = Header::decode(encoded);
        let has_fds = match &header {
            Ok(header) => header.kind.has_fds(),
            Err(unknown) => MessageType::from_number(unknown.kind).is_some_and(MessageType::has_fds),
        };
        let missing = if has_fds { count_of(&raw)? } else { 0 };
        Ok(Some(Partial { header, raw, fds: Vec::new(), missing }))
    }
}

/// The count of descriptors behind the header of `raw`.
fn count_of(raw: &[u8]) -> Result<u32, FrameError> {
    let word = raw.get(PREFIX_LEN..).and_then(|it| it.first_chunk::<4>()).ok_or(FrameError::Count(0))?;
    match u32::from_be_bytes(*word) {
        count if count > FDS_MAX => Err(FrameError::Count(count)),
        count => Ok(count),
    }
}

/// A frame that cannot be sent: its payload is over the limit, or it has too many descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("frame is too large to be sent")]
pub struct TooLarge;

/// What is still to be written: bytes, and descriptors between them.
#[derive(Debug, Default)]
pub struct Outbox {
    front: VecDeque<Segment>,
    /// Bytes behind `front`.
    tail: Vec<u8>,
    /// Bytes of `tail` that are written already; only ever above 0 while `front` is empty.
    written: usize,
    /// Bytes in `front`.
    front_len: usize,
}

#[derive(Debug)]
enum Segment {
    Bytes(Bytes),
    Descriptor(OwnedFd),
}

/// What to write next.
#[derive(Debug)]
pub enum Next<'a> {
    /// These slices, as one message.
    Bytes(&'a [IoSlice<'a>]),
    /// A dummy byte with this descriptor, as a message of its own.
    Descriptor(&'a OwnedFd),
}

impl Outbox {
    /// Bytes waiting.
    pub fn len(&self) -> usize {
        self.front_len + self.tail.len() - self.written
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.front.is_empty() && self.tail.len() == self.written
    }

    /// Appends a frame. `header.kind` is the plain kind; it becomes the one with descriptors when there are any.
    ///
    /// # Errors
    /// Nothing is appended when the frame is too large.
    pub fn push<B>(&mut self, mut header: Header, body: B, fds: Vec<OwnedFd>) -> Result<(), TooLarge>
    where
        B: AsRef<[u8]> + Into<Bytes>,
    {
        let body_len = body.as_ref().len();
        let fd_count = u32::try_from(fds.len()).ok().filter(|it| *it <= FDS_MAX).ok_or(TooLarge)?;
        if fd_count > 0 {
            header.kind = match header.kind {
                MessageType::Call => MessageType::CallWithFds,
                MessageType::Reply => MessageType::ReplyWithFds,
                kind => kind,
            };
        }
        let counted = if header.kind.has_fds() { size_of::<u32>() } else { 0 };
        if !header.kind.has_fds() && fd_count > 0 || body_len > MESSAGE_MAX - HEADER_LEN - counted {
            return Err(TooLarge);
        }
        let length = u32::try_from(PREFIX_LEN + counted + body_len).map_err(|_| TooLarge)?;
        self.tail.extend_from_slice(&length.to_be_bytes());
        self.tail.extend_from_slice(&header.encode());
        if counted > 0 {
            self.tail.extend_from_slice(&fd_count.to_be_bytes());
        }
        self.push_payload(body);
        self.push_fds(fds);
        Ok(())
    }

    /// Appends a frame without payload.
    pub fn push_empty(&mut self, header: Header) {
        self.tail.extend_from_slice(&(PREFIX_LEN as u32).to_be_bytes());
        self.tail.extend_from_slice(&header.encode());
    }

    /// Appends a frame as it came from elsewhere.
    pub fn forward(&mut self, frame: Frame) {
        self.push_payload(frame.raw);
        self.push_fds(frame.fds);
    }

    fn push_payload(&mut self, body: impl AsRef<[u8]> + Into<Bytes>) {
        if body.as_ref().len() < COPY_MAX {
            self.tail.extend_from_slice(body.as_ref());
        } else {
            let body = body.into();
            self.seal();
            self.front_len += body.len();
            self.front.push_back(Segment::Bytes(body));
        }
    }

    fn push_fds(&mut self, fds: Vec<OwnedFd>) {
        if !fds.is_empty() {
            self.seal();
            self.front.extend(fds.into_iter().map(Segment::Descriptor));
        }
    }

    /// Moves `tail` to `front`.
    fn seal(&mut self) {
        if self.tail.len() > self.written {
            let mut bytes = Bytes::from(mem::take(&mut self.tail));
            bytes.advance(self.written);
            self.front_len += bytes.len();
            self.front.push_back(Segment::Bytes(bytes));
        }
        self.tail.clear();
        self.written = 0;
    }

    /// Calls `write` with what comes next; `None` when nothing waits.
    pub fn with_next<R>(&self, write: impl FnOnce(Next<'_>) -> R) -> Option<R> {
        const SLICES: usize = 16;
        match self.front.front() {
            None if self.is_empty() => None,
            None => Some(write(Next::Bytes(&[IoSlice::new(self.tail.get(self.written..).unwrap_or_default())]))),
            Some(Segment::Descriptor(fd)) => Some(write(Next::Descriptor(fd))),
            Some(Segment::Bytes(_)) => {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let mut count = 0;
                for (slot, segment) in slices.iter_mut().zip(&self.front) {
                    let Segment::Bytes(bytes) = segment else { break };
                    *slot = IoSlice::new(bytes);
                    count += 1;
                }
                if count == self.front.len()
                    && count < SLICES
                    && !self.tail.is_empty()
                    && let Some(slot) = slices.get_mut(count)
                {
                    *slot = IoSlice::new(&self.tail);
                    count += 1;
                }
                Some(write(Next::Bytes(slices.get(..count).unwrap_or_default())))
            }
        }
    }

    /// Says that `count` bytes of the slices were written.
    pub fn wrote(&mut self, mut count: usize) {
        while let Some(Segment::Bytes(bytes)) = self.front.front_mut() {
            let taken = count.min(bytes.len());
            bytes.advance(taken);
            self.front_len -= taken;
            count -= taken;
            if !bytes.is_empty() {
                return;
            }
            self.front.pop_front();
        }
        if self.front.is_empty() {
            self.written = (self.written + count).min(self.tail.len());
            if self.written == self.tail.len() {
                self.tail.clear();
                self.written = 0;
                self.tail.shrink_to(KEEP_MAX);
            }
        }
    }

    /// Says that the descriptor at the front was sent.
    pub fn sent_descriptor(&mut self) {
        if matches!(self.front.front(), Some(Segment::Descriptor(_))) {
            self.front.pop_front();
        }
    }
}
