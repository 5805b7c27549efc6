//! Rows of snapshots, checkpoints and backups.

use crate::record::procedures;
use crate::types::{Domain, DomainCheckpoint, DomainSnapshot};

procedures! { Remote:
    185 DOMAIN_SNAPSHOT_CREATE_XML "virDomainSnapshotCreateXML" "0.8.0" Qemu Write Low
        ["domain:snapshot", "domain:fs_freeze:VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE"]
        => DomainSnapshotCreateXml { dom: Domain, xml_desc: String, flags: u32 }
        -> DomainSnapshotCreateXmlReply { snap: DomainSnapshot };
    186 DOMAIN_SNAPSHOT_GET_XML_DESC "virDomainSnapshotGetXMLDesc" "0.8.0" Qemu Read High
        ["domain:read", "domain:read_secure:VIR_DOMAIN_SNAPSHOT_XML_SECURE"]
        => DomainSnapshotGetXmlDesc { snap: DomainSnapshot, flags: u32 }
        -> DomainSnapshotGetXmlDescReply { xml: String };
    187 DOMAIN_SNAPSHOT_NUM "virDomainSnapshotNum" "0.8.0" Qemu Read High ["domain:read"]
        => DomainSnapshotNum { dom: Domain, flags: u32 } -> DomainSnapshotNumReply { num: i32 };
    188 DOMAIN_SNAPSHOT_LIST_NAMES "virDomainSnapshotListNames" "0.8.0" Qemu Read High ["domain:read"]
        => DomainSnapshotListNames { dom: Domain, maxnames: i32, flags: u32 }
        -> DomainSnapshotListNamesReply { names: Vec<String>[16384] };
    189 DOMAIN_SNAPSHOT_LOOKUP_BY_NAME "virDomainSnapshotLookupByName" "0.8.0" Qemu Read High ["domain:read"]
        => DomainSnapshotLookupByName { dom: Domain, name: String, flags: u32 }
        -> DomainSnapshotLookupByNameReply { snap: DomainSnapshot };
    190 DOMAIN_HAS_CURRENT_SNAPSHOT "virDomainHasCurrentSnapshot" "0.8.0" Qemu Read Low ["domain:read"]
        => DomainHasCurrentSnapshot { dom: Domain, flags: u32 } -> DomainHasCurrentSnapshotReply { result: i32 };
    191 DOMAIN_SNAPSHOT_CURRENT "virDomainSnapshotCurrent" "0.8.0" Qemu Read Low ["domain:read"]
        => DomainSnapshotCurrent { dom: Domain, flags: u32 } -> DomainSnapshotCurrentReply { snap: DomainSnapshot };
    192 DOMAIN_REVERT_TO_SNAPSHOT "virDomainRevertToSnapshot" "0.8.0" Qemu Write Low ["domain:snapshot"]
        => DomainRevertToSnapshot { snap: DomainSnapshot, flags: u32 };
    193 DOMAIN_SNAPSHOT_DELETE "virDomainSnapshotDelete" "0.8.0" Qemu Write Low ["domain:snapshot"]
        => DomainSnapshotDelete { snap: DomainSnapshot, flags: u32 };
    244 DOMAIN_SNAPSHOT_GET_PARENT "virDomainSnapshotGetParent" "0.9.7" Qemu Read High ["domain:read"]
        => DomainSnapshotGetParent { snap: DomainSnapshot, flags: u32 }
        -> DomainSnapshotGetParentReply { snap: DomainSnapshot };
    246 DOMAIN_SNAPSHOT_NUM_CHILDREN "virDomainSnapshotNumChildren" "0.9.7" Qemu Read High ["domain:read"]
        => DomainSnapshotNumChildren { snap: DomainSnapshot, flags: u32 }
        -> DomainSnapshotNumChildrenReply { num: i32 };
    247 DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES "virDomainSnapshotListChildrenNames" "0.9.7" Qemu Read High ["domain:read"]
        => DomainSnapshotListChildrenNames { snap: DomainSnapshot, maxnames: i32, flags: u32 }
        -> DomainSnapshotListChildrenNamesReply { names: Vec<String>[16384] };
    271 DOMAIN_SNAPSHOT_IS_CURRENT "virDomainSnapshotIsCurrent" "0.9.13" Qemu Read Low ["domain:read"]
        => DomainSnapshotIsCurrent { snap: DomainSnapshot, flags: u32 }
        -> DomainSnapshotIsCurrentReply { current: i32 };
    272 DOMAIN_SNAPSHOT_HAS_METADATA "virDomainSnapshotHasMetadata" "0.9.13" Qemu Read Low ["domain:read"]
        => DomainSnapshotHasMetadata { snap: DomainSnapshot, flags: u32 }
        -> DomainSnapshotHasMetadataReply { metadata: i32 };
    274 DOMAIN_LIST_ALL_SNAPSHOTS "virDomainListAllSnapshots" "0.9.13" Qemu Read High ["domain:read"]
        => DomainListAllSnapshots { dom: Domain, need_results: i32, flags: u32 }
        -> DomainListAllSnapshotsReply { snapshots: Vec<DomainSnapshot>[16384], ret: i32 };
    275 DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN "virDomainSnapshotListAllChildren" "0.9.13" Qemu Read High ["domain:read"]
        => DomainSnapshotListAllChildren { snapshot: DomainSnapshot, need_results: i32, flags: u32 }
        -> DomainSnapshotListAllChildrenReply { snapshots: Vec<DomainSnapshot>[16384], ret: i32 };
    411 DOMAIN_CHECKPOINT_CREATE_XML "virDomainCheckpointCreateXML" "5.6.0" Qemu Write Low
        ["domain:checkpoint", "domain:fs_freeze:VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE"]
        => DomainCheckpointCreateXml { dom: Domain, xml_desc: String, flags: u32 }
        -> DomainCheckpointCreateXmlReply { checkpoint: DomainCheckpoint };
    412 DOMAIN_CHECKPOINT_GET_XML_DESC "virDomainCheckpointGetXMLDesc" "5.6.0" Qemu Read Low
        ["domain:read", "domain:read_secure:VIR_DOMAIN_CHECKPOINT_XML_SECURE"]
        => DomainCheckpointGetXmlDesc { checkpoint: DomainCheckpoint, flags: u32 }
        -> DomainCheckpointGetXmlDescReply { xml: String };
    413 DOMAIN_LIST_ALL_CHECKPOINTS "virDomainListAllCheckpoints" "5.6.0" Qemu Read High ["domain:read"]
        => DomainListAllCheckpoints { dom: Domain, need_results: i32, flags: u32 }
        -> DomainListAllCheckpointsReply { checkpoints: Vec<DomainCheckpoint>[16384], ret: i32 };
    414 DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN "virDomainCheckpointListAllChildren" "5.6.0" Qemu Read High ["domain:read"]
        => DomainCheckpointListAllChildren { checkpoint: DomainCheckpoint, need_results: i32, flags: u32 }
        -> DomainCheckpointListAllChildrenReply { checkpoints: Vec<DomainCheckpoint>[16384], ret: i32 };
    415 DOMAIN_CHECKPOINT_LOOKUP_BY_NAME "virDomainCheckpointLookupByName" "5.6.0" Qemu Read High ["domain:read"]
        => DomainCheckpointLookupByName { dom: Domain, name: String, flags: u32 }
        -> DomainCheckpointLookupByNameReply { checkpoint: DomainCheckpoint };
    416 DOMAIN_CHECKPOINT_GET_PARENT "virDomainCheckpointGetParent" "5.6.0" Qemu Read High ["domain:read"]
        => DomainCheckpointGetParent { checkpoint: DomainCheckpoint, flags: u32 }
        -> DomainCheckpointGetParentReply { parent: DomainCheckpoint };
    417 DOMAIN_CHECKPOINT_DELETE "virDomainCheckpointDelete" "5.6.0" Qemu Write Low ["domain:checkpoint"]
        => DomainCheckpointDelete { checkpoint: DomainCheckpoint, flags: u32 };
    421 DOMAIN_BACKUP_BEGIN "virDomainBackupBegin" "6.0.0" Qemu Write Low ["domain:checkpoint", "domain:block_write"]
        => DomainBackupBegin { dom: Domain, backup_xml: String, checkpoint_xml: Option<String>, flags: u32 };
    422 DOMAIN_BACKUP_GET_XML_DESC "virDomainBackupGetXMLDesc" "6.0.0" Qemu Read High ["domain:read"]
        => DomainBackupGetXmlDesc { dom: Domain, flags: u32 } -> DomainBackupGetXmlDescReply { xml: String };
}
