//! Rows of guests: listing, looking up, defining, starting, stopping, state and description.

use crate::record::procedures;
use crate::types::{Domain, DomainStatsRecord, Uuid};
use crate::xdr::Chars;

procedures! { Remote:
    9 DOMAIN_CREATE "virDomainCreate" "0.1.1" Qemu Write Low ["domain:start"]
        => DomainCreate { dom: Domain };
    10 DOMAIN_CREATE_XML "virDomainCreateXML" "0.5.0" Qemu Write Low ["domain:write", "domain:start"]
        => DomainCreateXml { xml_desc: String, flags: u32 } -> DomainCreateXmlReply { dom: Domain };
    11 DOMAIN_DEFINE_XML "virDomainDefineXML" "0.1.1" Qemu Write High ["domain:write", "domain:save"]
        => DomainDefineXml { xml: String } -> DomainDefineXmlReply { dom: Domain };
    12 DOMAIN_DESTROY "virDomainDestroy" "0.0.3" Qemu Write High ["domain:stop"]
        => DomainDestroy { dom: Domain };
    14 DOMAIN_GET_XML_DESC "virDomainGetXMLDesc" "0.0.3" Qemu Read Low
        ["domain:read", "domain:read_secure:VIR_DOMAIN_XML_SECURE", "domain:read_secure:VIR_DOMAIN_XML_MIGRATABLE"]
        => DomainGetXmlDesc { dom: Domain, flags: u32 } -> DomainGetXmlDescReply { xml: String };
    15 DOMAIN_GET_AUTOSTART "virDomainGetAutostart" "0.2.1" Qemu Read High ["domain:read"]
        => DomainGetAutostart { dom: Domain } -> DomainGetAutostartReply { autostart: i32 };
    16 DOMAIN_GET_INFO "virDomainGetInfo" "0.0.3" Qemu Read Low ["domain:read"]
        => DomainGetInfo { dom: Domain }
        -> DomainGetInfoReply { state: u8, max_mem: u64, memory: u64, nr_virt_cpu: u16, cpu_time: u64 };
    19 DOMAIN_GET_OS_TYPE "virDomainGetOSType" "0.0.3" Qemu Read High ["domain:read"]
        => DomainGetOsType { dom: Domain } -> DomainGetOsTypeReply { r#type: String };
    21 CONNECT_LIST_DEFINED_DOMAINS "virConnectListDefinedDomains" "0.1.1" Qemu Read High
        ["connect:search_domains"] filter ["domain:getattr"]
        => ConnectListDefinedDomains { maxnames: i32 } -> ConnectListDefinedDomainsReply { names: Vec<String>[16384] };
    22 DOMAIN_LOOKUP_BY_ID "virDomainLookupByID" "0.0.3" Qemu Read High ["domain:getattr"]
        => DomainLookupById { id: i32 } -> DomainLookupByIdReply { dom: Domain };
    23 DOMAIN_LOOKUP_BY_NAME "virDomainLookupByName" "0.0.3" Qemu Read High ["domain:getattr"]
        => DomainLookupByName { name: String } -> DomainLookupByNameReply { dom: Domain };
    24 DOMAIN_LOOKUP_BY_UUID "virDomainLookupByUUID" "0.0.5" Qemu Read High ["domain:getattr"]
        => DomainLookupByUuid { uuid: Uuid } -> DomainLookupByUuidReply { dom: Domain };
    25 CONNECT_NUM_OF_DEFINED_DOMAINS "virConnectNumOfDefinedDomains" "0.1.5" Qemu Read High
        ["connect:search_domains"] filter ["domain:getattr"]
        => ConnectNumOfDefinedDomains {} -> ConnectNumOfDefinedDomainsReply { num: i32 };
    27 DOMAIN_REBOOT "virDomainReboot" "0.1.0" Qemu Write Low
        ["domain:init_control", "domain:write:VIR_DOMAIN_REBOOT_GUEST_AGENT"]
        => DomainReboot { dom: Domain, flags: u32 };
    28 DOMAIN_RESUME "virDomainResume" "0.0.3" Qemu Write Low ["domain:suspend"]
        => DomainResume { dom: Domain };
    29 DOMAIN_SET_AUTOSTART "virDomainSetAutostart" "0.2.1" Qemu Write High ["domain:write"]
        => DomainSetAutostart { dom: Domain, autostart: i32 };
    33 DOMAIN_SHUTDOWN "virDomainShutdown" "0.0.3" Qemu Write Low ["domain:init_control"]
        => DomainShutdown { dom: Domain };
    34 DOMAIN_SUSPEND "virDomainSuspend" "0.0.3" Qemu Write Low ["domain:suspend"]
        => DomainSuspend { dom: Domain };
    35 DOMAIN_UNDEFINE "virDomainUndefine" "0.1.1" Qemu Write High ["domain:delete"]
        => DomainUndefine { dom: Domain };
    37 CONNECT_LIST_DOMAINS "virConnectListDomains" "0.0.3" Qemu Read High
        ["connect:search_domains"] filter ["domain:getattr"]
        => ConnectListDomains { maxids: i32 } -> ConnectListDomainsReply { ids: Vec<i32>[16384] };
    51 CONNECT_NUM_OF_DOMAINS "virConnectNumOfDomains" "0.0.3" Qemu Read High
        ["connect:search_domains"] filter ["domain:getattr"]
        => ConnectNumOfDomains {} -> ConnectNumOfDomainsReply { num: i32 };
    105 CONNECT_DOMAIN_EVENT_REGISTER "virConnectDomainEventRegister" "0.5.0" Qemu Read High
        ["connect:search_domains"] filter ["domain:getattr"]
        => ConnectDomainEventRegister {} -> ConnectDomainEventRegisterReply { cb_registered: i32 };
    106 CONNECT_DOMAIN_EVENT_DEREGISTER "virConnectDomainEventDeregister" "0.5.0" Qemu Read High ["connect:read"]
        => ConnectDomainEventDeregister {} -> ConnectDomainEventDeregisterReply { cb_registered: i32 };
    121 DOMAIN_GET_SECURITY_LABEL "virDomainGetSecurityLabel" "0.6.1" Qemu Read High ["domain:read"]
        => DomainGetSecurityLabel { dom: Domain } -> DomainGetSecurityLabelReply { label: Chars[4097], enforcing: i32 };
    135 CONNECT_DOMAIN_XML_FROM_NATIVE "virConnectDomainXMLFromNative" "0.6.4" Qemu Write Low ["connect:write"]
        => ConnectDomainXmlFromNative { native_format: String, native_config: String, flags: u32 }
        -> ConnectDomainXmlFromNativeReply { domain_xml: String };
    136 CONNECT_DOMAIN_XML_TO_NATIVE "virConnectDomainXMLToNative" "0.6.4" Qemu Write Low ["connect:write"]
        => ConnectDomainXmlToNative { native_format: String, domain_xml: String, flags: u32 }
        -> ConnectDomainXmlToNativeReply { native_config: String };
    150 DOMAIN_IS_ACTIVE "virDomainIsActive" "0.7.3" Qemu Read High ["domain:read"]
        => DomainIsActive { dom: Domain } -> DomainIsActiveReply { active: i32 };
    151 DOMAIN_IS_PERSISTENT "virDomainIsPersistent" "0.7.3" Qemu Read High ["domain:read"]
        => DomainIsPersistent { dom: Domain } -> DomainIsPersistentReply { persistent: i32 };
    167 CONNECT_DOMAIN_EVENT_REGISTER_ANY "virConnectDomainEventRegisterAny" "0.8.0" Qemu Read High
        ["connect:search_domains"] filter ["domain:getattr"]
        => ConnectDomainEventRegisterAny { event_id: i32 };
    168 CONNECT_DOMAIN_EVENT_DEREGISTER_ANY "virConnectDomainEventDeregisterAny" "0.8.0" Qemu Read High ["connect:read"]
        => ConnectDomainEventDeregisterAny { event_id: i32 };
    196 DOMAIN_CREATE_WITH_FLAGS "virDomainCreateWithFlags" "0.8.2" Qemu Write Low ["domain:start"]
        => DomainCreateWithFlags { dom: Domain, flags: u32 } -> DomainCreateWithFlagsReply { dom: Domain };
    202 DOMAIN_IS_UPDATED "virDomainIsUpdated" "0.8.6" Qemu Read High ["domain:read"]
        => DomainIsUpdated { dom: Domain } -> DomainIsUpdatedReply { updated: i32 };
    212 DOMAIN_GET_STATE "virDomainGetState" "0.9.2" Qemu Read High ["domain:read"]
        => DomainGetState { dom: Domain, flags: u32 } -> DomainGetStateReply { state: i32, reason: i32 };
    229 DOMAIN_GET_CONTROL_INFO "virDomainGetControlInfo" "0.9.3" Qemu Read High ["domain:read"]
        => DomainGetControlInfo { dom: Domain, flags: u32 }
        -> DomainGetControlInfoReply { state: u32, details: u32, state_time: u64 };
    231 DOMAIN_UNDEFINE_FLAGS "virDomainUndefineFlags" "0.9.4" Qemu Write High ["domain:delete"]
        => DomainUndefineFlags { dom: Domain, flags: u32 };
    234 DOMAIN_DESTROY_FLAGS "virDomainDestroyFlags" "0.9.4" Qemu Write High ["domain:stop"]
        => DomainDestroyFlags { dom: Domain, flags: u32 };
    245 DOMAIN_RESET "virDomainReset" "0.9.7" Qemu Write Low ["domain:reset"]
        => DomainReset { dom: Domain, flags: u32 };
    258 DOMAIN_SHUTDOWN_FLAGS "virDomainShutdownFlags" "0.9.10" Qemu Write Low
        ["domain:init_control", "domain:write:VIR_DOMAIN_SHUTDOWN_GUEST_AGENT"]
        => DomainShutdownFlags { dom: Domain, flags: u32 };
    264 DOMAIN_SET_METADATA "virDomainSetMetadata" "0.9.10" Qemu Write Low
        ["domain:write",
         "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
         "domain:save:VIR_DOMAIN_AFFECT_CONFIG"]
        => DomainSetMetadata {
            dom: Domain,
            r#type: i32,
            metadata: Option<String>,
            key: Option<String>,
            uri: Option<String>,
            flags: u32,
        };
    265 DOMAIN_GET_METADATA "virDomainGetMetadata" "0.9.10" Qemu Read Low ["domain:read"]
        => DomainGetMetadata { dom: Domain, r#type: i32, uri: Option<String>, flags: u32 }
        -> DomainGetMetadataReply { metadata: String };
    273 CONNECT_LIST_ALL_DOMAINS "virConnectListAllDomains" "0.9.13" Qemu Read High
        ["connect:search_domains"] filter ["domain:getattr"]
        => ConnectListAllDomains { need_results: i32, flags: u32 }
        -> ConnectListAllDomainsReply { domains: Vec<Domain>[16384], ret: u32 };
    278 DOMAIN_GET_SECURITY_LABEL_LIST "virDomainGetSecurityLabelList" "0.10.0" Qemu Read High ["domain:read"]
        => DomainGetSecurityLabelList { dom: Domain }
        -> DomainGetSecurityLabelListReply { labels: Vec<DomainGetSecurityLabelReply>[64], ret: i32 };
    309 DOMAIN_CREATE_XML_WITH_FILES "virDomainCreateXMLWithFiles" "1.1.1" Qemu Write Low
        ["domain:write", "domain:start"] fds Call
        => DomainCreateXmlWithFiles { xml_desc: String, flags: u32 } -> DomainCreateXmlWithFilesReply { dom: Domain };
    310 DOMAIN_CREATE_WITH_FILES "virDomainCreateWithFiles" "1.1.1" Qemu Write Low ["domain:start"] fds Call
        => DomainCreateWithFiles { dom: Domain, flags: u32 } -> DomainCreateWithFilesReply { dom: Domain };
    316 CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY "virConnectDomainEventRegisterAny" "0.8.0" Qemu Read High
        ["connect:search_domains"] filter ["domain:getattr"]
        => ConnectDomainEventCallbackRegisterAny { event_id: i32, dom: Option<Domain> }
        -> ConnectDomainEventCallbackRegisterAnyReply { callback_id: i32 };
    317 CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY "virConnectDomainEventDeregisterAny" "0.8.0" Qemu Read High
        ["connect:read"]
        => ConnectDomainEventCallbackDeregisterAny { callback_id: i32 };
    344 CONNECT_GET_ALL_DOMAIN_STATS "virConnectGetAllDomainStats" "1.2.8" Qemu Read Low
        ["connect:search_domains"] filter ["domain:read"]
        => ConnectGetAllDomainStats { doms: Vec<Domain>[16384], stats: u32, flags: u32 }
        -> ConnectGetAllDomainStatsReply { ret_stats: Vec<DomainStatsRecord>[16384] };
    350 DOMAIN_DEFINE_XML_FLAGS "virDomainDefineXMLFlags" "1.2.12" Qemu Write High ["domain:write", "domain:save"]
        => DomainDefineXmlFlags { xml: String, flags: u32 } -> DomainDefineXmlFlagsReply { dom: Domain };
    358 DOMAIN_RENAME "virDomainRename" "1.2.19" Qemu Write Low ["domain:write", "domain:save"]
        => DomainRename { dom: Domain, new_name: Option<String>, flags: u32 } -> DomainRenameReply { retcode: i32 };
    390 DOMAIN_SET_LIFECYCLE_ACTION "virDomainSetLifecycleAction" "3.9.0" Qemu Write Low ["domain:write"]
        => DomainSetLifecycleAction { dom: Domain, r#type: u32, action: u32, flags: u32 };
    449 DOMAIN_GET_AUTOSTART_ONCE "virDomainGetAutostartOnce" "11.2.0" Qemu Read High ["domain:read"]
        => DomainGetAutostartOnce { dom: Domain } -> DomainGetAutostartOnceReply { autostart: i32 };
    450 DOMAIN_SET_AUTOSTART_ONCE "virDomainSetAutostartOnce" "11.2.0" Qemu Write High ["domain:write"]
        => DomainSetAutostartOnce { dom: Domain, autostart: i32 };
}
