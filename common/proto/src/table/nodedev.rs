//! Rows of the host's devices.

use crate::record::procedures;
use crate::types::NodeDevice;

procedures! { Remote:
    111 NODE_NUM_OF_DEVICES "virNodeNumOfDevices" "0.5.0" Qemu Read High
        ["connect:search_node_devices"] filter ["node_device:getattr"]
        => NodeNumOfDevices { cap: Option<String>, flags: u32 } -> NodeNumOfDevicesReply { num: i32 };
    112 NODE_LIST_DEVICES "virNodeListDevices" "0.5.0" Qemu Read High
        ["connect:search_node_devices"] filter ["node_device:getattr"]
        => NodeListDevices { cap: Option<String>, maxnames: i32, flags: u32 }
        -> NodeListDevicesReply { names: Vec<String>[65536] };
    113 NODE_DEVICE_LOOKUP_BY_NAME "virNodeDeviceLookupByName" "0.5.0" Qemu Read High ["node_device:getattr"]
        => NodeDeviceLookupByName { name: String } -> NodeDeviceLookupByNameReply { dev: NodeDevice };
    114 NODE_DEVICE_GET_XML_DESC "virNodeDeviceGetXMLDesc" "0.5.0" Qemu Read Low ["node_device:read"]
        => NodeDeviceGetXmlDesc { name: String, flags: u32 } -> NodeDeviceGetXmlDescReply { xml: String };
    115 NODE_DEVICE_GET_PARENT "virNodeDeviceGetParent" "0.5.0" Qemu Read High ["node_device:read"]
        => NodeDeviceGetParent { name: String } -> NodeDeviceGetParentReply { parent_name: Option<String> };
    116 NODE_DEVICE_NUM_OF_CAPS "virNodeDeviceNumOfCaps" "0.5.0" Qemu Read High ["node_device:read"]
        => NodeDeviceNumOfCaps { name: String } -> NodeDeviceNumOfCapsReply { num: i32 };
    117 NODE_DEVICE_LIST_CAPS "virNodeDeviceListCaps" "0.5.0" Qemu Read High ["node_device:read"]
        => NodeDeviceListCaps { name: String, maxnames: i32 } -> NodeDeviceListCapsReply { names: Vec<String>[65536] };
    118 NODE_DEVICE_DETTACH "virNodeDeviceDettach" "0.6.1" Qemu Write Low ["node_device:detach"]
        => NodeDeviceDettach { name: String };
    119 NODE_DEVICE_RE_ATTACH "virNodeDeviceReAttach" "0.6.1" Qemu Write Low ["node_device:detach"]
        => NodeDeviceReAttach { name: String };
    120 NODE_DEVICE_RESET "virNodeDeviceReset" "0.6.1" Qemu Write Low ["node_device:detach"]
        => NodeDeviceReset { name: String };
    123 NODE_DEVICE_CREATE_XML "virNodeDeviceCreateXML" "0.6.3" Qemu Write Low
        ["node_device:write", "node_device:start"]
        => NodeDeviceCreateXml { xml_desc: String, flags: u32 } -> NodeDeviceCreateXmlReply { dev: NodeDevice };
    124 NODE_DEVICE_DESTROY "virNodeDeviceDestroy" "0.6.3" Qemu Write High ["node_device:stop"]
        => NodeDeviceDestroy { name: String };
    285 CONNECT_LIST_ALL_NODE_DEVICES "virConnectListAllNodeDevices" "0.10.2" Qemu Read High
        ["connect:search_node_devices"] filter ["node_device:getattr"]
        => ConnectListAllNodeDevices { need_results: i32, flags: u32 }
        -> ConnectListAllNodeDevicesReply { devices: Vec<NodeDevice>[65536], ret: u32 };
    297 NODE_DEVICE_LOOKUP_SCSI_HOST_BY_WWN "virNodeDeviceLookupSCSIHostByWWN" "1.0.3" Qemu Read High
        ["node_device:getattr"]
        => NodeDeviceLookupScsiHostByWwn { wwnn: String, wwpn: String, flags: u32 }
        -> NodeDeviceLookupScsiHostByWwnReply { dev: NodeDevice };
    301 NODE_DEVICE_DETACH_FLAGS "virNodeDeviceDetachFlags" "1.0.5" Qemu Write Low ["node_device:detach"]
        => NodeDeviceDetachFlags { name: String, driver_name: Option<String>, flags: u32 };
    374 CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY "virConnectNodeDeviceEventRegisterAny" "2.2.0" Qemu Read High
        ["connect:search_node_devices"] filter ["node_device:getattr"]
        => ConnectNodeDeviceEventRegisterAny { event_id: i32, dev: Option<NodeDevice> }
        -> ConnectNodeDeviceEventRegisterAnyReply { callback_id: i32 };
    375 CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY "virConnectNodeDeviceEventDeregisterAny" "2.2.0" Qemu Read High
        ["connect:read"]
        => ConnectNodeDeviceEventDeregisterAny { callback_id: i32 };
    428 NODE_DEVICE_DEFINE_XML "virNodeDeviceDefineXML" "7.3.0" Qemu Write Low ["node_device:write", "node_device:save"]
        => NodeDeviceDefineXml { xml_desc: String, flags: u32 } -> NodeDeviceDefineXmlReply { dev: NodeDevice };
    429 NODE_DEVICE_UNDEFINE "virNodeDeviceUndefine" "7.3.0" Qemu Write High ["node_device:delete"]
        => NodeDeviceUndefine { name: String, flags: u32 };
    430 NODE_DEVICE_CREATE "virNodeDeviceCreate" "7.3.0" Qemu Write High ["node_device:start"]
        => NodeDeviceCreate { name: String, flags: u32 };
    433 NODE_DEVICE_GET_AUTOSTART "virNodeDeviceGetAutostart" "7.8.0" Qemu Read High ["node_device:read"]
        => NodeDeviceGetAutostart { name: String } -> NodeDeviceGetAutostartReply { autostart: i32 };
    434 NODE_DEVICE_SET_AUTOSTART "virNodeDeviceSetAutostart" "7.8.0" Qemu Write High ["node_device:write"]
        => NodeDeviceSetAutostart { name: String, autostart: i32 };
    435 NODE_DEVICE_IS_PERSISTENT "virNodeDeviceIsPersistent" "7.8.0" Qemu Read High ["node_device:read"]
        => NodeDeviceIsPersistent { name: String } -> NodeDeviceIsPersistentReply { persistent: i32 };
    436 NODE_DEVICE_IS_ACTIVE "virNodeDeviceIsActive" "7.8.0" Qemu Read High ["node_device:read"]
        => NodeDeviceIsActive { name: String } -> NodeDeviceIsActiveReply { active: i32 };
    447 NODE_DEVICE_UPDATE "virNodeDeviceUpdate" "10.1.0" Qemu Write High
        ["node_device:write",
         "node_device:save:!VIR_NODE_DEVICE_UPDATE_AFFECT_CONFIG|VIR_NODE_DEVICE_UPDATE_AFFECT_LIVE",
         "node_device:save:VIR_NODE_DEVICE_UPDATE_AFFECT_CONFIG"]
        => NodeDeviceUpdate { name: String, xml_desc: String, flags: u32 };
}
