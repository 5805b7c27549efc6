//! A call and its reply, and what a daemon does to serve them: [`Service`].
//!
//! Sockets, order of replies, limits and streams are the server's business; what a call means is the service's.

use std::os::fd::OwnedFd;

use async_trait::async_trait;
use bytes::Bytes;
use virtbus_proto::{Entry, Header, Owner, Procedure, Xdr};

use crate::error::{self, Failure};
use crate::peer::Client;
use crate::relay::Opening;
use crate::stream::StreamEnd;

/// A call that passed the checks of the protocol: its row exists, and the client is authenticated where that is asked.
#[derive(Debug)]
pub struct Call {
    /// The row.
    pub entry: &'static Entry,
    /// The header as it came.
    pub header: Header,
    /// The arguments, not decoded.
    pub body: Bytes,
    /// The descriptors that came with it, whatever the row says.
    pub fds: Vec<OwnedFd>,
}

impl Call {
    /// Decodes the arguments.
    ///
    /// # Errors
    /// What the reference answers to arguments that it cannot decode.
    pub fn decode<P: Procedure>(&self) -> Result<P, Failure> {
        P::from_bytes(&self.body).map_err(|_| error::undecodable())
    }
}

/// A good reply.
#[derive(Debug, Default)]
pub struct Reply {
    /// The result, encoded.
    pub body: Vec<u8>,
    /// Descriptors to pass along.
    pub fds: Vec<OwnedFd>,
    /// The stream that follows the reply.
    pub stream: Option<StreamEnd>,
    /// Close the connection once the reply is written.
    pub close_after: bool,
}

impl Reply {
    /// A reply with the value `result`.
    ///
    /// # Errors
    /// The value does not fit on the wire.
    pub fn of(result: &impl Xdr) -> Result<Self, Failure> {
        let body = result.to_bytes().map_err(|_| error::unencodable())?;
        Ok(Self { body, ..Self::default() })
    }

    /// A reply without a value.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The same with descriptors.
    #[must_use]
    pub fn with_fds(mut self, fds: Vec<OwnedFd>) -> Self {
        self.fds = fds;
        self
    }

    /// The same with a stream that follows.
    #[must_use]
    pub fn with_stream(mut self, stream: StreamEnd) -> Self {
        self.stream = Some(stream);
        self
    }

    /// The same, with the connection closed behind it.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.close_after = true;
        self
    }
}

/// Who answers a call.
#[derive(Debug)]
pub enum Route {
    /// Whoever the row's owner is: the daemon that the relay knows for it, else the service here.
    ByOwner,
    /// The service here.
    Serve,
    /// The daemon that the relay knows for this owner.
    Relay(Owner),
    /// The relay, which opens a daemon for the client as the call asks.
    Open(Opening),
    /// Nobody.
    Refuse(Failure),
}

/// What a daemon does with its clients.
///
/// The server answers by itself: keepalive, authentication, the question for feature 10 (keepalive) and
/// `CONNECT_SET_IDENTITY`. Everything else of the session (`CONNECT_OPEN`, `CONNECT_CLOSE`, other features) comes here.
#[async_trait]
pub trait Service: Send + Sync + 'static {
    /// A client has connected; it may not be authenticated yet.
    fn connected(&self, _client: &Client) {}

    /// Who answers a call of `entry`. Called once per call, before [`Service::call`]; must not do work. `payload` are the
    /// encoded arguments.
    fn route(&self, _client: &Client, _entry: &'static Entry, _payload: &[u8]) -> Route {
        Route::ByOwner
    }

    /// Serves a call. Calls of one client run concurrently in one task, and the first poll is made at once; a call that
    /// is answered from a published view never leaves that task. Dropped when the client is gone. A panic fails this
    /// call alone.
    ///
    /// # Errors
    /// What the client is answered with.
    async fn call(&self, client: &Client, call: Call) -> Result<Reply, Failure>;

    /// The client is gone; its calls are dropped already.
    fn disconnected(&self, _client: &Client) {}
}
