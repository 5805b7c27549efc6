//! Who may talk to a daemon at all, before any call: the answers to `AUTH_LIST` and the calls that follow it.
//!
//! The decision is a [`Policy`], so that polkit can be asked by whoever can reach it. What an admitted client may do is
//! not known here.

use std::sync::Arc;

use async_trait::async_trait;
use virtbus_host::fd;

use crate::error::{self, Failure};
use crate::peer::{Client, SocketKind};

/// What a client must do before its first call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Nothing.
    Admitted,
    /// Ask to be looked up in polkit, by `AUTH_POLKIT`.
    Polkit,
    /// Nothing helps. The reason is part of the answer to `AUTH_LIST`.
    Refused(String),
}

/// Decides about clients.
#[async_trait]
pub trait Policy: Send + Sync + 'static {
    /// Looks at a client that has just connected. Must not block.
    fn admission(&self, client: &Client) -> Admission;

    /// Asks polkit about a client that was told to do so.
    ///
    /// # Errors
    /// What the client is answered with; it may try again.
    async fn ask_polkit(&self, _client: &Client) -> Result<(), Failure> {
        Err(error::plain(error::AUTH_UNAVAILABLE, "polkit is not asked by this daemon"))
    }
}

/// The policy that `auth_unix_rw` of the configuration asks for. `none` leaves the decision to the permissions of the
/// sockets, as it does in the reference; anything else, and no word at all, keeps others out.
#[must_use]
pub fn of_configuration(auth_unix_rw: Option<&str>) -> Arc<dyn Policy> {
    if auth_unix_rw == Some("none") { Arc::new(WhoeverConnects) } else { Arc::new(OwnUser) }
}

/// Admits whoever the permissions of the sockets let connect; to the admin socket the daemon's own user only.
#[derive(Debug, Clone, Copy, Default)]
pub struct WhoeverConnects;

impl Policy for WhoeverConnects {
    fn admission(&self, client: &Client) -> Admission {
        match client.socket() {
            SocketKind::Admin => OwnUser.admission(client),
            SocketKind::ReadOnly | SocketKind::ReadWrite => Admission::Admitted,
        }
    }
}

/// Admits everybody to a read-only socket, as libvirt's polkit action `org.libvirt.unix.monitor` does; to the others root
/// and the daemon's own user. On the admin socket only the daemon's own user, as the reference does.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnUser;

impl Policy for OwnUser {
    fn admission(&self, client: &Client) -> Admission {
        let (uid, own) = (client.peer().uid, fd::own_uid());
        let is_admitted = match client.socket() {
            SocketKind::ReadOnly => true,
            SocketKind::ReadWrite => uid == own || uid == 0,
            SocketKind::Admin => uid == own,
        };
        if is_admitted {
            return Admission::Admitted;
        }
        Admission::Refused(format!("user {uid} may not use this socket"))
    }
}
