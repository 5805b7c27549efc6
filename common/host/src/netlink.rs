//! Network devices, addresses and routes, by rtnetlink.
//!
//! Requests are answered by the kernel before send(2) returns, so nothing here waits for anybody but the kernel's own
//! lock: a plain blocking socket needs no task, no channel and no runtime, and works in whichever network namespace the
//! calling thread is. That is why `rtnetlink` (a task behind a channel for each connection) is not used; its layer below,
//! `netlink-packet-route`, is: the messages are typed, not laid out by hand.
//!
//! One request changes one thing, and says in words what it could not do, with the kernel's own explanation where it
//! gives one. What a bridge is for, and what its address means, the caller knows.

mod address;
mod bridge;
mod function;
mod link;
mod route;
mod socket;
mod watch;

use std::fmt;
use std::io;

pub use address::Address;
pub use bridge::{Bridge, Port, Vlan};
pub use function::VirtualFunction;
pub use link::{Link, MacvtapMode};
pub use route::Route;
pub use socket::Netlink;
pub use watch::DeletedTables;

/// A request the kernel refused.
#[derive(Debug)]
pub struct Error {
    /// What could not be done: `cannot create bridge virbr0`.
    pub what: String,
    /// The kernel's explanation in words, where it gave one.
    pub explained: Option<String>,
    /// The error number.
    pub source: io::Error,
}

impl Error {
    /// Whether what was asked about is not there.
    pub fn is_absent(&self) -> bool {
        matches!(self.source.raw_os_error(), Some(libc::ENODEV | libc::ENOENT | libc::ESRCH | libc::EADDRNOTAVAIL))
    }

    /// Whether what was to be made is there already.
    pub fn exists(&self) -> bool {
        self.source.raw_os_error() == Some(libc::EEXIST)
    }

    /// Whether the kernel does not have what was asked for.
    pub fn is_unsupported(&self) -> bool {
        matches!(self.source.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EAFNOSUPPORT))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.explained {
            Some(words) => write!(f, " ({})", words.trim_end_matches('.')),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// The result of this module's calls.
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests;
