//! Why a session ended.

use std::fmt;
use std::io;

use crate::connection::LinkError;

/// Why a session ended.
#[derive(Debug)]
pub(in crate::server) enum End {
    /// The client closed the socket.
    ByClient,
    /// After a reply that asked for it.
    Closed,
    /// By [`disconnect`](crate::peer::Client::disconnect).
    Disconnected,
    /// The client did not answer pings.
    Silent,
    /// It was to go, and did not.
    Overdue,
    /// The server is being shut down.
    Drained,
    /// The socket or the framing broke.
    Broken(LinkError),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::ByClient => f.write_str("closed by the client"),
            End::Closed => f.write_str("closed as asked"),
            End::Disconnected => f.write_str("disconnected"),
            End::Silent => f.write_str("no answer to pings"),
            End::Overdue => f.write_str("did not go by itself"),
            End::Drained => f.write_str("shutting down"),
            End::Broken(error) => write!(f, "{error}"),
        }
    }
}

impl From<LinkError> for End {
    fn from(error: LinkError) -> Self {
        End::Broken(error)
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        End::Broken(error.into())
    }
}
