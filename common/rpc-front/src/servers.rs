//! The two servers of a daemon: one for its clients, one for who administers it.

use std::{io, sync::Arc, time::Duration};

use tokio::{net::UnixListener, sync::watch};
use virtbus_rpc::{
    auth::Policy,
    call::Service,
    peer::SocketKind,
    relay::Backends,
    server::{Limits, Server},
};

use crate::{Admin, Front};

/// Both servers; cheap to clone.
#[derive(Debug, Clone)]
pub struct Servers {
    clients: Server,
    admin: Server,
}

impl Servers {
    /// The servers of the daemon `name`: `front` answers clients that `policy` admits, the daemons in `backends` the calls
    /// that are theirs. The limits are those of clients, then of administrators.
    pub fn new(
        name: &str,
        front: impl Service,
        policy: Arc<dyn Policy>,
        [limits, admin_limits]: [Limits; 2],
        backends: Backends,
    ) -> Self {
        let clients = Server::relaying(Arc::new(front), policy, limits, backends);
        let shown = Arc::new(Admin::default());
        let admin = Server::new(Arc::new(Front::of_admin(Arc::clone(&shown))), admin_limits);
        shown.add(name, clients.clone(), limits);
        shown.add("admin", admin.clone(), admin_limits);
        Self { clients, admin }
    }

    /// Accepts clients on a socket until the servers drain.
    ///
    /// # Errors
    /// The socket itself is broken.
    pub async fn serve(self, kind: SocketKind, socket: UnixListener) -> io::Result<()> {
        let server = if kind == SocketKind::Admin { &self.admin } else { &self.clients };
        server.serve(socket, kind).await
    }

    /// Number of connected clients, administrators left out, and its changes.
    pub fn client_count(&self) -> watch::Receiver<usize> {
        self.clients.client_count()
    }

    /// Stops accepting and lets clients end what they are at, up to a deadline.
    pub async fn drain(self, deadline: Duration) {
        tokio::join!(self.clients.drain(deadline), self.admin.drain(deadline));
    }
}
