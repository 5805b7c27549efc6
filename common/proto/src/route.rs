//! What a row of the table says about a procedure: who answers it, who may call it, how it travels.
//!
//! This is all that a relay needs; what the arguments hold is not known here.

use crate::header::Program;
use crate::xdr::Xdr;

/// Which daemon answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// Whoever holds the connection: opening, closing, authenticating, identity, the daemon about itself.
    Session,
    /// virtqemud: domains, the node and its devices.
    Qemu,
    /// virtnetworkd: networks, ports, host interfaces, filters.
    Network,
    /// virtstoraged: pools, volumes, secrets.
    Storage,
}

/// Whether a read-only connection may call.
///
/// The reference decides this apart from the permissions, and in six rows otherwise than they say. On top of it, flags
/// can ask for more (`domain:read_secure:VIR_DOMAIN_XML_SECURE` in [`Entry::acl`]): refused in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Anyone: no permission is asked for.
    None,
    /// Also a read-only connection.
    Read,
    /// Not a read-only connection: the reference answers with code 29.
    Write,
}

/// Which workers may run it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Priority {
    /// May wait for a guest.
    Low,
    /// Never waits for a guest, so it is served when all ordinary workers do.
    High,
}

/// Whether a stream follows the reply, as the client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// No stream.
    None,
    /// The client receives.
    Read,
    /// The client sends.
    Write,
    /// Both ways under one serial: consoles and channels.
    Both,
}

/// Which of its frames may carry file descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fds {
    /// Neither.
    None,
    /// The call.
    Call,
    /// The reply.
    Reply,
    /// Both.
    Both,
}

/// One row of the table, without its types.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// The program the number belongs to.
    pub program: Program,
    /// The number on the wire.
    pub number: i32,
    /// The protocol's name: `DOMAIN_CREATE_XML`.
    pub name: &'static str,
    /// The public call behind it: `virDomainCreateXML`; `None` where only the two ends of the wire know it.
    pub api: Option<&'static str>,
    /// The reference's version that introduced it, where the public call is known.
    pub since: Option<&'static str>,
    /// Which daemon answers.
    pub owner: Owner,
    /// Whether a read-only connection may call.
    pub access: Access,
    /// Which workers may run it.
    pub priority: Priority,
    /// Permissions that the caller needs: `object:permission`; `object:permission:A|B` when one of the flags is set
    /// (`!A|B`: when none is); `object:permission::field:VALUE` when that field of the arguments has that value.
    pub acl: &'static [&'static str],
    /// Permissions that the caller needs on each object of the result; others are left out.
    pub aclfilter: &'static [&'static str],
    /// Whether a stream follows.
    pub stream: Stream,
    /// The bit in the call's flags that makes the stream sparse; 0 where there is none.
    pub sparse: u32,
    /// Which of its frames may carry file descriptors.
    pub fds: Fds,
    /// Refused until the client is authenticated.
    pub needs_auth: bool,
    /// Sent by the daemon unasked; never a call.
    pub event: bool,
}

/// The arguments of a procedure, as a type.
pub trait Procedure: Xdr + Send + 'static {
    /// What comes back; `()` where nothing does.
    type Reply: Xdr + Send + 'static;
    /// The program the number belongs to.
    const PROGRAM: Program;
    /// The number on the wire.
    const NUMBER: i32;
    /// The row.
    const ENTRY: &'static Entry;
}

/// What the daemon sends unasked, as a type.
pub trait Event: Xdr + Send + 'static {
    /// The program the number belongs to.
    const PROGRAM: Program;
    /// The number on the wire.
    const NUMBER: i32;
    /// The row.
    const ENTRY: &'static Entry;
}
