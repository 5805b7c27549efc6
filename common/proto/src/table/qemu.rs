//! Rows of the program that only QEMU has: monitor and agent passed through.

use crate::record::procedures;
use crate::types::Domain;

procedures! { Qemu:
    1 DOMAIN_MONITOR_COMMAND "virDomainQemuMonitorCommand" "0.8.3" Qemu Write Low ["domain:write"]
        => QemuDomainMonitorCommand { dom: Domain, cmd: String, flags: u32 }
        -> QemuDomainMonitorCommandReply { result: String };
    2 DOMAIN_ATTACH "virDomainQemuAttach" "0.9.4" Qemu Write Low ["domain:start", "domain:write"]
        => QemuDomainAttach { pid_value: u32, flags: u32 } -> QemuDomainAttachReply { dom: Domain };
    3 DOMAIN_AGENT_COMMAND "virDomainQemuAgentCommand" "0.10.0" Qemu Write Low ["domain:write"]
        => QemuDomainAgentCommand { dom: Domain, cmd: String, timeout: i32, flags: u32 }
        -> QemuDomainAgentCommandReply { result: Option<String> };
    4 CONNECT_DOMAIN_MONITOR_EVENT_REGISTER "virConnectDomainQemuMonitorEventRegister" "1.2.3" Qemu Write High
        ["connect:search_domains", "connect:write"] filter ["domain:getattr"]
        => QemuConnectDomainMonitorEventRegister { dom: Option<Domain>, event: Option<String>, flags: u32 }
        -> QemuConnectDomainMonitorEventRegisterReply { callback_id: i32 };
    5 CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER "virConnectDomainQemuMonitorEventDeregister" "1.2.3" Qemu Write High
        ["connect:write"]
        => QemuConnectDomainMonitorEventDeregister { callback_id: i32 };
    7 DOMAIN_MONITOR_COMMAND_WITH_FILES "virDomainQemuMonitorCommandWithFiles" "8.2.0" Qemu Write Low
        ["domain:write"] fds Both
        => QemuDomainMonitorCommandWithFiles { dom: Domain, cmd: String, flags: u32 }
        -> QemuDomainMonitorCommandWithFilesReply { result: String };
}
