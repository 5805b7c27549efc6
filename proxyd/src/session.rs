//! What a client's session is to the proxy: opened by URI, closed, and everything in between passed on.
//!
//! A hypervisor's URI (`qemu:///system`) makes the proxy pass each call on to the daemon that owns it. A URI that names
//! another driver (`network:///system`) makes it pass everything on to that driver's daemon, which then says itself what
//! it does not do.

use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;
use virtbus_proto::table::session::{ConnectClose, ConnectOpen};
use virtbus_proto::{Entry, Owner, Procedure, Program, Xdr};
use virtbus_rpc::call::{Call, Reply, Route, Service};
use virtbus_rpc::error::{self, Failure};
use virtbus_rpc::peer::Client;
use virtbus_rpc::relay::{Backends, Opening};

/// `VIR_ERR_NO_SUPPORT`
const NO_SUPPORT: i32 = 3;
/// `VIR_ERR_NO_CONNECT`
const NO_CONNECT: i32 = 5;
/// `VIR_CONNECT_RO`
const READ_ONLY: u32 = 1;

/// The proxy's side of all sessions.
#[derive(Debug)]
pub(crate) struct Session {
    /// What a client that names nothing is given.
    default_uri: String,
}

/// What a client has opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opened {
    /// A hypervisor: calls go to their owners, those of the session to this daemon.
    Hypervisor(Owner),
    /// One driver: everything goes to this daemon.
    Driver(Owner),
}

/// A client's [`Opened`]. It changes only when an open has failed and is tried again.
type Slot = RwLock<Option<Opened>>;

impl Session {
    /// The hypervisor among the daemons is what a client gets that names nothing.
    pub(crate) fn new(backends: &Backends) -> Self {
        let default_uri = backends.daemon(Owner::Qemu).map(|it| it.uri.clone()).unwrap_or_default();
        Self { default_uri }
    }

    fn open(&self, client: &Client, payload: &[u8]) -> Result<Opening, Failure> {
        let ConnectOpen { name, flags } = ConnectOpen::from_bytes(payload).map_err(|_| error::undecodable())?;
        let name = name.filter(|it| !it.is_empty()).unwrap_or_else(|| self.default_uri.clone());
        let opened = target(&name)
            .ok_or_else(|| error::plain(NO_CONNECT, format!("no connection driver available for {name}")))?;
        if let Some(slot) = slot(client) {
            *slot.write().unwrap_or_else(PoisonError::into_inner) = Some(opened);
        }
        // The other bits are the client's own affair.
        if flags & READ_ONLY != 0 {
            client.set_read_only();
        }
        let (Opened::Hypervisor(owner) | Opened::Driver(owner)) = opened;
        Ok(Opening { owner, name: Some(name), flags: flags & READ_ONLY })
    }
}

/// Where the driver that `uri` names is served.
fn target(uri: &str) -> Option<Opened> {
    let (scheme, _) = uri.split_once(':')?;
    let driver = scheme.split_once('+').map_or(scheme, |(driver, _)| driver);
    match driver {
        "qemu" | "test" => Some(Opened::Hypervisor(Owner::Qemu)),
        "nodedev" => Some(Opened::Driver(Owner::Qemu)),
        "network" | "interface" | "nwfilter" => Some(Opened::Driver(Owner::Network)),
        "storage" | "secret" => Some(Opened::Driver(Owner::Storage)),
        _ => None,
    }
}

fn slot(client: &Client) -> Option<&Slot> {
    client.state(Slot::default)
}

#[async_trait]
impl Service for Session {
    fn route(&self, client: &Client, entry: &'static Entry, payload: &[u8]) -> Route {
        if entry.program == Program::Admin {
            return Route::Refuse(error::plain(
                NO_SUPPORT,
                format!("this function is not supported by the connection driver: {}", entry.api.unwrap_or(entry.name)),
            ));
        }
        match (entry.owner, entry.number) {
            (Owner::Session, ConnectOpen::NUMBER) => self.open(client, payload).map_or_else(Route::Refuse, Route::Open),
            (Owner::Session, ConnectClose::NUMBER) => Route::Serve,
            (owner, _) => {
                let opened = slot(client).and_then(|it| *it.read().unwrap_or_else(PoisonError::into_inner));
                match opened {
                    Some(Opened::Driver(daemon)) => Route::Relay(daemon),
                    Some(Opened::Hypervisor(daemon)) if owner == Owner::Session => Route::Relay(daemon),
                    Some(Opened::Hypervisor(_)) => Route::ByOwner,
                    None => Route::Refuse(error::not_open()),
                }
            }
        }
    }

    /// `CONNECT_CLOSE`: all else is routed elsewhere.
    async fn call(&self, _client: &Client, _call: Call) -> Result<Reply, Failure> {
        Ok(Reply::empty().closing())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_name_daemons() {
        let cases = [
            ("qemu:///system", Some(Opened::Hypervisor(Owner::Qemu))),
            ("qemu:///session", Some(Opened::Hypervisor(Owner::Qemu))),
            ("qemu+unix:///system?socket=/x", Some(Opened::Hypervisor(Owner::Qemu))),
            ("test:///default", Some(Opened::Hypervisor(Owner::Qemu))),
            ("nodedev:///system", Some(Opened::Driver(Owner::Qemu))),
            ("network:///system", Some(Opened::Driver(Owner::Network))),
            ("nwfilter:///system", Some(Opened::Driver(Owner::Network))),
            ("interface:///system", Some(Opened::Driver(Owner::Network))),
            ("storage:///system", Some(Opened::Driver(Owner::Storage))),
            ("secret:///system", Some(Opened::Driver(Owner::Storage))),
            ("xen:///system", None),
            ("system", None),
        ];
        for (uri, expected) in cases {
            assert_eq!(target(uri), expected, "{uri}");
        }
    }
}
