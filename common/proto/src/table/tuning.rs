//! Rows of a guest's share of the host: processors, memory, scheduling, I/O threads.

use crate::record::procedures;
use crate::types::{Domain, DomainIothreadInfo, DomainMemoryStat, TypedParam, VcpuInfo};

procedures! { Remote:
    17 DOMAIN_GET_MAX_MEMORY "virDomainGetMaxMemory" "0.0.3" Qemu Read High ["domain:read"]
        => DomainGetMaxMemory { dom: Domain } -> DomainGetMaxMemoryReply { memory: u64 };
    18 DOMAIN_GET_MAX_VCPUS "virDomainGetMaxVcpus" "0.2.1" Qemu Read High ["domain:read"]
        => DomainGetMaxVcpus { dom: Domain } -> DomainGetMaxVcpusReply { num: i32 };
    20 DOMAIN_GET_VCPUS "virDomainGetVcpus" "0.1.4" Qemu Read High ["domain:read"]
        => DomainGetVcpus { dom: Domain, maxinfo: i32, maplen: i32 }
        -> DomainGetVcpusReply { info: Vec<VcpuInfo>[16384], cpumaps: Vec<u8>[8388608] };
    26 DOMAIN_PIN_VCPU "virDomainPinVcpu" "0.1.4" Qemu Write Low ["domain:write"]
        => DomainPinVcpu { dom: Domain, vcpu: u32, cpumap: Vec<u8>[2048] };
    30 DOMAIN_SET_MAX_MEMORY "virDomainSetMaxMemory" "0.0.3" Qemu Write High ["domain:write"]
        => DomainSetMaxMemory { dom: Domain, memory: u64 };
    31 DOMAIN_SET_MEMORY "virDomainSetMemory" "0.1.1" Qemu Write Low ["domain:write"]
        => DomainSetMemory { dom: Domain, memory: u64 };
    32 DOMAIN_SET_VCPUS "virDomainSetVcpus" "0.1.4" Qemu Write Low ["domain:write"]
        => DomainSetVcpus { dom: Domain, nvcpus: u32 };
    56 DOMAIN_GET_SCHEDULER_TYPE "virDomainGetSchedulerType" "0.2.3" Qemu Read Low ["domain:read"]
        => DomainGetSchedulerType { dom: Domain } -> DomainGetSchedulerTypeReply { r#type: String, nparams: i32 };
    57 DOMAIN_GET_SCHEDULER_PARAMETERS "virDomainGetSchedulerParameters" "0.2.3" Qemu Read Low ["domain:read"]
        => DomainGetSchedulerParameters { dom: Domain, nparams: i32 }
        -> DomainGetSchedulerParametersReply { params: Vec<TypedParam>[16] };
    58 DOMAIN_SET_SCHEDULER_PARAMETERS "virDomainSetSchedulerParameters" "0.2.3" Qemu Write Low ["domain:read"]
        => DomainSetSchedulerParameters { dom: Domain, params: Vec<TypedParam>[16] };
    104 DOMAIN_MEMORY_PEEK "virDomainMemoryPeek" "0.4.2" Qemu Write Low ["domain:mem_read"]
        => DomainMemoryPeek { dom: Domain, offset: u64, size: u32, flags: u32 }
        -> DomainMemoryPeekReply { buffer: Vec<u8>[4194304] };
    159 DOMAIN_MEMORY_STATS "virDomainMemoryStats" "0.7.5" Qemu Read Low ["domain:read"]
        => DomainMemoryStats { dom: Domain, max_stats: u32, flags: u32 }
        -> DomainMemoryStatsReply { stats: Vec<DomainMemoryStat>[1024] };
    197 DOMAIN_SET_MEMORY_PARAMETERS "virDomainSetMemoryParameters" "0.8.5" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainSetMemoryParameters { dom: Domain, params: Vec<TypedParam>[16], flags: u32 };
    198 DOMAIN_GET_MEMORY_PARAMETERS "virDomainGetMemoryParameters" "0.8.5" Qemu Read Low ["domain:read"]
        => DomainGetMemoryParameters { dom: Domain, nparams: i32, flags: u32 }
        -> DomainGetMemoryParametersReply { params: Vec<TypedParam>[16], nparams: i32 };
    199 DOMAIN_SET_VCPUS_FLAGS "virDomainSetVcpusFlags" "0.8.5" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
         "domain:write:VIR_DOMAIN_VCPU_GUEST"]
        => DomainSetVcpusFlags { dom: Domain, nvcpus: u32, flags: u32 };
    200 DOMAIN_GET_VCPUS_FLAGS "virDomainGetVcpusFlags" "0.8.5" Qemu Read Low
        ["domain:read", "domain:write:VIR_DOMAIN_VCPU_GUEST"]
        => DomainGetVcpusFlags { dom: Domain, flags: u32 } -> DomainGetVcpusFlagsReply { num: i32 };
    204 DOMAIN_SET_MEMORY_FLAGS "virDomainSetMemoryFlags" "0.9.0" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainSetMemoryFlags { dom: Domain, memory: u64, flags: u32 };
    205 DOMAIN_SET_BLKIO_PARAMETERS "virDomainSetBlkioParameters" "0.9.0" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainSetBlkioParameters { dom: Domain, params: Vec<TypedParam>[16], flags: u32 };
    206 DOMAIN_GET_BLKIO_PARAMETERS "virDomainGetBlkioParameters" "0.9.0" Qemu Read Low ["domain:read"]
        => DomainGetBlkioParameters { dom: Domain, nparams: i32, flags: u32 }
        -> DomainGetBlkioParametersReply { params: Vec<TypedParam>[16], nparams: i32 };
    219 DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS "virDomainSetSchedulerParametersFlags" "0.9.2" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainSetSchedulerParametersFlags { dom: Domain, params: Vec<TypedParam>[16], flags: u32 };
    223 DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS "virDomainGetSchedulerParametersFlags" "0.9.2" Qemu Read Low
        ["domain:read"]
        => DomainGetSchedulerParametersFlags { dom: Domain, nparams: i32, flags: u32 }
        -> DomainGetSchedulerParametersFlagsReply { params: Vec<TypedParam>[16] };
    225 DOMAIN_PIN_VCPU_FLAGS "virDomainPinVcpuFlags" "0.9.3" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainPinVcpuFlags { dom: Domain, vcpu: u32, cpumap: Vec<u8>[2048], flags: u32 };
    230 DOMAIN_GET_VCPU_PIN_INFO "virDomainGetVcpuPinInfo" "0.9.3" Qemu Read Low ["domain:read"]
        => DomainGetVcpuPinInfo { dom: Domain, ncpumaps: i32, maplen: i32, flags: u32 }
        -> DomainGetVcpuPinInfoReply { cpumaps: Vec<u8>[8388608], num: i32 };
    254 DOMAIN_SET_NUMA_PARAMETERS "virDomainSetNumaParameters" "0.9.9" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainSetNumaParameters { dom: Domain, params: Vec<TypedParam>[16], flags: u32 };
    255 DOMAIN_GET_NUMA_PARAMETERS "virDomainGetNumaParameters" "0.9.9" Qemu Read Low ["domain:read"]
        => DomainGetNumaParameters { dom: Domain, nparams: i32, flags: u32 }
        -> DomainGetNumaParametersReply { params: Vec<TypedParam>[16], nparams: i32 };
    262 DOMAIN_GET_CPU_STATS "virDomainGetCPUStats" "0.9.10" Qemu Read Low ["domain:read"]
        => DomainGetCpuStats { dom: Domain, nparams: u32, start_cpu: i32, ncpus: u32, flags: u32 }
        -> DomainGetCpuStatsReply { params: Vec<TypedParam>[2048], nparams: i32 };
    279 DOMAIN_PIN_EMULATOR "virDomainPinEmulator" "0.10.0" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainPinEmulator { dom: Domain, cpumap: Vec<u8>[2048], flags: u32 };
    280 DOMAIN_GET_EMULATOR_PIN_INFO "virDomainGetEmulatorPinInfo" "0.10.0" Qemu Read Low ["domain:read"]
        => DomainGetEmulatorPinInfo { dom: Domain, maplen: i32, flags: u32 }
        -> DomainGetEmulatorPinInfoReply { cpumaps: Vec<u8>[8388608], ret: i32 };
    308 DOMAIN_SET_MEMORY_STATS_PERIOD "virDomainSetMemoryStatsPeriod" "1.1.1" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainSetMemoryStatsPeriod { dom: Domain, period: i32, flags: u32 };
    351 DOMAIN_GET_IOTHREAD_INFO "virDomainGetIOThreadInfo" "1.2.14" Qemu Read Low ["domain:read"]
        => DomainGetIothreadInfo { dom: Domain, flags: u32 }
        -> DomainGetIothreadInfoReply { info: Vec<DomainIothreadInfo>[16384], ret: u32 };
    352 DOMAIN_PIN_IOTHREAD "virDomainPinIOThread" "1.2.14" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainPinIothread { dom: Domain, iothreads_id: u32, cpumap: Vec<u8>[2048], flags: u32 };
    355 DOMAIN_ADD_IOTHREAD "virDomainAddIOThread" "1.2.15" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainAddIothread { dom: Domain, iothread_id: u32, flags: u32 };
    356 DOMAIN_DEL_IOTHREAD "virDomainDelIOThread" "1.2.15" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainDelIothread { dom: Domain, iothread_id: u32, flags: u32 };
    365 DOMAIN_GET_PERF_EVENTS "virDomainGetPerfEvents" "1.3.3" Qemu Read Low ["domain:read"]
        => DomainGetPerfEvents { dom: Domain, flags: u32 } -> DomainGetPerfEventsReply { params: Vec<TypedParam>[64] };
    366 DOMAIN_SET_PERF_EVENTS "virDomainSetPerfEvents" "1.3.3" Qemu Write Low ["domain:write"]
        => DomainSetPerfEvents { dom: Domain, params: Vec<TypedParam>[64], flags: u32 };
    384 DOMAIN_SET_VCPU "virDomainSetVcpu" "3.1.0" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainSetVcpu { dom: Domain, cpumap: String, state: i32, flags: u32 };
    402 DOMAIN_SET_IOTHREAD_PARAMS "virDomainSetIOThreadParams" "4.10.0" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainSetIothreadParams { dom: Domain, iothread_id: u32, params: Vec<TypedParam>[64], flags: u32 };
}
