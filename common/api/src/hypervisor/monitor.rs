//! The QEMU monitor of a domain, for those who ask for it.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast;

use crate::{error::Result, event::MonitorEvent, refs::DomainRef};

/// Raw access to QEMU. Using it taints the domain ("custom-monitor").
#[async_trait]
pub trait Monitor: Send + Sync {
    /// Runs a QMP command given as JSON text, or a human one with `hmp`; the answer is QEMU's whole reply (JSON) or
    /// its text.
    async fn monitor_command(&self, domain: &DomainRef, command: &str, hmp: bool) -> Result<String>;

    /// Every event of every monitor from now on.
    fn monitor_events(&self) -> broadcast::Receiver<Arc<MonitorEvent>>;
}
