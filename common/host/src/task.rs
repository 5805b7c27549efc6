//! Starting asynchronous tasks by name: the one place of the project that calls `tokio::spawn`.
//!
//! A task started here logs its panic under its name instead of dying silently. It knows nothing of supervision: which
//! tasks a daemon cannot live without is decided in `daemon::tasks`, which is built on this.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

pub use tokio::task::{JoinError, JoinHandle};

/// Starts `future` as a task of the current runtime. `name` appears in the log should the task panic; the panic is
/// also reported through the handle, as tokio does. Dropping the handle leaves the task running.
///
/// Must be called from within a runtime, as `tokio::spawn` must.
#[allow(clippy::disallowed_methods, reason = "the one place: names the task and logs its panic")]
pub fn spawn<F>(name: impl Into<String>, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(Named { name: name.into(), future: Box::pin(future) })
}

/// The text of a panic's payload, as far as it has one.
pub fn panic_text(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "a panic without a message"
    }
}

struct Named<F> {
    name: String,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Named<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let future = &mut self.future;
        // Unwinding is resumed at once, so no state torn by the panic is ever looked at again.
        match std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll,
            Err(payload) => {
                tracing::error!(task = self.name, "task ended by a panic: {}", panic_text(payload.as_ref()));
                std::panic::resume_unwind(payload)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn output_and_panic_reach_the_handle() {
        assert_eq!(super::spawn("sum", async { 1 + 2 }).await.expect("no panic"), 3);
        let error = super::spawn("boom", async { panic!("as meant") }).await.expect_err("panics");
        assert!(error.is_panic());
        assert_eq!(super::panic_text(error.into_panic().as_ref()), "as meant");
    }
}
