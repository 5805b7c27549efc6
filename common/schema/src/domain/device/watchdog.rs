//! `<watchdog>`: what happens to a guest that hangs.

use virtbus_xml::{Xml, XmlEnum};

use super::Info;

/// `<watchdog model='itco' action='reset'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct Watchdog {
    #[xml(attr)]
    pub model: WatchdogModel,
    #[xml(attr, default = WatchdogAction::Reset)]
    pub action: WatchdogAction,
    #[xml(flatten)]
    pub info: Info,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum WatchdogModel {
    I6300esb,
    Ib700,
    Diag288,
    Itco,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum WatchdogAction {
    Reset,
    Shutdown,
    Poweroff,
    Pause,
    Dump,
    None,
    InjectNmi,
}
