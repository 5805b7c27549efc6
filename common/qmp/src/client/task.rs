//! The task that owns the socket.
//!
//! It reads whenever there is room for events, writes whenever there is something to write, and waits for nothing else. It
//! ends when the socket does, when QEMU sends what is no QMP, or when the last client is gone and all has been sent.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde_json::value::RawValue;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Outgoing, Reply, Shared, State};
use crate::codec::{Greeting, Lines, Message, QmpError};
use crate::events::Event;

/// Bytes of small commands that are put together for one write.
const WRITE: usize = 16 << 10;

/// Lines handled before other work gets its turn.
const LINES_A_TURN: usize = 64;

pub(super) struct Task {
    socket: UnixStream,
    shared: Arc<Shared>,
    commands: mpsc::UnboundedReceiver<Vec<Outgoing>>,
    events: mpsc::Sender<Event>,
    state: watch::Sender<State>,
    hello: Option<oneshot::Receiver<Result<Box<RawValue>, QmpError>>>,
    greeting: Option<Greeting>,
    lines: Lines,
    queue: VecDeque<Outgoing>,
    writing: Writing,
}

/// The bytes being written, and the descriptors that go with the first of them.
#[derive(Default)]
struct Writing {
    bytes: Vec<u8>,
    done: usize,
    fds: Vec<OwnedFd>,
}

/// What keeps the task from reading on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Nothing.
    Nothing,
    /// Lines that have been read and not handled.
    Lines,
    /// Events that have no room.
    Events,
}

impl Task {
    pub(super) fn new(
        socket: UnixStream,
        shared: Arc<Shared>,
        commands: mpsc::UnboundedReceiver<Vec<Outgoing>>,
        events: mpsc::Sender<Event>,
        state: watch::Sender<State>,
        hello: Reply,
    ) -> Self {
        Self {
            socket,
            shared,
            commands,
            events,
            state,
            // Without the client in it, or the task would hold itself alive.
            hello: hello.state.ok(),
            greeting: None,
            lines: Lines::default(),
            queue: VecDeque::new(),
            writing: Writing::default(),
        }
    }

    pub(super) async fn run(mut self) {
        let reason = self.work().await;
        tracing::debug!("monitor of {} closed: {reason}", self.shared.subject);
        self.state.send_replace(State::Closed(Arc::from(reason)));
        // What still comes is refused at the channel, or found here: first no more can come, then all are told.
        self.commands.close();
        self.shared.pending().clear();
    }

    async fn work(&mut self) -> String {
        let mut clients_left = true;
        let events = self.events.clone();
        loop {
            let left = match self.take_lines() {
                Ok(left) => left,
                Err(reason) => return reason,
            };
            self.next_write();
            if self.writing.is_empty() && !clients_left {
                return "it is no longer needed".to_owned();
            }
            let interest = match (left == Left::Nothing, !self.writing.is_empty()) {
                (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
                (true, false) => Some(Interest::READABLE),
                (false, true) => Some(Interest::WRITABLE),
                (false, false) => None,
            };
            tokio::select! {
                batch = self.commands.recv(), if clients_left => match batch {
                    Some(batch) => self.queue.extend(batch),
                    None => clients_left = false,
                },
                ready = ready(&self.socket, interest) => {
                    let result = match ready {
                        Ok(ready) => self.transfer(ready, left),
                        Err(error) => Err(error.to_string()),
                    };
                    if let Err(reason) = result {
                        return reason;
                    }
                }
                room = events.reserve(), if left == Left::Events => drop(room),
                () = tokio::task::yield_now(), if left == Left::Lines => {}
            }
        }
    }

    /// Writes and reads once each, as far as the socket is ready for it.
    fn transfer(&mut self, ready: tokio::io::Ready, left: Left) -> Result<(), String> {
        if ready.is_writable()
            && let Err(reason) = self.write()
        {
            // The peer hears no more, but its last words still count.
            while self.take_lines()? == Left::Nothing && self.read()? {}
            return Err(reason);
        }
        if ready.is_readable() && left == Left::Nothing {
            self.read()?;
        }
        Ok(())
    }

    /// Puts together what goes out next. Commands whose callers have given up are dropped unsent.
    fn next_write(&mut self) {
        if !self.writing.is_empty() {
            return;
        }
        self.writing = Writing::default();
        while let Some(next) = self.queue.front() {
            let begun = !self.writing.bytes.is_empty();
            if begun && (!next.fds.is_empty() || self.writing.bytes.len() + next.bytes.len() > WRITE) {
                return;
            }
            let Some(next) = self.queue.pop_front() else { return };
            let mut pending = self.shared.pending();
            if pending.get(&next.id).is_none_or(|entry| entry.reply.is_closed()) {
                pending.remove(&next.id);
                continue;
            }
            drop(pending);
            self.writing.bytes.extend_from_slice(&next.bytes);
            self.writing.fds.extend(next.fds);
        }
    }

    fn write(&mut self) -> Result<(), String> {
        let Some(rest) = self.writing.bytes.get(self.writing.done..).filter(|rest| !rest.is_empty()) else {
            return Ok(());
        };
        let numbers: Vec<RawFd> = self.writing.fds.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&numbers)];
        let control = if numbers.is_empty() { &[][..] } else { &rights[..] };
        let sent = self.socket.try_io(Interest::WRITABLE, || {
            let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
            sendmsg::<()>(self.socket.as_raw_fd(), &[IoSlice::new(rest)], control, flags, None).map_err(io::Error::from)
        });
        match sent {
            Ok(count) => {
                self.writing.done += count;
                self.writing.fds.clear();
                Ok(())
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Reads once; false if there was nothing to read.
    fn read(&mut self) -> Result<bool, String> {
        match self.socket.try_read_buf(self.lines.buffer()) {
            Ok(0) => Err("QEMU closed it".to_owned()),
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Handles the lines that have been read, a turn's worth at most and while there is room for events.
    fn take_lines(&mut self) -> Result<Left, String> {
        for _ in 0..LINES_A_TURN {
            if self.events.capacity() == 0 && !self.events.is_closed() {
                return Ok(Left::Events);
            }
            let message = match self.lines.next_line() {
                Ok(Some(line)) => Message::parse(line),
                Ok(None) => return Ok(Left::Nothing),
                Err(error) => Err(error),
            };
            match message {
                Ok(message) => self.handle(message),
                Err(error) => {
                    tracing::warn!("monitor of {}: {error}", self.shared.subject);
                    return Err(format!("QEMU sent what is not QMP: {error}"));
                }
            }
        }
        Ok(Left::Lines)
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Greeting(greeting) => {
                self.greeting.get_or_insert(greeting);
                self.maybe_ready();
            }
            Message::Return { id, value } => self.answer(id, Ok(value)),
            Message::Error { id, error } => self.answer(id, Err(error)),
            Message::Event(raw) => {
                // There was room, and only this task takes it; an owner that went away wants no events.
                let _ = self.events.try_send(Event::new(raw));
            }
        }
    }

    fn answer(&mut self, id: Option<u64>, answer: Result<Box<RawValue>, QmpError>) {
        let subject = &self.shared.subject;
        let Some(id) = id else {
            match answer {
                Ok(_) => tracing::warn!("monitor of {subject}: an answer to nothing that was asked"),
                Err(error) => tracing::warn!("monitor of {subject}: {error}"),
            }
            return;
        };
        let Some(pending) = self.shared.pending().remove(&id) else {
            tracing::warn!("monitor of {subject}: an answer to nothing that was asked ({id})");
            return;
        };
        if let Err(unheard) = pending.reply.send(answer) {
            let age = pending.since.elapsed().as_secs();
            let fate = if unheard.is_ok() { "succeeded" } else { "failed" };
            tracing::warn!("monitor of {subject}: '{}' {fate} after {age} s, nobody waits for it", pending.command);
        }
        self.maybe_ready();
    }

    /// The connection is ready once greeted and past the negotiation.
    fn maybe_ready(&mut self) {
        let Some(hello) = &mut self.hello else { return };
        if self.greeting.is_none() {
            return;
        }
        match hello.try_recv() {
            Ok(Ok(_)) => {
                self.hello = None;
                if let Some(greeting) = self.greeting.take() {
                    tracing::debug!("monitor of {} is ready", self.shared.subject);
                    self.state.send_replace(State::Ready(Arc::new(greeting)));
                }
            }
            Ok(Err(error)) => {
                self.hello = None;
                tracing::error!("monitor of {}: the negotiation failed: {error}", self.shared.subject);
            }
            Err(_) => {}
        }
    }
}

impl Writing {
    fn is_empty(&self) -> bool {
        self.done >= self.bytes.len()
    }
}

async fn ready(socket: &UnixStream, interest: Option<Interest>) -> io::Result<tokio::io::Ready> {
    match interest {
        Some(interest) => socket.ready(interest).await,
        None => std::future::pending().await,
    }
}
