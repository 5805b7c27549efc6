//! A terminal of somebody else's (the pty of a guest's serial port) as a stream of bytes.
//!
//! Opened without becoming the controlling terminal of this process. The end of the other side is the end of the stream.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

/// An open terminal.
#[derive(Debug)]
pub struct Terminal(AsyncFd<std::fs::File>);

impl Terminal {
    /// Opens the terminal at `path`. Must be called within a runtime.
    ///
    /// # Errors
    /// As open(2), or when the descriptor cannot be watched.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
        let file = std::fs::OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
        // SAFETY: the AsyncFd owns the file, whose descriptor stays open and the same until both are dropped together.
        #[allow(unsafe_code)]
        let watched = unsafe { AsyncFd::register_with_interest(file, Interest::READABLE | Interest::WRITABLE) }?;
        Ok(Self(watched))
    }
}

impl AsyncRead for Terminal {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(cx))?;
            let read =
                |it: &AsyncFd<std::fs::File>| Ok(nix::unistd::read(it.get_ref().as_fd(), buf.initialize_unfilled())?);
            match guard.try_io(read) {
                Ok(Ok(count)) => {
                    buf.advance(count);
                    return Poll::Ready(Ok(()));
                }
                // The other side has closed it.
                Ok(Err(error)) if error.raw_os_error() == Some(libc::EIO) => return Poll::Ready(Ok(())),
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_not_ready) => {}
            }
        }
    }
}

impl AsyncWrite for Terminal {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(cx))?;
            match guard.try_io(|it| Ok(nix::unistd::write(it.get_ref().as_fd(), bytes)?)) {
                Ok(result) => return Poll::Ready(result),
                Err(_not_ready) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn bytes_go_both_ways_until_the_other_side_closes() {
        let pair = nix::pty::openpty(None, None).expect("a pty");
        let raw = |fd: &std::os::fd::OwnedFd| {
            let mut settings = nix::sys::termios::tcgetattr(fd).expect("settings");
            nix::sys::termios::cfmakeraw(&mut settings);
            nix::sys::termios::tcsetattr(fd, nix::sys::termios::SetArg::TCSANOW, &settings).expect("set");
        };
        raw(&pair.slave);
        let path = nix::unistd::ttyname(&pair.slave).expect("a name");
        let mut terminal = Terminal::open(&path).expect("opened");
        nix::unistd::write(&pair.master, b"hello").expect("written");
        let mut got = [0; 5];
        terminal.read_exact(&mut got).await.expect("read");
        assert_eq!(&got, b"hello");
        terminal.write_all(b"you").await.expect("written");
        let mut back = [0; 3];
        assert_eq!(nix::unistd::read(&pair.master, &mut back), Ok(3));
        assert_eq!(&back, b"you");
        drop(pair);
        assert_eq!(terminal.read(&mut got).await.expect("the end"), 0);
    }
}
