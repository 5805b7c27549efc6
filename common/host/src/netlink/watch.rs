//! Hearing of packet filter tables that somebody deletes: a flush of all rules takes ours too, and says so to nobody else.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Group NFNLGRP_NFTABLES (linux/netfilter/nfnetlink.h), as a bit.
const GROUP: u32 = 1 << (7 - 1);
/// NFT_MSG_DELTABLE of NFNL_SUBSYS_NFTABLES.
const DELETED: u16 = (10 << 8) | 2;
/// NFTA_TABLE_NAME.
const NAME: u16 = 1;
/// Headers of a message: netlink's and netfilter's.
const HEADERS: usize = 16 + 4;

/// Hears of deleted tables in the network namespace it was opened in.
#[derive(Debug)]
pub struct DeletedTables(AsyncFd<OwnedFd>);

impl DeletedTables {
    /// Begins to listen. Must be called within a runtime.
    ///
    /// # Errors
    /// As socket(2); needs CAP_NET_ADMIN.
    pub fn listen() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkNetFilter)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUP))?;
        // SAFETY: the AsyncFd owns the socket, which stays open and the same until both are dropped together.
        #[allow(unsafe_code)]
        let watched = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?;
        Ok(Self(watched))
    }

    /// Waits until a table named `name`, of any family, may have been deleted. Cancel-safe. That it is still there is for the
    /// caller to look at: some delete and make a table in one step, and under load the kernel tells only that it told not all.
    ///
    /// # Errors
    /// When the socket cannot be read any longer.
    pub async fn deleted(&self, name: &str) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let mut ready = self.0.readable().await?;
            match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(length) if tells_of(buffer.get(..length).unwrap_or_default(), name) => return Ok(()),
                Err(Errno::ENOBUFS) => return Ok(()),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => ready.clear_ready(),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// Whether one of the messages is of the deletion of the table `name`.
fn tells_of(mut messages: &[u8], name: &str) -> bool {
    while let Some((message, rest)) = super::socket::first_message(messages) {
        messages = rest;
        let kind = message.get(4..6).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes);
        if kind == Some(DELETED)
            && attribute(message, NAME).is_some_and(|it| it.strip_suffix(b"\0") == Some(name.as_bytes()))
        {
            return true;
        }
    }
    false
}

fn attribute(message: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut rest = message.get(HEADERS..)?;
    loop {
        let length = usize::from(u16::from_ne_bytes(rest.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?);
        let value = rest.get(4..length)?;
        if kind == wanted {
            return Some(value);
        }
        rest = rest.get(length.checked_next_multiple_of(4)?..)?;
    }
}
