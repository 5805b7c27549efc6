//! The host and its hypervisor.

use virtbus_api::{Error, ErrorDomain};
use virtbus_proto::{
    Procedure,
    table::{
        ConnectGetCapabilities, ConnectGetCapabilitiesReply, ConnectGetDomainCapabilities,
        ConnectGetDomainCapabilitiesReply, ConnectGetHostname, ConnectGetHostnameReply, ConnectGetLibVersion,
        ConnectGetLibVersionReply, ConnectGetMaxVcpus, ConnectGetMaxVcpusReply, ConnectGetType, ConnectGetTypeReply,
        ConnectGetVersion, ConnectGetVersionReply, NodeGetCellsFreeMemory, NodeGetCellsFreeMemoryReply, NodeGetCpuMap,
        NodeGetCpuMapReply, NodeGetCpuStats, NodeGetCpuStatsReply, NodeGetFreeMemory, NodeGetFreeMemoryReply,
        NodeGetInfo, NodeGetMemoryParameters, NodeGetMemoryParametersReply, NodeGetMemoryStats,
        NodeGetMemoryStatsReply, NodeGetSecurityModel, NodeGetSecurityModelReply,
    },
    types::{NodeCpuStat, NodeMemoryStat},
    xdr::Chars,
};

use crate::{
    Hypervisor,
    error::{Fault, Result},
    from_wire,
    routes::Routes,
    to_wire,
};

/// Items of a statistics array (`REMOTE_NODE_CPU_STATS_MAX`, `REMOTE_NODE_MEMORY_STATS_MAX`).
const STATS_MAX: i32 = 16;
/// NUMA cells in one answer (`REMOTE_NODE_MAX_CELLS`).
const CELLS_MAX: i32 = 1024;

bitflags::bitflags! {
    /// Flags of the getters that return typed parameters.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct ParamFlags: u32 {
        /// `VIR_TYPED_PARAM_STRING_OKAY`: the client understands strings.
        const STRING_OKAY = 1 << 2;
    }
}

pub(crate) fn routes() -> Routes<Hypervisor> {
    Routes::<Hypervisor>::default()
        .on_view(|cx, ConnectGetType {}| Ok(ConnectGetTypeReply { r#type: cx.driver.hypervisor_type() }))
        .on_view(|cx, ConnectGetLibVersion {}| Ok(ConnectGetLibVersionReply { lib_ver: cx.driver.library_version() }))
        .on_view(|cx, ConnectGetHostname {}| Ok(ConnectGetHostnameReply { hostname: cx.driver.hostname()? }))
        .on_view(|cx, NodeGetInfo {}| Ok(to_wire::node_info(&cx.driver.node_info()?)))
        .on_view(|cx, NodeGetFreeMemory {}| Ok(NodeGetFreeMemoryReply { free_mem: cx.driver.free_memory()? }))
        .on_view(|cx, a: NodeGetCellsFreeMemory| {
            let (start, max) = cells(&a)?;
            Ok(NodeGetCellsFreeMemoryReply { cells: cx.driver.cells_free_memory(start, max)? })
        })
        .on_view(|cx, NodeGetSecurityModel {}| {
            let (model, doi) = cx.driver.security_model()?;
            Ok(NodeGetSecurityModelReply { model: Chars::terminated(&model), doi: Chars::terminated(&doi) })
        })
        .on_view(|cx, a: NodeGetCpuStats| {
            from_wire::no_flags(&a, a.flags)?;
            let stats = cx.driver.cpu_stats(one_or_all(&a, "cpuNum", a.cpu_num)?)?;
            let (params, nparams) = fill(&a, a.nparams, stats, |field, value| NodeCpuStat { field, value })?;
            Ok(NodeGetCpuStatsReply { params, nparams })
        })
        .on_view(|cx, a: NodeGetMemoryStats| {
            from_wire::no_flags(&a, a.flags)?;
            let stats = cx.driver.memory_stats(one_or_all(&a, "cellNum", a.cell_num)?)?;
            let (params, nparams) = fill(&a, a.nparams, stats, |field, value| NodeMemoryStat { field, value })?;
            Ok(NodeGetMemoryStatsReply { params, nparams })
        })
        .on_view(|cx, a: NodeGetCpuMap| {
            from_wire::no_flags(&a, a.flags)?;
            let online = cx.driver.cpu_map()?.online;
            Ok(NodeGetCpuMapReply {
                cpumap: if a.need_map == 0 { Vec::new() } else { to_wire::bits(&online) },
                online: if a.need_online == 0 { 0 } else { to_wire::count(online.iter().filter(|it| **it).count()) },
                ret: to_wire::count(online.len()),
            })
        })
        .on_view(|cx, a: NodeGetMemoryParameters| {
            let _: ParamFlags = from_wire::flags(&a, a.flags)?;
            let all = to_wire::params(&cx.driver.memory_parameters()?);
            let nparams = to_wire::count(all.len());
            let params = if a.nparams == 0 { Vec::new() } else { all };
            Ok(NodeGetMemoryParametersReply { params, nparams })
        })
        // QEMU's binaries are probed behind these, once each.
        .on(|cx, ConnectGetVersion {}| async move {
            Ok(ConnectGetVersionReply { hv_ver: cx.driver.hypervisor_version().await? })
        })
        .on(|cx, a: ConnectGetMaxVcpus| async move {
            Ok(ConnectGetMaxVcpusReply { max_vcpus: to_wire::signed(cx.driver.max_vcpus(a.r#type.as_deref()).await?) })
        })
        .on(|cx, ConnectGetCapabilities {}| async move {
            let capabilities = cx.driver.capabilities().await?.to_xml();
            Ok(ConnectGetCapabilitiesReply { capabilities })
        })
        .on(|cx, a: ConnectGetDomainCapabilities| async move {
            let flags = a.flags;
            from_wire::no_flags(&a, flags)?;
            let (emulator, arch, machine) = (a.emulatorbin.as_deref(), a.arch.as_deref(), a.machine.as_deref());
            let it = cx.driver.domain_capabilities(emulator, arch, machine, a.virttype.as_deref()).await?;
            Ok(ConnectGetDomainCapabilitiesReply { capabilities: it.to_xml() })
        })
}

/// The NUMA cells that are asked for: first and number.
fn cells(a: &NodeGetCellsFreeMemory) -> Result<(u32, u32)> {
    let entry = NodeGetCellsFreeMemory::ENTRY;
    let function = entry.api.unwrap_or(entry.name);
    if a.maxcells > CELLS_MAX {
        return Err(Fault::protocol("maxcells > REMOTE_NODE_MAX_CELLS"));
    }
    let Some(max) = u32::try_from(a.maxcells).ok().filter(|it| *it > 0) else {
        return Err(Fault::argument(entry, "maxCells", format!("maxCells in {function} must be greater than zero")));
    };
    let Ok(start) = u32::try_from(a.start_cell) else {
        return Err(Fault::argument(entry, "startCell", format!("startCell in {function} must be zero or greater")));
    };
    Ok((start, max))
}

/// A number of a CPU or cell, or -1 for all of them.
fn one_or_all<P: Procedure>(_args: &P, name: &str, number: i32) -> Result<Option<u32>> {
    match u32::try_from(number) {
        Ok(it) => Ok(Some(it)),
        Err(_) if number == -1 => Ok(None),
        Err(_) => {
            let function = P::ENTRY.api.unwrap_or(P::ENTRY.name);
            Err(Fault::argument(P::ENTRY, name, format!("Invalid {name} in {function}")))
        }
    }
}

/// Statistics for a client that has room for `room` of them; 0 asks for their number alone.
fn fill<P: Procedure, T>(
    _args: &P,
    room: i32,
    stats: Vec<(String, u64)>,
    item: impl Fn(String, u64) -> T,
) -> Result<(Vec<T>, i32)> {
    let there: i32 = to_wire::count(stats.len());
    if room > STATS_MAX {
        return Err(Error::internal("nparams too large").in_domain(ErrorDomain::Rpc).into());
    }
    if room == 0 {
        return Ok((Vec::new(), there));
    }
    if room != there {
        let function = P::ENTRY.api.unwrap_or(P::ENTRY.name);
        return Err(Fault::argument(P::ENTRY, "nparams", format!("nparams in {function} must be equal to {there}")));
    }
    Ok((stats.into_iter().map(|(field, value)| item(field, value)).collect(), there))
}
