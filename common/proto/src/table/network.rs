//! Rows of virtual networks and their ports.

use crate::record::procedures;
use crate::types::{Network, NetworkDhcpLease, NetworkPort, TypedParam, Uuid};

procedures! { Remote:
    36 CONNECT_LIST_DEFINED_NETWORKS "virConnectListDefinedNetworks" "0.2.0" Network Read High
        ["connect:search_networks"] filter ["network:getattr"]
        => ConnectListDefinedNetworks { maxnames: i32 }
        -> ConnectListDefinedNetworksReply { names: Vec<String>[16384] };
    38 CONNECT_LIST_NETWORKS "virConnectListNetworks" "0.2.0" Network Read High
        ["connect:search_networks"] filter ["network:getattr"]
        => ConnectListNetworks { maxnames: i32 } -> ConnectListNetworksReply { names: Vec<String>[16384] };
    39 NETWORK_CREATE "virNetworkCreate" "0.2.0" Network Write Low ["network:start"]
        => NetworkCreate { net: Network };
    40 NETWORK_CREATE_XML "virNetworkCreateXML" "0.2.0" Network Write Low ["network:write", "network:start"]
        => NetworkCreateXml { xml: String } -> NetworkCreateXmlReply { net: Network };
    41 NETWORK_DEFINE_XML "virNetworkDefineXML" "0.2.0" Network Write High ["network:write", "network:save"]
        => NetworkDefineXml { xml: String } -> NetworkDefineXmlReply { net: Network };
    42 NETWORK_DESTROY "virNetworkDestroy" "0.2.0" Network Write High ["network:stop"]
        => NetworkDestroy { net: Network };
    43 NETWORK_GET_XML_DESC "virNetworkGetXMLDesc" "0.2.0" Network Read High ["network:read"]
        => NetworkGetXmlDesc { net: Network, flags: u32 } -> NetworkGetXmlDescReply { xml: String };
    44 NETWORK_GET_AUTOSTART "virNetworkGetAutostart" "0.2.1" Network Read High ["network:read"]
        => NetworkGetAutostart { net: Network } -> NetworkGetAutostartReply { autostart: i32 };
    45 NETWORK_GET_BRIDGE_NAME "virNetworkGetBridgeName" "0.2.0" Network Read High ["network:read"]
        => NetworkGetBridgeName { net: Network } -> NetworkGetBridgeNameReply { name: String };
    46 NETWORK_LOOKUP_BY_NAME "virNetworkLookupByName" "0.2.0" Network Read High ["network:getattr"]
        => NetworkLookupByName { name: String } -> NetworkLookupByNameReply { net: Network };
    47 NETWORK_LOOKUP_BY_UUID "virNetworkLookupByUUID" "0.2.0" Network Read High ["network:getattr"]
        => NetworkLookupByUuid { uuid: Uuid } -> NetworkLookupByUuidReply { net: Network };
    48 NETWORK_SET_AUTOSTART "virNetworkSetAutostart" "0.2.1" Network Write High ["network:write"]
        => NetworkSetAutostart { net: Network, autostart: i32 };
    49 NETWORK_UNDEFINE "virNetworkUndefine" "0.2.0" Network Write High ["network:delete"]
        => NetworkUndefine { net: Network };
    50 CONNECT_NUM_OF_DEFINED_NETWORKS "virConnectNumOfDefinedNetworks" "0.2.0" Network Read High
        ["connect:search_networks"] filter ["network:getattr"]
        => ConnectNumOfDefinedNetworks {} -> ConnectNumOfDefinedNetworksReply { num: i32 };
    52 CONNECT_NUM_OF_NETWORKS "virConnectNumOfNetworks" "0.2.0" Network Read High
        ["connect:search_networks"] filter ["network:getattr"]
        => ConnectNumOfNetworks {} -> ConnectNumOfNetworksReply { num: i32 };
    152 NETWORK_IS_ACTIVE "virNetworkIsActive" "0.7.3" Network Read High ["network:read"]
        => NetworkIsActive { net: Network } -> NetworkIsActiveReply { active: i32 };
    153 NETWORK_IS_PERSISTENT "virNetworkIsPersistent" "0.7.3" Network Read High ["network:read"]
        => NetworkIsPersistent { net: Network } -> NetworkIsPersistentReply { persistent: i32 };
    283 CONNECT_LIST_ALL_NETWORKS "virConnectListAllNetworks" "0.10.2" Network Read High
        ["connect:search_networks"] filter ["network:getattr"]
        => ConnectListAllNetworks { need_results: i32, flags: u32 }
        -> ConnectListAllNetworksReply { nets: Vec<Network>[16384], ret: u32 };
    291 NETWORK_UPDATE "virNetworkUpdate" "0.10.2" Network Write High
        ["network:write",
         "network:save:!VIR_NETWORK_UPDATE_AFFECT_CONFIG|VIR_NETWORK_UPDATE_AFFECT_LIVE",
         "network:save:VIR_NETWORK_UPDATE_AFFECT_CONFIG"]
        => NetworkUpdate { net: Network, command: u32, section: u32, parent_index: i32, xml: String, flags: u32 };
    313 CONNECT_NETWORK_EVENT_REGISTER_ANY "virConnectNetworkEventRegisterAny" "1.2.1" Network Read High
        ["connect:search_networks"] filter ["network:getattr"]
        => ConnectNetworkEventRegisterAny { event_id: i32, net: Option<Network> }
        -> ConnectNetworkEventRegisterAnyReply { callback_id: i32 };
    314 CONNECT_NETWORK_EVENT_DEREGISTER_ANY "virConnectNetworkEventDeregisterAny" "1.2.1" Network Read High
        ["connect:read"]
        => ConnectNetworkEventDeregisterAny { callback_id: i32 };
    341 NETWORK_GET_DHCP_LEASES "virNetworkGetDHCPLeases" "1.2.6" Network Read Low ["network:read"]
        => NetworkGetDhcpLeases { net: Network, mac: Option<String>, need_results: i32, flags: u32 }
        -> NetworkGetDhcpLeasesReply { leases: Vec<NetworkDhcpLease>[65536], ret: u32 };
    404 NETWORK_LIST_ALL_PORTS "virNetworkListAllPorts" "5.5.0" Network Read High
        ["network:search_ports"] filter ["network_port:getattr"]
        => NetworkListAllPorts { network: Network, need_results: i32, flags: u32 }
        -> NetworkListAllPortsReply { ports: Vec<NetworkPort>[16384], ret: u32 };
    405 NETWORK_PORT_LOOKUP_BY_UUID "virNetworkPortLookupByUUID" "5.5.0" Network Read High ["network_port:getattr"]
        => NetworkPortLookupByUuid { network: Network, uuid: Uuid }
        -> NetworkPortLookupByUuidReply { port: NetworkPort };
    406 NETWORK_PORT_CREATE_XML "virNetworkPortCreateXML" "5.5.0" Network Write Low ["network_port:create"]
        => NetworkPortCreateXml { network: Network, xml: String, flags: u32 }
        -> NetworkPortCreateXmlReply { port: NetworkPort };
    407 NETWORK_PORT_GET_PARAMETERS "virNetworkPortGetParameters" "5.5.0" Network Read Low ["network_port:read"]
        => NetworkPortGetParameters { port: NetworkPort, nparams: i32, flags: u32 }
        -> NetworkPortGetParametersReply { params: Vec<TypedParam>[16], nparams: i32 };
    408 NETWORK_PORT_SET_PARAMETERS "virNetworkPortSetParameters" "5.5.0" Network Write Low ["network_port:write"]
        => NetworkPortSetParameters { port: NetworkPort, params: Vec<TypedParam>[16], flags: u32 };
    409 NETWORK_PORT_GET_XML_DESC "virNetworkPortGetXMLDesc" "5.5.0" Network Read Low ["network_port:read"]
        => NetworkPortGetXmlDesc { port: NetworkPort, flags: u32 } -> NetworkPortGetXmlDescReply { xml: String };
    410 NETWORK_PORT_DELETE "virNetworkPortDelete" "5.5.0" Network Write Low ["network_port:delete"]
        => NetworkPortDelete { port: NetworkPort, flags: u32 };
    432 NETWORK_DEFINE_XML_FLAGS "virNetworkDefineXMLFlags" "7.7.0" Network Write High ["network:write", "network:save"]
        => NetworkDefineXmlFlags { xml: String, flags: u32 } -> NetworkDefineXmlFlagsReply { net: Network };
    437 NETWORK_CREATE_XML_FLAGS "virNetworkCreateXMLFlags" "7.8.0" Network Write High
        ["network:write", "network:start"]
        => NetworkCreateXmlFlags { xml: String, flags: u32 } -> NetworkCreateXmlFlagsReply { net: Network };
    444 NETWORK_SET_METADATA "virNetworkSetMetadata" "9.7.0" Network Write Low
        ["network:write",
         "network:save:!VIR_NETWORK_UPDATE_AFFECT_CONFIG|VIR_NETWORK_UPDATE_AFFECT_LIVE",
         "network:save:VIR_NETWORK_UPDATE_AFFECT_CONFIG"]
        => NetworkSetMetadata {
            network: Network,
            r#type: i32,
            metadata: Option<String>,
            key: Option<String>,
            uri: Option<String>,
            flags: u32,
        };
    445 NETWORK_GET_METADATA "virNetworkGetMetadata" "9.7.0" Network Read Low ["network:read"]
        => NetworkGetMetadata { network: Network, r#type: i32, uri: Option<String>, flags: u32 }
        -> NetworkGetMetadataReply { metadata: String };
}
