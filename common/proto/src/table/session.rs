//! Rows of the session: opening, closing, authenticating, features, identity. A relay answers these itself.

use crate::record::procedures;
use crate::types::TypedParam;
use crate::xdr::Chars;

procedures! { Remote:
    1 CONNECT_OPEN "virConnectOpen" "0.0.3" Session Read High ["connect:getattr"]
        => ConnectOpen { name: Option<String>, flags: u32 };
    2 CONNECT_CLOSE "virConnectClose" "0.0.3" Session None High []
        => ConnectClose {};
    60 CONNECT_SUPPORTS_FEATURE _ _ Session Read High ["connect:getattr"]
        => ConnectSupportsFeature { feature: i32 } -> ConnectSupportsFeatureReply { supported: i32 };
    66 AUTH_LIST _ _ Session None High [] auth early
        => AuthList {} -> AuthListReply { types: Vec<i32>[20] };
    67 AUTH_SASL_INIT _ _ Session None High [] auth early
        => AuthSaslInit {} -> AuthSaslInitReply { mechlist: String };
    68 AUTH_SASL_START _ _ Session None High [] auth early
        => AuthSaslStart { mech: String, nil: i32, data: Chars[65536] }
        -> AuthSaslStartReply { complete: i32, nil: i32, data: Chars[65536] };
    69 AUTH_SASL_STEP _ _ Session None High [] auth early
        => AuthSaslStep { nil: i32, data: Chars[65536] }
        -> AuthSaslStepReply { complete: i32, nil: i32, data: Chars[65536] };
    70 AUTH_POLKIT _ _ Session None High [] auth early
        => AuthPolkit {} -> AuthPolkitReply { complete: i32 };
    110 CONNECT_GET_URI "virConnectGetURI" "0.3.0" Session Read High ["connect:getattr"]
        => ConnectGetUri {} -> ConnectGetUriReply { uri: String };
    149 CONNECT_IS_SECURE "virConnectIsSecure" "0.7.3" Session None High []
        => ConnectIsSecure {} -> ConnectIsSecureReply { secure: i32 };
    360 CONNECT_REGISTER_CLOSE_CALLBACK "virConnectRegisterCloseCallback" "0.10.0" Session Read High ["connect:getattr"]
        => ConnectRegisterCloseCallback {};
    361 CONNECT_UNREGISTER_CLOSE_CALLBACK "virConnectUnregisterCloseCallback" "0.10.0" Session Read High
        ["connect:getattr"]
        => ConnectUnregisterCloseCallback {};
    419 CONNECT_SET_IDENTITY "virConnectSetIdentity" "5.8.0" Session Read Low ["connect:write"]
        => ConnectSetIdentity { params: Vec<TypedParam>[20], flags: u32 };
}
