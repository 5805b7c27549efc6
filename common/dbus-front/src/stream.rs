//! Byte streams as file descriptors: a console, channel or screenshot over D-Bus is one end of a socket pair.
//!
//! The other end is pumped until one side closes; a client that goes away closes its end.

use std::{os::unix::net::UnixStream, sync::Mutex};

use tokio::task::JoinSet;
use virtbus_api::{
    Error as ApiError,
    hypervisor::{ByteStream, Screenshot},
};
use zbus::OwnedFd;

use crate::error::Result;

/// The pumps that run; dropping it ends them.
#[derive(Debug, Default)]
pub struct Streams {
    pumps: Mutex<JoinSet<()>>,
}

impl Streams {
    /// A descriptor that reads and writes the stream.
    pub fn duplex(&self, mut stream: ByteStream) -> Result<OwnedFd> {
        let (theirs, mut ours) = pair()?;
        self.spawn(async move {
            // An error ends the stream like a close: the guest or the client went away.
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut ours).await;
        });
        Ok(theirs)
    }

    /// A descriptor that reads the picture.
    pub fn picture(&self, mut screenshot: Screenshot) -> Result<(String, OwnedFd)> {
        let (theirs, mut ours) = pair()?;
        self.spawn(async move {
            let _ = tokio::io::copy(&mut screenshot.data, &mut ours).await;
        });
        Ok((screenshot.mime, theirs))
    }

    fn spawn(&self, pump: impl Future<Output = ()> + Send + 'static) {
        let mut pumps = self.pumps.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        while pumps.try_join_next().is_some() {}
        pumps.spawn(pump);
    }
}

fn pair() -> Result<(OwnedFd, tokio::net::UnixStream)> {
    let make = || {
        let (theirs, ours) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        Ok((OwnedFd::from(std::os::fd::OwnedFd::from(theirs)), tokio::net::UnixStream::from_std(ours)?))
    };
    make().map_err(|it| ApiError::system("cannot make a socket pair for the stream", &it).into())
}
