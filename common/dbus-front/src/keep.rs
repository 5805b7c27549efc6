//! That a daemon stays on its bus: what to do when the bus is late, restarts, or is not there at all.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::front::{Bus, Engine, Front};

/// Pause between two attempts to reach the bus.
const PAUSE: Duration = Duration::from_secs(5);

/// Serves the engine under `name` until `stop`; then calls under way, which `calls` counts, may still end. A host without a
/// bus, or one whose bus restarts, is served by RPC alone meanwhile; the log says so once. `own_uid` is the daemon's user.
pub async fn keep(
    bus: Bus,
    name: &'static str,
    own_uid: u32,
    engine: impl Into<Engine>,
    calls: watch::Sender<usize>,
    stop: CancellationToken,
) {
    let engine = engine.into();
    let mut said = false;
    loop {
        let connecting = Front::connect(bus.clone(), name, own_uid, engine.clone());
        match stop.run_until_cancelled(connecting).await {
            Some(Ok(front)) => {
                tracing::info!("{name} is on the bus");
                said = false;
                let ended = front.counting(calls.clone()).run_until(stop.clone().cancelled_owned()).await;
                if let Err(error) = ended {
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
