//! What a domain is busy with: always answered, from the view.

use async_trait::async_trait;
use virtbus_api::{
    DomainRef, Error, Result,
    hypervisor::{ControlInfo, JobInfo, Jobs},
};

use super::Qemu;

#[async_trait]
impl Jobs for Qemu {
    fn control_info(&self, domain: &DomainRef) -> Result<ControlInfo> {
        let view = self.view(domain)?;
        let Some(live) = &view.live else {
            return Err(Error::invalid_operation("domain is not running"));
        };
        // virDomainControlState: 0 ok, 2 occupied, 3 error (reason 2: monitor).
        let free = ControlInfo { state: 0, details: 0, since_ms: 0 };
        if live.monitor_lost {
            return Ok(ControlInfo { state: 3, details: 2, since_ms: 0 });
        }
        Ok(view.busy.map_or(free, |(_, since)| {
            let since_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            ControlInfo { state: 2, details: 0, since_ms }
        }))
    }

    fn job_info(&self, domain: &DomainRef, completed: bool) -> Result<JobInfo> {
        let view = self.view(domain)?;
        if view.live.is_none() && !completed {
            return Err(Error::invalid_operation("domain is not running"));
        }
        // What takes long (save, migration, backup) is not there yet; nothing else counts as a job.
        Ok(JobInfo::default())
    }

    async fn abort_job(&self, domain: &DomainRef) -> Result<()> {
        let view = self.view(domain)?;
        if view.live.is_none() {
            return Err(Error::invalid_operation("domain is not running"));
        }
        Err(Error::invalid_operation("no job is active on the domain"))
    }
}
