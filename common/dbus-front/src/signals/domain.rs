//! What a domain's events mean on D-Bus.

use virtbus_api::{
    DomainEvent, DomainEventKind, HypervisorDriver, MonitorEvent,
    event::{Graphics, Lifecycle},
};
use zbus::{Variant, object_server::SignalEmitter};

use super::Signals;
use crate::{connect::Connect, domain::Happening, params, paths};

/// The interface of a domain.
const DOMAIN: &str = "org.libvirt.Domain";

impl Signals {
    /// Sends what a domain's event means: the object's coming and going, changed properties, the signal itself.
    pub(super) async fn domain(&mut self, driver: &dyn HypervisorDriver, event: &DomainEvent) -> zbus::Result<()> {
        match &event.kind {
            DomainEventKind::Lifecycle(it) => self.domain_lifecycle(driver, event, *it).await,
            DomainEventKind::AutostartChange => {
                self.invalid(&paths::domain(event.domain.uuid), DOMAIN, "Autostart").await
            }
            DomainEventKind::MetadataChange { .. } => {
                let path = paths::domain(event.domain.uuid);
                // What runs is not what is defined any more.
                self.changed(&path, DOMAIN, || properties(driver, event)).await?;
                happening(&self.emitter(path)?, &event.kind).await
            }
            other => happening(&self.emitter(paths::domain(event.domain.uuid))?, other).await,
        }
    }

    /// Sends an event of a domain's monitor.
    pub(super) async fn monitor(&self, event: &MonitorEvent) -> zbus::Result<()> {
        let emitter = self.emitter(paths::domain(event.domain.uuid))?;
        let (seconds, micros) = event.timestamp;
        let details = event.details.as_deref().unwrap_or_default();
        Happening::monitor_event(&emitter, &event.name, seconds, micros, details).await
    }

    /// A change of a domain's life; its object comes before the signal and goes after it.
    async fn domain_lifecycle(
        &mut self,
        driver: &dyn HypervisorDriver,
        event: &DomainEvent,
        it: Lifecycle,
    ) -> zbus::Result<()> {
        let path = paths::domain(event.domain.uuid);
        self.appear(&path).await?;
        self.changed(&path, DOMAIN, || properties(driver, event)).await?;
        // What is not defined is not started with the host either.
        if it == Lifecycle::UndefinedRemoved {
            self.invalid(&path, DOMAIN, "Autostart").await?;
        }
        Connect::domain_event(&self.root()?, path.as_ref(), it.number(), it.detail()).await?;
        self.vanish(&path).await
    }
}

/// What a change of life may have changed; nothing for a domain that goes meanwhile.
fn properties(
    driver: &dyn HypervisorDriver,
    event: &DomainEvent,
) -> virtbus_api::Result<Vec<(&'static str, Variant<'static>)>> {
    let domain = &event.domain;
    let now = driver.lookup_by_uuid(domain.uuid)?;
    let state = driver.state(domain)?;
    Ok(vec![
        ("Active", Variant::from(state.is_active())),
        ("Id", Variant::from(now.id.unwrap_or(0))),
        ("Name", Variant::from(now.name)),
        ("Persistent", Variant::from(driver.is_persistent(domain)?)),
        ("State", Variant::from((state.number(), state.detail()))),
        ("Updated", Variant::from(driver.is_updated(domain)?)),
    ])
}

/// Sends the signal of an event that is not a change of life.
async fn happening(emitter: &SignalEmitter<'_>, kind: &DomainEventKind) -> zbus::Result<()> {
    match kind {
        // Sent by the caller, with what it means for the object.
        DomainEventKind::Lifecycle(_) | DomainEventKind::AutostartChange => Ok(()),
        DomainEventKind::Reboot => Happening::rebooted(emitter).await,
        DomainEventKind::RtcChange(offset) => Happening::rtc_change(emitter, *offset).await,
        DomainEventKind::Watchdog(action) => Happening::watchdog(emitter, *action).await,
        DomainEventKind::IoError { path, alias, action, reason } => {
            Happening::io_error(emitter, path, alias, *action as i32, reason).await
        }
        DomainEventKind::Graphics(it) => graphics(emitter, it).await,
        DomainEventKind::ControlError => Happening::control_error(emitter).await,
        DomainEventKind::DiskChange { old, new, alias, reason } => {
            let [old, new] = [old, new].map(|it| it.as_deref().unwrap_or_default());
            Happening::disk_change(emitter, old, new, alias, *reason).await
        }
        DomainEventKind::TrayChange { alias, reason } => Happening::tray_change(emitter, alias, *reason).await,
        DomainEventKind::PmWakeup => Happening::pm_wakeup_signal(emitter, 0).await,
        DomainEventKind::PmSuspend => Happening::pm_suspend(emitter, 0).await,
        DomainEventKind::PmSuspendDisk => Happening::pm_suspend_disk(emitter, 0).await,
        DomainEventKind::BalloonChange(actual) => Happening::balloon_change(emitter, *actual).await,
        DomainEventKind::DeviceRemoved(alias) => Happening::device_removed(emitter, alias).await,
        DomainEventKind::DeviceAdded(alias) => Happening::device_added(emitter, alias).await,
        DomainEventKind::DeviceRemovalFailed(alias) => Happening::device_removal_failed(emitter, alias).await,
        DomainEventKind::Tunable(it) => Happening::tunable(emitter, params::to_dict(it.clone())).await,
        DomainEventKind::AgentLifecycle { state, reason } => Happening::agent_event(emitter, *state, *reason).await,
        DomainEventKind::JobCompleted(it) => Happening::job_completed(emitter, params::to_dict(it.clone())).await,
        DomainEventKind::MetadataChange { kind, uri } => {
            Happening::metadata_change(emitter, *kind, uri.as_deref().unwrap_or_default()).await
        }
    }
}

async fn graphics(emitter: &SignalEmitter<'_>, it: &Graphics) -> zbus::Result<()> {
    let [local, remote] = [&it.local, &it.remote].map(|it| (it.family, it.node.clone(), it.service.clone()));
    Happening::graphics(emitter, it.phase, local, remote, &it.auth_scheme, it.subject.clone()).await
}
