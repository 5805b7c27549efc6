//! `org.libvirt.Domain`: the signals. When they are sent is known to `signals`.

use std::collections::HashMap;

use zbus::{OwnedVariant, object_server::SignalEmitter};

/// This part of the interface.
pub(crate) struct Happening;

#[zbus::interface(name = "org.libvirt.Domain")]
impl Happening {
    #[zbus(signal)]
    pub(crate) async fn agent_event(emitter: &SignalEmitter<'_>, state: i32, reason: i32) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn balloon_change(emitter: &SignalEmitter<'_>, actual: u64) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn control_error(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn device_added(emitter: &SignalEmitter<'_>, device: &str) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn device_removal_failed(emitter: &SignalEmitter<'_>, device: &str) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn device_removed(emitter: &SignalEmitter<'_>, device: &str) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn disk_change(
        emitter: &SignalEmitter<'_>,
        old: &str,
        new: &str,
        device: &str,
        reason: i32,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn graphics(
        emitter: &SignalEmitter<'_>,
        phase: i32,
        local: (i32, String, String),
        remote: (i32, String, String),
        auth_scheme: &str,
        identities: Vec<(String, String)>,
    ) -> zbus::Result<()>;

    #[zbus(signal, name = "IOError")]
    pub(crate) async fn io_error(
        emitter: &SignalEmitter<'_>,
        path: &str,
        device: &str,
        action: i32,
        reason: &str,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn job_completed(
        emitter: &SignalEmitter<'_>,
        params: HashMap<String, OwnedVariant>,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn metadata_change(emitter: &SignalEmitter<'_>, r#type: i32, nsuri: &str) -> zbus::Result<()>;

    /// An event of QEMU's monitor: its name, seconds, microseconds, and its data as JSON.
    #[zbus(signal)]
    pub(crate) async fn monitor_event(
        emitter: &SignalEmitter<'_>,
        event: &str,
        seconds: i64,
        micros: u32,
        details: &str,
    ) -> zbus::Result<()>;

    #[zbus(signal, name = "PMSuspend")]
    pub(crate) async fn pm_suspend(emitter: &SignalEmitter<'_>, reason: i32) -> zbus::Result<()>;

    #[zbus(signal, name = "PMSuspendDisk")]
    pub(crate) async fn pm_suspend_disk(emitter: &SignalEmitter<'_>, reason: i32) -> zbus::Result<()>;

    #[zbus(signal, name = "PMWakeup")]
    pub(crate) async fn pm_wakeup_signal(emitter: &SignalEmitter<'_>, reason: i32) -> zbus::Result<()>;

    #[zbus(signal, name = "Reboot")]
    pub(crate) async fn rebooted(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;

    #[zbus(signal, name = "RTCChange")]
    pub(crate) async fn rtc_change(emitter: &SignalEmitter<'_>, utcoffset: i64) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn tray_change(emitter: &SignalEmitter<'_>, device: &str, reason: i32) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn tunable(emitter: &SignalEmitter<'_>, params: HashMap<String, OwnedVariant>)
    -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn watchdog(emitter: &SignalEmitter<'_>, action: i32) -> zbus::Result<()>;
}
