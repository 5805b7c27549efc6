//! Ports of displays: which ones guests have, and the next that is free.
//!
//! A port is free if no guest of ours has it and it can be bound now, on IPv4 and IPv6. Between that look and QEMU's own
//! bind another program may still take it; QEMU then ends and its words say so.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::{Mutex, MutexGuard, PoisonError};

use virtbus_api::{Error, Result};

use crate::config::Settings;

/// Which range a port is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// VNC and SPICE.
    Display,
    /// VNC over WebSockets.
    WebSocket,
}

/// The ports of all displays.
#[derive(Debug)]
pub(crate) struct Ports {
    display: (u16, u16),
    websocket: (u16, u16),
    taken: Mutex<BTreeSet<u16>>,
}

impl Ports {
    /// No port taken; ranges as configured.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { display: settings.display_ports, websocket: settings.websocket_ports, taken: Mutex::default() }
    }

    fn taken(&self) -> MutexGuard<'_, BTreeSet<u16>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next free port. Blocks for a few system calls.
    ///
    /// # Errors
    /// When the whole range is in use.
    pub(crate) fn claim(&self, kind: Kind) -> Result<u16> {
        let (first, last) = match kind {
            Kind::Display => self.display,
            Kind::WebSocket => self.websocket,
        };
        let mut taken = self.taken();
        let free = (first..=last).find(|port| !taken.contains(port) && is_free(*port));
        let port =
            free.ok_or_else(|| Error::internal(format!("Unable to find an unused port in range {first}-{last}")))?;
        taken.insert(port);
        Ok(port)
    }

    /// Notes a port that a guest has: asked for by number, or found after a restart.
    pub(crate) fn note(&self, port: u16) {
        self.taken().insert(port);
    }

    /// Gives a port back.
    pub(crate) fn free(&self, port: u16) {
        self.taken().remove(&port);
    }
}

fn is_free(port: u16) -> bool {
    if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_err() {
        return false;
    }
    // A host without IPv6 has nothing to collide with there.
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)) {
        Ok(_) => true,
        Err(error) => error.kind() != std::io::ErrorKind::AddrInUse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice_and_one_in_use_is_left_out() {
        let busy = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port");
        let first = busy.local_addr().expect("known").port();
        let Some(last) = first.checked_add(20) else { return };
        let ports = Ports::new(&Settings { display_ports: (first, last), ..Settings::default() });
        let one = ports.claim(Kind::Display).expect("a free one");
        let two = ports.claim(Kind::Display).expect("a free one");
        assert!(one > first && two > one);
        ports.free(one);
        assert_eq!(ports.claim(Kind::Display).expect("free again"), one);
    }
}
