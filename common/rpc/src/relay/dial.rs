//! Opening a connection to another daemon on a client's behalf, up to the point where the client's frames fit in.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixStream;
use virtbus_proto::error::ErrorMessage;
use virtbus_proto::table::session::{AuthList, AuthListReply, ConnectOpen, ConnectSetIdentity};
use virtbus_proto::{Header, MessageType, Procedure, Status, Xdr, types};

use crate::connection::{Link, LinkError};
use crate::error::{self, Failure};
use crate::frame::{Frame, Incoming};
use crate::keepalive::{self, Asked};
use crate::peer::Identity;

/// How often, and how long apart, a daemon whose queue of connections is full is tried.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// How long a daemon may take until it has opened a connection; it may have to be started first.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connects to `socket`, opens `name` with `flags`, and says who is asking.
pub(super) async fn dial(
    socket: PathBuf,
    name: Option<String>,
    flags: u32,
    identity: Identity,
) -> Result<Link, Failure> {
    let late = || {
        let (socket, patience) = (socket.display(), PATIENCE.as_secs());
        error::timeout(format!("the daemon at '{socket}' did not open a connection within {patience} seconds"))
    };
    let opened = tokio::time::timeout(PATIENCE, open(&socket, name, flags, identity)).await;
    opened.unwrap_or_else(|_| Err(late()))
}

async fn open(socket: &Path, name: Option<String>, flags: u32, mut identity: Identity) -> Result<Link, Failure> {
    let mut link = connect(socket).await.map_err(|it| error::system(&cannot_connect(socket), &it))?;
    let types = exchange(&mut link, 0, &AuthList {}).await?;
    let types = AuthListReply::from_bytes(types.payload()).map_err(|_| error::undecodable())?.types;
    if types.iter().any(|it| *it != types::AUTH_NONE) {
        return Err(error::authentication_failed("the daemon behind this one asks for more than it can give"));
    }
    exchange(&mut link, 1, &ConnectOpen { name, flags }).await?;
    // A name that cannot be looked up is left out.
    let looked_up = tokio::task::spawn_blocking(move || {
        identity.look_up_names();
        identity
    });
    let identity = looked_up.await.map_err(|_| error::internal("cannot look up the client's user"))?;
    let call: ConnectSetIdentity = identity.to_call();
    exchange(&mut link, 2, &call).await?;
    Ok(link)
}

fn cannot_connect(socket: &Path) -> String {
    format!("Failed to connect socket to '{}'", socket.display())
}

async fn connect(socket: &Path) -> io::Result<Link> {
    for _ in 0..TRIES {
        match UnixStream::connect(socket).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(PAUSE).await,
            result => return result.and_then(Link::new),
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Makes a call and waits for its reply.
async fn exchange<P: Procedure>(link: &mut Link, serial: u32, args: &P) -> Result<Frame, Failure> {
    let call = Header::call(P::PROGRAM, P::NUMBER, serial);
    let body = args.to_bytes().map_err(|_| error::unencodable())?;
    link.outbox.push(call, body, Vec::new()).map_err(|_| error::unencodable())?;
    loop {
        let frame = match link.receive().await {
            Ok(Some(Incoming::Frame(frame))) => frame,
            Ok(Some(Incoming::Unknown(_))) => continue,
            Ok(None) => return Err(lost()),
            Err(LinkError::Io(failure)) => return Err(error::system("Cannot recv data", &failure)),
            Err(LinkError::Frame(failure)) => return Err(error::rpc(failure.to_string())),
        };
        match keepalive::sort(&frame.header) {
            Some(Asked::Answer(pong)) => link.outbox.push_empty(pong),
            Some(Asked::Nothing) => {}
            None if frame.header == call.answer(MessageType::Reply, Status::Ok) => return Ok(frame),
            None if frame.header == call.answer(MessageType::Reply, Status::Error) => {
                let failure = ErrorMessage::from_bytes(frame.payload()).map_err(|_| error::undecodable())?;
                return Err(failure.into());
            }
            None => {}
        }
    }
}

/// The daemon closed the connection: what the reference's clients say then.
pub(super) fn lost() -> Failure {
    error::system("End of file while reading data", &io::Error::from_raw_os_error(nix::errno::Errno::EIO as i32))
}
