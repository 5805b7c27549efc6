//! Errors as this daemon says them.

use std::fmt;

use uuid::Uuid;
use virtbus_api::{Error, ErrorCode, ErrorDomain};
use virtbus_host::abandon::Abandoned;

/// Errors of the network driver.
pub(crate) trait Faults {
    /// The same error, said by this daemon.
    fn of_networks(self) -> Self;
}

impl Faults for Error {
    fn of_networks(self) -> Self {
        self.in_domain(ErrorDomain::Network)
    }
}

/// It cannot be done in the network's present state.
pub(crate) fn invalid(detail: impl Into<String>) -> Error {
    Error::invalid_operation(detail).of_networks()
}

/// A fault of ours or of what we rely on.
pub(crate) fn internal(detail: impl Into<String>) -> Error {
    Error::internal(detail).of_networks()
}

/// There is no such network.
pub(crate) fn no_network(detail: String) -> Error {
    Error::new(ErrorCode::NoNetwork, detail).of_networks()
}

/// There is no network of this UUID.
pub(crate) fn no_network_of(uuid: Uuid, name: &str) -> Error {
    no_network(if name.is_empty() {
        format!("no network with matching uuid '{uuid}'")
    } else {
        format!("no network with matching uuid '{uuid}' ({name})")
    })
}

/// There is no such port.
pub(crate) fn no_port(uuid: Uuid) -> Error {
    let text = format!("Network port with UUID {uuid} does not exist");
    Error::new(ErrorCode::NoNetworkPort, text).of_networks()
}

/// A failure of the store, as clients see it.
pub(crate) fn of_store(error: &virtbus_store::Error) -> Error {
    Error::system(error.to_string(), &error.source).of_networks()
}

/// Work that did not come back.
pub(crate) fn hung(what: impl fmt::Display, why: Abandoned) -> Error {
    match why {
        Abandoned::Late(_) => Error::timeout(format!("{what}: {why}")),
        _ => Error::internal(format!("{what}: {why}")),
    }
    .of_networks()
}
