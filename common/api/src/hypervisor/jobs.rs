//! What a domain is busy with.

use async_trait::async_trait;

use crate::{error::Result, params::TypedParam, refs::DomainRef};

/// Whether the monitor is free (`virDomainControlInfo`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlInfo {
    /// `virDomainControlState`: 0 ok, 1 a job runs, 2 occupied, 3 error.
    pub state: u32,
    /// `virDomainControlErrorReason` when in error, else 0.
    pub details: u32,
    /// How long it has been so, in milliseconds.
    pub since_ms: u64,
}

/// The job of a domain (`virDomainJobInfo` and its statistics).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JobInfo {
    /// `virDomainJobType`: 0 none, 1 bounded, 2 unbounded, 3 completed, 4 failed, 5 cancelled.
    pub kind: i32,
    /// `virDomainJobOperation`.
    pub operation: i32,
    /// Since when, in milliseconds.
    pub elapsed_ms: u64,
    /// What is known of its progress, by libvirt's field names.
    pub params: Vec<TypedParam>,
}

/// Jobs: always answered, whatever the domain is busy with.
#[async_trait]
pub trait Jobs: Send + Sync {
    /// Whether the monitor is free, and if not, since when.
    fn control_info(&self, domain: &DomainRef) -> Result<ControlInfo>;

    /// The job that runs, or with `completed` the one that ran last.
    fn job_info(&self, domain: &DomainRef, completed: bool) -> Result<JobInfo>;

    /// Ends the job that runs; `OPERATION_INVALID` where there is none.
    async fn abort_job(&self, domain: &DomainRef) -> Result<()>;
}
