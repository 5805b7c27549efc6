//! Rows of the host and its hypervisor: versions, capabilities, processors, memory.

use crate::record::procedures;
use crate::types::{NodeCpuStat, NodeMemoryStat, TypedParam};
use crate::xdr::{Chars, FixedChars};

procedures! { Remote:
    3 CONNECT_GET_TYPE "virConnectGetType" "0.0.3" Qemu Read High ["connect:getattr"]
        => ConnectGetType {} -> ConnectGetTypeReply { r#type: String };
    4 CONNECT_GET_VERSION "virConnectGetVersion" "0.0.3" Qemu Read High ["connect:getattr"]
        => ConnectGetVersion {} -> ConnectGetVersionReply { hv_ver: u64 };
    5 CONNECT_GET_MAX_VCPUS "virConnectGetMaxVcpus" "0.2.1" Qemu Read High ["connect:read"]
        => ConnectGetMaxVcpus { r#type: Option<String> } -> ConnectGetMaxVcpusReply { max_vcpus: i32 };
    6 NODE_GET_INFO "virNodeGetInfo" "0.1.0" Qemu Read High ["connect:read"]
        => NodeGetInfo {}
        -> NodeGetInfoReply {
            model: FixedChars<32>,
            memory: u64,
            cpus: i32,
            mhz: i32,
            nodes: i32,
            sockets: i32,
            cores: i32,
            threads: i32,
        };
    7 CONNECT_GET_CAPABILITIES "virConnectGetCapabilities" "0.2.1" Qemu Read Low ["connect:read"]
        => ConnectGetCapabilities {} -> ConnectGetCapabilitiesReply { capabilities: String };
    59 CONNECT_GET_HOSTNAME "virConnectGetHostname" "0.3.0" Qemu Read High ["connect:getattr"]
        => ConnectGetHostname {} -> ConnectGetHostnameReply { hostname: String };
    101 NODE_GET_CELLS_FREE_MEMORY "virNodeGetCellsFreeMemory" "0.3.3" Qemu Read High ["connect:read"]
        => NodeGetCellsFreeMemory { start_cell: i32, maxcells: i32 }
        -> NodeGetCellsFreeMemoryReply { cells: Vec<u64>[1024] };
    102 NODE_GET_FREE_MEMORY "virNodeGetFreeMemory" "0.3.3" Qemu Read High ["connect:read"]
        => NodeGetFreeMemory {} -> NodeGetFreeMemoryReply { free_mem: u64 };
    122 NODE_GET_SECURITY_MODEL "virNodeGetSecurityModel" "0.6.1" Qemu Read High ["connect:read"]
        => NodeGetSecurityModel {} -> NodeGetSecurityModelReply { model: Chars[257], doi: Chars[257] };
    157 CONNECT_GET_LIB_VERSION "virConnectGetLibVersion" "0.7.3" Qemu Read High ["connect:getattr"]
        => ConnectGetLibVersion {} -> ConnectGetLibVersionReply { lib_ver: u64 };
    158 CONNECT_COMPARE_CPU "virConnectCompareCPU" "0.7.5" Qemu Read High ["connect:read"]
        => ConnectCompareCpu { xml: String, flags: u32 } -> ConnectCompareCpuReply { result: i32 };
    162 CONNECT_BASELINE_CPU "virConnectBaselineCPU" "0.7.7" Qemu Read Low ["connect:read"]
        => ConnectBaselineCpu { xml_cpus: Vec<String>[256], flags: u32 } -> ConnectBaselineCpuReply { cpu: String };
    203 CONNECT_GET_SYSINFO "virConnectGetSysinfo" "0.8.8" Qemu Read High ["connect:read"]
        => ConnectGetSysinfo { flags: u32 } -> ConnectGetSysinfoReply { sysinfo: String };
    227 NODE_GET_CPU_STATS "virNodeGetCPUStats" "0.9.3" Qemu Read High ["connect:read"]
        => NodeGetCpuStats { cpu_num: i32, nparams: i32, flags: u32 }
        -> NodeGetCpuStatsReply { params: Vec<NodeCpuStat>[16], nparams: i32 };
    228 NODE_GET_MEMORY_STATS "virNodeGetMemoryStats" "0.9.3" Qemu Read High ["connect:read"]
        => NodeGetMemoryStats { nparams: i32, cell_num: i32, flags: u32 }
        -> NodeGetMemoryStatsReply { params: Vec<NodeMemoryStat>[16], nparams: i32 };
    250 NODE_SUSPEND_FOR_DURATION "virNodeSuspendForDuration" "0.9.8" Qemu Write Low ["connect:pm_control"]
        => NodeSuspendForDuration { target: u32, duration: u64, flags: u32 };
    288 NODE_SET_MEMORY_PARAMETERS "virNodeSetMemoryParameters" "0.10.2" Qemu Write Low ["connect:write"]
        => NodeSetMemoryParameters { params: Vec<TypedParam>[64], flags: u32 };
    289 NODE_GET_MEMORY_PARAMETERS "virNodeGetMemoryParameters" "0.10.2" Qemu Read Low ["connect:read"]
        => NodeGetMemoryParameters { nparams: i32, flags: u32 }
        -> NodeGetMemoryParametersReply { params: Vec<TypedParam>[64], nparams: i32 };
    293 NODE_GET_CPU_MAP "virNodeGetCPUMap" "1.0.0" Qemu Read Low ["connect:read"]
        => NodeGetCpuMap { need_map: i32, need_online: i32, flags: u32 }
        -> NodeGetCpuMapReply { cpumap: Vec<u8>[2048], online: u32, ret: i32 };
    312 CONNECT_GET_CPU_MODEL_NAMES "virConnectGetCPUModelNames" "1.1.3" Qemu Read Low ["connect:read"]
        => ConnectGetCpuModelNames { arch: String, need_results: i32, flags: u32 }
        -> ConnectGetCpuModelNamesReply { models: Vec<String>[8192], ret: i32 };
    340 NODE_GET_FREE_PAGES "virNodeGetFreePages" "1.2.6" Qemu Read High ["connect:read"]
        => NodeGetFreePages { pages: Vec<u32>[1024], start_cell: i32, cell_count: u32, flags: u32 }
        -> NodeGetFreePagesReply { counts: Vec<u64>[1024] };
    342 CONNECT_GET_DOMAIN_CAPABILITIES "virConnectGetDomainCapabilities" "1.2.7" Qemu Write Low ["connect:write"]
        => ConnectGetDomainCapabilities {
            emulatorbin: Option<String>,
            arch: Option<String>,
            machine: Option<String>,
            virttype: Option<String>,
            flags: u32,
        } -> ConnectGetDomainCapabilitiesReply { capabilities: String };
    347 NODE_ALLOC_PAGES "virNodeAllocPages" "1.2.9" Qemu Write Low ["connect:write"]
        => NodeAllocPages {
            page_sizes: Vec<u32>[1024],
            page_counts: Vec<u64>[1024],
            start_cell: i32,
            cell_count: u32,
            flags: u32,
        } -> NodeAllocPagesReply { ret: i32 };
    393 CONNECT_COMPARE_HYPERVISOR_CPU "virConnectCompareHypervisorCPU" "4.4.0" Qemu Write Low ["connect:write"]
        => ConnectCompareHypervisorCpu {
            emulator: Option<String>,
            arch: Option<String>,
            machine: Option<String>,
            virttype: Option<String>,
            xml_cpu: String,
            flags: u32,
        } -> ConnectCompareHypervisorCpuReply { result: i32 };
    394 CONNECT_BASELINE_HYPERVISOR_CPU "virConnectBaselineHypervisorCPU" "4.4.0" Qemu Write Low ["connect:write"]
        => ConnectBaselineHypervisorCpu {
            emulator: Option<String>,
            arch: Option<String>,
            machine: Option<String>,
            virttype: Option<String>,
            xml_cpus: Vec<String>[256],
            flags: u32,
        } -> ConnectBaselineHypervisorCpuReply { cpu: String };
    395 NODE_GET_SEV_INFO "virNodeGetSEVInfo" "4.5.0" Qemu Write Low ["connect:read"]
        => NodeGetSevInfo { nparams: i32, flags: u32 }
        -> NodeGetSevInfoReply { params: Vec<TypedParam>[64], nparams: i32 };
}
