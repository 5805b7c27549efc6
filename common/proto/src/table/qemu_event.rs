//! The event of the program that only QEMU has.

use crate::record::events;
use crate::types::Domain;

events! { Qemu:
    6 DOMAIN_MONITOR_EVENT _ Qemu Low
        => QemuDomainMonitorEvent {
            callback_id: i32,
            dom: Domain,
            event: String,
            seconds: i64,
            micros: u32,
            details: Option<String>,
        };
}
