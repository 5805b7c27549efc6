//! Rows of storage pools and volumes.

use crate::record::procedures;
use crate::types::{StoragePool, StorageVol, Uuid};

procedures! { Remote:
    71 CONNECT_NUM_OF_STORAGE_POOLS "virConnectNumOfStoragePools" "0.4.1" Storage Read High
        ["connect:search_storage_pools"] filter ["storage_pool:getattr"]
        => ConnectNumOfStoragePools {} -> ConnectNumOfStoragePoolsReply { num: i32 };
    72 CONNECT_LIST_STORAGE_POOLS "virConnectListStoragePools" "0.4.1" Storage Read High
        ["connect:search_storage_pools"] filter ["storage_pool:getattr"]
        => ConnectListStoragePools { maxnames: i32 } -> ConnectListStoragePoolsReply { names: Vec<String>[16384] };
    73 CONNECT_NUM_OF_DEFINED_STORAGE_POOLS "virConnectNumOfDefinedStoragePools" "0.4.1" Storage Read High
        ["connect:search_storage_pools"] filter ["storage_pool:getattr"]
        => ConnectNumOfDefinedStoragePools {} -> ConnectNumOfDefinedStoragePoolsReply { num: i32 };
    74 CONNECT_LIST_DEFINED_STORAGE_POOLS "virConnectListDefinedStoragePools" "0.4.1" Storage Read High
        ["connect:search_storage_pools"] filter ["storage_pool:getattr"]
        => ConnectListDefinedStoragePools { maxnames: i32 }
        -> ConnectListDefinedStoragePoolsReply { names: Vec<String>[16384] };
    75 CONNECT_FIND_STORAGE_POOL_SOURCES "virConnectFindStoragePoolSources" "0.4.5" Storage Write Low
        ["connect:detect_storage_pools"]
        => ConnectFindStoragePoolSources { r#type: String, src_spec: Option<String>, flags: u32 }
        -> ConnectFindStoragePoolSourcesReply { xml: String };
    76 STORAGE_POOL_CREATE_XML "virStoragePoolCreateXML" "0.4.1" Storage Write Low
        ["storage_pool:start", "storage_pool:write"]
        => StoragePoolCreateXml { xml: String, flags: u32 } -> StoragePoolCreateXmlReply { pool: StoragePool };
    77 STORAGE_POOL_DEFINE_XML "virStoragePoolDefineXML" "0.4.1" Storage Write High
        ["storage_pool:write", "storage_pool:save"]
        => StoragePoolDefineXml { xml: String, flags: u32 } -> StoragePoolDefineXmlReply { pool: StoragePool };
    78 STORAGE_POOL_CREATE "virStoragePoolCreate" "0.4.1" Storage Write Low ["storage_pool:start"]
        => StoragePoolCreate { pool: StoragePool, flags: u32 };
    79 STORAGE_POOL_BUILD "virStoragePoolBuild" "0.4.1" Storage Write Low ["storage_pool:format"]
        => StoragePoolBuild { pool: StoragePool, flags: u32 };
    80 STORAGE_POOL_DESTROY "virStoragePoolDestroy" "0.4.1" Storage Write High ["storage_pool:stop"]
        => StoragePoolDestroy { pool: StoragePool };
    81 STORAGE_POOL_DELETE "virStoragePoolDelete" "0.4.1" Storage Write Low ["storage_pool:format"]
        => StoragePoolDelete { pool: StoragePool, flags: u32 };
    82 STORAGE_POOL_UNDEFINE "virStoragePoolUndefine" "0.4.1" Storage Write High ["storage_pool:delete"]
        => StoragePoolUndefine { pool: StoragePool };
    83 STORAGE_POOL_REFRESH "virStoragePoolRefresh" "0.4.1" Storage Write Low ["storage_pool:refresh"]
        => StoragePoolRefresh { pool: StoragePool, flags: u32 };
    84 STORAGE_POOL_LOOKUP_BY_NAME "virStoragePoolLookupByName" "0.4.1" Storage Read High ["storage_pool:getattr"]
        => StoragePoolLookupByName { name: String } -> StoragePoolLookupByNameReply { pool: StoragePool };
    85 STORAGE_POOL_LOOKUP_BY_UUID "virStoragePoolLookupByUUID" "0.4.1" Storage Read High ["storage_pool:getattr"]
        => StoragePoolLookupByUuid { uuid: Uuid } -> StoragePoolLookupByUuidReply { pool: StoragePool };
    86 STORAGE_POOL_LOOKUP_BY_VOLUME "virStoragePoolLookupByVolume" "0.4.1" Storage Read High ["storage_pool:getattr"]
        => StoragePoolLookupByVolume { vol: StorageVol } -> StoragePoolLookupByVolumeReply { pool: StoragePool };
    87 STORAGE_POOL_GET_INFO "virStoragePoolGetInfo" "0.4.1" Storage Read High ["storage_pool:read"]
        => StoragePoolGetInfo { pool: StoragePool }
        -> StoragePoolGetInfoReply { state: u8, capacity: u64, allocation: u64, available: u64 };
    88 STORAGE_POOL_GET_XML_DESC "virStoragePoolGetXMLDesc" "0.4.1" Storage Read High ["storage_pool:read"]
        => StoragePoolGetXmlDesc { pool: StoragePool, flags: u32 } -> StoragePoolGetXmlDescReply { xml: String };
    89 STORAGE_POOL_GET_AUTOSTART "virStoragePoolGetAutostart" "0.4.1" Storage Read High ["storage_pool:read"]
        => StoragePoolGetAutostart { pool: StoragePool } -> StoragePoolGetAutostartReply { autostart: i32 };
    90 STORAGE_POOL_SET_AUTOSTART "virStoragePoolSetAutostart" "0.4.1" Storage Write High ["storage_pool:write"]
        => StoragePoolSetAutostart { pool: StoragePool, autostart: i32 };
    91 STORAGE_POOL_NUM_OF_VOLUMES "virStoragePoolNumOfVolumes" "0.4.1" Storage Read High
        ["storage_pool:search_storage_vols"] filter ["storage_vol:getattr"]
        => StoragePoolNumOfVolumes { pool: StoragePool } -> StoragePoolNumOfVolumesReply { num: i32 };
    92 STORAGE_POOL_LIST_VOLUMES "virStoragePoolListVolumes" "0.4.1" Storage Read High
        ["storage_pool:search_storage_vols"] filter ["storage_vol:getattr"]
        => StoragePoolListVolumes { pool: StoragePool, maxnames: i32 }
        -> StoragePoolListVolumesReply { names: Vec<String>[16384] };
    93 STORAGE_VOL_CREATE_XML "virStorageVolCreateXML" "0.4.1" Storage Write Low ["storage_vol:create"]
        => StorageVolCreateXml { pool: StoragePool, xml: String, flags: u32 }
        -> StorageVolCreateXmlReply { vol: StorageVol };
    94 STORAGE_VOL_DELETE "virStorageVolDelete" "0.4.1" Storage Write Low ["storage_vol:delete"]
        => StorageVolDelete { vol: StorageVol, flags: u32 };
    95 STORAGE_VOL_LOOKUP_BY_NAME "virStorageVolLookupByName" "0.4.1" Storage Read High ["storage_vol:getattr"]
        => StorageVolLookupByName { pool: StoragePool, name: String }
        -> StorageVolLookupByNameReply { vol: StorageVol };
    96 STORAGE_VOL_LOOKUP_BY_KEY "virStorageVolLookupByKey" "0.4.1" Storage Read High ["storage_vol:getattr"]
        => StorageVolLookupByKey { key: String } -> StorageVolLookupByKeyReply { vol: StorageVol };
    97 STORAGE_VOL_LOOKUP_BY_PATH "virStorageVolLookupByPath" "0.4.1" Storage Read High ["storage_vol:getattr"]
        => StorageVolLookupByPath { path: String } -> StorageVolLookupByPathReply { vol: StorageVol };
    98 STORAGE_VOL_GET_INFO "virStorageVolGetInfo" "0.4.1" Storage Read High ["storage_vol:read"]
        => StorageVolGetInfo { vol: StorageVol }
        -> StorageVolGetInfoReply { r#type: i8, capacity: u64, allocation: u64 };
    99 STORAGE_VOL_GET_XML_DESC "virStorageVolGetXMLDesc" "0.4.1" Storage Read High ["storage_vol:read"]
        => StorageVolGetXmlDesc { vol: StorageVol, flags: u32 } -> StorageVolGetXmlDescReply { xml: String };
    100 STORAGE_VOL_GET_PATH "virStorageVolGetPath" "0.4.1" Storage Read High ["storage_vol:read"]
        => StorageVolGetPath { vol: StorageVol } -> StorageVolGetPathReply { name: String };
    125 STORAGE_VOL_CREATE_XML_FROM "virStorageVolCreateXMLFrom" "0.6.4" Storage Write Low ["storage_vol:create"]
        => StorageVolCreateXmlFrom { pool: StoragePool, xml: String, clonevol: StorageVol, flags: u32 }
        -> StorageVolCreateXmlFromReply { vol: StorageVol };
    154 STORAGE_POOL_IS_ACTIVE "virStoragePoolIsActive" "0.7.3" Storage Read High ["storage_pool:read"]
        => StoragePoolIsActive { pool: StoragePool } -> StoragePoolIsActiveReply { active: i32 };
    155 STORAGE_POOL_IS_PERSISTENT "virStoragePoolIsPersistent" "0.7.3" Storage Read High ["storage_pool:read"]
        => StoragePoolIsPersistent { pool: StoragePool } -> StoragePoolIsPersistentReply { persistent: i32 };
    165 STORAGE_VOL_WIPE "virStorageVolWipe" "0.8.0" Storage Write Low ["storage_vol:format"]
        => StorageVolWipe { vol: StorageVol, flags: u32 };
    208 STORAGE_VOL_UPLOAD "virStorageVolUpload" "0.9.0" Storage Write Low
        ["storage_vol:data_write"] stream Write sparse 1
        => StorageVolUpload { vol: StorageVol, offset: u64, length: u64, flags: u32 };
    209 STORAGE_VOL_DOWNLOAD "virStorageVolDownload" "0.9.0" Storage Write Low
        ["storage_vol:data_read"] stream Read sparse 1
        => StorageVolDownload { vol: StorageVol, offset: u64, length: u64, flags: u32 };
    259 STORAGE_VOL_WIPE_PATTERN "virStorageVolWipePattern" "0.9.10" Storage Write Low ["storage_vol:format"]
        => StorageVolWipePattern { vol: StorageVol, algorithm: u32, flags: u32 };
    260 STORAGE_VOL_RESIZE "virStorageVolResize" "0.9.10" Storage Write Low ["storage_vol:resize"]
        => StorageVolResize { vol: StorageVol, capacity: u64, flags: u32 };
    281 CONNECT_LIST_ALL_STORAGE_POOLS "virConnectListAllStoragePools" "0.10.2" Storage Read High
        ["connect:search_storage_pools"] filter ["storage_pool:getattr"]
        => ConnectListAllStoragePools { need_results: i32, flags: u32 }
        -> ConnectListAllStoragePoolsReply { pools: Vec<StoragePool>[16384], ret: u32 };
    282 STORAGE_POOL_LIST_ALL_VOLUMES "virStoragePoolListAllVolumes" "0.10.2" Storage Read High
        ["storage_pool:search_storage_vols"] filter ["storage_vol:getattr"]
        => StoragePoolListAllVolumes { pool: StoragePool, need_results: i32, flags: u32 }
        -> StoragePoolListAllVolumesReply { vols: Vec<StorageVol>[16384], ret: u32 };
    368 CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY "virConnectStoragePoolEventRegisterAny" "2.0.0" Storage Read High
        ["connect:search_storage_pools"] filter ["storage_pool:getattr"]
        => ConnectStoragePoolEventRegisterAny { event_id: i32, pool: Option<StoragePool> }
        -> ConnectStoragePoolEventRegisterAnyReply { callback_id: i32 };
    369 CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY "virConnectStoragePoolEventDeregisterAny" "2.0.0" Storage Read High
        ["connect:read"]
        => ConnectStoragePoolEventDeregisterAny { callback_id: i32 };
    378 STORAGE_VOL_GET_INFO_FLAGS "virStorageVolGetInfoFlags" "3.0.0" Storage Read High ["storage_vol:read"]
        => StorageVolGetInfoFlags { vol: StorageVol, flags: u32 }
        -> StorageVolGetInfoFlagsReply { r#type: i8, capacity: u64, allocation: u64 };
    391 STORAGE_POOL_LOOKUP_BY_TARGET_PATH "virStoragePoolLookupByTargetPath" "4.1.0" Storage Read High
        ["storage_pool:getattr"]
        => StoragePoolLookupByTargetPath { path: String } -> StoragePoolLookupByTargetPathReply { pool: StoragePool };
    403 CONNECT_GET_STORAGE_POOL_CAPABILITIES "virConnectGetStoragePoolCapabilities" "5.2.0" Storage Read Low
        ["connect:read"]
        => ConnectGetStoragePoolCapabilities { flags: u32 }
        -> ConnectGetStoragePoolCapabilitiesReply { capabilities: String };
}
