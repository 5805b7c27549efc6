//! Who may talk to a daemon at all, before any call: the answers to `AUTH_LIST` and the calls that follow it.
//!
//! The decision is a [`Policy`]; a daemon's is that of its configuration, which mostly means polkit. What an admitted client
//! may do is not known here.

use std::sync::Arc;

use async_trait::async_trait;
use virtbus_host::fd;
use virtbus_polkit::{MANAGE, MONITOR, Polkit, Refusal, Whom};

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
        Err(error::authentication_failed("polkit is not asked by this daemon"))
    }
}

/// The policy that `auth_unix_ro` and `auth_unix_rw` of a configuration ask for. `none` leaves the decision to the
/// permissions of the socket, as it does in the reference. `polkit`, and no word at all, have polkit decide; where it is
/// not to be asked (`with_polkit` is false: a user's own daemons), and with anything else, [`OwnUser`] does.
#[must_use]
pub fn of_configuration(&[ro, rw]: &[Option<&str>; 2], with_polkit: bool) -> Arc<dyn Policy> {
    let way = |word: Option<&str>| match word {
        Some("none") => Way::Socket,
        Some("polkit") | None if with_polkit => Way::Polkit,
        _ => Way::OwnUser,
    };
    Arc::new(Configured { ro: way(ro), rw: way(rw), polkit: Polkit::of_system() })
}

/// Who decides about the clients of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The permissions of the socket.
    Socket,
    /// Polkit, but for root and the daemon's own user, who may do everything.
    Polkit,
    /// [`OwnUser`].
    OwnUser,
}

/// See [`of_configuration`].
#[derive(Debug)]
struct Configured {
    ro: Way,
    rw: Way,
    polkit: Polkit,
}

#[async_trait]
impl Policy for Configured {
    fn admission(&self, client: &Client) -> Admission {
        let way = match client.socket() {
            SocketKind::ReadOnly => self.ro,
            SocketKind::ReadWrite => self.rw,
            SocketKind::Admin => Way::OwnUser,
        };
        match way {
            Way::Socket => Admission::Admitted,
            Way::Polkit if !client.is_trusted() => Admission::Polkit,
            Way::Polkit => Admission::Admitted,
            Way::OwnUser => OwnUser.admission(client),
        }
    }

    async fn ask_polkit(&self, client: &Client) -> Result<(), Failure> {
        let fd::Peer { pid, uid, start_time, .. } = *client.peer();
        let pid = u32::try_from(pid).map_err(|_| error::authentication_failed("the process is not known"))?;
        let action = if client.socket() == SocketKind::ReadOnly { MONITOR } else { MANAGE };
        let refusal = match self.polkit.check(Whom::Process { uid, pid, start_time }, action, true).await {
            Ok(()) => return Ok(()),
            Err(refusal) => refusal,
        };
        // What is shipped as the action's policy says that everybody may; without polkit nothing can say otherwise.
        if action == MONITOR && matches!(refusal, Refusal::Absent { .. }) {
            tracing::debug!(uid, "a reader is let in: {refusal}");
            return Ok(());
        }
        tracing::info!(uid, pid, action, "a client is not let in: {refusal}");
        Err(error::refused_by_polkit(&refusal))
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
