//! Rows of secrets.

use crate::record::procedures;
use crate::types::{Secret, Uuid};

procedures! { Remote:
    139 CONNECT_NUM_OF_SECRETS "virConnectNumOfSecrets" "0.7.1" Storage Read High
        ["connect:search_secrets"] filter ["secret:getattr"]
        => ConnectNumOfSecrets {} -> ConnectNumOfSecretsReply { num: i32 };
    140 CONNECT_LIST_SECRETS "virConnectListSecrets" "0.7.1" Storage Read High
        ["connect:search_secrets"] filter ["secret:getattr"]
        => ConnectListSecrets { maxuuids: i32 } -> ConnectListSecretsReply { uuids: Vec<String>[16384] };
    141 SECRET_LOOKUP_BY_UUID "virSecretLookupByUUID" "0.7.1" Storage Read High ["secret:getattr"]
        => SecretLookupByUuid { uuid: Uuid } -> SecretLookupByUuidReply { secret: Secret };
    142 SECRET_DEFINE_XML "virSecretDefineXML" "0.7.1" Storage Write High ["secret:write", "secret:save"]
        => SecretDefineXml { xml: String, flags: u32 } -> SecretDefineXmlReply { secret: Secret };
    143 SECRET_GET_XML_DESC "virSecretGetXMLDesc" "0.7.1" Storage Read High ["secret:read"]
        => SecretGetXmlDesc { secret: Secret, flags: u32 } -> SecretGetXmlDescReply { xml: String };
    144 SECRET_SET_VALUE "virSecretSetValue" "0.7.1" Storage Write High ["secret:write"]
        => SecretSetValue { secret: Secret, value: Vec<u8>[65536], flags: u32 };
    145 SECRET_GET_VALUE "virSecretGetValue" "0.7.1" Storage Write High ["secret:read_secure"]
        => SecretGetValue { secret: Secret, flags: u32 } -> SecretGetValueReply { value: Vec<u8>[65536] };
    146 SECRET_UNDEFINE "virSecretUndefine" "0.7.1" Storage Write High ["secret:delete"]
        => SecretUndefine { secret: Secret };
    147 SECRET_LOOKUP_BY_USAGE "virSecretLookupByUsage" "0.7.1" Storage Read High ["secret:getattr"]
        => SecretLookupByUsage { usage_type: i32, usage_id: String } -> SecretLookupByUsageReply { secret: Secret };
    287 CONNECT_LIST_ALL_SECRETS "virConnectListAllSecrets" "0.10.2" Storage Read High
        ["connect:search_secrets"] filter ["secret:getattr"]
        => ConnectListAllSecrets { need_results: i32, flags: u32 }
        -> ConnectListAllSecretsReply { secrets: Vec<Secret>[16384], ret: u32 };
    380 CONNECT_SECRET_EVENT_REGISTER_ANY "virConnectSecretEventRegisterAny" "3.0.0" Storage Read High
        ["connect:search_secrets"] filter ["secret:getattr"]
        => ConnectSecretEventRegisterAny { event_id: i32, secret: Option<Secret> }
        -> ConnectSecretEventRegisterAnyReply { callback_id: i32 };
    381 CONNECT_SECRET_EVENT_DEREGISTER_ANY "virConnectSecretEventDeregisterAny" "3.0.0" Storage Read High
        ["connect:read"]
        => ConnectSecretEventDeregisterAny { callback_id: i32 };
}
