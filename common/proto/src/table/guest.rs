//! Rows that reach into a guest: its agent, its keys and clocks, its power buttons.

use crate::record::procedures;
use crate::types::{Domain, DomainFsinfo, DomainInterface, TypedParam};

procedures! { Remote:
    210 DOMAIN_INJECT_NMI "virDomainInjectNMI" "0.9.2" Qemu Write Low ["domain:inject_nmi"]
        => DomainInjectNmi { dom: Domain, flags: u32 };
    226 DOMAIN_SEND_KEY "virDomainSendKey" "0.9.3" Qemu Write Low ["domain:send_input"]
        => DomainSendKey { dom: Domain, codeset: u32, holdtime: u32, keycodes: Vec<u32>[16], flags: u32 };
    261 DOMAIN_PM_SUSPEND_FOR_DURATION "virDomainPMSuspendForDuration" "0.9.10" Qemu Write Low ["domain:pm_control"]
        => DomainPmSuspendForDuration { dom: Domain, target: u32, duration: u64, flags: u32 };
    267 DOMAIN_PM_WAKEUP "virDomainPMWakeup" "0.9.11" Qemu Write Low ["domain:pm_control"]
        => DomainPmWakeup { dom: Domain, flags: u32 };
    277 DOMAIN_GET_HOSTNAME "virDomainGetHostname" "0.10.0" Qemu Write Low ["domain:write"]
        => DomainGetHostname { dom: Domain, flags: u32 } -> DomainGetHostnameReply { hostname: String };
    294 DOMAIN_FSTRIM "virDomainFSTrim" "1.0.1" Qemu Write Low ["domain:fs_trim"]
        => DomainFstrim { dom: Domain, mount_point: Option<String>, minimum: u64, flags: u32 };
    295 DOMAIN_SEND_PROCESS_SIGNAL "virDomainSendProcessSignal" "1.0.1" Qemu Write Low ["domain:send_signal"]
        => DomainSendProcessSignal { dom: Domain, pid_value: i64, signum: u32, flags: u32 };
    335 DOMAIN_FSFREEZE "virDomainFSFreeze" "1.2.5" Qemu Write Low ["domain:fs_freeze"]
        => DomainFsfreeze { dom: Domain, mountpoints: Vec<String>[256], flags: u32 }
        -> DomainFsfreezeReply { filesystems: i32 };
    336 DOMAIN_FSTHAW "virDomainFSThaw" "1.2.5" Qemu Write Low ["domain:fs_freeze"]
        => DomainFsthaw { dom: Domain, mountpoints: Vec<String>[256], flags: u32 }
        -> DomainFsthawReply { filesystems: i32 };
    337 DOMAIN_GET_TIME "virDomainGetTime" "1.2.5" Qemu Write Low ["domain:write"]
        => DomainGetTime { dom: Domain, flags: u32 } -> DomainGetTimeReply { seconds: i64, nseconds: u32 };
    338 DOMAIN_SET_TIME "virDomainSetTime" "1.2.5" Qemu Write Low ["domain:set_time"]
        => DomainSetTime { dom: Domain, seconds: i64, nseconds: u32, flags: u32 };
    349 DOMAIN_GET_FSINFO "virDomainGetFSInfo" "1.2.11" Qemu Write Low ["domain:fs_freeze"]
        => DomainGetFsinfo { dom: Domain, flags: u32 }
        -> DomainGetFsinfoReply { info: Vec<DomainFsinfo>[256], ret: u32 };
    353 DOMAIN_INTERFACE_ADDRESSES "virDomainInterfaceAddresses" "1.2.14" Qemu Read Low
        ["domain:read", "domain:write::source:VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT"]
        => DomainInterfaceAddresses { dom: Domain, source: u32, flags: u32 }
        -> DomainInterfaceAddressesReply { ifaces: Vec<DomainInterface>[2048] };
    357 DOMAIN_SET_USER_PASSWORD "virDomainSetUserPassword" "1.2.16" Qemu Write Low ["domain:set_password"]
        => DomainSetUserPassword { dom: Domain, user: Option<String>, password: Option<String>, flags: u32 };
    371 DOMAIN_GET_GUEST_VCPUS "virDomainGetGuestVcpus" "2.0.0" Qemu Write Low ["domain:write"]
        => DomainGetGuestVcpus { dom: Domain, flags: u32 } -> DomainGetGuestVcpusReply { params: Vec<TypedParam>[64] };
    372 DOMAIN_SET_GUEST_VCPUS "virDomainSetGuestVcpus" "2.0.0" Qemu Write Low ["domain:write"]
        => DomainSetGuestVcpus { dom: Domain, cpumap: String, state: i32, flags: u32 };
    396 DOMAIN_GET_LAUNCH_SECURITY_INFO "virDomainGetLaunchSecurityInfo" "4.5.0" Qemu Write Low ["domain:read"]
        => DomainGetLaunchSecurityInfo { dom: Domain, flags: u32 }
        -> DomainGetLaunchSecurityInfoReply { params: Vec<TypedParam>[64] };
    418 DOMAIN_GET_GUEST_INFO "virDomainGetGuestInfo" "5.7.0" Qemu Write Low ["domain:write"]
        => DomainGetGuestInfo { dom: Domain, types: u32, flags: u32 }
        -> DomainGetGuestInfoReply { params: Vec<TypedParam>[2048] };
    420 DOMAIN_AGENT_SET_RESPONSE_TIMEOUT "virDomainAgentSetResponseTimeout" "5.10.0" Qemu Write Low ["domain:write"]
        => DomainAgentSetResponseTimeout { dom: Domain, timeout: i32, flags: u32 }
        -> DomainAgentSetResponseTimeoutReply { result: i32 };
    424 DOMAIN_AUTHORIZED_SSH_KEYS_GET "virDomainAuthorizedSSHKeysGet" "6.10.0" Qemu Write Low ["domain:write"]
        => DomainAuthorizedSshKeysGet { dom: Domain, user: String, flags: u32 }
        -> DomainAuthorizedSshKeysGetReply { keys: Vec<String>[2048] };
    425 DOMAIN_AUTHORIZED_SSH_KEYS_SET "virDomainAuthorizedSSHKeysSet" "6.10.0" Qemu Write Low ["domain:write"]
        => DomainAuthorizedSshKeysSet { dom: Domain, user: String, keys: Vec<String>[2048], flags: u32 };
    426 DOMAIN_GET_MESSAGES "virDomainGetMessages" "7.1.0" Qemu Read Low ["domain:read"]
        => DomainGetMessages { dom: Domain, flags: u32 } -> DomainGetMessagesReply { msgs: Vec<String>[2048] };
    439 DOMAIN_SET_LAUNCH_SECURITY_STATE "virDomainSetLaunchSecurityState" "8.0.0" Qemu Write Low ["domain:write"]
        => DomainSetLaunchSecurityState { dom: Domain, params: Vec<TypedParam>[64], flags: u32 };
}
