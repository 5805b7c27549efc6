//! The program that only QEMU has: monitor commands and monitor events.

use regex::{Regex, RegexBuilder};
use virtbus_api::{Error, ErrorDomain};
use virtbus_proto::table::{
    QemuConnectDomainMonitorEventDeregister as EventDeregister, QemuConnectDomainMonitorEventRegister as EventRegister,
    QemuConnectDomainMonitorEventRegisterReply as EventRegisterReply, QemuDomainMonitorCommand as Command,
    QemuDomainMonitorCommandReply as CommandReply,
};

use crate::{Hypervisor, error::Result, from_wire, routes::Routes};

bitflags::bitflags! {
    /// How a monitor command is meant.
    #[derive(Debug, Clone, Copy)]
    struct CommandFlags: u32 {
        /// `VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP`: for people.
        const HMP = 1 << 0;
    }

    /// How the name of a monitor event is meant.
    #[derive(Debug, Clone, Copy)]
    struct EventFlags: u32 {
        /// `VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX`
        const REGEX = 1 << 0;
        /// `VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_NOCASE`
        const NOCASE = 1 << 1;
    }
}

/// Which monitor events a client wants, by their names.
#[derive(Debug)]
pub(crate) enum EventFilter {
    /// All.
    All,
    /// The one of this name.
    Name { name: String, any_case: bool },
    /// Those in whose name this matches.
    Regex(Regex),
}

impl PartialEq for EventFilter {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, Self::All) => true,
            (Self::Name { name, any_case }, Self::Name { name: theirs, any_case: also }) => {
                name == theirs && any_case == also
            }
            (Self::Regex(it), Self::Regex(other)) => it.as_str() == other.as_str(),
            _ => false,
        }
    }
}

impl EventFilter {
    fn new(name: Option<String>, flags: EventFlags) -> Result<Self> {
        let any_case = flags.contains(EventFlags::NOCASE);
        match name {
            None => Ok(Self::All),
            Some(name) if flags.contains(EventFlags::REGEX) => {
                let regex = RegexBuilder::new(&name).case_insensitive(any_case).build();
                let fault = |it| Error::invalid_arg(format!("failed to compile regex '{name}': {it}"));
                Ok(Self::Regex(regex.map_err(|it| fault(it).in_domain(ErrorDomain::Nowhere))?))
            }
            Some(name) => Ok(Self::Name { name, any_case }),
        }
    }

    /// Whether an event of this name is wanted.
    pub(crate) fn matches(&self, event: &str) -> bool {
        match self {
            Self::All => true,
            Self::Name { name, any_case: true } => name.eq_ignore_ascii_case(event),
            Self::Name { name, any_case: false } => name == event,
            Self::Regex(it) => it.is_match(event),
        }
    }
}

pub(crate) fn routes() -> Routes<Hypervisor> {
    Routes::<Hypervisor>::default()
        .on(|cx, a: Command| async move {
            let flags: CommandFlags = from_wire::flags(&a, a.flags)?;
            let domain = from_wire::domain(&a.dom);
            let result = cx.driver.monitor_command(&domain, &a.cmd, flags.contains(CommandFlags::HMP)).await?;
            Ok(CommandReply { result })
        })
        .on_view(|cx, a: EventRegister| {
            let filter = EventFilter::new(a.event.clone(), from_wire::flags(&a, a.flags)?)?;
            let domain = a.dom.as_ref().map(|it| from_wire::domain(it).uuid);
            Ok(EventRegisterReply { callback_id: cx.hub.register_monitor(&cx.client, domain, filter)? })
        })
        .on_view(|cx, a: EventDeregister| cx.hub.deregister_monitor(&cx.client, a.callback_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_whole_and_patterns_anywhere() {
        let filter = |name: &str, flags| EventFilter::new(Some(name.to_owned()), flags).unwrap();
        assert!(filter("STOP", EventFlags::empty()).matches("STOP"));
        assert!(!filter("STOP", EventFlags::empty()).matches("STOPPED"));
        assert!(!filter("stop", EventFlags::empty()).matches("STOP"));
        assert!(filter("stop", EventFlags::NOCASE).matches("STOP"));
        assert!(filter("^device_", EventFlags::all()).matches("DEVICE_DELETED"));
        assert!(EventFilter::new(Some("(".to_owned()), EventFlags::REGEX).is_err());
    }
}
