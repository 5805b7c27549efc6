//! QEMU's events as types.
//!
//! Each keeps its name, its time and its data as JSON text, for clients that ask for QEMU's own events. One that is not
//! known here, or not of the expected form, is [`Kind::Other`].

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::codec::{RawEvent, Timestamp};

/// An event.
#[derive(Debug, Clone)]
pub struct Event {
    /// Such as `SHUTDOWN`.
    pub name: String,
    /// When, by QEMU's clock.
    pub timestamp: Timestamp,
    /// Its data as JSON text; `None` where it has none.
    pub data: Option<Box<RawValue>>,
    /// What it says.
    pub kind: Kind,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident $(($payload:ident))? = $name:literal,)*) => {
        /// What an event says; fields as in QEMU's QAPI.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Kind {
            $(#[doc = concat!("`", $name, "`.")] $(#[$doc])* $variant $(($payload))?,)*
            /// Anything else.
            Other,
        }

        /// Reads `data` as the event `name` has it.
        fn kind(name: &str, data: &str) -> Result<Kind, serde_json::Error> {
            match name {
                $($name => Ok(Kind::$variant $((serde_json::from_str::<$payload>(data)?))?),)*
                _ => Ok(Kind::Other),
            }
        }
    };
}

kinds! {
    /// QEMU is about to end, or (with `-no-shutdown`) stays stopped.
    Shutdown(Shutdown) = "SHUTDOWN",
    /// The guest is held.
    Stop = "STOP",
    /// The guest runs (again).
    Resume = "RESUME",
    Reset(Reset) = "RESET",
    /// The power button was pressed by `system_powerdown`.
    Powerdown = "POWERDOWN",
    /// The guest suspended to RAM.
    Suspend = "SUSPEND",
    SuspendDisk = "SUSPEND_DISK",
    Wakeup = "WAKEUP",
    BlockIoError(BlockIoError) = "BLOCK_IO_ERROR",
    BlockJobCompleted(BlockJob) = "BLOCK_JOB_COMPLETED",
    BlockJobCancelled(BlockJob) = "BLOCK_JOB_CANCELLED",
    BlockJobReady(BlockJob) = "BLOCK_JOB_READY",
    BlockJobError(BlockJobError) = "BLOCK_JOB_ERROR",
    BlockJobPending(BlockJobPending) = "BLOCK_JOB_PENDING",
    BlockWriteThreshold(BlockWriteThreshold) = "BLOCK_WRITE_THRESHOLD",
    JobStatusChange(JobStatus) = "JOB_STATUS_CHANGE",
    DeviceDeleted(DevicePath) = "DEVICE_DELETED",
    DeviceUnplugGuestError(DevicePath) = "DEVICE_UNPLUG_GUEST_ERROR",
    /// The guest refused to let go of memory.
    MemUnplugError(MemUnplugError) = "MEM_UNPLUG_ERROR",
    DeviceTrayMoved(TrayMoved) = "DEVICE_TRAY_MOVED",
    VncConnected(VncConnection) = "VNC_CONNECTED",
    VncInitialized(VncConnection) = "VNC_INITIALIZED",
    VncDisconnected(VncConnection) = "VNC_DISCONNECTED",
    SpiceConnected(SpiceConnection) = "SPICE_CONNECTED",
    SpiceInitialized(SpiceConnection) = "SPICE_INITIALIZED",
    SpiceDisconnected(SpiceConnection) = "SPICE_DISCONNECTED",
    SpiceMigrateCompleted = "SPICE_MIGRATE_COMPLETED",
    Watchdog(Watchdog) = "WATCHDOG",
    /// Seconds between the guest's clock and the host's.
    RtcChange(RtcChange) = "RTC_CHANGE",
    BalloonChange(BalloonChange) = "BALLOON_CHANGE",
    GuestPanicked(GuestPanicked) = "GUEST_PANICKED",
    GuestCrashloaded(GuestPanicked) = "GUEST_CRASHLOADED",
    VserportChange(PortChange) = "VSERPORT_CHANGE",
    NicRxFilterChanged(NicRxFilter) = "NIC_RX_FILTER_CHANGED",
    Migration(Migration) = "MIGRATION",
    MigrationPass(MigrationPass) = "MIGRATION_PASS",
    MemoryDeviceSizeChange(MemoryDeviceSize) = "MEMORY_DEVICE_SIZE_CHANGE",
    MemoryFailure(MemoryFailure) = "MEMORY_FAILURE",
    PrManagerStatusChanged(PrManagerStatus) = "PR_MANAGER_STATUS_CHANGED",
    DumpCompleted(DumpCompleted) = "DUMP_COMPLETED",
    NetdevStreamConnected(NetdevStream) = "NETDEV_STREAM_CONNECTED",
    NetdevStreamDisconnected(NetdevStream) = "NETDEV_STREAM_DISCONNECTED",
}

impl Event {
    /// Reads the data of `raw`.
    pub fn new(raw: RawEvent) -> Self {
        let RawEvent { name, timestamp, data } = raw;
        let kind = kind(&name, data.as_deref().map_or("{}", RawValue::get)).unwrap_or_else(|error| {
            tracing::warn!("event {name} is not of the expected form: {error}");
            Kind::Other
        });
        Self { name, timestamp, data, kind }
    }

    /// Its data as JSON text, empty where it has none.
    pub fn data_text(&self) -> &str {
        self.data.as_deref().map(RawValue::get).unwrap_or_default()
    }
}

macro_rules! payloads {
    ($($(#[$doc:meta])* $type:ident { $($(#[$field_doc:meta])* $field:ident : $of:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Deserialize)]
            #[serde(rename_all = "kebab-case")]
            pub struct $type { $($(#[$field_doc])* pub $field: $of,)* }
        )*
    };
}

payloads! {
    /// Data of SHUTDOWN.
    Shutdown {
        /// Whether the guest caused it.
        guest: bool,
        /// `host-signal`, `host-qmp-quit`, `guest-shutdown`, `guest-reset`, `guest-panic`, ...
        #[serde(default)]
        reason: String,
    }
    /// Data of RESET.
    Reset {
        /// Whether the guest caused it.
        guest: bool,
        /// As for [`Shutdown`].
        #[serde(default)]
        reason: String,
    }
    /// Data of BLOCK_IO_ERROR.
    BlockIoError {
        /// Name of a legacy drive; empty for nodes.
        #[serde(default)]
        device: String,
        /// Object path or id of the device.
        #[serde(rename = "qom-path")]
        qom_path: Option<String>,
        /// The node.
        node_name: Option<String>,
        /// `read` or `write`.
        operation: String,
        /// `ignore`, `report`, `stop`.
        action: String,
        /// Whether space ran out.
        #[serde(default)]
        nospace: bool,
        /// Why, for humans.
        #[serde(default)]
        reason: String,
    }
    /// Data of BLOCK_JOB_COMPLETED, _CANCELLED and _READY.
    BlockJob {
        /// `mirror`, `backup`, `stream`, `commit`.
        #[serde(rename = "type")]
        kind: String,
        /// The job's id.
        device: String,
        /// Bytes to do.
        len: i64,
        /// Bytes done.
        offset: i64,
        /// Bytes a second, 0 for no limit.
        speed: i64,
        /// Why it failed.
        error: Option<String>,
    }
    /// Data of BLOCK_JOB_ERROR.
    BlockJobError {
        /// The job's id.
        device: String,
        /// `read` or `write`.
        operation: String,
        /// `ignore`, `report`, `stop`.
        action: String,
    }
    /// Data of BLOCK_JOB_PENDING.
    BlockJobPending {
        /// As for [`BlockJob`].
        #[serde(rename = "type")]
        kind: String,
        /// The job.
        id: String,
    }
    /// Data of BLOCK_WRITE_THRESHOLD.
    BlockWriteThreshold {
        /// The node.
        node_name: String,
        /// Bytes beyond it.
        amount_exceeded: u64,
        /// The threshold in bytes.
        write_threshold: u64,
    }
    /// Data of JOB_STATUS_CHANGE.
    JobStatus {
        /// The job.
        id: String,
        /// `created`, `running`, `ready`, `pending`, `concluded`, `null`, ...
        status: String,
    }
    /// Data of DEVICE_DELETED and DEVICE_UNPLUG_GUEST_ERROR.
    DevicePath {
        /// Its id, if it has one; the event comes for parts without one too.
        device: Option<String>,
        /// Its place in the object tree.
        path: String,
    }
    /// Data of MEM_UNPLUG_ERROR.
    MemUnplugError {
        /// The device.
        device: String,
        /// Why.
        msg: String,
    }
    /// Data of DEVICE_TRAY_MOVED.
    TrayMoved {
        /// Name of a legacy drive.
        #[serde(default)]
        device: String,
        /// Device id.
        id: String,
        /// Whether it is open now.
        tray_open: bool,
    }
    /// Data of VNC_CONNECTED, _INITIALIZED and _DISCONNECTED.
    VncConnection {
        /// The server's end.
        server: Endpoint,
        /// The client's end.
        client: Endpoint,
    }
    /// Data of SPICE_CONNECTED, _INITIALIZED and _DISCONNECTED.
    SpiceConnection {
        /// The server's end.
        server: SpiceEndpoint,
        /// The client's end.
        client: SpiceEndpoint,
    }
    /// One end of a VNC connection.
    Endpoint {
        /// Address.
        host: String,
        /// Port.
        service: String,
        /// `ipv4`, `ipv6`, `unix`.
        family: String,
        /// Of the server: how clients authenticate.
        auth: Option<String>,
        /// Of the client: name in its certificate.
        #[serde(rename = "x509_dname")]
        x509_dname: Option<String>,
        /// Of the client: its SASL name.
        #[serde(rename = "sasl_username")]
        sasl_username: Option<String>,
    }
    /// One end of a SPICE connection.
    SpiceEndpoint {
        /// Address.
        host: String,
        /// Port.
        port: String,
        /// `ipv4`, `ipv6`, `unix`.
        family: String,
        /// Of the server: how clients authenticate.
        auth: Option<String>,
    }
    /// Data of WATCHDOG.
    Watchdog {
        /// What QEMU does: `reset`, `pause`, ...
        action: String,
    }
    /// Data of RTC_CHANGE.
    RtcChange {
        /// Seconds.
        offset: i64,
    }
    /// Data of BALLOON_CHANGE.
    BalloonChange {
        /// Bytes the guest has now.
        actual: u64,
    }
    /// Data of GUEST_PANICKED and GUEST_CRASHLOADED.
    GuestPanicked {
        /// `pause`, `poweroff`, `run`.
        action: String,
        /// What the guest said, by kind of guest.
        info: Option<serde_json::Value>,
    }
    /// Data of VSERPORT_CHANGE.
    PortChange {
        /// The port's device id.
        id: String,
        /// Whether the guest has it open.
        open: bool,
    }
    /// Data of NIC_RX_FILTER_CHANGED.
    NicRxFilter {
        /// The device.
        name: Option<String>,
        /// Its place in the object tree.
        path: String,
    }
    /// Data of MIGRATION.
    Migration {
        /// `setup`, `active`, `completed`, ...
        status: String,
    }
    /// Data of MIGRATION_PASS.
    MigrationPass {
        /// Which pass over memory begins.
        pass: i64,
    }
    /// Data of MEMORY_DEVICE_SIZE_CHANGE.
    MemoryDeviceSize {
        /// The device.
        id: Option<String>,
        /// Bytes now.
        size: u64,
        /// Its place in the object tree.
        qom_path: String,
    }
    /// Data of MEMORY_FAILURE.
    MemoryFailure {
        /// `hypervisor` or `guest`.
        recipient: String,
        /// `ignore`, `inject`, `fatal`, `reset`.
        action: String,
        /// Flags of the failure.
        flags: serde_json::Value,
    }
    /// Data of PR_MANAGER_STATUS_CHANGED.
    PrManagerStatus {
        /// The object.
        id: String,
        /// Whether its helper is connected.
        connected: bool,
    }
    /// Data of DUMP_COMPLETED.
    DumpCompleted {
        /// Why it failed.
        error: Option<String>,
    }
    /// Data of NETDEV_STREAM_CONNECTED and _DISCONNECTED.
    NetdevStream {
        /// The back-end.
        netdev_id: String,
    }
}

#[cfg(test)]
mod tests;
