//! Rows of network filters and their bindings.

use crate::record::procedures;
use crate::types::{Nwfilter, NwfilterBinding, Uuid};

procedures! { Remote:
    175 NWFILTER_LOOKUP_BY_NAME "virNWFilterLookupByName" "0.8.0" Network Read High ["nwfilter:getattr"]
        => NwfilterLookupByName { name: String } -> NwfilterLookupByNameReply { nwfilter: Nwfilter };
    176 NWFILTER_LOOKUP_BY_UUID "virNWFilterLookupByUUID" "0.8.0" Network Read High ["nwfilter:getattr"]
        => NwfilterLookupByUuid { uuid: Uuid } -> NwfilterLookupByUuidReply { nwfilter: Nwfilter };
    177 NWFILTER_GET_XML_DESC "virNWFilterGetXMLDesc" "0.8.0" Network Read High ["nwfilter:read"]
        => NwfilterGetXmlDesc { nwfilter: Nwfilter, flags: u32 } -> NwfilterGetXmlDescReply { xml: String };
    178 CONNECT_NUM_OF_NWFILTERS "virConnectNumOfNWFilters" "0.8.0" Network Read High
        ["connect:search_nwfilters"] filter ["nwfilter:getattr"]
        => ConnectNumOfNwfilters {} -> ConnectNumOfNwfiltersReply { num: i32 };
    179 CONNECT_LIST_NWFILTERS "virConnectListNWFilters" "0.8.0" Network Read High
        ["connect:search_nwfilters"] filter ["nwfilter:getattr"]
        => ConnectListNwfilters { maxnames: i32 } -> ConnectListNwfiltersReply { names: Vec<String>[16384] };
    180 NWFILTER_DEFINE_XML "virNWFilterDefineXML" "0.8.0" Network Write High ["nwfilter:write", "nwfilter:save"]
        => NwfilterDefineXml { xml: String } -> NwfilterDefineXmlReply { nwfilter: Nwfilter };
    181 NWFILTER_UNDEFINE "virNWFilterUndefine" "0.8.0" Network Write High ["nwfilter:delete"]
        => NwfilterUndefine { nwfilter: Nwfilter };
    286 CONNECT_LIST_ALL_NWFILTERS "virConnectListAllNWFilters" "0.10.2" Network Read High
        ["connect:search_nwfilters"] filter ["nwfilter:getattr"]
        => ConnectListAllNwfilters { need_results: i32, flags: u32 }
        -> ConnectListAllNwfiltersReply { filters: Vec<Nwfilter>[16384], ret: u32 };
    397 NWFILTER_BINDING_LOOKUP_BY_PORT_DEV "virNWFilterBindingLookupByPortDev" "4.5.0" Network Read High
        ["nwfilter_binding:getattr"]
        => NwfilterBindingLookupByPortDev { name: String }
        -> NwfilterBindingLookupByPortDevReply { nwfilter: NwfilterBinding };
    398 NWFILTER_BINDING_GET_XML_DESC "virNWFilterBindingGetXMLDesc" "4.5.0" Network Read High ["nwfilter_binding:read"]
        => NwfilterBindingGetXmlDesc { nwfilter: NwfilterBinding, flags: u32 }
        -> NwfilterBindingGetXmlDescReply { xml: String };
    399 NWFILTER_BINDING_CREATE_XML "virNWFilterBindingCreateXML" "4.5.0" Network Write High ["nwfilter_binding:create"]
        => NwfilterBindingCreateXml { xml: String, flags: u32 }
        -> NwfilterBindingCreateXmlReply { nwfilter: NwfilterBinding };
    400 NWFILTER_BINDING_DELETE "virNWFilterBindingDelete" "4.5.0" Network Write High ["nwfilter_binding:delete"]
        => NwfilterBindingDelete { nwfilter: NwfilterBinding };
    401 CONNECT_LIST_ALL_NWFILTER_BINDINGS "virConnectListAllNWFilterBindings" "4.5.0" Network Read High
        ["connect:search_nwfilter_bindings"] filter ["nwfilter_binding:getattr"]
        => ConnectListAllNwfilterBindings { need_results: i32, flags: u32 }
        -> ConnectListAllNwfilterBindingsReply { bindings: Vec<NwfilterBinding>[16384], ret: u32 };
    431 NWFILTER_DEFINE_XML_FLAGS "virNWFilterDefineXMLFlags" "7.7.0" Network Write High
        ["nwfilter:write", "nwfilter:save"]
        => NwfilterDefineXmlFlags { xml: String, flags: u32 } -> NwfilterDefineXmlFlagsReply { nwfilter: Nwfilter };
}
