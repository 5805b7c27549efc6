//! What tests against the real kernel share.

use std::future::Future;

use nix::sched::{CloneFlags, unshare};

/// Runs `test` in a network of its own, on a thread of its own; does nothing where that may not be made.
pub(crate) fn alone(test: impl Future<Output = ()> + Send + 'static) {
    let thread = std::thread::spawn(move || {
        if unshare(CloneFlags::CLONE_NEWNET).is_err() {
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(test);
    });
    thread.join().expect("the test holds");
}
