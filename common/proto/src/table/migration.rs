//! Rows of migration: all five generations of the handshake, and its settings.

use crate::record::procedures;
use crate::types::{Domain, TypedParam};

procedures! { Remote:
    61 DOMAIN_MIGRATE_PREPARE _ _ Qemu Write Low ["domain:migrate", "domain:start", "domain:write"]
        => DomainMigratePrepare { uri_in: Option<String>, flags: u64, dname: Option<String>, resource: u64 }
        -> DomainMigratePrepareReply { cookie: Vec<u8>[4194304], uri_out: Option<String> };
    62 DOMAIN_MIGRATE_PERFORM _ _ Qemu Write Low ["domain:migrate"]
        => DomainMigratePerform {
            dom: Domain,
            cookie: Vec<u8>[4194304],
            uri: String,
            flags: u64,
            dname: Option<String>,
            resource: u64,
        };
    63 DOMAIN_MIGRATE_FINISH _ _ Qemu Write Low ["domain:migrate"]
        => DomainMigrateFinish { dname: String, cookie: Vec<u8>[4194304], uri: String, flags: u64 }
        -> DomainMigrateFinishReply { ddom: Domain };
    108 DOMAIN_MIGRATE_PREPARE2 _ _ Qemu Write Low ["domain:migrate", "domain:start", "domain:write"]
        => DomainMigratePrepare2 {
            uri_in: Option<String>,
            flags: u64,
            dname: Option<String>,
            resource: u64,
            dom_xml: String,
        } -> DomainMigratePrepare2Reply { cookie: Vec<u8>[4194304], uri_out: Option<String> };
    109 DOMAIN_MIGRATE_FINISH2 _ _ Qemu Write Low ["domain:migrate"]
        => DomainMigrateFinish2 { dname: String, cookie: Vec<u8>[4194304], uri: String, flags: u64, retcode: i32 }
        -> DomainMigrateFinish2Reply { ddom: Domain };
    148 DOMAIN_MIGRATE_PREPARE_TUNNEL _ _ Qemu Write Low ["domain:migrate", "domain:start", "domain:write"] stream Write
        => DomainMigratePrepareTunnel { flags: u64, dname: Option<String>, resource: u64, dom_xml: String };
    166 DOMAIN_MIGRATE_SET_MAX_DOWNTIME "virDomainMigrateSetMaxDowntime" "0.8.0" Qemu Write Low ["domain:migrate"]
        => DomainMigrateSetMaxDowntime { dom: Domain, downtime: u64, flags: u32 };
    207 DOMAIN_MIGRATE_SET_MAX_SPEED "virDomainMigrateSetMaxSpeed" "0.9.0" Qemu Write Low ["domain:migrate"]
        => DomainMigrateSetMaxSpeed { dom: Domain, bandwidth: u64, flags: u32 };
    213 DOMAIN_MIGRATE_BEGIN3 _ _ Qemu Write Low ["domain:migrate"]
        => DomainMigrateBegin3 { dom: Domain, xmlin: Option<String>, flags: u64, dname: Option<String>, resource: u64 }
        -> DomainMigrateBegin3Reply { cookie_out: Vec<u8>[4194304], xml: String };
    214 DOMAIN_MIGRATE_PREPARE3 _ _ Qemu Write Low ["domain:migrate", "domain:start", "domain:write"]
        => DomainMigratePrepare3 {
            cookie_in: Vec<u8>[4194304],
            uri_in: Option<String>,
            flags: u64,
            dname: Option<String>,
            resource: u64,
            dom_xml: String,
        } -> DomainMigratePrepare3Reply { cookie_out: Vec<u8>[4194304], uri_out: Option<String> };
    215 DOMAIN_MIGRATE_PREPARE_TUNNEL3 _ _ Qemu Write Low
        ["domain:migrate", "domain:start", "domain:write"] stream Write
        => DomainMigratePrepareTunnel3 {
            cookie_in: Vec<u8>[4194304],
            flags: u64,
            dname: Option<String>,
            resource: u64,
            dom_xml: String,
        } -> DomainMigratePrepareTunnel3Reply { cookie_out: Vec<u8>[4194304] };
    216 DOMAIN_MIGRATE_PERFORM3 _ _ Qemu Write Low ["domain:migrate"]
        => DomainMigratePerform3 {
            dom: Domain,
            xmlin: Option<String>,
            cookie_in: Vec<u8>[4194304],
            dconnuri: Option<String>,
            uri: Option<String>,
            flags: u64,
            dname: Option<String>,
            resource: u64,
        } -> DomainMigratePerform3Reply { cookie_out: Vec<u8>[4194304] };
    217 DOMAIN_MIGRATE_FINISH3 _ _ Qemu Write Low ["domain:migrate"]
        => DomainMigrateFinish3 {
            dname: String,
            cookie_in: Vec<u8>[4194304],
            dconnuri: Option<String>,
            uri: Option<String>,
            flags: u64,
            cancelled: i32,
        } -> DomainMigrateFinish3Reply { dom: Domain, cookie_out: Vec<u8>[4194304] };
    218 DOMAIN_MIGRATE_CONFIRM3 _ _ Qemu Write Low ["domain:migrate"]
        => DomainMigrateConfirm3 { dom: Domain, cookie_in: Vec<u8>[4194304], flags: u64, cancelled: i32 };
    242 DOMAIN_MIGRATE_GET_MAX_SPEED "virDomainMigrateGetMaxSpeed" "0.9.5" Qemu Write Low ["domain:migrate"]
        => DomainMigrateGetMaxSpeed { dom: Domain, flags: u32 } -> DomainMigrateGetMaxSpeedReply { bandwidth: u64 };
    299 DOMAIN_MIGRATE_GET_COMPRESSION_CACHE "virDomainMigrateGetCompressionCache" "1.0.3" Qemu Read Low
        ["domain:migrate"]
        => DomainMigrateGetCompressionCache { dom: Domain, flags: u32 }
        -> DomainMigrateGetCompressionCacheReply { cache_size: u64 };
    300 DOMAIN_MIGRATE_SET_COMPRESSION_CACHE "virDomainMigrateSetCompressionCache" "1.0.3" Qemu Write Low
        ["domain:migrate"]
        => DomainMigrateSetCompressionCache { dom: Domain, cache_size: u64, flags: u32 };
    302 DOMAIN_MIGRATE_BEGIN3_PARAMS _ _ Qemu Write Low ["domain:migrate"]
        => DomainMigrateBegin3Params { dom: Domain, params: Vec<TypedParam>[64], flags: u32 }
        -> DomainMigrateBegin3ParamsReply { cookie_out: Vec<u8>[4194304], xml: String };
    303 DOMAIN_MIGRATE_PREPARE3_PARAMS _ _ Qemu Write Low ["domain:migrate", "domain:start", "domain:write"]
        => DomainMigratePrepare3Params { params: Vec<TypedParam>[64], cookie_in: Vec<u8>[4194304], flags: u32 }
        -> DomainMigratePrepare3ParamsReply { cookie_out: Vec<u8>[4194304], uri_out: Option<String> };
    304 DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS _ _ Qemu Write Low
        ["domain:migrate", "domain:start", "domain:write"] stream Write
        => DomainMigratePrepareTunnel3Params { params: Vec<TypedParam>[64], cookie_in: Vec<u8>[4194304], flags: u32 }
        -> DomainMigratePrepareTunnel3ParamsReply { cookie_out: Vec<u8>[4194304] };
    305 DOMAIN_MIGRATE_PERFORM3_PARAMS _ _ Qemu Write Low ["domain:migrate"]
        => DomainMigratePerform3Params {
            dom: Domain,
            dconnuri: Option<String>,
            params: Vec<TypedParam>[64],
            cookie_in: Vec<u8>[4194304],
            flags: u32,
        } -> DomainMigratePerform3ParamsReply { cookie_out: Vec<u8>[4194304] };
    306 DOMAIN_MIGRATE_FINISH3_PARAMS _ _ Qemu Write Low ["domain:migrate"]
        => DomainMigrateFinish3Params {
            params: Vec<TypedParam>[64],
            cookie_in: Vec<u8>[4194304],
            flags: u32,
            cancelled: i32,
        } -> DomainMigrateFinish3ParamsReply { dom: Domain, cookie_out: Vec<u8>[4194304] };
    307 DOMAIN_MIGRATE_CONFIRM3_PARAMS _ _ Qemu Write Low ["domain:migrate"]
        => DomainMigrateConfirm3Params {
            dom: Domain,
            params: Vec<TypedParam>[64],
            cookie_in: Vec<u8>[4194304],
            flags: u32,
            cancelled: i32,
        };
    364 DOMAIN_MIGRATE_START_POST_COPY "virDomainMigrateStartPostCopy" "1.3.3" Qemu Write Low ["domain:migrate"]
        => DomainMigrateStartPostCopy { dom: Domain, flags: u32 };
    387 DOMAIN_MIGRATE_GET_MAX_DOWNTIME "virDomainMigrateGetMaxDowntime" "3.7.0" Qemu Read Low ["domain:migrate"]
        => DomainMigrateGetMaxDowntime { dom: Domain, flags: u32 }
        -> DomainMigrateGetMaxDowntimeReply { downtime: u64 };
}
