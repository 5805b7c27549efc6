//! What QEMU reports, turned into changes of the view and into events of the API.
//!
//! Names and members are QEMU 10.0's (`qapi/*.json`). An event that is not listed here is none of the API's; it still
//! reaches those who watch the monitor itself.

use std::sync::Arc;

use virtbus_api::{
    DomainEventKind, MonitorEvent,
    event::{Graphics, GraphicsAddress, IoErrorAction, Lifecycle},
    hypervisor::State,
};
use virtbus_qmp::events::{
    BlockIoError, Endpoint, Event, Kind, Shutdown, SpiceConnection, SpiceEndpoint, VncConnection,
};
use virtbus_schema::domain::{
    Domain, LifecycleAction,
    device::chardev::{ChannelState, ChannelTarget},
};

use super::{Owner, stopping::Why};

/// The channel a guest agent is found by.
const AGENT: &str = "org.qemu.guest_agent.0";

impl Owner {
    pub(super) fn on_event(&mut self, event: &Event) {
        tracing::debug!(domain = %self.view.name, event = event.name, "QEMU reports");
        match &event.kind {
            Kind::Stop => self.on_stop(),
            Kind::Resume => self.on_resume(),
            Kind::Shutdown(shutdown) => self.on_shutdown(shutdown),
            Kind::Reset(_) => self.emit(DomainEventKind::Reboot),
            Kind::Suspend => self.on_sleep(false),
            Kind::SuspendDisk => self.on_sleep(true),
            Kind::Wakeup => self.on_wakeup(),
            Kind::GuestPanicked(panic) => self.on_panic(&panic.action),
            Kind::RtcChange(change) => self.emit(DomainEventKind::RtcChange(change.offset)),
            Kind::Watchdog(watchdog) => self.on_watchdog(&watchdog.action),
            Kind::BlockIoError(error) => self.on_io_error(error),
            Kind::VncConnected(it) => self.on_vnc(it, 0),
            Kind::VncInitialized(it) => self.on_vnc(it, 1),
            Kind::VncDisconnected(it) => self.on_vnc(it, 2),
            Kind::SpiceConnected(it) => self.on_spice(it, 0),
            Kind::SpiceInitialized(it) => self.on_spice(it, 1),
            Kind::SpiceDisconnected(it) => self.on_spice(it, 2),
            Kind::DeviceDeleted(it) => {
                // A part of a device comes without an id.
                if let Some(alias) = &it.device {
                    self.emit(DomainEventKind::DeviceRemoved(alias.clone()));
                }
            }
            Kind::DeviceUnplugGuestError(it) => {
                if let Some(alias) = &it.device {
                    self.emit(DomainEventKind::DeviceRemovalFailed(alias.clone()));
                }
            }
            Kind::DeviceTrayMoved(it) => {
                let reason = i32::from(!it.tray_open);
                self.emit(DomainEventKind::TrayChange { alias: it.id.clone(), reason });
            }
            Kind::BalloonChange(it) => {
                let kib = it.actual / 1024;
                if let Some(live) = &mut self.view.live {
                    live.balloon_kib = Some(kib);
                }
                self.emit(DomainEventKind::BalloonChange(kib));
            }
            Kind::VserportChange(it) => self.on_port(&it.id, it.open),
            // Of jobs, migrations and parts of devices that are not served yet; `_` because QEMU may say anything.
            _ => {}
        }
        self.pass_on(event);
    }

    /// To those who watch monitors.
    fn pass_on(&self, event: &Event) {
        if self.shared.monitor_events.receiver_count() == 0 {
            return;
        }
        let _ = self.shared.monitor_events.send(Arc::new(MonitorEvent {
            domain: self.view.domain_ref(),
            name: event.name.clone(),
            timestamp: (event.timestamp.seconds, u32::try_from(event.timestamp.microseconds).unwrap_or(0)),
            details: event.data.as_deref().map(|it| it.get().to_owned()),
        }));
    }

    fn on_stop(&mut self) {
        if !self.view.state.is_running() {
            return;
        }
        let why = self.guest.as_mut().and_then(|it| it.pausing.take());
        let (state, detail) = why.unwrap_or((State::PausedUnknown, Lifecycle::SuspendedPaused));
        self.set_state(state);
        self.emit_lifecycle(detail);
    }

    fn on_resume(&mut self) {
        if !self.view.state.is_paused() {
            return;
        }
        let starting = self.start_reply.is_some();
        self.set_state(if starting { State::RunningBooted } else { State::RunningUnpaused });
        self.emit_lifecycle(Lifecycle::ResumedUnpaused);
    }

    fn on_shutdown(&mut self, shutdown: &Shutdown) {
        if shutdown.reason == "guest-panic" && self.view.state == State::CrashedPanicked {
            return;
        }
        let rebooting = self.guest.as_mut().is_some_and(|it| std::mem::take(&mut it.rebooting));
        if rebooting && self.stopping.is_none() {
            return self.finish_reboot();
        }
        self.set_state(State::ShutdownUnknown);
        self.emit_lifecycle(if shutdown.guest { Lifecycle::ShutdownGuest } else { Lifecycle::ShutdownHost });
        if self.stopping.is_none() {
            let reset = shutdown.reason == "guest-reset";
            self.afterwards(|it| if reset { it.on_reboot } else { it.on_poweroff }, Why::Shutdown);
        }
    }

    /// Does what the document wants of a guest that has come to an end of its own.
    fn afterwards(&mut self, action: impl FnOnce(&Domain) -> LifecycleAction, why: Why) {
        let action = self.view.live.as_ref().map_or(LifecycleAction::Destroy, |it| action(&it.document));
        match action {
            LifecycleAction::Destroy | LifecycleAction::CoredumpDestroy => self.stop_guest(why, true),
            LifecycleAction::Restart | LifecycleAction::RenameRestart | LifecycleAction::CoredumpRestart => {
                self.finish_reboot();
            }
            LifecycleAction::Preserve => {}
        }
    }

    fn on_sleep(&mut self, disk: bool) {
        self.set_state(State::PmSuspended);
        self.emit_lifecycle(if disk { Lifecycle::PmSuspendedDisk } else { Lifecycle::PmSuspendedMemory });
        self.emit(if disk { DomainEventKind::PmSuspendDisk } else { DomainEventKind::PmSuspend });
    }

    fn on_wakeup(&mut self) {
        if self.view.state == State::PmSuspended {
            self.set_state(State::RunningWakeup);
            self.emit_lifecycle(Lifecycle::StartedWakeup);
        }
        self.emit(DomainEventKind::PmWakeup);
    }

    fn on_panic(&mut self, action: &str) {
        tracing::warn!(domain = %self.view.name, action, "the guest's kernel panicked");
        self.set_state(State::CrashedPanicked);
        self.emit_lifecycle(Lifecycle::CrashedPanicked);
        self.afterwards(|it| it.on_crash, Why::Crashed);
    }

    fn on_watchdog(&mut self, action: &str) {
        // virDomainEventWatchdogAction.
        let number = match action {
            "pause" => 1,
            "reset" => 2,
            "poweroff" => 3,
            "shutdown" => 4,
            "debug" => 5,
            "inject-nmi" => 6,
            _ => 0,
        };
        if number == 1
            && let Some(guest) = &mut self.guest
        {
            guest.pausing = Some((State::PausedWatchdog, Lifecycle::SuspendedWatchdog));
        }
        self.emit(DomainEventKind::Watchdog(number));
    }

    fn on_io_error(&mut self, error: &BlockIoError) {
        let action = match error.action.as_str() {
            "stop" => IoErrorAction::Pause,
            "report" => IoErrorAction::Report,
            _ => IoErrorAction::None,
        };
        if action == IoErrorAction::Pause
            && let Some(guest) = &mut self.guest
        {
            guest.pausing = Some((State::PausedIoError, Lifecycle::SuspendedIoError));
        }
        // "/machine/peripheral/virtio-disk0/virtio-backend" names the device; older QEMU the drive.
        let from_path = error.qom_path.as_deref().and_then(|it| it.split('/').nth(3)).filter(|it| !it.is_empty());
        let alias = from_path.unwrap_or_else(|| error.device.trim_start_matches("drive-")).to_owned();
        let path = self.view.live.as_ref().and_then(|it| image_of(&it.document, &alias)).unwrap_or_default();
        let reason = if error.nospace { "enospc" } else { "" };
        self.emit(DomainEventKind::IoError { path, alias, action, reason: reason.to_owned() });
    }

    fn on_vnc(&mut self, it: &VncConnection, phase: i32) {
        let end = |it: &Endpoint| address(&it.family, &it.host, &it.service);
        let mut subject = Vec::new();
        subject.extend(it.client.x509_dname.clone().map(|name| ("x509dname".to_owned(), name)));
        subject.extend(it.client.sasl_username.clone().map(|name| ("saslUsername".to_owned(), name)));
        self.emit(DomainEventKind::Graphics(Box::new(Graphics {
            phase,
            local: end(&it.server),
            remote: end(&it.client),
            auth_scheme: it.server.auth.clone().unwrap_or_default(),
            subject,
        })));
    }

    fn on_spice(&mut self, it: &SpiceConnection, phase: i32) {
        let end = |it: &SpiceEndpoint| address(&it.family, &it.host, &it.port);
        self.emit(DomainEventKind::Graphics(Box::new(Graphics {
            phase,
            local: end(&it.server),
            remote: end(&it.client),
            auth_scheme: it.server.auth.clone().unwrap_or_default(),
            subject: Vec::new(),
        })));
    }

    /// A port of a virtio console was opened or closed in the guest.
    fn on_port(&mut self, alias: &str, open: bool) {
        let Some(live) = &mut self.view.live else { return };
        let is_agent = agent_alias(&live.document) == Some(alias);
        set_channel_state(Arc::make_mut(&mut live.document), alias, open);
        self.changed = true;
        if is_agent {
            // virConnectDomainEventAgentLifecycle: 1 connected, 2 disconnected, because of the channel.
            self.emit(DomainEventKind::AgentLifecycle { state: if open { 1 } else { 2 }, reason: 2 });
        }
    }

    /// The monitor's connection has ended. As a rule the process follows at once.
    pub(super) fn on_monitor_lost(&mut self) {
        let Some(guest) = &mut self.guest else { return };
        guest.events = None;
        if !guest.process.is_alive() {
            return;
        }
        if let Some(live) = &mut self.view.live {
            live.monitor_lost = true;
        }
        if self.stopping.is_none() {
            self.emit(DomainEventKind::ControlError);
        }
    }
}

fn address(family: &str, host: &str, service: &str) -> GraphicsAddress {
    // virDomainEventGraphicsAddressType.
    let family = match family {
        "ipv6" => 1,
        "unix" => 2,
        _ => 0,
    };
    let service = if family == 2 { String::new() } else { service.to_owned() };
    GraphicsAddress { family, node: host.to_owned(), service }
}

/// The alias of the guest agent's channel, where a document has one.
pub(super) fn agent_alias(document: &Domain) -> Option<&str> {
    let agent = document
        .devices
        .channels
        .iter()
        .find(|it| matches!(&it.target, ChannelTarget::Virtio { name: Some(name), .. } if name == AGENT))?;
    Some(agent.info.alias.as_ref().map_or("", |it| it.name.as_str()))
}

/// Notes whether the guest has the port of a channel open.
fn set_channel_state(document: &mut Domain, alias: &str, open: bool) {
    let named =
        |it: &&mut virtbus_schema::domain::device::Channel| it.info.alias.as_ref().is_some_and(|it| it.name == alias);
    if let Some(channel) = document.devices.channels.iter_mut().find(named)
        && let ChannelTarget::Virtio { state, .. } = &mut channel.target
    {
        *state = Some(if open { ChannelState::Connected } else { ChannelState::Disconnected });
    }
}

/// The image of the disk with this alias.
fn image_of(document: &Domain, alias: &str) -> Option<String> {
    let disk = document.devices.disks.iter().find(|it| it.info.alias.as_ref().is_some_and(|it| it.name == alias))?;
    let source = disk.source.as_ref()?;
    source.file.clone().or_else(|| source.dev.clone())
}
