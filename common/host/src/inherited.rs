//! Descriptors that a service manager passed to this process (sd_listen_fds(3)).
//!
//! It takes them over once; what they are for is said by their names and decided by the caller.

use std::env;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{F_GETFD, F_SETFD, FdFlag, fcntl};

/// The first passed descriptor, fixed by the protocol.
const FIRST: RawFd = 3;

/// Variables by which a service manager speaks to one process; they mean nothing to its children.
pub(crate) const PRIVATE_VARIABLES: [&str; 7] =
    ["LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"];

/// A descriptor and the name it came under ("unknown" if it had none).
#[derive(Debug)]
pub struct Inherited {
    /// The unit's FileDescriptorName, by default the name of the socket unit.
    pub name: String,
    /// The descriptor, now close-on-exec.
    pub fd: OwnedFd,
}

/// Takes over the descriptors passed to this process; empty when there are none, or at the second call. To be called
/// first in `main`, before anything else is opened.
///
/// # Errors
/// When the variables are for this process and yet malformed, or name descriptors that are not open.
pub fn listen_fds() -> io::Result<Vec<Inherited>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let own_pid = std::process::id().to_string();
    if env::var("LISTEN_PID").ok().as_deref() != Some(own_pid.as_str()) || TAKEN.swap(true, Ordering::SeqCst) {
        return Ok(Vec::new());
    }
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let count = env::var("LISTEN_FDS").map_err(|_| invalid("LISTEN_PID is set but LISTEN_FDS is not"))?;
    let count: RawFd = count.parse().map_err(|_| invalid("LISTEN_FDS is not a number"))?;
    let end = FIRST.checked_add(count).filter(|_| count >= 0).ok_or_else(|| invalid("LISTEN_FDS is out of range"))?;
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':').filter(|name| !name.is_empty());
    let mut inherited = Vec::new();
    for number in FIRST..end {
        // SAFETY: systemd's protocol gives these numbers to this process, and the flag above to this call alone; a number
        // that is not open is dropped unclosed by the check below.
        #[allow(unsafe_code)]
        let fd = unsafe { OwnedFd::from_raw_fd(number) };
        let set = fcntl(&fd, F_GETFD).and_then(|_| fcntl(&fd, F_SETFD(FdFlag::FD_CLOEXEC)));
        if let Err(error) = set {
            std::mem::forget(fd);
            return Err(io::Error::new(io::Error::from(error).kind(), format!("passed descriptor {number}: {error}")));
        }
        inherited.push(Inherited { name: names.next().unwrap_or("unknown").to_owned(), fd });
    }
    Ok(inherited)
}
