//! Events of the public API. Those named `CALLBACK`, and all later ones, carry the id that registering returned.

use crate::record::events;
use crate::types::{
    Domain, DomainEventGraphicsAddress, DomainEventGraphicsIdentity, Network, NodeDevice, Secret, StoragePool,
    TypedParam,
};

events! { Remote:
    107 DOMAIN_EVENT_LIFECYCLE _ Qemu Low
        => DomainEventLifecycle { dom: Domain, event: i32, detail: i32 };
    169 DOMAIN_EVENT_REBOOT _ Qemu Low
        => DomainEventReboot { dom: Domain };
    170 DOMAIN_EVENT_RTC_CHANGE _ Qemu Low
        => DomainEventRtcChange { dom: Domain, offset: i64 };
    171 DOMAIN_EVENT_WATCHDOG _ Qemu Low
        => DomainEventWatchdog { dom: Domain, action: i32 };
    172 DOMAIN_EVENT_IO_ERROR _ Qemu Low
        => DomainEventIoError { dom: Domain, src_path: String, dev_alias: String, action: i32 };
    173 DOMAIN_EVENT_GRAPHICS _ Qemu Low
        => DomainEventGraphics {
            dom: Domain,
            phase: i32,
            local: DomainEventGraphicsAddress,
            remote: DomainEventGraphicsAddress,
            auth_scheme: String,
            subject: Vec<DomainEventGraphicsIdentity>[20],
        };
    195 DOMAIN_EVENT_IO_ERROR_REASON _ Qemu Low
        => DomainEventIoErrorReason { dom: Domain, src_path: String, dev_alias: String, action: i32, reason: String };
    224 DOMAIN_EVENT_CONTROL_ERROR _ Qemu Low
        => DomainEventControlError { dom: Domain };
    241 DOMAIN_EVENT_BLOCK_JOB _ Qemu Low
        => DomainEventBlockJob { dom: Domain, path: String, r#type: i32, status: i32 };
    248 DOMAIN_EVENT_DISK_CHANGE _ Qemu Low
        => DomainEventDiskChange {
            dom: Domain,
            old_src_path: Option<String>,
            new_src_path: Option<String>,
            dev_alias: String,
            reason: i32,
        };
    268 DOMAIN_EVENT_TRAY_CHANGE _ Qemu Low
        => DomainEventTrayChange { dom: Domain, dev_alias: String, reason: i32 };
    269 DOMAIN_EVENT_PMWAKEUP _ Qemu Low
        => DomainEventPmwakeup { dom: Domain };
    270 DOMAIN_EVENT_PMSUSPEND _ Qemu Low
        => DomainEventPmsuspend { dom: Domain };
    276 DOMAIN_EVENT_BALLOON_CHANGE _ Qemu Low
        => DomainEventBalloonChange { dom: Domain, actual: u64 };
    292 DOMAIN_EVENT_PMSUSPEND_DISK _ Qemu Low
        => DomainEventPmsuspendDisk { dom: Domain };
    311 DOMAIN_EVENT_DEVICE_REMOVED _ Qemu Low
        => DomainEventDeviceRemoved { dom: Domain, dev_alias: String };
    315 NETWORK_EVENT_LIFECYCLE _ Network Low
        => NetworkEventLifecycle { callback_id: i32, net: Network, event: i32, detail: i32 };
    318 DOMAIN_EVENT_CALLBACK_LIFECYCLE _ Qemu Low
        => DomainEventCallbackLifecycle { callback_id: i32, msg: DomainEventLifecycle };
    319 DOMAIN_EVENT_CALLBACK_REBOOT _ Qemu Low
        => DomainEventCallbackReboot { callback_id: i32, msg: DomainEventReboot };
    320 DOMAIN_EVENT_CALLBACK_RTC_CHANGE _ Qemu Low
        => DomainEventCallbackRtcChange { callback_id: i32, msg: DomainEventRtcChange };
    321 DOMAIN_EVENT_CALLBACK_WATCHDOG _ Qemu Low
        => DomainEventCallbackWatchdog { callback_id: i32, msg: DomainEventWatchdog };
    322 DOMAIN_EVENT_CALLBACK_IO_ERROR _ Qemu Low
        => DomainEventCallbackIoError { callback_id: i32, msg: DomainEventIoError };
    323 DOMAIN_EVENT_CALLBACK_GRAPHICS _ Qemu Low
        => DomainEventCallbackGraphics { callback_id: i32, msg: DomainEventGraphics };
    324 DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON _ Qemu Low
        => DomainEventCallbackIoErrorReason { callback_id: i32, msg: DomainEventIoErrorReason };
    325 DOMAIN_EVENT_CALLBACK_CONTROL_ERROR _ Qemu Low
        => DomainEventCallbackControlError { callback_id: i32, msg: DomainEventControlError };
    326 DOMAIN_EVENT_CALLBACK_BLOCK_JOB _ Qemu Low
        => DomainEventCallbackBlockJob { callback_id: i32, msg: DomainEventBlockJob };
    327 DOMAIN_EVENT_CALLBACK_DISK_CHANGE _ Qemu Low
        => DomainEventCallbackDiskChange { callback_id: i32, msg: DomainEventDiskChange };
    328 DOMAIN_EVENT_CALLBACK_TRAY_CHANGE _ Qemu Low
        => DomainEventCallbackTrayChange { callback_id: i32, msg: DomainEventTrayChange };
    329 DOMAIN_EVENT_CALLBACK_PMWAKEUP _ Qemu Low
        => DomainEventCallbackPmwakeup { callback_id: i32, reason: i32, msg: DomainEventPmwakeup };
    330 DOMAIN_EVENT_CALLBACK_PMSUSPEND _ Qemu Low
        => DomainEventCallbackPmsuspend { callback_id: i32, reason: i32, msg: DomainEventPmsuspend };
    331 DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE _ Qemu Low
        => DomainEventCallbackBalloonChange { callback_id: i32, msg: DomainEventBalloonChange };
    332 DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK _ Qemu Low
        => DomainEventCallbackPmsuspendDisk { callback_id: i32, reason: i32, msg: DomainEventPmsuspendDisk };
    333 DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED _ Qemu Low
        => DomainEventCallbackDeviceRemoved { callback_id: i32, msg: DomainEventDeviceRemoved };
    339 DOMAIN_EVENT_BLOCK_JOB_2 _ Qemu Low
        => DomainEventBlockJob2 { callback_id: i32, dom: Domain, dst: String, r#type: i32, status: i32 };
    346 DOMAIN_EVENT_CALLBACK_TUNABLE _ Qemu Low
        => DomainEventCallbackTunable { callback_id: i32, dom: Domain, params: Vec<TypedParam>[2048] };
    348 DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE _ Qemu Low
        => DomainEventCallbackAgentLifecycle { callback_id: i32, dom: Domain, state: i32, reason: i32 };
    354 DOMAIN_EVENT_CALLBACK_DEVICE_ADDED _ Qemu Low
        => DomainEventCallbackDeviceAdded { callback_id: i32, dom: Domain, dev_alias: String };
    359 DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION _ Qemu Low
        => DomainEventCallbackMigrationIteration { callback_id: i32, dom: Domain, iteration: i32 };
    362 CONNECT_EVENT_CONNECTION_CLOSED _ Session Low
        => ConnectEventConnectionClosed { reason: i32 };
    363 DOMAIN_EVENT_CALLBACK_JOB_COMPLETED _ Qemu Low
        => DomainEventCallbackJobCompleted { callback_id: i32, dom: Domain, params: Vec<TypedParam>[64] };
    367 DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED _ Qemu Low
        => DomainEventCallbackDeviceRemovalFailed { callback_id: i32, dom: Domain, dev_alias: String };
    370 STORAGE_POOL_EVENT_LIFECYCLE _ Storage Low
        => StoragePoolEventLifecycle { callback_id: i32, pool: StoragePool, event: i32, detail: i32 };
    373 STORAGE_POOL_EVENT_REFRESH _ Storage Low
        => StoragePoolEventRefresh { callback_id: i32, pool: StoragePool };
    376 NODE_DEVICE_EVENT_LIFECYCLE _ Qemu Low
        => NodeDeviceEventLifecycle { callback_id: i32, dev: NodeDevice, event: i32, detail: i32 };
    377 NODE_DEVICE_EVENT_UPDATE _ Qemu Low
        => NodeDeviceEventUpdate { callback_id: i32, dev: NodeDevice };
    379 DOMAIN_EVENT_CALLBACK_METADATA_CHANGE _ Qemu Low
        => DomainEventCallbackMetadataChange { callback_id: i32, dom: Domain, r#type: i32, nsuri: Option<String> };
    382 SECRET_EVENT_LIFECYCLE _ Storage Low
        => SecretEventLifecycle { callback_id: i32, secret: Secret, event: i32, detail: i32 };
    383 SECRET_EVENT_VALUE_CHANGED _ Storage Low
        => SecretEventValueChanged { callback_id: i32, secret: Secret };
    385 DOMAIN_EVENT_BLOCK_THRESHOLD _ Qemu Low
        => DomainEventBlockThreshold {
            callback_id: i32,
            dom: Domain,
            dev: String,
            path: Option<String>,
            threshold: u64,
            excess: u64,
        };
    423 DOMAIN_EVENT_MEMORY_FAILURE _ Qemu Low
        => DomainEventMemoryFailure { callback_id: i32, dom: Domain, recipient: i32, action: i32, flags: u32 };
    438 DOMAIN_EVENT_MEMORY_DEVICE_SIZE_CHANGE _ Qemu Low
        => DomainEventMemoryDeviceSizeChange { callback_id: i32, dom: Domain, alias: String, size: u64 };
    446 NETWORK_EVENT_CALLBACK_METADATA_CHANGE "9.8.0" Network Low
        => NetworkEventCallbackMetadataChange { callback_id: i32, net: Network, r#type: i32, nsuri: Option<String> };
    453 DOMAIN_EVENT_NIC_MAC_CHANGE "11.2.0" Qemu Low
        => DomainEventNicMacChange { callback_id: i32, dom: Domain, alias: String, old_mac: String, new_mac: String };
}
