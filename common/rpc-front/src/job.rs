//! What a domain is busy with.

use virtbus_proto::table::{
    DomainAbortJob, DomainAbortJobFlags, DomainGetControlInfo, DomainGetControlInfoReply, DomainGetJobInfo,
    DomainGetJobStats, DomainGetJobStatsReply,
};

use crate::{
    Hypervisor,
    from_wire::{self, domain},
    routes::Routes,
    to_wire,
};

bitflags::bitflags! {
    /// Which job's statistics.
    #[derive(Debug, Clone, Copy)]
    struct StatsFlags: u32 {
        /// `VIR_DOMAIN_JOB_STATS_COMPLETED`: the one that ran last.
        const COMPLETED = 1 << 0;
        /// `VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED`: do not forget it for having been asked. It never is here.
        const KEEP_COMPLETED = 1 << 1;
    }
}

pub(crate) fn routes() -> Routes<Hypervisor> {
    Routes::<Hypervisor>::default()
        .on_view(|cx, a: DomainGetControlInfo| {
            from_wire::no_flags(&a, a.flags)?;
            let it = cx.driver.control_info(&domain(&a.dom))?;
            Ok(DomainGetControlInfoReply { state: it.state, details: it.details, state_time: it.since_ms })
        })
        .on_view(|cx, a: DomainGetJobInfo| Ok(to_wire::job_info(&cx.driver.job_info(&domain(&a.dom), false)?)))
        .on_view(|cx, a: DomainGetJobStats| {
            let flags: StatsFlags = from_wire::flags(&a, a.flags)?;
            let it = cx.driver.job_info(&domain(&a.dom), flags.contains(StatsFlags::COMPLETED))?;
            Ok(DomainGetJobStatsReply { r#type: it.kind, params: to_wire::job_stats(&it) })
        })
        .on(|cx, a: DomainAbortJob| async move { Ok(cx.driver.abort_job(&domain(&a.dom)).await?) })
        .on(|cx, a: DomainAbortJobFlags| async move {
            from_wire::no_flags(&a, a.flags)?;
            Ok(cx.driver.abort_job(&domain(&a.dom)).await?)
        })
}
