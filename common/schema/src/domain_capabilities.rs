//! The domain capabilities document (`virsh domcapabilities`).

/// A `<domainCapabilities>` document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DomainCapabilities {}
