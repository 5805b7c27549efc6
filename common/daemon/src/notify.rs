//! Telling the service manager how the daemon does (sd_notify(3)).
//!
//! Without a service manager nothing happens. Failures are logged, never fatal: a daemon that works but cannot say so
//! still works.

use sd_notify::NotifyState;

/// Start-up is complete: sockets answer.
pub fn ready() {
    send(&[NotifyState::Ready]);
}

/// The daemon is going down.
pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// The configuration is being read again; [`ready`] follows.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!("cannot read the clock: {error}"),
    }
}

/// One line for `systemctl status`.
pub fn status(text: &str) {
    send(&[NotifyState::Status(text)]);
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("cannot notify the service manager: {error}");
    }
}
