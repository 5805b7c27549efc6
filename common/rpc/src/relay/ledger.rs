//! What a daemon owes a client: calls without a reply, open streams, registrations of events. Headers and rows are all
//! it takes to know.

use std::collections::{HashMap, HashSet};

use virtbus_proto::events::ConnectEventConnectionClosed;
use virtbus_proto::{Entry, Event, Header, MessageType, Program, Status, Stream, Xdr};

use crate::error::Failure;
use crate::frame::{Frame, Outbox};

/// `VIR_CONNECT_CLOSE_REASON_EOF`
const CLOSED_BY_EOF: i32 = 1;

/// Procedures that register a client for events, with those that undo it.
const REGISTRATIONS: [(Program, i32, i32); 8] = [
    (Program::Remote, 105, 106),
    (Program::Remote, 167, 168),
    (Program::Remote, 313, 314),
    (Program::Remote, 316, 317),
    (Program::Remote, 368, 369),
    (Program::Remote, 374, 375),
    (Program::Remote, 380, 381),
    (Program::Qemu, 4, 5),
];
const REGISTER_CLOSE_CALLBACK: i32 = 360;
const UNREGISTER_CLOSE_CALLBACK: i32 = 361;

/// What is to be done with a frame from a daemon.
#[derive(Debug)]
pub(super) enum Sorted {
    /// Pass it to the client.
    Pass(Frame),
    /// Nothing.
    Drop,
    /// The daemon refused what the relay itself asked for.
    Refused,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    pending: HashMap<u32, (Header, &'static Entry)>,
    /// Headers of the calls of open streams.
    streams: HashMap<u32, Header>,
    /// Serials of calls made by the relay itself.
    own: HashSet<u32>,
    registered: usize,
    close_callback: bool,
}

impl Ledger {
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.streams.is_empty()
    }

    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn has_stream(&self, call: &Header) -> bool {
        self.streams.get(&call.serial).is_some_and(|it| (it.program, it.procedure) == (call.program, call.procedure))
    }

    /// Notes a call. `false` when its serial is in use.
    pub(super) fn call(&mut self, call: Header, entry: &'static Entry) -> bool {
        let free = !self.is_taken(call.serial);
        if free {
            self.pending.insert(call.serial, (call, entry));
        }
        free
    }

    /// Notes a call of the relay's own, under a serial that the client is not using.
    pub(super) fn own_call(&mut self) -> u32 {
        // From the end of the range, where hardly a client gets to.
        let serial = (0..=u32::MAX).rev().find(|it| !self.is_taken(*it)).unwrap_or(u32::MAX);
        self.own.insert(serial);
        serial
    }

    fn is_taken(&self, serial: u32) -> bool {
        self.pending.contains_key(&serial) || self.streams.contains_key(&serial) || self.own.contains(&serial)
    }

    pub(super) fn sort(&mut self, frame: Frame) -> Sorted {
        let Header { serial, status, .. } = frame.header;
        match frame.header.kind {
            MessageType::Message => Sorted::Pass(frame),
            MessageType::Reply | MessageType::ReplyWithFds => {
                if let Some((call, entry)) = self.pending.remove(&serial) {
                    if status == Status::Ok {
                        self.note(call, entry);
                    }
                    Sorted::Pass(frame)
                } else if self.own.remove(&serial) && status != Status::Ok {
                    Sorted::Refused
                } else {
                    Sorted::Drop
                }
            }
            MessageType::Stream | MessageType::StreamHole if self.has_stream(&frame.header) => {
                if status != Status::Continue {
                    self.streams.remove(&serial);
                }
                Sorted::Pass(frame)
            }
            _ => Sorted::Drop,
        }
    }

    /// Notes what a good reply has begun or ended.
    fn note(&mut self, call: Header, entry: &'static Entry) {
        if entry.stream != Stream::None {
            self.streams.insert(call.serial, call);
        }
        for (program, register, deregister) in REGISTRATIONS {
            if entry.program == program && entry.number == register {
                self.registered += 1;
            } else if entry.program == program && entry.number == deregister {
                self.registered = self.registered.saturating_sub(1);
            }
        }
        if entry.program == Program::Remote {
            match entry.number {
                REGISTER_CLOSE_CALLBACK => self.close_callback = true,
                UNREGISTER_CLOSE_CALLBACK => self.close_callback = false,
                _ => {}
            }
        }
    }

    /// Tells the client that the daemon is lost: its calls and streams there fail. `true` when events that it has
    /// registered for would now be missing.
    pub(super) fn fail(self, failure: &Failure, outbox: &mut Outbox) -> bool {
        let body = failure.to_bytes().unwrap_or_default();
        let calls = self.pending.into_values().map(|(call, _)| call.answer(MessageType::Reply, Status::Error));
        let streams = self.streams.into_values().map(|call| call.answer(MessageType::Stream, Status::Error));
        for header in calls.chain(streams) {
            // An error is far below the limit of a frame.
            let _ = outbox.push(header, body.clone(), Vec::new());
        }
        if self.close_callback
            && let Ok(body) = (ConnectEventConnectionClosed { reason: CLOSED_BY_EOF }).to_bytes()
        {
            let header = Header::message(Program::Remote, ConnectEventConnectionClosed::NUMBER);
            let _ = outbox.push(header, body, Vec::new());
        }
        self.registered > 0
    }
}
