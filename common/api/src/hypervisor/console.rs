//! Byte streams into a guest: consoles, channels, and its screen.

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    error::Result,
    flags::{ChannelFlags, ConsoleFlags},
    refs::DomainRef,
};

/// What can be read and written like a terminal.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection to a console or channel; dropping it ends it.
pub type ByteStream = Box<dyn Duplex>;

/// A picture of a guest's screen.
pub struct Screenshot {
    /// `image/x-portable-pixmap` or `image/png`.
    pub mime: String,
    /// The picture's bytes.
    pub data: Box<dyn AsyncRead + Send + Unpin>,
}

impl std::fmt::Debug for Screenshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screenshot").field("mime", &self.mime).finish_non_exhaustive()
    }
}

/// Opening streams into a guest.
#[async_trait]
pub trait Consoles: Send + Sync {
    /// Opens the console or serial port `device` (an alias), or the first one. A second client is refused unless it
    /// asks with `FORCE`, which ends the first one's stream.
    async fn open_console(&self, domain: &DomainRef, device: Option<&str>, flags: ConsoleFlags) -> Result<ByteStream>;

    /// Opens the channel of that target name or alias, or the first one.
    async fn open_channel(&self, domain: &DomainRef, name: Option<&str>, flags: ChannelFlags) -> Result<ByteStream>;

    /// Takes a picture of screen number `screen`.
    async fn screenshot(&self, domain: &DomainRef, screen: u32) -> Result<Screenshot>;
}
