//! `org.libvirt.Domain`: what a guest is, uses and is busy with, in figures.

use std::collections::HashMap;

use virtbus_api::{
    Error as ApiError, ErrorCode,
    flags::{MessageFlags, VcpuFlags},
    hypervisor::AddressSource,
};
use zbus::{OwnedVariant, message::Header};

use super::Domain;
use crate::{
    error::Result,
    params::{self, no_flags, word},
};

/// This part of the interface.
pub(super) struct Figures(pub(super) Domain);

/// The job's type and eleven figures, as `virDomainJobInfo` has them.
type JobFigures = (i32, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64);

#[zbus::interface(name = "org.libvirt.Domain")]
impl Figures {
    async fn abort_job(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.0.check(&header, "domain:write").await?;
        Ok(self.0.cx.driver.abort_job(&self.0.it).await?)
    }

    /// State, details and since when in milliseconds.
    #[zbus(out_args("controlInfo"))]
    async fn get_control_info(&self, flags: u32) -> Result<((u32, u32, u64),)> {
        no_flags(flags, "virDomainGetControlInfo")?;
        let it = self.0.cx.driver.control_info(&self.0.it)?;
        Ok(((it.state, it.details, it.since_ms),))
    }

    /// State, memory limit and memory in KiB, vCPUs, CPU time in nanoseconds.
    #[zbus(out_args("info"))]
    async fn get_info(&self) -> Result<((i32, u64, u64, u32, u64),)> {
        let it = self.0.cx.driver.info(&self.0.it)?;
        Ok(((it.state.number(), it.max_memory_kib, it.memory_kib, it.vcpus, it.cpu_time_ns),))
    }

    #[zbus(out_args("jobInfo"))]
    async fn get_job_info(&self) -> Result<(JobFigures,)> {
        let it = self.0.cx.driver.job_info(&self.0.it, false)?;
        let figure = |field: &str| {
            it.params.iter().find(|it| it.field == field).map_or(0, |it| match it.value {
                virtbus_api::ParamValue::Ullong(value) => value,
                _ => 0,
            })
        };
        let [total, done, left] = ["data_total", "data_processed", "data_remaining"].map(figure);
        let [memory_total, memory_done, memory_left] =
            ["memory_total", "memory_processed", "memory_remaining"].map(figure);
        let [disk_total, disk_done, disk_left] = ["disk_total", "disk_processed", "disk_remaining"].map(figure);
        let remaining = figure("time_remaining");
        Ok(((
            it.kind,
            it.elapsed_ms,
            remaining,
            total,
            done,
            left,
            memory_total,
            memory_done,
            memory_left,
            disk_total,
            disk_done,
            disk_left,
        ),))
    }

    /// With flag 1 of the job that ended last.
    #[zbus(out_args("stats"))]
    async fn get_job_stats(&self, flags: u32) -> Result<((i32, HashMap<String, OwnedVariant>),)> {
        const COMPLETED: u32 = 1;
        no_flags(flags & !COMPLETED, "virDomainGetJobStats")?;
        let it = self.0.cx.driver.job_info(&self.0.it, flags & COMPLETED != 0)?;
        Ok(((it.kind, params::to_dict(it.params)),))
    }

    /// What a user should know of the domain, one text each; flag 1 asks for what is deprecated, 2 for what taints it, 4 for
    /// errors of its disks.
    #[zbus(out_args("messages"))]
    async fn get_messages(&self, flags: u32) -> Result<Vec<String>> {
        let kinds: MessageFlags = word(flags, "virDomainGetMessages")?;
        Ok(self.0.cx.driver.messages(&self.0.it, kinds)?)
    }

    /// The labels of an active domain and whether the host enforces them.
    #[zbus(out_args("securityLabels"))]
    async fn get_security_label_list(&self) -> Result<Vec<(String, bool)>> {
        let labels = self.0.cx.driver.security_labels(&self.0.it)?;
        Ok(labels.into_iter().map(|it| (it.label, it.enforcing)).collect())
    }

    /// Memory limit in KiB.
    #[zbus(out_args("memory"))]
    async fn get_max_memory(&self) -> Result<u64> {
        Ok(self.0.cx.driver.max_memory(&self.0.it)?)
    }

    #[zbus(out_args("state"))]
    async fn get_state(&self, flags: u32) -> Result<((i32, i32),)> {
        no_flags(flags, "virDomainGetState")?;
        let state = self.0.cx.driver.state(&self.0.it)?;
        Ok(((state.number(), state.detail()),))
    }

    #[zbus(out_args("vcpus"))]
    async fn get_vcpus(&self, flags: u32) -> Result<u32> {
        let flags: VcpuFlags = word(flags, "virDomainGetVcpusFlags")?;
        Ok(self.0.cx.driver.vcpus(&self.0.it, flags)?)
    }

    #[zbus(out_args("managedSaveImage"))]
    async fn has_managed_save_image(&self, flags: u32) -> Result<bool> {
        no_flags(flags, "virDomainHasManagedSaveImage")?;
        Ok(self.0.cx.driver.has_managed_save(&self.0.it)?)
    }

    /// Interfaces with name, MAC address and addresses: family (0 IPv4, 1 IPv6), address, prefix.
    #[zbus(out_args("ifaces"))]
    async fn interface_addresses(
        &self,
        source: u32,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Vec<(String, String, Vec<(i32, String, u32)>)>> {
        self.0.check(&header, "domain:read").await?;
        no_flags(flags, "virDomainInterfaceAddresses")?;
        let unknown =
            || ApiError::new(ErrorCode::ArgumentUnsupported, format!("Unknown IP address data source {source}"));
        let source = AddressSource::from_number(source).ok_or_else(unknown)?;
        if source == AddressSource::Agent {
            self.0.check(&header, "domain:write").await?;
        }
        let found = self.0.cx.driver.interface_addresses(&self.0.it, source).await?;
        Ok(found
            .into_iter()
            .map(|it| {
                let one = |(address, prefix): (std::net::IpAddr, u32)| {
                    (i32::from(address.is_ipv6()), address.to_string(), prefix)
                };
                (it.name, it.mac.unwrap_or_default(), it.addresses.into_iter().map(one).collect())
            })
            .collect())
    }
}
