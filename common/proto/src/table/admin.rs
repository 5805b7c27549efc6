//! Rows of the admin socket: the daemon about itself.

use crate::record::procedures;
use crate::types::{AdminClient, AdminServer, TypedParam};

procedures! { Admin:
    1 CONNECT_OPEN "virAdmConnectOpen" "2.0.0" Session Write Low []
        => AdminConnectOpen { flags: u32 };
    2 CONNECT_CLOSE "virAdmConnectClose" "2.0.0" Session Write Low []
        => AdminConnectClose {};
    3 CONNECT_GET_LIB_VERSION "virAdmConnectGetLibVersion" "2.0.0" Session Write Low []
        => AdminConnectGetLibVersion {} -> AdminConnectGetLibVersionReply { lib_ver: u64 };
    4 CONNECT_LIST_SERVERS "virAdmConnectListServers" "2.0.0" Session Write Low []
        => AdminConnectListServers { need_results: u32, flags: u32 }
        -> AdminConnectListServersReply { servers: Vec<AdminServer>[16384], ret: u32 };
    5 CONNECT_LOOKUP_SERVER "virAdmConnectLookupServer" "2.0.0" Session Write Low []
        => AdminConnectLookupServer { name: String, flags: u32 } -> AdminConnectLookupServerReply { srv: AdminServer };
    6 SERVER_GET_THREADPOOL_PARAMETERS "virAdmServerGetThreadPoolParameters" "2.0.0" Session Write Low []
        => AdminServerGetThreadpoolParameters { srv: AdminServer, flags: u32 }
        -> AdminServerGetThreadpoolParametersReply { params: Vec<TypedParam>[32] };
    7 SERVER_SET_THREADPOOL_PARAMETERS "virAdmServerSetThreadPoolParameters" "2.0.0" Session Write Low []
        => AdminServerSetThreadpoolParameters { srv: AdminServer, params: Vec<TypedParam>[32], flags: u32 };
    8 SERVER_LIST_CLIENTS "virAdmServerListClients" "2.0.0" Session Write Low []
        => AdminServerListClients { srv: AdminServer, need_results: u32, flags: u32 }
        -> AdminServerListClientsReply { clients: Vec<AdminClient>[16384], ret: u32 };
    9 SERVER_LOOKUP_CLIENT "virAdmServerLookupClient" "2.0.0" Session Write Low []
        => AdminServerLookupClient { srv: AdminServer, id: u64, flags: u32 }
        -> AdminServerLookupClientReply { clnt: AdminClient };
    10 CLIENT_GET_INFO "virAdmClientGetInfo" "2.0.0" Session Write Low []
        => AdminClientGetInfo { clnt: AdminClient, flags: u32 }
        -> AdminClientGetInfoReply { params: Vec<TypedParam>[64] };
    11 CLIENT_CLOSE "virAdmClientClose" "2.0.0" Session Write Low []
        => AdminClientClose { clnt: AdminClient, flags: u32 };
    12 SERVER_GET_CLIENT_LIMITS "virAdmServerGetClientLimits" "2.0.0" Session Write Low []
        => AdminServerGetClientLimits { srv: AdminServer, flags: u32 }
        -> AdminServerGetClientLimitsReply { params: Vec<TypedParam>[32] };
    13 SERVER_SET_CLIENT_LIMITS "virAdmServerSetClientLimits" "2.0.0" Session Write Low []
        => AdminServerSetClientLimits { srv: AdminServer, params: Vec<TypedParam>[32], flags: u32 };
    14 CONNECT_GET_LOGGING_OUTPUTS "virAdmConnectGetLoggingOutputs" "3.0.0" Session Write Low []
        => AdminConnectGetLoggingOutputs { flags: u32 }
        -> AdminConnectGetLoggingOutputsReply { outputs: String, noutputs: u32 };
    15 CONNECT_GET_LOGGING_FILTERS "virAdmConnectGetLoggingFilters" "3.0.0" Session Write Low []
        => AdminConnectGetLoggingFilters { flags: u32 }
        -> AdminConnectGetLoggingFiltersReply { filters: Option<String>, nfilters: u32 };
    16 CONNECT_SET_LOGGING_OUTPUTS "virAdmConnectSetLoggingOutputs" "3.0.0" Session Write Low []
        => AdminConnectSetLoggingOutputs { outputs: Option<String>, flags: u32 };
    17 CONNECT_SET_LOGGING_FILTERS "virAdmConnectSetLoggingFilters" "3.0.0" Session Write Low []
        => AdminConnectSetLoggingFilters { filters: Option<String>, flags: u32 };
    18 SERVER_UPDATE_TLS_FILES "virAdmServerUpdateTlsFiles" "2.0.0" Session Write Low []
        => AdminServerUpdateTlsFiles { srv: AdminServer, flags: u32 };
    19 CONNECT_SET_DAEMON_TIMEOUT "virAdmConnectSetDaemonTimeout" "8.6.0" Session Write Low []
        => AdminConnectSetDaemonTimeout { timeout: u32, flags: u32 };
    20 CONNECT_DAEMON_SHUTDOWN "virAdmConnectDaemonShutdown" "11.2.0" Session Write Low []
        => AdminConnectDaemonShutdown { flags: u32 };
}
