//! Silence on a connection: pings to a client that says nothing, signs of life to one that is not listened to.

use std::future::Future;
use std::task::{Context, Poll};
use std::time::Duration;

use virtbus_proto::Header;

use super::{End, Session};
use crate::keepalive::{self, Due};

/// How often a client is told that the connection lives while nothing is read from it.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

impl Session<'_> {
    pub(super) fn poll_keepalive(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        // Silence counts only while the client is listened to.
        if self.has_too_much() {
            if let Some(watch) = &mut self.watch {
                watch.heard();
            }
            self.poll_sign_of_life(cx)?;
        } else {
            self.sign_of_life = None;
        }
        while let Some(watch) = &mut self.watch
            && let Poll::Ready(due) = watch.poll(cx)
        {
            match due {
                Due::GiveUp => return Err(End::Silent),
                Due::Ping => self.send_now(keepalive::ping(), cx)?,
            }
        }
        Ok(())
    }

    /// While nothing is read, pings lie unread as well. A client that pings hears pongs all the same, so that it does not
    /// take a busy daemon for a dead one.
    fn poll_sign_of_life(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        if !self.expects_pongs {
            return Ok(());
        }
        let mut timer = self.sign_of_life.take().unwrap_or_else(|| Box::pin(tokio::time::sleep(SIGN_OF_LIFE)));
        while timer.as_mut().poll(cx).is_ready() {
            timer = Box::pin(tokio::time::sleep(SIGN_OF_LIFE));
            if !self.is_full() {
                self.send_now(keepalive::pong(), cx)?;
            }
        }
        self.sign_of_life = Some(timer);
        Ok(())
    }

    fn send_now(&mut self, header: Header, cx: &mut Context<'_>) -> Result<(), End> {
        self.link.outbox.push_empty(header);
        if let Poll::Ready(result) = self.link.poll_flush(cx) {
            result?;
        }
        Ok(())
    }
}
