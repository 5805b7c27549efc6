//! What a network's events mean on D-Bus.

use virtbus_api::{NetworkDriver, NetworkEvent, NetworkEventKind, NetworkLifecycle};
use zbus::Variant;

use super::Signals;
use crate::{connect::network::Connect, network::Network, paths};

impl Signals {
    /// Sends what a network's event means: the object's coming and going, changed properties, the signal itself.
    pub(super) async fn network(&mut self, driver: &dyn NetworkDriver, event: &NetworkEvent) -> zbus::Result<()> {
        let path = paths::network(event.network.uuid);
        match &event.kind {
            NetworkEventKind::Lifecycle(it) => {
                self.appear(&path).await?;
                self.changed(&path, "org.libvirt.Network", || properties(driver, event)).await?;
                // What is not defined is not started with the host either.
                if *it == NetworkLifecycle::Undefined {
                    self.invalid(&path, "org.libvirt.Network", "Autostart").await?;
                }
                Connect::network_event(&self.root()?, path.as_ref(), *it as i32).await?;
                self.vanish(&path).await
            }
            NetworkEventKind::AutostartChange => self.invalid(&path, "org.libvirt.Network", "Autostart").await,
            NetworkEventKind::Ports(turnover) => {
                self.appear(&path).await?;
                self.turnover(turnover, paths::port).await
            }
            NetworkEventKind::MetadataChange { kind, uri } => {
                Network::metadata_change(&self.emitter(path)?, *kind, uri.as_deref().unwrap_or_default()).await
            }
        }
    }
}

/// What a change of life may have changed.
fn properties(
    driver: &dyn NetworkDriver,
    event: &NetworkEvent,
) -> virtbus_api::Result<Vec<(&'static str, Variant<'static>)>> {
    let network = &event.network;
    Ok(vec![
        ("Active", Variant::from(driver.is_active(network)?)),
        ("Persistent", Variant::from(driver.is_persistent(network)?)),
    ])
}
