//! Pings and pongs: answering the peer's, and noticing a peer that has fallen silent.
//!
//! A [`Watch`] is only a clock: it says when to ping and when to give up. Whoever owns the connection sends the frames
//! and reports what arrives. A peer is pinged after one interval without a frame from it; each frame starts the count
//! anew; after `count` pings without an answer it is given up one interval later (seen on the reference: interval 1 s,
//! count 3, closed after 4 s).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};
use virtbus_proto::{Header, MessageType, Program};

/// Number of the procedure PING.
pub const PING: i32 = 1;
/// Number of the procedure PONG.
pub const PONG: i32 = 2;

/// How patient to be. An interval of zero never pings and never gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Silence before a ping, and between pings.
    pub interval: Duration,
    /// Unanswered pings that are allowed.
    pub count: u32,
}

impl Patience {
    /// The patience of a configuration file's words: an interval of -1 or 0 seconds switches the pings off.
    pub fn of(interval: i32, count: u32) -> Self {
        Self { interval: Duration::from_secs(interval.try_into().unwrap_or(0)), count }
    }
}

impl Default for Patience {
    /// The defaults of the reference's daemons.
    fn default() -> Self {
        Self { interval: Duration::from_secs(5), count: 5 }
    }
}

/// What a keepalive frame asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// This answer is to be sent.
    Answer(Header),
    /// Nothing: it was an answer, or something unknown.
    Nothing,
}

/// Sorts out frames of the keepalive program. `None`: the frame is of another program, or is a call, which the
/// reference treats as a call of an unknown program.
pub fn sort(header: &Header) -> Option<Asked> {
    if header.program != Program::Keepalive.number() || header.kind != MessageType::Message {
        return None;
    }
    Some(if header.procedure == PING { Asked::Answer(pong()) } else { Asked::Nothing })
}

/// The frame PING.
pub fn ping() -> Header {
    Header::message(Program::Keepalive, PING)
}

/// The frame PONG.
pub fn pong() -> Header {
    Header::message(Program::Keepalive, PONG)
}

/// What the clock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Send a ping.
    Ping,
    /// The peer is gone.
    GiveUp,
}

/// The clock of one connection.
#[derive(Debug)]
pub struct Watch {
    patience: Patience,
    heard: Instant,
    unanswered: u32,
    timer: Pin<Box<Sleep>>,
}

impl Watch {
    /// Starts watching now. `None` when the patience has no end.
    pub fn start(patience: Patience) -> Option<Self> {
        if patience.interval.is_zero() {
            return None;
        }
        let timer = Box::pin(tokio::time::sleep(patience.interval));
        Some(Self { patience, heard: Instant::now(), unanswered: 0, timer })
    }

    /// A frame has arrived, whichever.
    pub fn heard(&mut self) {
        self.heard = Instant::now();
        self.unanswered = 0;
    }

    /// What is due.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        loop {
            std::task::ready!(self.timer.as_mut().poll(cx));
            let now = Instant::now();
            let silent_until = self.heard + self.patience.interval;
            if self.unanswered == 0 && silent_until > now {
                self.timer.as_mut().reset(silent_until);
                continue;
            }
            if self.unanswered >= self.patience.count {
                return Poll::Ready(Due::GiveUp);
            }
            self.unanswered += 1;
            self.timer.as_mut().reset(now + self.patience.interval);
            return Poll::Ready(Due::Ping);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn seconds(interval: u64, count: u32) -> Patience {
        Patience { interval: Duration::from_secs(interval), count }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_given_up_one_interval_after_the_last_ping() {
        let begin = Instant::now();
        let mut watch = Watch::start(seconds(1, 3)).unwrap();
        let mut pings = 0;
        while poll_fn(|cx| watch.poll(cx)).await == Due::Ping {
            pings += 1;
        }
        assert_eq!((pings, begin.elapsed().as_secs()), (3, 4));
    }

    #[tokio::test(start_paused = true)]
    async fn any_frame_starts_the_count_anew() {
        let begin = Instant::now();
        let mut watch = Watch::start(seconds(5, 2)).unwrap();
        assert_eq!(poll_fn(|cx| watch.poll(cx)).await, Due::Ping);
        tokio::time::advance(Duration::from_secs(1)).await;
        watch.heard();
        assert_eq!(poll_fn(|cx| watch.poll(cx)).await, Due::Ping);
        assert_eq!(begin.elapsed().as_secs(), 11);
        assert!(Watch::start(seconds(0, 1)).is_none());
    }

    #[test]
    fn pings_are_answered_and_calls_are_not_for_us() {
        assert_eq!(sort(&ping()), Some(Asked::Answer(pong())));
        assert_eq!(sort(&pong()), Some(Asked::Nothing));
        assert_eq!(sort(&Header { procedure: 9, ..ping() }), Some(Asked::Nothing));
        assert_eq!(sort(&Header { kind: MessageType::Call, ..ping() }), None);
    }
}
