//! Rows of the host's network interfaces.

use crate::record::procedures;
use crate::types::Interface;

procedures! { Remote:
    126 CONNECT_NUM_OF_INTERFACES "virConnectNumOfInterfaces" "0.6.4" Network Read High
        ["connect:search_interfaces"] filter ["interface:getattr"]
        => ConnectNumOfInterfaces {} -> ConnectNumOfInterfacesReply { num: i32 };
    127 CONNECT_LIST_INTERFACES "virConnectListInterfaces" "0.6.4" Network Read High
        ["connect:search_interfaces"] filter ["interface:getattr"]
        => ConnectListInterfaces { maxnames: i32 } -> ConnectListInterfacesReply { names: Vec<String>[16384] };
    128 INTERFACE_LOOKUP_BY_NAME "virInterfaceLookupByName" "0.6.4" Network Read High ["interface:getattr"]
        => InterfaceLookupByName { name: String } -> InterfaceLookupByNameReply { iface: Interface };
    129 INTERFACE_LOOKUP_BY_MAC_STRING "virInterfaceLookupByMACString" "0.6.4" Network Read High ["interface:getattr"]
        => InterfaceLookupByMacString { mac: String } -> InterfaceLookupByMacStringReply { iface: Interface };
    130 INTERFACE_GET_XML_DESC "virInterfaceGetXMLDesc" "0.6.4" Network Read Low ["interface:read"]
        => InterfaceGetXmlDesc { iface: Interface, flags: u32 } -> InterfaceGetXmlDescReply { xml: String };
    131 INTERFACE_DEFINE_XML "virInterfaceDefineXML" "0.6.4" Network Write High ["interface:write", "interface:save"]
        => InterfaceDefineXml { xml: String, flags: u32 } -> InterfaceDefineXmlReply { iface: Interface };
    132 INTERFACE_UNDEFINE "virInterfaceUndefine" "0.6.4" Network Write High ["interface:delete"]
        => InterfaceUndefine { iface: Interface };
    133 INTERFACE_CREATE "virInterfaceCreate" "0.6.4" Network Write Low ["interface:start"]
        => InterfaceCreate { iface: Interface, flags: u32 };
    134 INTERFACE_DESTROY "virInterfaceDestroy" "0.6.4" Network Write High ["interface:stop"]
        => InterfaceDestroy { iface: Interface, flags: u32 };
    137 CONNECT_NUM_OF_DEFINED_INTERFACES "virConnectNumOfDefinedInterfaces" "0.7.0" Network Read High
        ["connect:search_interfaces"] filter ["interface:getattr"]
        => ConnectNumOfDefinedInterfaces {} -> ConnectNumOfDefinedInterfacesReply { num: i32 };
    138 CONNECT_LIST_DEFINED_INTERFACES "virConnectListDefinedInterfaces" "0.7.0" Network Read High
        ["connect:search_interfaces"] filter ["interface:getattr"]
        => ConnectListDefinedInterfaces { maxnames: i32 }
        -> ConnectListDefinedInterfacesReply { names: Vec<String>[16384] };
    156 INTERFACE_IS_ACTIVE "virInterfaceIsActive" "0.7.3" Network Read High ["interface:read"]
        => InterfaceIsActive { iface: Interface } -> InterfaceIsActiveReply { active: i32 };
    220 INTERFACE_CHANGE_BEGIN "virInterfaceChangeBegin" "0.9.2" Network Write Low ["connect:interface_transaction"]
        => InterfaceChangeBegin { flags: u32 };
    221 INTERFACE_CHANGE_COMMIT "virInterfaceChangeCommit" "0.9.2" Network Write Low ["connect:interface_transaction"]
        => InterfaceChangeCommit { flags: u32 };
    222 INTERFACE_CHANGE_ROLLBACK "virInterfaceChangeRollback" "0.9.2" Network Write Low
        ["connect:interface_transaction"]
        => InterfaceChangeRollback { flags: u32 };
    284 CONNECT_LIST_ALL_INTERFACES "virConnectListAllInterfaces" "0.10.2" Network Read High
        ["connect:search_interfaces"] filter ["interface:getattr"]
        => ConnectListAllInterfaces { need_results: i32, flags: u32 }
        -> ConnectListAllInterfacesReply { ifaces: Vec<Interface>[16384], ret: u32 };
}
