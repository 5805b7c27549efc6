//! Rows of work that takes long: saving, restoring, dumping, block jobs, and the job itself.

use crate::record::procedures;
use crate::types::{Domain, TypedParam};

procedures! { Remote:
    53 DOMAIN_CORE_DUMP "virDomainCoreDump" "0.1.9" Qemu Write Low ["domain:core_dump"]
        => DomainCoreDump { dom: Domain, to: String, flags: u32 };
    54 DOMAIN_RESTORE "virDomainRestore" "0.0.3" Qemu Write Low ["domain:start", "domain:write"]
        => DomainRestore { from: String };
    55 DOMAIN_SAVE "virDomainSave" "0.0.3" Qemu Write Low ["domain:hibernate"]
        => DomainSave { dom: Domain, to: String };
    163 DOMAIN_GET_JOB_INFO "virDomainGetJobInfo" "0.7.7" Qemu Read Low ["domain:read"]
        => DomainGetJobInfo { dom: Domain }
        -> DomainGetJobInfoReply {
            r#type: i32,
            time_elapsed: u64,
            time_remaining: u64,
            data_total: u64,
            data_processed: u64,
            data_remaining: u64,
            mem_total: u64,
            mem_processed: u64,
            mem_remaining: u64,
            file_total: u64,
            file_processed: u64,
            file_remaining: u64,
        };
    164 DOMAIN_ABORT_JOB "virDomainAbortJob" "0.7.7" Qemu Write Low ["domain:write"]
        => DomainAbortJob { dom: Domain };
    182 DOMAIN_MANAGED_SAVE "virDomainManagedSave" "0.8.0" Qemu Write Low ["domain:hibernate"]
        => DomainManagedSave { dom: Domain, flags: u32 };
    183 DOMAIN_HAS_MANAGED_SAVE_IMAGE "virDomainHasManagedSaveImage" "0.8.0" Qemu Read Low ["domain:read"]
        => DomainHasManagedSaveImage { dom: Domain, flags: u32 } -> DomainHasManagedSaveImageReply { result: i32 };
    184 DOMAIN_MANAGED_SAVE_REMOVE "virDomainManagedSaveRemove" "0.8.0" Qemu Write Low ["domain:hibernate"]
        => DomainManagedSaveRemove { dom: Domain, flags: u32 };
    232 DOMAIN_SAVE_FLAGS "virDomainSaveFlags" "0.9.4" Qemu Write Low ["domain:hibernate"]
        => DomainSaveFlags { dom: Domain, to: String, dxml: Option<String>, flags: u32 };
    233 DOMAIN_RESTORE_FLAGS "virDomainRestoreFlags" "0.9.4" Qemu Write Low ["domain:start", "domain:write"]
        => DomainRestoreFlags { from: String, dxml: Option<String>, flags: u32 };
    235 DOMAIN_SAVE_IMAGE_GET_XML_DESC "virDomainSaveImageGetXMLDesc" "0.9.4" Qemu Write High ["domain:write"]
        => DomainSaveImageGetXmlDesc { file: String, flags: u32 } -> DomainSaveImageGetXmlDescReply { xml: String };
    236 DOMAIN_SAVE_IMAGE_DEFINE_XML "virDomainSaveImageDefineXML" "0.9.4" Qemu Write High
        ["domain:write", "domain:hibernate"]
        => DomainSaveImageDefineXml { file: String, dxml: String, flags: u32 };
    237 DOMAIN_BLOCK_JOB_ABORT "virDomainBlockJobAbort" "0.9.4" Qemu Write Low ["domain:write"]
        => DomainBlockJobAbort { dom: Domain, path: String, flags: u32 };
    238 DOMAIN_GET_BLOCK_JOB_INFO "virDomainGetBlockJobInfo" "0.9.4" Qemu Read Low ["domain:read"]
        => DomainGetBlockJobInfo { dom: Domain, path: String, flags: u32 }
        -> DomainGetBlockJobInfoReply { found: i32, r#type: i32, bandwidth: u64, cur: u64, end: u64 };
    239 DOMAIN_BLOCK_JOB_SET_SPEED "virDomainBlockJobSetSpeed" "0.9.4" Qemu Write Low ["domain:write"]
        => DomainBlockJobSetSpeed { dom: Domain, path: String, bandwidth: u64, flags: u32 };
    240 DOMAIN_BLOCK_PULL "virDomainBlockPull" "0.9.4" Qemu Write Low ["domain:block_write"]
        => DomainBlockPull { dom: Domain, path: String, bandwidth: u64, flags: u32 };
    266 DOMAIN_BLOCK_REBASE "virDomainBlockRebase" "0.9.10" Qemu Write Low ["domain:block_write"]
        => DomainBlockRebase { dom: Domain, path: String, base: Option<String>, bandwidth: u64, flags: u32 };
    290 DOMAIN_BLOCK_COMMIT "virDomainBlockCommit" "0.10.2" Qemu Write Low ["domain:block_write"]
        => DomainBlockCommit {
            dom: Domain,
            disk: String,
            base: Option<String>,
            top: Option<String>,
            bandwidth: u64,
            flags: u32,
        };
    298 DOMAIN_GET_JOB_STATS "virDomainGetJobStats" "1.0.3" Qemu Read Low ["domain:read"]
        => DomainGetJobStats { dom: Domain, flags: u32 }
        -> DomainGetJobStatsReply { r#type: i32, params: Vec<TypedParam>[64] };
    334 DOMAIN_CORE_DUMP_WITH_FORMAT "virDomainCoreDumpWithFormat" "1.2.3" Qemu Write Low ["domain:core_dump"]
        => DomainCoreDumpWithFormat { dom: Domain, to: String, dumpformat: u32, flags: u32 };
    345 DOMAIN_BLOCK_COPY "virDomainBlockCopy" "1.2.8" Qemu Write Low ["domain:block_write"]
        => DomainBlockCopy { dom: Domain, path: String, destxml: String, params: Vec<TypedParam>[16], flags: u32 };
    388 DOMAIN_MANAGED_SAVE_GET_XML_DESC "virDomainManagedSaveGetXMLDesc" "3.7.0" Qemu Read Low
        ["domain:read", "domain:read_secure:VIR_DOMAIN_SAVE_IMAGE_XML_SECURE"]
        => DomainManagedSaveGetXmlDesc { dom: Domain, flags: u32 } -> DomainManagedSaveGetXmlDescReply { xml: String };
    389 DOMAIN_MANAGED_SAVE_DEFINE_XML "virDomainManagedSaveDefineXML" "3.7.0" Qemu Write Low
        ["domain:write", "domain:hibernate"]
        => DomainManagedSaveDefineXml { dom: Domain, dxml: Option<String>, flags: u32 };
    427 DOMAIN_START_DIRTY_RATE_CALC "virDomainStartDirtyRateCalc" "7.2.0" Qemu Write Low ["domain:write"]
        => DomainStartDirtyRateCalc { dom: Domain, seconds: i32, flags: u32 };
    440 DOMAIN_SAVE_PARAMS "virDomainSaveParams" "8.4.0" Qemu Write Low ["domain:hibernate"]
        => DomainSaveParams { dom: Domain, params: Vec<TypedParam>[64], flags: u32 };
    441 DOMAIN_RESTORE_PARAMS "virDomainRestoreParams" "8.4.0" Qemu Write Low ["domain:start", "domain:write"]
        => DomainRestoreParams { params: Vec<TypedParam>[64], flags: u32 };
    442 DOMAIN_ABORT_JOB_FLAGS "virDomainAbortJobFlags" "8.5.0" Qemu Write Low ["domain:write"]
        => DomainAbortJobFlags { dom: Domain, flags: u32 };
}
