//! One client's connection to one daemon: being opened, with frames waiting, or open.

use std::mem;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use virtbus_proto::table::session::ConnectSetIdentity;
use virtbus_proto::{Entry, Header, Owner, Procedure, Program, Xdr};

use super::dial;
use super::ledger::{Ledger, Sorted};
use crate::connection::Link;
use crate::error::{self, Failure};
use crate::frame::{Frame, Incoming, Outbox};
use crate::keepalive::{self, Asked};
use crate::peer::Identity;

/// Bytes that may wait for a daemon before nothing more is read from the client.
const WAITING_BYTES: usize = 4 * 1024 * 1024;
/// Calls that a daemon may owe a client, likewise.
const PENDING: usize = 1024;
/// Bytes that may wait for the client before nothing more is read from its daemons.
const OUTBOX_BUSY: usize = 512 * 1024;

pub(super) struct Backend {
    pub(super) owner: Owner,
    state: State,
    ledger: Ledger,
}

enum State {
    Opening(Box<Dialing>),
    Ready(Box<Link>),
}

struct Dialing {
    future: BoxFuture<'static, Result<Link, Failure>>,
    queue: Vec<Frame>,
    queued_bytes: usize,
    /// The client's `CONNECT_OPEN`, where that is the cause.
    open: Option<Header>,
    /// The identity, when it has changed since.
    identity: Option<Identity>,
}

impl Backend {
    pub(super) fn new(owner: Owner, future: BoxFuture<'static, Result<Link, Failure>>, open: Option<Header>) -> Self {
        let dialing = Dialing { future, queue: Vec::new(), queued_bytes: 0, open, identity: None };
        Self { owner, state: State::Opening(Box::new(dialing)), ledger: Ledger::default() }
    }

    /// Whether the client is owed nothing.
    pub(super) fn is_idle(&self) -> bool {
        self.ledger.is_empty() && self.opening_call().is_none()
    }

    pub(super) fn is_congested(&self) -> bool {
        let waiting = match &self.state {
            State::Opening(dialing) => dialing.queued_bytes,
            State::Ready(link) => link.outbox.len(),
        };
        waiting >= WAITING_BYTES || self.ledger.pending() >= PENDING
    }

    /// The client's `CONNECT_OPEN`, while it has no reply.
    pub(super) fn opening_call(&self) -> Option<Header> {
        match &self.state {
            State::Opening(dialing) => dialing.open,
            State::Ready(_) => None,
        }
    }

    pub(super) fn has_stream(&self, header: &Header) -> bool {
        self.ledger.has_stream(header)
    }

    /// Passes a call on.
    ///
    /// # Errors
    /// Its serial is in use.
    pub(super) fn call(&mut self, entry: &'static Entry, frame: Frame) -> Result<(), Failure> {
        if !self.ledger.call(frame.header, entry) {
            return Err(error::rpc(format!("serial {} is in use", frame.header.serial)));
        }
        self.push(frame);
        Ok(())
    }

    /// Passes a frame on.
    pub(super) fn push(&mut self, frame: Frame) {
        match &mut self.state {
            State::Opening(dialing) => {
                dialing.queued_bytes += frame.raw.len();
                dialing.queue.push(frame);
            }
            State::Ready(link) => link.outbox.forward(frame),
        }
    }

    /// Says that the client speaks for somebody else from now on.
    pub(super) fn identify(&mut self, identity: &Identity) {
        match &mut self.state {
            State::Opening(dialing) => dialing.identity = Some(identity.clone()),
            State::Ready(link) => {
                let Ok(body) = identity.to_call().to_bytes() else { return };
                let call = Header::call(Program::Remote, ConnectSetIdentity::NUMBER, self.ledger.own_call());
                // Twenty parameters are far below the limit of a frame.
                let _ = link.outbox.push(call, body, Vec::new());
            }
        }
    }

    /// Moves frames both ways. Gives the client's `CONNECT_OPEN` when that is done now.
    ///
    /// # Errors
    /// The daemon is lost.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, outbox: &mut Outbox) -> Result<Option<Header>, Failure> {
        let mut opened = None;
        if let State::Opening(dialing) = &mut self.state {
            let Poll::Ready(result) = dialing.future.as_mut().poll(cx) else { return Ok(None) };
            let link = Box::new(result?);
            let queue = mem::take(&mut dialing.queue);
            let identity = dialing.identity.take();
            opened = dialing.open.take();
            self.state = State::Ready(link);
            if let Some(identity) = identity {
                self.identify(&identity);
            }
            queue.into_iter().for_each(|frame| self.push(frame));
        }
        match &mut self.state {
            State::Ready(link) => exchange(link, &mut self.ledger, cx, outbox)?,
            State::Opening(_) => {}
        }
        Ok(opened)
    }

    /// Tells the client that the daemon is lost. `true` when it cannot go on without.
    pub(super) fn fail(self, failure: &Failure, outbox: &mut Outbox) -> bool {
        self.ledger.fail(failure, outbox)
    }
}

fn exchange(link: &mut Link, ledger: &mut Ledger, cx: &mut Context<'_>, outbox: &mut Outbox) -> Result<(), Failure> {
    loop {
        while outbox.len() < OUTBOX_BUSY {
            let frame = match link.next_buffered().map_err(|it| error::rpc(it.to_string()))? {
                None => break,
                Some(Incoming::Unknown(_)) => continue,
                Some(Incoming::Frame(frame)) => frame,
            };
            match keepalive::sort(&frame.header) {
                Some(Asked::Answer(pong)) => link.outbox.push_empty(pong),
                Some(Asked::Nothing) => {}
                None => match ledger.sort(frame) {
                    Sorted::Pass(frame) => outbox.forward(frame),
                    Sorted::Drop => {}
                    Sorted::Refused => return Err(error::internal("the daemon does not take the client's identity")),
                },
            }
        }
        // A failed write shows as the end of what can be read, behind the replies that have come.
        let _ = link.poll_flush(cx);
        if outbox.len() >= OUTBOX_BUSY {
            return Ok(());
        }
        match link.poll_read(cx) {
            Poll::Ready(Ok(true)) => {}
            Poll::Ready(Ok(false) | Err(_)) => return Err(dial::lost()),
            Poll::Pending => return Ok(()),
        }
    }
}
