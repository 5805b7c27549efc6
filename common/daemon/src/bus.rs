//! Which D-Bus a daemon belongs on, and that it stays there. It speaks no D-Bus itself.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::paths::{Mode, Paths};

/// Pause between two attempts to reach the bus.
const PAUSE: Duration = Duration::from_secs(5);

/// The bus of a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    /// The system bus, or the one that `DBUS_SYSTEM_BUS_ADDRESS` names.
    System,
    /// The user's bus.
    Session,
}

/// The bus that a daemon with these paths takes its name on.
///
/// Below `--root` it is `None` unless `DBUS_SYSTEM_BUS_ADDRESS` names a bus of the stack's own: a second stack must
/// never take a name on the host's bus.
pub fn of(paths: &Paths) -> Option<Bus> {
    choose(paths.mode(), std::env::var_os("DBUS_SYSTEM_BUS_ADDRESS").is_some())
}

fn choose(mode: &Mode, is_named: bool) -> Option<Bus> {
    match mode {
        Mode::System => Some(Bus::System),
        Mode::Session => Some(Bus::Session),
        Mode::Root(_) => is_named.then_some(Bus::System),
    }
}

/// Keeps `name` on the bus until `stop`: `connect` makes what `serve` runs until the bus is gone or it is told to stop; then
/// it may finish what is under way. A host without a bus, or one whose bus restarts, is served by RPC alone meanwhile; the
/// log says so once.
pub async fn keep<T, E, C, S>(
    name: &str,
    stop: &CancellationToken,
    connect: impl Fn() -> C,
    serve: impl Fn(T, WaitForCancellationFutureOwned) -> S,
) where
    E: Display,
    C: Future<Output = Result<T, E>>,
    S: Future<Output = Result<(), E>>,
{
    let mut said = false;
    loop {
        match stop.run_until_cancelled(connect()).await {
            Some(Ok(front)) => {
                tracing::info!("{name} is on the bus");
                said = false;
                if let Err(error) = serve(front, stop.clone().cancelled_owned()).await {
                    tracing::warn!("the bus is gone: {error}");
                }
            }
            Some(Err(error)) if !said => {
                tracing::warn!("no D-Bus: {error}");
                said = true;
            }
            Some(Err(_)) => {}
            None => return,
        }
        if stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_of_its_own_needs_a_bus_of_its_own() {
        let root = Mode::Root("/r".into());
        assert_eq!((choose(&root, false), choose(&root, true)), (None, Some(Bus::System)));
        assert_eq!(choose(&Mode::System, false), Some(Bus::System));
        assert_eq!(choose(&Mode::Session, true), Some(Bus::Session));
    }
}
