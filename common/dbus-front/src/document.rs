//! XML text to documents and back.

use virtbus_api::flags::XmlFlags;
use virtbus_schema::{capabilities::Capabilities, domain::Domain, domain_capabilities::DomainCapabilities};

use crate::error::Result;

pub(crate) fn parse_domain(_xml: &str, _validate: bool) -> Result<Box<Domain>> {
    Ok(Box::default())
}
pub(crate) fn format_domain(_domain: &Domain, _flags: XmlFlags) -> String {
    String::new()
}
pub(crate) fn capabilities(_it: &Capabilities) -> String {
    String::new()
}
pub(crate) fn domain_capabilities(_it: &DomainCapabilities) -> String {
    String::new()
}
