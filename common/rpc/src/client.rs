//! Calling a daemon: a connection that many tasks may share, with calls in flight under serials of its own.
//!
//! A caller writes its own frame; one task reads, hands replies to their callers, answers pings and passes events on.
//! Nothing is called again by itself: when the connection ends, so do its calls, and whoever needs another makes one.

mod stream;

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, PollSender};
use virtbus_host::task;
use virtbus_proto::error::ErrorMessage;
use virtbus_proto::table::session::{AuthList, ConnectClose, ConnectOpen};
use virtbus_proto::{DecodeError, EncodeError, Header, MessageType, Procedure, Program, Status, Xdr, types};

use crate::connection::Link;
use crate::error::Failure;
use crate::frame::{Frame, Incoming, TooLarge};
use crate::keepalive::{self, Asked};

use stream::PacketSender;
pub use stream::{ClientStream, Packet};

/// Events that wait to be taken; with more, nothing is read from the daemon until one is.
const EVENTS_MAX: usize = 4096;
/// Bytes that wait to be written, above which whoever sends a stream waits.
const QUEUED_MAX: usize = 1024 * 1024;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The daemon answered with an error.
    #[error("{}", .0.message.as_deref().unwrap_or("unknown error"))]
    Refused(Failure),
    /// The connection ended before the reply.
    #[error("connection ended: {0}")]
    Ended(Arc<str>),
    /// The reply is not what the procedure gives.
    #[error("malformed reply: {0}")]
    Decode(#[from] DecodeError),
    /// The arguments do not fit on the wire.
    #[error("arguments cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
    /// The arguments are too large, or there are too many descriptors.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The daemon wants an authentication that is not supported here.
    #[error("authentication of type {0:?} is not supported")]
    Authentication(Vec<i32>),
}

impl CallError {
    /// The daemon's error, if it is one.
    pub fn refusal(&self) -> Option<&ErrorMessage> {
        match self {
            CallError::Refused(failure) => Some(failure),
            _ => None,
        }
    }
}

/// A call to make.
#[derive(Debug)]
pub struct Request {
    /// Program.
    pub program: Program,
    /// Procedure.
    pub procedure: i32,
    /// Arguments, encoded.
    pub body: Vec<u8>,
    /// Descriptors to pass along.
    pub fds: Vec<OwnedFd>,
}

impl Request {
    /// The call `args`.
    ///
    /// # Errors
    /// The arguments do not fit on the wire.
    pub fn of<P: Procedure>(args: &P) -> Result<Self, EncodeError> {
        Ok(Self { program: P::PROGRAM, procedure: P::NUMBER, body: args.to_bytes()?, fds: Vec::new() })
    }

    /// The same with descriptors.
    #[must_use]
    pub fn with_fds(mut self, fds: Vec<OwnedFd>) -> Self {
        self.fds = fds;
        self
    }
}

/// What the daemon sent unasked.
#[derive(Debug)]
pub struct EventFrame {
    /// Its header: program and procedure say which event it is.
    pub header: Header,
    /// Its payload.
    pub body: Bytes,
}

/// A connection to a daemon. Clones share it; it closes when the last is dropped.
#[derive(Debug, Clone)]
pub struct Connection(Arc<Handle>);

/// What the callers hold; the reading task holds [`Shared`] only, so it ends with the last caller.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    dropped: CancellationToken,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.dropped.cancel();
    }
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    ended: CancellationToken,
}

#[derive(Debug)]
struct State {
    link: Link,
    next_serial: u32,
    calls: HashMap<u32, Waiting>,
    streams: HashMap<u32, PacketSender>,
    events: Option<PollSender<EventFrame>>,
    /// Wakes the reading task, which also writes what did not fit at once.
    reader: Option<Waker>,
    /// Wake those who wait for the outbox to empty.
    blocked: Vec<Waker>,
    ended: Option<Arc<str>>,
}

#[derive(Debug)]
struct Waiting {
    reply: oneshot::Sender<Frame>,
    stream: Option<PacketSender>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Connects to the socket at `path`; [`Connection::authenticate`] comes next.
    ///
    /// # Errors
    /// As connect(2).
    pub async fn connect(path: &Path) -> io::Result<Self> {
        UnixStream::connect(path).await.and_then(Self::new)
    }

    /// A connection over `socket`.
    ///
    /// # Errors
    /// When the socket cannot be watched.
    pub fn new(socket: UnixStream) -> io::Result<Self> {
        let state = State {
            link: Link::new(socket)?,
            next_serial: 0,
            calls: HashMap::new(),
            streams: HashMap::new(),
            events: None,
            reader: None,
            blocked: Vec::new(),
            ended: None,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), ended: CancellationToken::new() });
        let dropped = CancellationToken::new();
        drop(task::spawn("rpc client", read(Arc::clone(&shared), dropped.clone())));
        Ok(Self(Arc::new(Handle { shared, dropped })))
    }

    /// Asks what authentication the daemon wants, and fails unless it is none.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn authenticate(&self) -> Result<(), CallError> {
        let types = self.call(&AuthList {}).await?.types;
        if types.iter().all(|it| *it == types::AUTH_NONE) { Ok(()) } else { Err(CallError::Authentication(types)) }
    }

    /// Authenticates and opens `uri`.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn open(&self, uri: &str, read_only: bool) -> Result<(), CallError> {
        self.authenticate().await?;
        self.call(&ConnectOpen { name: Some(uri.to_owned()), flags: u32::from(read_only) }).await
    }

    /// Says goodbye; the daemon then closes the connection.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn close(&self) -> Result<(), CallError> {
        self.call(&ConnectClose {}).await
    }

    /// Makes a call and waits for its result.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call<P: Procedure>(&self, args: &P) -> Result<P::Reply, CallError> {
        let frame = self.request(Request::of(args)?).await?;
        Ok(P::Reply::from_bytes(frame.payload())?)
    }

    /// Makes a call whose arguments are encoded already, and waits for its reply: a good one.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn request(&self, request: Request) -> Result<Frame, CallError> {
        let (reply, _) = self.send(request, None)?;
        self.wait(reply).await
    }

    /// Makes a call that a stream follows.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call_stream<P: Procedure>(&self, args: &P) -> Result<(P::Reply, ClientStream), CallError> {
        let (sender, packets) = stream::packets();
        let (reply, header) = self.send(Request::of(args)?, Some(sender))?;
        let frame = self.wait(reply).await?;
        Ok((P::Reply::from_bytes(frame.payload())?, ClientStream::new(self.clone(), header, packets)))
    }

    /// What the daemon sends unasked from now on; ask for it before registering for any. A second call takes the place
    /// of the first. Who takes events must go on taking them: with too many waiting, nothing more is read.
    pub fn events(&self) -> mpsc::Receiver<EventFrame> {
        let (sender, receiver) = mpsc::channel(EVENTS_MAX);
        let mut state = self.0.shared.state();
        if state.ended.is_none() {
            state.events = Some(PollSender::new(sender));
        }
        receiver
    }

    /// Waits until the connection has ended.
    pub async fn ended(&self) {
        self.0.shared.ended.cancelled().await;
    }

    fn send(
        &self,
        request: Request,
        stream: Option<PacketSender>,
    ) -> Result<(oneshot::Receiver<Frame>, Header), CallError> {
        let Request { program, procedure, body, fds } = request;
        let (sender, receiver) = oneshot::channel();
        let mut state = self.0.shared.state();
        if let Some(reason) = &state.ended {
            return Err(CallError::Ended(Arc::clone(reason)));
        }
        let serial = state.free_serial();
        let header = Header::call(program, procedure, serial);
        state.link.outbox.push(header, body, fds)?;
        state.calls.insert(serial, Waiting { reply: sender, stream });
        state.flush();
        Ok((receiver, header))
    }

    async fn wait(&self, reply: oneshot::Receiver<Frame>) -> Result<Frame, CallError> {
        let Ok(frame) = reply.await else {
            let reason = self.0.shared.state().ended.clone();
            return Err(CallError::Ended(reason.unwrap_or_else(|| "reply lost".into())));
        };
        match frame.header.status {
            Status::Ok => Ok(frame),
            Status::Error | Status::Continue => {
                Err(CallError::Refused(Box::new(ErrorMessage::from_bytes(frame.payload())?)))
            }
        }
    }

    /// Appends a stream packet once the socket has taken most of what is queued.
    async fn send_packet(&self, header: Header, body: Bytes) -> Result<(), CallError> {
        let mut body = Some(body);
        poll_fn(|cx| {
            let mut state = self.0.shared.state();
            if let Some(reason) = &state.ended {
                return Poll::Ready(Err(CallError::Ended(Arc::clone(reason))));
            }
            if state.link.outbox.len() >= QUEUED_MAX {
                state.blocked.push(cx.waker().clone());
                return Poll::Pending;
            }
            if let Some(body) = body.take() {
                state.link.outbox.push(header, body, Vec::new())?;
                state.flush();
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Aborts a stream that nobody waits for.
    fn abandon(&self, header: Header) {
        let mut state = self.0.shared.state();
        if state.ended.is_none() && state.streams.remove(&header.serial).is_some() {
            state.link.outbox.push_empty(header);
            state.flush();
        }
        state.wake_reader();
    }

    /// Tells the reading task that a consumer has caught up.
    fn caught_up(&self) {
        self.0.shared.state().wake_reader();
    }
}

impl State {
    fn free_serial(&mut self) -> u32 {
        loop {
            let serial = self.next_serial;
            self.next_serial = serial.wrapping_add(1);
            if !self.calls.contains_key(&serial) && !self.streams.contains_key(&serial) {
                return serial;
            }
        }
    }

    /// Writes what the socket takes at once; the reading task does the rest, and sees the errors.
    fn flush(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        if !matches!(self.link.poll_flush(&mut cx), Poll::Ready(Ok(()))) {
            self.wake_reader();
        }
    }

    fn wake_reader(&self) {
        if let Some(reader) = &self.reader {
            reader.wake_by_ref();
        }
    }

    /// Reads and sorts out frames until nothing is there; an error is the end of the connection.
    fn poll(&mut self, cx: &mut Context<'_>) -> Result<(), String> {
        loop {
            let mut held_up = self.is_held_up(cx);
            while !held_up {
                match self.link.next_buffered().map_err(|it| it.to_string())? {
                    Some(Incoming::Frame(frame)) => self.take(frame),
                    Some(Incoming::Unknown(_)) => {}
                    None => break,
                }
                held_up = self.is_held_up(cx);
            }
            if let Poll::Ready(Err(error)) = self.link.poll_flush(cx) {
                return Err(error.to_string());
            }
            if self.link.outbox.len() < QUEUED_MAX {
                self.blocked.drain(..).for_each(Waker::wake);
            }
            if held_up {
                return Ok(());
            }
            match self.link.poll_read(cx) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) => return Err("closed by the daemon".to_owned()),
                Poll::Ready(Err(error)) => return Err(error.to_string()),
                Poll::Pending => return Ok(()),
            }
        }
    }

    /// Whether somebody has so much to take already that nothing more is read.
    fn is_held_up(&mut self, cx: &mut Context<'_>) -> bool {
        let events = match &mut self.events {
            None => false,
            Some(events) => match events.poll_reserve(cx) {
                Poll::Pending => true,
                Poll::Ready(Ok(())) => false,
                Poll::Ready(Err(_)) => {
                    self.events = None;
                    false
                }
            },
        };
        events || self.streams.values().any(PacketSender::is_full)
    }

    fn take(&mut self, frame: Frame) {
        if let Some(asked) = keepalive::sort(&frame.header) {
            if let Asked::Answer(pong) = asked {
                self.link.outbox.push_empty(pong);
            }
            return;
        }
        match frame.header.kind {
            MessageType::Reply | MessageType::ReplyWithFds => {
                let Some(waiting) = self.calls.remove(&frame.header.serial) else { return };
                if let (Some(stream), Status::Ok) = (waiting.stream, frame.header.status) {
                    self.streams.insert(frame.header.serial, stream);
                }
                // A caller that gave up needs no reply.
                let _ = waiting.reply.send(frame);
            }
            MessageType::Message => {
                if let Some(events) = &mut self.events {
                    // Room is reserved; with the receiver gone, nobody wants it.
                    let _ = events.send_item(EventFrame { header: frame.header, body: frame.body() });
                }
            }
            MessageType::Stream | MessageType::StreamHole => self.take_packet(&frame),
            MessageType::Call | MessageType::CallWithFds => {}
        }
    }

    fn take_packet(&mut self, frame: &Frame) {
        let serial = frame.header.serial;
        let Some(packet) = Packet::of(frame) else { return };
        let last = matches!(packet, Packet::Finished | Packet::Failed(_));
        let delivered = self.streams.get(&serial).is_some_and(|it| it.send(packet));
        if last || !delivered {
            self.streams.remove(&serial);
        }
    }

    fn end(&mut self, reason: String) {
        self.ended = Some(reason.into());
        self.calls.clear();
        self.streams.clear();
        self.events = None;
        self.blocked.drain(..).for_each(Waker::wake);
    }
}

/// The reading task.
async fn read(shared: Arc<Shared>, dropped: CancellationToken) {
    let work = poll_fn(|cx| {
        let mut state = shared.state();
        if state.reader.as_ref().is_none_or(|it| !it.will_wake(cx.waker())) {
            state.reader = Some(cx.waker().clone());
        }
        match state.poll(cx) {
            Ok(()) => Poll::Pending,
            Err(reason) => Poll::Ready(reason),
        }
    });
    let reason = tokio::select! {
        reason = work => reason,
        () = dropped.cancelled() => "dropped".to_owned(),
    };
    shared.state().end(reason);
    shared.ended.cancel();
}
