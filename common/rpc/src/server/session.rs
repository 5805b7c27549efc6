//! One connected client: reads its frames, runs its calls, writes the replies. All of it is one task.
//!
//! ```text
//! socket -> decoder -> session procedures ------------------> outbox -> socket
//!                   -> calls (polled at once, then in flight) -^
//!                   -> waiting, when too many run
//!                   -> streams <-> fronts ---------------------^
//! ```
//!
//! A call that is ready at its first poll is answered in the same turn, and all replies of a turn leave in one write.
//! Reading stops while too much waits to be done or to be written; the client is slowed down, never disconnected for it.

mod end;
mod procedures;
mod silence;

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFuture;
use virtbus_proto::{Entry, Header, HeaderError, MessageType, Owner, Priority, Program, Status, Xdr};

use super::Shared;
use super::flight::{Done, InFlight};
use super::streams::Streams;
use crate::auth::Admission;
use crate::call::{Call, Reply, Route};
use crate::connection::{Link, LinkError};
use crate::error::{self, Failure};
use crate::frame::{Frame, Incoming};
use crate::keepalive::{self, Asked, Watch};
use crate::peer::{Client, SocketKind, Unasked};
use crate::relay::Relay;
use end::End;

/// Bytes in the outbox from which on nothing more is read: the client does not take the replies that it asked for.
const OUTBOX_FULL: usize = 2 * 1024 * 1024;
/// Bytes in the outbox from which on streams and events wait. Well below the other limit, so that a client is still
/// heard (it may want to abort a stream) while streams keep the socket busy.
const OUTBOX_BUSY: usize = 512 * 1024;
/// How long a client that is refused, or that does not take the reply to its last call, may stay.
const SHOWING_OUT: Duration = Duration::from_secs(10);
/// Turns of the loop before other tasks get theirs.
const TURNS: usize = 16;

/// Calls of one priority: those that run and those that wait.
#[derive(Debug, Default)]
struct Lane {
    running: usize,
    waiting: VecDeque<(&'static Entry, Frame)>,
}

pub(super) struct Session<'a> {
    shared: &'a Shared,
    client: &'a Client,
    link: Link,
    events: mpsc::Receiver<Unasked>,
    admission: Admission,
    calls: FuturesUnordered<InFlight<'a>>,
    low: Lane,
    high: Lane,
    waiting_bytes: usize,
    streams: Streams,
    relay: Relay<'a>,
    /// Runs once the client has said that it answers pings.
    watch: Option<Watch>,
    /// The client pings, or said that it may.
    expects_pongs: bool,
    /// Runs while nothing is read.
    sign_of_life: Option<Pin<Box<Sleep>>>,
    /// Nothing more is done but to write what waits.
    closing: bool,
    /// Runs while the client is only shown out: it may not hold its place for ever.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        client: &'a Client,
        link: Link,
        events: mpsc::Receiver<Unasked>,
        admission: Admission,
    ) -> Self {
        let deadline = matches!(admission, Admission::Refused(_)).then(|| Box::pin(tokio::time::sleep(SHOWING_OUT)));
        Self {
            shared,
            client,
            link,
            events,
            admission,
            calls: FuturesUnordered::new(),
            low: Lane::default(),
            high: Lane::default(),
            waiting_bytes: 0,
            streams: Streams::default(),
            relay: Relay::new(&shared.backends, client),
            watch: None,
            expects_pongs: false,
            sign_of_life: None,
            closing: false,
            deadline,
        }
    }

    pub(super) async fn run(mut self) -> End {
        let (shared, client) = (self.shared, self.client);
        let mut kicked = std::pin::pin!(client.kicked().cancelled());
        let mut draining: Pin<&mut WaitForCancellationFuture<'_>> = std::pin::pin!(shared.draining.cancelled());
        let mut closing = std::pin::pin!(shared.closing.cancelled());
        poll_fn(|cx| {
            if kicked.as_mut().poll(cx).is_ready() {
                return Poll::Ready(End::Disconnected);
            }
            if closing.as_mut().poll(cx).is_ready() {
                return Poll::Ready(End::Drained);
            }
            match self.poll(cx) {
                Err(end) => Poll::Ready(end),
                Ok(()) if draining.as_mut().poll(cx).is_ready() && self.is_idle() => Poll::Ready(End::Drained),
                Ok(()) => Poll::Pending,
            }
        })
        .await
    }

    /// Does all that can be done now. Wakes the task when there will be more.
    fn poll(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let mut turns = 0;
        loop {
            let mut moved = self.poll_events(cx);
            moved |= self.poll_calls(cx);
            self.start_waiting(cx);
            if !self.is_busy() {
                moved |= self.streams.poll(cx, &mut self.link.outbox);
            }
            let was_too_much = self.has_too_much();
            // What a frame has opened, or put into a stream, has not been looked at yet.
            moved |= self.take_frames(cx)? && !self.streams.is_empty();
            if let Err(reason) = self.relay.poll(cx, &mut self.link.outbox) {
                tracing::warn!(client = self.client.id(), "disconnecting client: {reason}");
                self.show_out();
            }
            moved |= was_too_much && !self.has_too_much();
            let (was_busy, before) = (self.is_busy(), self.link.outbox.len());
            if let Poll::Ready(result) = self.link.poll_flush(cx) {
                result?;
                if self.closing {
                    return Err(End::Closed);
                }
            }
            moved |= was_busy && !self.is_busy();
            // A client that is busy reading need not answer pings that it has not come to.
            if was_busy
                && self.link.outbox.len() < before
                && let Some(watch) = &mut self.watch
            {
                watch.heard();
            }
            if self.may_read() {
                match self.link.poll_read(cx) {
                    Poll::Ready(Ok(true)) => moved = true,
                    Poll::Ready(Ok(false)) => return Err(End::ByClient),
                    Poll::Ready(Err(error)) => return Err(error.into()),
                    Poll::Pending => {}
                }
            }
            if !moved {
                break;
            }
            turns += 1;
            if turns == TURNS {
                cx.waker().wake_by_ref();
                break;
            }
        }
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Err(End::Overdue);
        }
        self.poll_keepalive(cx)
    }

    /// Ends the session once all that waits is written.
    fn show_out(&mut self) {
        self.closing = true;
        self.deadline = Some(Box::pin(tokio::time::sleep(SHOWING_OUT)));
    }

    fn is_busy(&self) -> bool {
        self.link.outbox.len() >= OUTBOX_BUSY
    }

    fn is_full(&self) -> bool {
        self.link.outbox.len() >= OUTBOX_FULL
    }

    fn is_idle(&self) -> bool {
        self.calls.is_empty()
            && self.streams.is_empty()
            && self.relay.is_idle()
            && self.link.outbox.is_empty()
            && self.waiting() == 0
    }

    fn waiting(&self) -> usize {
        self.low.waiting.len() + self.high.waiting.len()
    }

    /// Whether what is asked next could be taken on.
    fn may_read(&self) -> bool {
        !self.closing && !self.is_full() && !self.has_too_much()
    }

    /// Whether more is asked already than is being worked on.
    fn has_too_much(&self) -> bool {
        let limits = &self.shared.limits;
        self.waiting() >= limits.max_client_waiting.max(1)
            || self.waiting_bytes >= limits.max_client_waiting_bytes.max(1)
            || self.streams.is_congested()
            || self.relay.is_congested()
    }

    /// Moves events to the outbox. They stay in their own bounded queue while it is full.
    fn poll_events(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        while !self.is_busy() {
            let Poll::Ready(Some(event)) = self.events.poll_recv(cx) else { break };
            self.push_event(event);
            moved = true;
        }
        moved
    }

    fn push_event(&mut self, event: Unasked) {
        let Unasked { header, body } = event;
        if self.link.outbox.push(header, body, Vec::new()).is_err() {
            self.client.disconnect("an event does not fit on the wire");
        }
    }

    fn poll_calls(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        while let Poll::Ready(Some(done)) = self.calls.poll_next_unpin(cx) {
            moved = true;
            self.lane(done.priority).running -= 1;
            self.finish(done);
        }
        moved
    }

    fn lane(&mut self, priority: Priority) -> &mut Lane {
        match priority {
            Priority::Low => &mut self.low,
            Priority::High => &mut self.high,
        }
    }

    /// Starts what waits, as far as there is room to run it.
    fn start_waiting(&mut self, cx: &mut Context<'_>) {
        for priority in [Priority::High, Priority::Low] {
            let limit = self.shared.limits.max_client_requests.max(1);
            while self.lane(priority).running < limit {
                let Some((entry, frame)) = self.lane(priority).waiting.pop_front() else { break };
                self.waiting_bytes -= frame.raw.len();
                self.start(entry, frame, cx);
            }
        }
    }

    /// Deals with the frames that are read already, as far as they can be taken on. `true` when there was one.
    fn take_frames(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let mut taken = false;
        while self.may_read() {
            match self.link.next_buffered().map_err(LinkError::from)? {
                None => break,
                Some(incoming) => {
                    taken = true;
                    if let Some(watch) = &mut self.watch {
                        watch.heard();
                    }
                    match incoming {
                        Incoming::Frame(frame) => self.take(frame, cx),
                        Incoming::Unknown(unknown) => self.take_unknown(&unknown),
                    }
                }
            }
        }
        Ok(taken)
    }

    fn take(&mut self, frame: Frame, cx: &mut Context<'_>) {
        if let Some(asked) = keepalive::sort(&frame.header) {
            if let Asked::Answer(pong) = asked {
                self.expects_pongs = true;
                self.link.outbox.push_empty(pong);
            }
            return;
        }
        match frame.header.kind {
            MessageType::Call | MessageType::CallWithFds => match self.check(&frame.header) {
                Ok(entry) => self.accept(entry, frame, cx),
                Err(refusal) => self.refuse(&frame.header, &refusal),
            },
            MessageType::Stream | MessageType::StreamHole => {
                if let Some(frame) = self.relay.deliver(frame) {
                    self.streams.deliver(&frame, &mut self.link.outbox);
                }
            }
            // The reference drops these without a word.
            MessageType::Reply | MessageType::ReplyWithFds | MessageType::Message => {}
        }
    }

    /// A call with an unknown status is answered; a frame of an unknown kind is dropped.
    fn take_unknown(&mut self, unknown: &HeaderError) {
        let HeaderError { program, version, procedure, kind, serial, status } = *unknown;
        if !matches!(MessageType::from_number(kind), Some(MessageType::Call | MessageType::CallWithFds)) {
            return;
        }
        let header = Header { program, version, procedure, kind: MessageType::Call, serial, status: Status::Ok };
        let refusal = match self.check_program(&header) {
            Ok(()) => error::rpc(format!("Unexpected message status {status}")),
            Err(refusal) => refusal,
        };
        self.refuse(&header, &refusal);
    }

    fn check_program(&self, header: &Header) -> Result<(), Failure> {
        let served = match self.client.socket() {
            SocketKind::ReadWrite | SocketKind::ReadOnly => {
                matches!(Program::from_number(header.program), Some(Program::Remote | Program::Qemu))
            }
            SocketKind::Admin => header.program == Program::Admin.number(),
        };
        if served && header.version == virtbus_proto::VERSION {
            Ok(())
        } else {
            Err(error::unknown_program(header.program, header.version))
        }
    }

    /// The row of a call that may be made now.
    fn check(&self, header: &Header) -> Result<&'static Entry, Failure> {
        self.check_program(header)?;
        if header.status != Status::Ok {
            return Err(error::rpc(format!("Unexpected message status {}", header.status.number())));
        }
        let entry = virtbus_proto::entry(header.program, header.procedure).filter(|it| !it.event);
        let entry = entry.ok_or_else(|| error::unknown_procedure(header.procedure))?;
        if entry.needs_auth && self.admission != Admission::Admitted {
            return Err(error::authentication_required());
        }
        Ok(entry)
    }

    /// Answers a call at once, passes it on, starts it, or lets it wait.
    fn accept(&mut self, entry: &'static Entry, frame: Frame, cx: &mut Context<'_>) {
        let Some(frame) = self.take_session_call(entry, frame, cx) else { return };
        match self.shared.service.route(self.client, entry, frame.payload()) {
            Route::ByOwner if self.relay.knows(entry.owner) => self.pass_on(entry.owner, entry, frame),
            Route::ByOwner | Route::Serve => self.queue(entry, frame, cx),
            Route::Relay(owner) => self.pass_on(owner, entry, frame),
            Route::Open(opening) => self.relay.open(frame.header, opening, &mut self.link.outbox),
            Route::Refuse(refusal) => self.refuse(&frame.header, &refusal),
        }
    }

    fn pass_on(&mut self, owner: Owner, entry: &'static Entry, frame: Frame) {
        self.relay.forward(owner, entry, frame, &mut self.link.outbox);
    }

    fn queue(&mut self, entry: &'static Entry, frame: Frame, cx: &mut Context<'_>) {
        let limit = self.shared.limits.max_client_requests.max(1);
        let lane = self.lane(entry.priority);
        if lane.running < limit && lane.waiting.is_empty() {
            self.start(entry, frame, cx);
        } else {
            let bytes = frame.raw.len();
            lane.waiting.push_back((entry, frame));
            self.waiting_bytes += bytes;
        }
    }

    fn start(&mut self, entry: &'static Entry, frame: Frame, cx: &mut Context<'_>) {
        let call = Call { entry, header: frame.header, body: frame.body(), fds: frame.fds };
        let header = call.header;
        let service = &*self.shared.service;
        let client = self.client;
        self.fly(InFlight::new(entry, header, || service.call(client, call)), cx);
    }

    /// Polls a call for the first time, and keeps it only when it is not done by then.
    fn fly(&mut self, mut call: InFlight<'a>, cx: &mut Context<'_>) {
        match Pin::new(&mut call).poll(cx) {
            Poll::Ready(done) => self.finish(done),
            Poll::Pending => {
                self.lane(call.priority()).running += 1;
                self.calls.push(call);
            }
        }
    }

    fn finish(&mut self, done: Done) {
        let Done { header, result, .. } = done;
        self.note_outcome(header.program, header.procedure, result.is_ok());
        // What was sent before the reply was made also arrives before it: after the reply to a deregistration, no event
        // follows.
        while let Ok(event) = self.events.try_recv() {
            self.push_event(event);
        }
        self.answer(&header, result);
    }

    fn answer(&mut self, call: &Header, result: Result<Reply, Failure>) {
        let Reply { body, fds, stream, close_after } = match result {
            Ok(reply) => reply,
            Err(failure) => return self.refuse(call, &failure),
        };
        let header = call.answer(MessageType::Reply, Status::Ok);
        if self.link.outbox.push(header, body, fds).is_err() {
            return self.refuse(call, &error::unencodable());
        }
        if let Some(stream) = stream {
            // The stream of a serial in use: the client learns that the new one is dead by its abort.
            if !self.streams.open(*call, stream) {
                tracing::warn!(client = self.client.id(), serial = call.serial, "serial of an open stream used again");
            }
        }
        if close_after {
            self.show_out();
        }
    }

    fn refuse(&mut self, call: &Header, failure: &Failure) {
        let header = call.answer(MessageType::Reply, Status::Error);
        let body = failure.to_bytes().or_else(|_| error::unencodable().to_bytes()).unwrap_or_default();
        // An error that does not fit is not possible: its strings are far below the limit of a frame.
        let _ = self.link.outbox.push(header, body, Vec::new());
    }
}
