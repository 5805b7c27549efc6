//! The socket: one request, its answers, and the kernel's verdict.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recv, send, socket,
};

use super::{Error, Result};

/// The kernel makes no message of a dump longer than this.
const LONGEST: usize = 64 * 1024;
/// Attempts at a list that changes while it is read.
const ATTEMPTS: usize = 8;
/// The attribute of a verdict that holds words (linux/netlink.h).
const NLMSGERR_ATTR_MSG: u16 = 1;
/// A message header, in bytes; a verdict repeats the request's.
const HEADER: usize = 16;

/// A conversation with the kernel about the network of this thread's namespace.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

/// What went wrong before it has a name.
pub(super) struct Fault {
    explained: Option<String>,
    source: io::Error,
}

impl Fault {
    /// With `what` could not be done.
    pub(super) fn named(self, what: impl FnOnce() -> String) -> Error {
        Error { what: what(), explained: self.explained, source: self.source }
    }
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        Self { explained: None, source: errno.into() }
    }
}

impl From<io::Error> for Fault {
    fn from(source: io::Error) -> Self {
        Self { explained: None, source }
    }
}

impl Netlink {
    /// Opens it. Needs no right; most changes need CAP_NET_ADMIN.
    ///
    /// # Errors
    /// As socket(2): only when no descriptor is left.
    pub fn open() -> Result<Self> {
        Self::try_open().map_err(|fault| fault.named(|| "cannot open a netlink socket".to_owned()))
    }

    fn try_open() -> std::result::Result<Self, Fault> {
        let protocol = SockProtocol::NetlinkRoute;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
        connect(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        // Words with the verdict, and the request's header only, not all of it. Kernels before 4.12 have neither.
        option(&socket, libc::NETLINK_EXT_ACK);
        option(&socket, libc::NETLINK_CAP_ACK);
        Ok(Self { socket, sequence: 0 })
    }

    /// Changes something: returns when the kernel has done it.
    pub(super) fn change(&mut self, message: RouteNetlinkMessage, flags: u16) -> std::result::Result<(), Fault> {
        let sequence = self.send(message, flags | NLM_F_REQUEST | NLM_F_ACK)?;
        self.receive(sequence).map(drop)
    }

    /// Asks about one thing.
    pub(super) fn ask(&mut self, message: RouteNetlinkMessage) -> std::result::Result<Vec<RouteNetlinkMessage>, Fault> {
        let sequence = self.send(message, NLM_F_REQUEST | NLM_F_ACK)?;
        Ok(self.receive(sequence)?.0)
    }

    /// Lists all things of a kind; once more when they changed meanwhile.
    pub(super) fn list(
        &mut self,
        message: &RouteNetlinkMessage,
    ) -> std::result::Result<Vec<RouteNetlinkMessage>, Fault> {
        let mut last = Vec::new();
        for _ in 0..ATTEMPTS {
            let sequence = self.send(message.clone(), NLM_F_REQUEST | NLM_F_DUMP)?;
            let (answers, torn) = self.receive(sequence)?;
            if !torn {
                return Ok(answers);
            }
            last = answers;
        }
        Ok(last)
    }

    fn send(&mut self, message: RouteNetlinkMessage, flags: u16) -> std::result::Result<u32, Fault> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        loop {
            match send(self.socket.as_raw_fd(), &bytes, MsgFlags::empty()) {
                Err(Errno::EINTR) => {}
                other => break other.map(|_| self.sequence).map_err(Fault::from),
            }
        }
    }

    /// All answers up to the verdict, and whether the list changed while it was made.
    fn receive(&mut self, sequence: u32) -> std::result::Result<(Vec<RouteNetlinkMessage>, bool), Fault> {
        let mut answers = Vec::new();
        let mut torn = false;
        let mut buffer = vec![0; LONGEST];
        loop {
            let length = match recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => continue,
                other => other?,
            };
            let mut rest = buffer.get(..length).unwrap_or_default();
            while let Some((bytes, after)) = first_message(rest) {
                rest = after;
                let message = match NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes) {
                    Ok(message) => message,
                    Err(error) => {
                        // A kernel newer than the decoder: what else it lists is still good.
                        tracing::debug!("a netlink message is not understood: {error}");
                        continue;
                    }
                };
                if message.header.sequence_number != sequence {
                    continue;
                }
                torn |= message.header.flags & NLM_F_DUMP_INTR != 0;
                match message.payload {
                    NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                    NetlinkPayload::Done(_) => return Ok((answers, torn)),
                    NetlinkPayload::Error(verdict) => match verdict.code {
                        None => return Ok((answers, torn)),
                        Some(_) => {
                            return Err(Fault { explained: words(&verdict.header), source: verdict.to_io() });
                        }
                    },
                    _ => {}
                }
            }
        }
    }
}

/// The first whole message, and what follows it.
pub(super) fn first_message(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?);
    let length = usize::try_from(length).ok().filter(|length| *length >= HEADER)?;
    let message = bytes.get(..length)?;
    let aligned = length.checked_next_multiple_of(4)?;
    Some((message, bytes.get(aligned..).unwrap_or_default()))
}

/// The kernel's words in a verdict: attributes behind the request's header.
fn words(verdict: &[u8]) -> Option<String> {
    let mut rest = verdict.get(HEADER..)?;
    loop {
        let length = usize::from(u16::from_ne_bytes(rest.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?);
        let value = rest.get(4..length)?;
        if kind == NLMSGERR_ATTR_MSG {
            let text = String::from_utf8_lossy(value);
            return Some(text.trim_end_matches('\0').to_owned());
        }
        rest = rest.get(length.checked_next_multiple_of(4)?..)?;
    }
}

fn option(socket: &OwnedFd, name: libc::c_int) {
    let on: libc::c_int = 1;
    let size = libc::socklen_t::try_from(size_of_val(&on)).unwrap_or_default();
    // SAFETY: `on` is a live integer and `size` its size; the kernel only reads it.
    #[allow(unsafe_code)]
    // Only the words are missed without it.
    let _ = unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_NETLINK, name, (&raw const on).cast(), size) };
}
