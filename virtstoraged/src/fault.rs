//! Errors of the storage driver: the reference says them under its own error domain.

use std::fmt;
use std::path::Path;

use virtbus_api::{Error, ErrorDomain};
use virtbus_host::abandon::Abandoned;

/// What storage adds to errors.
pub(crate) trait Faults: Sized {
    /// The same error as the storage driver's.
    fn of_storage(self) -> Self;
}

impl Faults for Error {
    fn of_storage(self) -> Self {
        self.in_domain(ErrorDomain::Storage)
    }
}

/// A system call failed on a path.
pub(crate) fn system(what: impl fmt::Display, error: &std::io::Error) -> Error {
    Error::system(what, error).of_storage()
}

/// A system call failed on a path that the text names.
pub(crate) fn at(what: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    move |error| system(format!("{what} '{}'", path.display()), &error)
}

/// It cannot be done now.
pub(crate) fn invalid(detail: impl Into<String>) -> Error {
    Error::invalid_operation(detail).of_storage()
}

/// It was tried and did not work out.
pub(crate) fn failed(detail: impl Into<String>) -> Error {
    Error::failed(detail).of_storage()
}

/// The caller's argument makes no sense.
pub(crate) fn bad_argument(detail: impl Into<String>) -> Error {
    Error::invalid_arg(detail).of_storage()
}

/// This kind of pool or volume has no such function.
pub(crate) fn no_support(detail: impl Into<String>) -> Error {
    Error::no_support(detail).of_storage()
}

/// The document asks for what there is not.
pub(crate) fn unsupported(detail: impl Into<String>) -> Error {
    Error::unsupported_config(detail).of_storage()
}

/// A fault of ours or of a tool's.
pub(crate) fn internal(detail: impl Into<String>) -> Error {
    Error::internal(detail).of_storage()
}

/// Flags that the function does not know.
pub(crate) fn unknown_flags(bits: u32, function: &str) -> Error {
    bad_argument(format!("unsupported flags (0x{bits:x}) in function {function}"))
}

/// A file system does not answer.
pub(crate) fn hung(what: impl fmt::Display, why: Abandoned) -> Error {
    match why {
        Abandoned::Late(_) => Error::timeout(format!("{what}: {why}")).of_storage(),
        Abandoned::TooMany | Abandoned::Ended => internal(format!("{what}: {why}")),
    }
}
