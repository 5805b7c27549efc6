//! The host capabilities document (`virsh capabilities`).

/// A `<capabilities>` document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Capabilities {}
