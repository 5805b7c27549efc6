//! File descriptors between processes: bytes and descriptors over Unix sockets, and who the peer is.
//!
//! Every call here is made on a socket that does not block and returns at once; waiting is the caller's business. What
//! the bytes mean, and how many descriptors a message may have, is not known here.

use std::io::{self, IoSlice};
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use bytes::BytesMut;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{ControlMessage, MsgFlags, getsockopt, sendmsg, sockopt};

use crate::process::Stat;

/// Most descriptors taken from the kernel in one read; more than any sender may put into one message of the protocols
/// used here. The kernel closes those beyond it.
const RECEIVED_MAX: usize = 32;
/// Words of the control buffer: its header of two words, then [`RECEIVED_MAX`] descriptors of four bytes.
const CONTROL_WORDS: usize = 2 + RECEIVED_MAX.div_ceil(2);

/// Reads once from `socket` into the spare capacity of `buffer` (which must have some), and appends the descriptors that
/// came with those bytes to `fds`, close-on-exec set. Returns the number of bytes; 0 is the end of the connection.
///
/// A read never goes beyond the bytes that descriptors came with, so a descriptor belongs to the *last* part of what
/// was read.
///
/// # Errors
/// `WouldBlock` when nothing is there, `InvalidData` when more descriptors came than could be taken (those that were
/// taken are in `fds`), and whatever recvmsg(2) says.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut BytesMut, fds: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let spare = buffer.spare_capacity_mut();
    let mut control = [0_u64; CONTROL_WORDS];
    let mut iov = libc::iovec { iov_base: spare.as_mut_ptr().cast(), iov_len: spare.len() };
    // SAFETY: msghdr is plain data; all zero is a valid value of it.
    #[allow(unsafe_code)]
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the one iovec covers the spare capacity of `buffer` and the control pointer covers `control`; both outlive
    // the call and nothing else refers to them.
    #[allow(unsafe_code)]
    let count = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
    let Ok(count) = usize::try_from(count) else { return Err(io::Error::last_os_error()) };
    if message.msg_controllen > 0 {
        take_descriptors(&message, fds);
    }
    // SAFETY: the kernel has written `count` bytes, no more than the spare capacity it was given.
    #[allow(unsafe_code)]
    unsafe {
        buffer.set_len(buffer.len() + count);
    }
    if message.msg_flags & libc::MSG_CTRUNC != 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "more descriptors in one message than allowed"));
    }
    Ok(count)
}

/// Takes ownership of the descriptors in the control data that recvmsg(2) has filled in.
fn take_descriptors(message: &libc::msghdr, fds: &mut Vec<OwnedFd>) {
    // SAFETY: `message` is as recvmsg left it, with msg_control pointing to aligned, live memory of msg_controllen
    // bytes, which is what CMSG_FIRSTHDR and CMSG_NXTHDR ask for. The descriptors in SCM_RIGHTS were made for this
    // process by that very call, so nobody else owns them.
    #[allow(unsafe_code)]
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while let Some(it) = header.as_ref() {
            if it.cmsg_level == libc::SOL_SOCKET && it.cmsg_type == libc::SCM_RIGHTS {
                let first = libc::CMSG_DATA(header).cast::<RawFd>();
                let offset = first.cast::<u8>().offset_from_unsigned(header.cast::<u8>());
                let count = it.cmsg_len.saturating_sub(offset) / size_of::<RawFd>();
                for index in 0..count {
                    fds.push(OwnedFd::from_raw_fd(first.add(index).read_unaligned()));
                }
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
}

/// Writes `slices` to `socket` as one message, as far as there is room; returns how many bytes were taken. A peer that
/// is gone is an error, never a signal.
///
/// # Errors
/// `WouldBlock` when there is no room, and whatever sendmsg(2) says.
pub fn send(socket: BorrowedFd<'_>, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    match slices {
        [only] => Ok(nix::sys::socket::send(socket.as_raw_fd(), only, flags)?),
        _ => Ok(sendmsg::<()>(socket.as_raw_fd(), slices, &[], flags, None)?),
    }
}

/// Sends a copy of `descriptor` along with a single zero byte in a message of its own.
///
/// # Errors
/// `WouldBlock` when there is no room (nothing was sent then), and whatever sendmsg(2) says.
pub fn send_descriptor(socket: BorrowedFd<'_>, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    let raw = [descriptor.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&raw)];
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&[0])], &rights, flags, None)?;
    Ok(())
}

/// Who is at the other end of a Unix socket, as the kernel recorded it when the connection was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Process; 0 when it lives in a process namespace that this one cannot see.
    pub pid: i32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Start time of the process in clock ticks since boot, so that its pid is not mistaken for a later one. `None` when
    /// the process has ended already.
    pub start_time: Option<u64>,
}

impl Peer {
    /// Asks the kernel about the peer of `socket`.
    ///
    /// # Errors
    /// Whatever getsockopt(2) says: `socket` is not a connected Unix socket.
    pub fn of(socket: BorrowedFd<'_>) -> io::Result<Self> {
        let seen = getsockopt(&socket, sockopt::PeerCredentials)?;
        let start_time = Stat::read(seen.pid()).ok().map(|it| it.start_time);
        Ok(Self { pid: seen.pid(), uid: seen.uid(), gid: seen.gid(), start_time })
    }
}

/// The user this process acts as.
pub fn own_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// Name of user `uid`; `None` when it has none. May ask the network (NSS), so it may block.
pub fn user_name(uid: u32) -> Option<String> {
    nix::unistd::User::from_uid(uid.into()).ok().flatten().map(|it| it.name)
}

/// Name of group `gid`; `None` when it has none. May ask the network (NSS), so it may block.
pub fn group_name(gid: u32) -> Option<String> {
    nix::unistd::Group::from_gid(gid.into()).ok().flatten().map(|it| it.name)
}

/// Makes reads and writes of the open file behind `descriptor` return instead of wait.
///
/// # Errors
/// Whatever fcntl(2) says.
pub fn set_nonblocking(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(descriptor, FcntlArg::F_GETFL)?);
    fcntl(descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn read(socket: &UnixStream) -> (Vec<u8>, Vec<OwnedFd>) {
        let (mut buffer, mut fds) = (BytesMut::with_capacity(64), Vec::new());
        let count = receive(socket.as_fd(), &mut buffer, &mut fds).unwrap();
        assert_eq!(count, buffer.len());
        (buffer.to_vec(), fds)
    }

    #[test]
    fn a_descriptor_ends_the_read_it_came_with() {
        let (left, right) = UnixStream::pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"inside").unwrap();
        assert_eq!(send(left.as_fd(), &[IoSlice::new(b"he"), IoSlice::new(b"llo")]).unwrap(), 5);
        send_descriptor(left.as_fd(), file.as_fd()).unwrap();
        send_descriptor(left.as_fd(), left.as_fd()).unwrap();
        send(left.as_fd(), &[IoSlice::new(b"after")]).unwrap();

        let (bytes, mut fds) = read(&right);
        assert_eq!((bytes.as_slice(), fds.len()), (b"hello\0".as_slice(), 1));
        let mut same = std::fs::File::from(fds.remove(0));
        same.rewind().unwrap();
        let mut text = String::new();
        same.read_to_string(&mut text).unwrap();
        assert_eq!(text, "inside");
        let (bytes, fds) = read(&right);
        assert_eq!((bytes.as_slice(), fds.len()), (b"\0".as_slice(), 1));
        assert!(fcntl(&fds[0], FcntlArg::F_GETFD).unwrap() & libc::FD_CLOEXEC != 0);
        assert_eq!(read(&right).0, b"after");
    }

    #[test]
    fn nothing_there_and_nobody_there() {
        let (left, right) = UnixStream::pair().unwrap();
        let (mut buffer, mut fds) = (BytesMut::with_capacity(8), Vec::new());
        let error = receive(right.as_fd(), &mut buffer, &mut fds).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(left);
        assert_eq!(receive(right.as_fd(), &mut buffer, &mut fds).unwrap(), 0);
        assert_eq!(send(right.as_fd(), &[IoSlice::new(b"x")]).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn too_many_descriptors_are_an_error_and_do_not_leak() {
        let (left, right) = UnixStream::pair().unwrap();
        let raw = [left.as_raw_fd(); 60];
        let rights = [ControlMessage::ScmRights(&raw)];
        sendmsg::<()>(left.as_raw_fd(), &[IoSlice::new(&[0])], &rights, MsgFlags::empty(), None).unwrap();
        let (mut buffer, mut fds) = (BytesMut::with_capacity(8), Vec::new());
        let error = receive(right.as_fd(), &mut buffer, &mut fds).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(fds.len(), RECEIVED_MAX);
    }

    #[test]
    fn the_peer_of_a_pair_is_this_process() {
        let (left, _right) = UnixStream::pair().unwrap();
        let peer = Peer::of(left.as_fd()).unwrap();
        assert_eq!((peer.uid, u32::try_from(peer.pid).unwrap()), (own_uid(), std::process::id()));
        assert!(peer.start_time.is_some());
    }
}
