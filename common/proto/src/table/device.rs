//! Rows of a guest's devices: plugging, disks, interfaces, consoles, graphics.

use crate::record::procedures;
use crate::types::{Domain, DomainDiskError, TypedParam};

procedures! { Remote:
    8 DOMAIN_ATTACH_DEVICE "virDomainAttachDevice" "0.1.9" Qemu Write Low ["domain:write"]
        => DomainAttachDevice { dom: Domain, xml: String };
    13 DOMAIN_DETACH_DEVICE "virDomainDetachDevice" "0.1.9" Qemu Write Low ["domain:write"]
        => DomainDetachDevice { dom: Domain, xml: String };
    64 DOMAIN_BLOCK_STATS "virDomainBlockStats" "0.3.2" Qemu Read Low ["domain:read"]
        => DomainBlockStats { dom: Domain, path: String }
        -> DomainBlockStatsReply { rd_req: i64, rd_bytes: i64, wr_req: i64, wr_bytes: i64, errs: i64 };
    65 DOMAIN_INTERFACE_STATS "virDomainInterfaceStats" "0.3.2" Qemu Read High ["domain:read"]
        => DomainInterfaceStats { dom: Domain, device: String }
        -> DomainInterfaceStatsReply {
            rx_bytes: i64,
            rx_packets: i64,
            rx_errs: i64,
            rx_drop: i64,
            tx_bytes: i64,
            tx_packets: i64,
            tx_errs: i64,
            tx_drop: i64,
        };
    103 DOMAIN_BLOCK_PEEK "virDomainBlockPeek" "0.4.2" Qemu Write Low ["domain:block_read"]
        => DomainBlockPeek { dom: Domain, path: String, offset: u64, size: u32, flags: u32 }
        -> DomainBlockPeekReply { buffer: Vec<u8>[4194304] };
    160 DOMAIN_ATTACH_DEVICE_FLAGS "virDomainAttachDeviceFlags" "0.7.7" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainAttachDeviceFlags { dom: Domain, xml: String, flags: u32 };
    161 DOMAIN_DETACH_DEVICE_FLAGS "virDomainDetachDeviceFlags" "0.7.7" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainDetachDeviceFlags { dom: Domain, xml: String, flags: u32 };
    174 DOMAIN_UPDATE_DEVICE_FLAGS "virDomainUpdateDeviceFlags" "0.8.0" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainUpdateDeviceFlags { dom: Domain, xml: String, flags: u32 };
    194 DOMAIN_GET_BLOCK_INFO "virDomainGetBlockInfo" "0.8.1" Qemu Read Low ["domain:read"]
        => DomainGetBlockInfo { dom: Domain, path: String, flags: u32 }
        -> DomainGetBlockInfoReply { allocation: u64, capacity: u64, physical: u64 };
    201 DOMAIN_OPEN_CONSOLE "virDomainOpenConsole" "0.8.6" Qemu Write Low ["domain:open_device"] stream Both
        => DomainOpenConsole { dom: Domain, dev_name: Option<String>, flags: u32 };
    211 DOMAIN_SCREENSHOT "virDomainScreenshot" "0.9.2" Qemu Write Low ["domain:screenshot"] stream Read
        => DomainScreenshot { dom: Domain, screen: u32, flags: u32 } -> DomainScreenshotReply { mime: Option<String> };
    243 DOMAIN_BLOCK_STATS_FLAGS "virDomainBlockStatsFlags" "0.9.5" Qemu Read Low ["domain:read"]
        => DomainBlockStatsFlags { dom: Domain, path: String, nparams: i32, flags: u32 }
        -> DomainBlockStatsFlagsReply { params: Vec<TypedParam>[16], nparams: i32 };
    249 DOMAIN_OPEN_GRAPHICS "virDomainOpenGraphics" "0.9.7" Qemu Write Low ["domain:open_graphics"] fds Call
        => DomainOpenGraphics { dom: Domain, idx: u32, flags: u32 };
    251 DOMAIN_BLOCK_RESIZE "virDomainBlockResize" "0.9.8" Qemu Write Low ["domain:block_write"]
        => DomainBlockResize { dom: Domain, disk: String, size: u64, flags: u32 };
    252 DOMAIN_SET_BLOCK_IO_TUNE "virDomainSetBlockIoTune" "0.9.8" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainSetBlockIoTune { dom: Domain, disk: String, params: Vec<TypedParam>[32], flags: u32 };
    253 DOMAIN_GET_BLOCK_IO_TUNE "virDomainGetBlockIoTune" "0.9.8" Qemu Read Low ["domain:read"]
        => DomainGetBlockIoTune { dom: Domain, disk: Option<String>, nparams: i32, flags: u32 }
        -> DomainGetBlockIoTuneReply { params: Vec<TypedParam>[32], nparams: i32 };
    256 DOMAIN_SET_INTERFACE_PARAMETERS "virDomainSetInterfaceParameters" "0.9.9" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainSetInterfaceParameters { dom: Domain, device: String, params: Vec<TypedParam>[16], flags: u32 };
    257 DOMAIN_GET_INTERFACE_PARAMETERS "virDomainGetInterfaceParameters" "0.9.9" Qemu Read Low ["domain:read"]
        => DomainGetInterfaceParameters { dom: Domain, device: String, nparams: i32, flags: u32 }
        -> DomainGetInterfaceParametersReply { params: Vec<TypedParam>[16], nparams: i32 };
    263 DOMAIN_GET_DISK_ERRORS "virDomainGetDiskErrors" "0.9.10" Qemu Read Low ["domain:read"]
        => DomainGetDiskErrors { dom: Domain, maxerrors: u32, flags: u32 }
        -> DomainGetDiskErrorsReply { errors: Vec<DomainDiskError>[256], nerrors: i32 };
    296 DOMAIN_OPEN_CHANNEL "virDomainOpenChannel" "1.0.2" Qemu Write Low ["domain:open_device"] stream Both
        => DomainOpenChannel { dom: Domain, name: Option<String>, flags: u32 };
    343 DOMAIN_OPEN_GRAPHICS_FD "virDomainOpenGraphicsFD" "1.2.8" Qemu Write Low ["domain:open_graphics"] fds Reply
        => DomainOpenGraphicsFd { dom: Domain, idx: u32, flags: u32 };
    386 DOMAIN_SET_BLOCK_THRESHOLD "virDomainSetBlockThreshold" "3.1.0" Qemu Write Low ["domain:write"]
        => DomainSetBlockThreshold { dom: Domain, dev: String, threshold: u64, flags: u32 };
    392 DOMAIN_DETACH_DEVICE_ALIAS "virDomainDetachDeviceAlias" "4.4.0" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainDetachDeviceAlias { dom: Domain, alias: String, flags: u32 };
    443 DOMAIN_FD_ASSOCIATE "virDomainFDAssociate" "9.0.0" Qemu Write Low ["domain:write"] fds Call
        => DomainFdAssociate { dom: Domain, name: String, flags: u32 };
    448 DOMAIN_GRAPHICS_RELOAD "virDomainGraphicsReload" "10.2.0" Qemu Write Low ["domain:write"]
        => DomainGraphicsReload { dom: Domain, r#type: u32, flags: u32 };
    451 DOMAIN_SET_THROTTLE_GROUP "virDomainSetThrottleGroup" "11.2.0" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainSetThrottleGroup { dom: Domain, group: String, params: Vec<TypedParam>[32], flags: u32 };
    452 DOMAIN_DEL_THROTTLE_GROUP "virDomainDelThrottleGroup" "11.2.0" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainDelThrottleGroup { dom: Domain, group: Option<String>, flags: u32 };
}
