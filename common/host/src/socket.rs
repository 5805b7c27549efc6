//! A connected Unix socket that waits for bytes to read always, and for room to write only while there is none.
//!
//! Whoever waits for room all the time is woken whenever the peer has read something, and finds nothing to do: on a socket of
//! short calls and answers that doubles the number of times a daemon wakes up.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll, ready};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The socket. Reads and writes are the caller's, on [`Socket::as_fd`]; this says when to try again.
#[derive(Debug)]
pub struct Socket {
    reading: AsyncFd<UnixStream>,
    /// There while the caller waits for room.
    writing: Option<AsyncFd<OwnedFd>>,
}

impl Socket {
    /// Watches `socket`. Must be called within a runtime.
    ///
    /// # Errors
    /// When the descriptor cannot be watched.
    pub fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        // SAFETY: the AsyncFd owns the socket, whose descriptor stays open and the same until both are dropped together.
        #[allow(unsafe_code)]
        let reading = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?;
        Ok(Self { reading, writing: None })
    }

    /// Calls `read` when there may be something to read, again and again while it is interrupted. When it answers `WouldBlock`
    /// the socket counts as empty until more arrives.
    ///
    /// # Errors
    /// Those of `read`, `WouldBlock` included: the caller may have read something and know that it was the last.
    pub fn poll_read<T>(
        &self,
        cx: &mut Context<'_>,
        mut read: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            let mut guard = ready!(self.reading.poll_read_ready(cx))?;
            match guard.try_io(|it| read(it.get_ref().as_fd())) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(result) => return Poll::Ready(result),
                Err(_would_block) => return Poll::Ready(Err(io::ErrorKind::WouldBlock.into())),
            }
        }
    }

    /// After a write that found no room: ready when another may be tried.
    ///
    /// # Errors
    /// When the descriptor cannot be watched.
    pub fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let writing = match self.writing.take() {
            Some(writing) => writing,
            None => {
                // A descriptor of its own: epoll takes each number once.
                let own = self.reading.get_ref().as_fd().try_clone_to_owned()?;
                // SAFETY: the AsyncFd owns `own`, which stays open and the same until both are dropped together.
                #[allow(unsafe_code)]
                unsafe { AsyncFd::register_with_interest(own, Interest::WRITABLE) }?
            }
        };
        let room = match self.writing.insert(writing).poll_write_ready(cx) {
            Poll::Ready(result) => result.map(|mut guard| guard.clear_ready()),
            Poll::Pending => return Poll::Pending,
        };
        Poll::Ready(room)
    }

    /// Whether a write has found no room, and since then nobody has said that all was written.
    pub fn lacks_room(&self) -> bool {
        self.writing.is_some()
    }

    /// Nothing waits to be written any more.
    pub fn forget_room(&mut self) {
        self.writing = None;
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reading.get_ref().as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::{Read as _, Write as _};

    use super::*;

    fn write(socket: &Socket) -> io::Result<usize> {
        Ok(nix::unistd::write(socket.as_fd(), &[7; 4096])?)
    }

    #[tokio::test]
    async fn reading_waits_for_bytes() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let socket = Socket::new(ours).expect("watched");
        let mut buffer = [0; 8];
        let mut read = async || {
            loop {
                let count = poll_fn(|cx| socket.poll_read(cx, |it| Ok(nix::unistd::read(it, &mut buffer)?)));
                match count.await {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    other => return other.expect("read"),
                }
            }
        };
        theirs.write_all(b"abc").expect("written");
        assert_eq!(read().await, 3);
        let later = std::thread::spawn(move || theirs.write_all(b"d"));
        assert_eq!(read().await, 1);
        later.join().expect("ended").expect("written");
    }

    #[tokio::test]
    async fn a_full_socket_waits_for_room() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let mut socket = Socket::new(ours).expect("watched");
        let mut written = 0;
        while let Ok(count) = write(&socket) {
            written += count;
        }
        let reader = std::thread::spawn(move || {
            let mut all = vec![0; written + 4096];
            theirs.read_exact(&mut all)
        });
        loop {
            poll_fn(|cx| socket.poll_room(cx)).await.expect("room");
            if write(&socket).is_ok() {
                break;
            }
        }
        socket.forget_room();
        reader.join().expect("ended").expect("all read");
    }
}
