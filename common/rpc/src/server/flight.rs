//! A call in flight: its future, and what its reply needs. A panic in it becomes its error.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use virtbus_host::task::panic_text;
use virtbus_proto::{Entry, Header, Priority};

use crate::call::Reply;
use crate::error::{self, Failure};

type Outcome = Result<Reply, Failure>;

/// A finished call.
pub(super) struct Done {
    pub(super) header: Header,
    pub(super) priority: Priority,
    pub(super) result: Outcome,
}

/// A running call.
pub(super) struct InFlight<'a> {
    entry: &'static Entry,
    header: Header,
    /// `None` once it has ended, or when making it has panicked already.
    future: Option<BoxFuture<'a, Outcome>>,
}

impl<'a> InFlight<'a> {
    pub(super) fn new(entry: &'static Entry, header: Header, make: impl FnOnce() -> BoxFuture<'a, Outcome>) -> Self {
        // Nothing of the future is looked at after a panic, so no torn state is seen.
        let future = match catch_unwind(AssertUnwindSafe(make)) {
            Ok(future) => Some(future),
            Err(payload) => {
                log_panic(entry, panic_text(payload.as_ref()));
                None
            }
        };
        Self { entry, header, future }
    }

    pub(super) fn priority(&self) -> Priority {
        self.entry.priority
    }
}

impl Future for InFlight<'_> {
    type Output = Done;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Done> {
        let this = &mut *self;
        let polled = match &mut this.future {
            Some(future) => catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))).map_err(|payload| {
                log_panic(this.entry, panic_text(payload.as_ref()));
            }),
            None => Err(()),
        };
        let result = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => result,
            Err(()) => Err(error::internal("call failed by a fault of the daemon, see its log")),
        };
        // Dropping may panic as well.
        let future = this.future.take();
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(future))) {
            log_panic(this.entry, panic_text(payload.as_ref()));
        }
        Poll::Ready(Done { header: this.header, priority: this.entry.priority, result })
    }
}

fn log_panic(entry: &Entry, text: &str) {
    tracing::error!(procedure = entry.name, "call ended by a panic: {text}");
}
