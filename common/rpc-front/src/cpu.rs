//! Models of processors: what is common to several, what runs where.

use virtbus_api::{
    document,
    flags::{BaselineFlags, CompareFlags},
    hypervisor::Emulated,
};
use virtbus_proto::table::{
    ConnectBaselineCpu, ConnectBaselineCpuReply, ConnectBaselineHypervisorCpu, ConnectBaselineHypervisorCpuReply,
    ConnectCompareCpu, ConnectCompareCpuReply, ConnectCompareHypervisorCpu, ConnectCompareHypervisorCpuReply,
    ConnectGetCpuModelNames, ConnectGetCpuModelNamesReply,
};

use crate::{Hypervisor, from_wire, routes::Routes, to_wire};

pub(crate) fn routes() -> Routes<Hypervisor> {
    Routes::<Hypervisor>::default()
        .on(|cx, a: ConnectCompareCpu| async move {
            let flags: CompareFlags = from_wire::flags(&a, a.flags)?;
            let found =
                cx.driver.compare_cpu(document::parse_cpu(&a.xml, flags.contains(CompareFlags::VALIDATE_XML))?).await?;
            Ok(ConnectCompareCpuReply { result: found.answer(flags)? })
        })
        .on(|cx, a: ConnectBaselineCpu| async move {
            let flags: BaselineFlags = from_wire::flags(&a, a.flags)?;
            let read = a.xml_cpus.iter().map(|it| document::parse_known_cpu(it)).collect::<virtbus_api::Result<_>>()?;
            let cpu = cx.driver.baseline_cpu(read, flags).await?;
            Ok(ConnectBaselineCpuReply { cpu: document::format_cpu(&cpu) })
        })
        .on(|cx, a: ConnectCompareHypervisorCpu| async move {
            let flags: CompareFlags = from_wire::flags(&a, a.flags)?;
            let of = Emulated {
                emulator: a.emulator.as_deref(),
                arch: a.arch.as_deref(),
                machine: a.machine.as_deref(),
                virt: a.virttype.as_deref(),
            };
            let found = cx
                .driver
                .compare_cpu_for(of, document::parse_cpu(&a.xml_cpu, flags.contains(CompareFlags::VALIDATE_XML))?)
                .await?;
            Ok(ConnectCompareHypervisorCpuReply { result: found.answer(flags)? })
        })
        .on(|cx, a: ConnectBaselineHypervisorCpu| async move {
            let flags: BaselineFlags = from_wire::flags(&a, a.flags)?;
            let of = Emulated {
                emulator: a.emulator.as_deref(),
                arch: a.arch.as_deref(),
                machine: a.machine.as_deref(),
                virt: a.virttype.as_deref(),
            };
            let read =
                a.xml_cpus.iter().map(|it| document::parse_cpu(it, false)).collect::<virtbus_api::Result<_>>()?;
            let cpu = cx.driver.baseline_cpu_for(of, read, flags).await?;
            Ok(ConnectBaselineHypervisorCpuReply { cpu: document::format_cpu(&cpu) })
        })
        .on(|cx, a: ConnectGetCpuModelNames| async move {
            from_wire::no_flags(&a, a.flags)?;
            let models = cx.driver.cpu_models(&a.arch).await?;
            let ret = to_wire::count(models.len());
            Ok(ConnectGetCpuModelNamesReply { models: if a.need_results == 0 { Vec::new() } else { models }, ret })
        })
}
