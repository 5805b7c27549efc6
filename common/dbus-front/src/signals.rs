//! The engine's events as D-Bus signals, and the properties that change with them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use uuid::Uuid;
use virtbus_api::{
    DomainEvent, DomainEventKind, MonitorEvent,
    event::{Graphics, Lifecycle},
    flags::ListFilter,
};
use zbus::{Connection, object_server::SignalEmitter};

use crate::{connect::Connect, dispatch::Dispatch, domain::Domain, front::Cx, params, paths, standard};

/// Sends signals, and knows which objects have been announced.
#[derive(Debug)]
pub(crate) struct Signals {
    connection: Connection,
    cx: Arc<Cx>,
    announced: HashSet<Uuid>,
}

impl Signals {
    pub(crate) fn new(connection: Connection, cx: Arc<Cx>) -> Self {
        let announced = cx.driver.list(ListFilter::empty()).iter().map(|it| it.uuid).collect();
        Self { connection, cx, announced }
    }

    /// Sends what a domain's event means: the object's coming and going, changed properties, the signal itself.
    pub(crate) async fn domain(&mut self, dispatch: &Dispatch, event: &DomainEvent) -> zbus::Result<()> {
        match &event.kind {
            DomainEventKind::Lifecycle(it) => self.lifecycle(dispatch, event, *it).await,
            other => happening(&SignalEmitter::new(&self.connection, paths::domain(event.domain.uuid))?, other).await,
        }
    }

    /// Sends an event of a domain's monitor.
    pub(crate) async fn monitor(&self, event: &MonitorEvent) -> zbus::Result<()> {
        let emitter = SignalEmitter::new(&self.connection, paths::domain(event.domain.uuid))?;
        let (seconds, micros) = event.timestamp;
        let details = event.details.as_deref().unwrap_or_default();
        Domain::monitor_event(&emitter, &event.name, seconds, micros, details).await
    }

    /// A change of a domain's life; its object comes before the signal and goes after it.
    async fn lifecycle(&mut self, dispatch: &Dispatch, event: &DomainEvent, it: Lifecycle) -> zbus::Result<()> {
        let uuid = event.domain.uuid;
        let path = paths::domain(uuid);
        let root = SignalEmitter::new(&self.connection, paths::ROOT)?;
        let exists = |cx: &Cx| cx.driver.lookup_by_uuid(uuid).is_ok();
        if exists(&self.cx) {
            if self.announced.insert(uuid) {
                let interfaces = HashMap::from([("org.libvirt.Domain", dispatch.properties(uuid).await?)]);
                root.emit(standard::OBJECT_MANAGER, "InterfacesAdded", &(&path, interfaces)).await?;
            }
            changed(&self.cx, event, &SignalEmitter::new(&self.connection, &path)?).await?;
        }
        Connect::domain_event(&root, path.as_ref(), it.number(), it.detail()).await?;
        if !exists(&self.cx) && self.announced.remove(&uuid) {
            root.emit(standard::OBJECT_MANAGER, "InterfacesRemoved", &(&path, ["org.libvirt.Domain"].as_slice()))
                .await?;
        }
        Ok(())
    }
}

/// Sends the signal of an event that is not a change of life.
async fn happening(emitter: &SignalEmitter<'_>, kind: &DomainEventKind) -> zbus::Result<()> {
    match kind {
        // Sent by the caller, with what it means for the object.
        DomainEventKind::Lifecycle(_) => Ok(()),
        DomainEventKind::Reboot => Domain::rebooted(emitter).await,
        DomainEventKind::RtcChange(offset) => Domain::rtc_change(emitter, *offset).await,
        DomainEventKind::Watchdog(action) => Domain::watchdog(emitter, *action).await,
        DomainEventKind::IoError { path, alias, action, reason } => {
            Domain::io_error(emitter, path, alias, *action as i32, reason).await
        }
        DomainEventKind::Graphics(it) => graphics(emitter, it).await,
        DomainEventKind::ControlError => Domain::control_error(emitter).await,
        DomainEventKind::DiskChange { old, new, alias, reason } => {
            let [old, new] = [old, new].map(|it| it.as_deref().unwrap_or_default());
            Domain::disk_change(emitter, old, new, alias, *reason).await
        }
        DomainEventKind::TrayChange { alias, reason } => Domain::tray_change(emitter, alias, *reason).await,
        DomainEventKind::PmWakeup => Domain::pm_wakeup_signal(emitter, 0).await,
        DomainEventKind::PmSuspend => Domain::pm_suspend(emitter, 0).await,
        DomainEventKind::PmSuspendDisk => Domain::pm_suspend_disk(emitter, 0).await,
        DomainEventKind::BalloonChange(actual) => Domain::balloon_change(emitter, *actual).await,
        DomainEventKind::DeviceRemoved(alias) => Domain::device_removed(emitter, alias).await,
        DomainEventKind::DeviceAdded(alias) => Domain::device_added(emitter, alias).await,
        DomainEventKind::DeviceRemovalFailed(alias) => Domain::device_removal_failed(emitter, alias).await,
        DomainEventKind::Tunable(it) => Domain::tunable(emitter, params::to_dict(it.clone())).await,
        DomainEventKind::AgentLifecycle { state, reason } => Domain::agent_event(emitter, *state, *reason).await,
        DomainEventKind::JobCompleted(it) => Domain::job_completed(emitter, params::to_dict(it.clone())).await,
        DomainEventKind::MetadataChange { kind, uri } => {
            Domain::metadata_change(emitter, *kind, uri.as_deref().unwrap_or_default()).await
        }
    }
}

/// Sends `PropertiesChanged` for what a lifecycle event may have changed.
async fn changed(cx: &Cx, event: &DomainEvent, emitter: &SignalEmitter<'_>) -> zbus::Result<()> {
    use zbus::Variant;

    let (driver, domain) = (&cx.driver, &event.domain);
    // A domain that goes meanwhile has no properties to tell of; its removal follows.
    let (Ok(now), Ok(state), Ok(persistent), Ok(updated)) = (
        driver.lookup_by_uuid(domain.uuid),
        driver.state(domain),
        driver.is_persistent(domain),
        driver.is_updated(domain),
    ) else {
        return Ok(());
    };
    let values = [
        ("Active", Variant::from(state.is_active())),
        ("Id", Variant::from(now.id.unwrap_or(0))),
        ("Name", Variant::from(now.name)),
        ("Persistent", Variant::from(persistent)),
        ("State", Variant::from((state.number(), state.detail()))),
        ("Updated", Variant::from(updated)),
    ]
    .into_iter()
    .collect::<std::collections::HashMap<_, _>>();
    let none: &[&str] = &[];
    emitter.emit(standard::PROPERTIES, "PropertiesChanged", &("org.libvirt.Domain", values, none)).await
}

async fn graphics(emitter: &SignalEmitter<'_>, it: &Graphics) -> zbus::Result<()> {
    let [local, remote] = [&it.local, &it.remote].map(|it| (it.family, it.node.clone(), it.service.clone()));
    Domain::graphics(emitter, it.phase, local, remote, &it.auth_scheme, it.subject.clone()).await
}
