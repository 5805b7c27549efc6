//! The domain document.

/// A `<domain>` document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Domain {
    /// `<name>`.
    pub name: String,
}
