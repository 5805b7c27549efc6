//! `<devices>` of the domain capabilities: which kinds of device there are, and their choices.

use virtbus_xml::Xml;

use super::Capable;

/// `<devices>`; an absent kind is not spoken of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct CapableDevices {
    #[xml(child)]
    pub disk: Option<Capable>,
    #[xml(child)]
    pub graphics: Option<Capable>,
    #[xml(child)]
    pub video: Option<Capable>,
    #[xml(child)]
    pub hostdev: Option<Capable>,
    #[xml(child)]
    pub rng: Option<Capable>,
    #[xml(child)]
    pub filesystem: Option<Capable>,
    #[xml(child)]
    pub tpm: Option<Capable>,
    #[xml(child)]
    pub redirdev: Option<Capable>,
    #[xml(child)]
    pub channel: Option<Capable>,
    #[xml(child)]
    pub crypto: Option<Capable>,
    #[xml(child)]
    pub interface: Option<Capable>,
    #[xml(child)]
    pub panic: Option<Capable>,
}
