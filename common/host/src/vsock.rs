//! vhost-vsock: the kernel's end of sockets between a guest and this host. Which guest gets which id is asked of the kernel,
//! which gives each id to one guest only.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

/// `VHOST_VSOCK_SET_GUEST_CID` of linux/vhost.h: `_IOW(0xAF, 0x60, __u64)`.
const SET_GUEST_CID: nix::libc::Ioctl = 0x4008_AF60;
/// The first id a guest may have; those below are the hypervisor's, local and the host's.
const FIRST: u32 = 3;
/// How many ids are tried before giving up: more than guests fit on a host.
const TRIES: u32 = 65_536;

/// Opens the device for a guest.
///
/// # Errors
/// As open(2); `NotFound` where the kernel has no vhost-vsock.
pub fn open() -> io::Result<OwnedFd> {
    Ok(OpenOptions::new().read(true).write(true).open("/dev/vhost-vsock")?.into())
}

/// Gives the guest of an open device an id.
///
/// # Errors
/// `AddrInUse` when another guest has it.
pub fn set_cid(device: &OwnedFd, cid: u32) -> io::Result<()> {
    let cid = u64::from(cid);
    // SAFETY: the request reads a 64-bit number from the pointer, which is valid for the call.
    #[allow(unsafe_code)]
    let result = unsafe { nix::libc::ioctl(device.as_raw_fd(), SET_GUEST_CID, std::ptr::from_ref(&cid)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Gives the guest of an open device the first free id, and returns it.
///
/// # Errors
/// As [`set_cid`]; `AddrInUse` when none is free.
pub fn take_cid(device: &OwnedFd) -> io::Result<u32> {
    for cid in FIRST..FIRST + TRIES {
        match set_cid(device, cid) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            done => return done.map(|()| cid),
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}
