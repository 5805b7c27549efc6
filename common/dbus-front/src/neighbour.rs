//! What another daemon of ours asks: the questions of [`virtbus_api::neighbour`], answered on a private socket.
//!
//! It is D-Bus without a bus: each connection is between two of our daemons, so that starting a guest waits for nobody
//! else. Only root and the daemon's own user are let in, as the kernel names them. The value of a private secret leaves
//! the daemon here and nowhere else. `virtbus-dbus-remote` is the other end.

use std::{io, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::watch,
    task::JoinSet,
};
use uuid::Uuid;
use virtbus_api::{
    Error as ApiError,
    access::{self, Caller},
    document,
    flags::{NetworkXmlFlags, PortCreateFlags},
    neighbour::{NetworkNeighbour, SecretName, StorageNeighbour},
};
use virtbus_schema::FormatOptions;
use zbus::{DBusError, Message, MessageStream, message::Header, message::Type, names::ErrorName};

use crate::{
    access::Access,
    dispatch::Dispatch,
    error::name_of,
    front::MAX_QUEUED,
    network::{LeaseFigures, lease_figures},
    objects::{Objects, Served},
};

/// How long a peer may take to say who it is.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Pause after a connection that could not be taken.
const PAUSE: Duration = Duration::from_millis(200);

/// Connections at the same time: there are two daemons that could ask.
const MAX_CONNECTIONS: usize = 32;

/// What it takes to be answered.
const RIGHT: &str = "connect:write";

/// Who answers.
#[derive(Debug, Clone)]
pub enum Neighbour {
    /// Whoever has the networks.
    Networks(Arc<dyn NetworkNeighbour>),
    /// Whoever has pools and secrets.
    Storage(Arc<dyn StorageNeighbour>),
}

/// Makes the private socket, in a directory that only its owner may enter; one that a daemon has left behind is replaced.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))?;
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers on the socket until `stop`, then finishes what is under way. `under_way` counts the calls.
pub async fn serve(
    listener: UnixListener,
    own_uid: u32,
    neighbour: Neighbour,
    under_way: watch::Sender<usize>,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let stopping = watch::Sender::new(false);
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                let stream = match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Such as too many open files, which passes.
                        tracing::warn!("cannot take a connection of another daemon: {error}");
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    }
                };
                let (neighbour, under_way) = (neighbour.clone(), under_way.clone());
                let stopping = stopping.subscribe();
                connections.spawn(async move {
                    if let Err(error) = converse(stream, own_uid, neighbour, under_way, stopping).await {
                        tracing::debug!("the conversation with another daemon has ended: {error}");
                    }
                });
            }
            Some(_) = connections.join_next() => {}
            () = &mut stop => break,
        }
    }
    drop(listener);
    stopping.send_replace(true);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Answers one connection.
async fn converse(
    stream: UnixStream,
    own_uid: u32,
    neighbour: Neighbour,
    under_way: watch::Sender<usize>,
    mut stopping: watch::Receiver<bool>,
) -> zbus::Result<()> {
    let peer = stream.peer_cred()?;
    let caller = Caller { uid: peer.uid(), pid: peer.pid().and_then(|it| u32::try_from(it).ok()) };
    if let Err(error) = access::check(&caller, own_uid, RIGHT) {
        tracing::warn!("a stranger on the socket of our daemons was sent away: {error}");
        return Ok(());
    }
    let builder = zbus::connection::Builder::unix_stream(stream.into_std()?).server(zbus::Guid::generate()).p2p();
    let shaking = builder.max_queued(MAX_QUEUED).build();
    let connection = tokio::time::timeout(HANDSHAKE, shaking)
        .await
        .map_err(|_| zbus::Error::Failure("no handshake".to_owned()))??;
    let mut calls = MessageStream::from(&connection);
    let access = Arc::new(Access::of_peer(own_uid, caller));
    let objects = Arc::new(Objects { root: vec![neighbour.served()], kinds: Vec::new() });
    let mut dispatch = Dispatch::new(connection, access, objects, under_way).await?;
    loop {
        tokio::select! {
            biased;
            call = calls.next() => match call {
                Some(Ok(message)) if message.message_type() == Type::MethodCall => dispatch.call(message).await,
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
            () = ended(&mut stopping) => break,
        }
    }
    dispatch.finish().await;
    Ok(())
}

/// Waits until the daemon stops.
async fn ended(stopping: &mut watch::Receiver<bool>) {
    // An error means that whoever says so is gone, which is the same news.
    let _ = stopping.wait_for(|it| *it).await;
}

impl Neighbour {
    fn served(self) -> Served {
        match self {
            Self::Networks(it) => Served::of(Networks(it)),
            Self::Storage(it) => Served::of(Storage(it)),
        }
    }
}

/// An error that comes out at the other end as it went in: the message for people, then domain, error number (or 0) and
/// the bare detail.
#[derive(Debug)]
struct Whole(ApiError);

type Result<T> = std::result::Result<T, Whole>;

impl From<ApiError> for Whole {
    fn from(it: ApiError) -> Self {
        Self(it)
    }
}

impl From<zbus::Error> for Whole {
    fn from(it: zbus::Error) -> Self {
        Self(ApiError::internal(it.to_string()))
    }
}

impl DBusError for Whole {
    fn create_reply(&self, call: &Header<'_>) -> zbus::Result<Message> {
        let Self(it) = self;
        let body = (it.message(), it.domain.number(), it.errno.unwrap_or(0), it.full_detail());
        Message::error(call, self.name()).build(&body)
    }

    fn name(&self) -> ErrorName<'_> {
        // Code names are upper-case words, so the name is always valid; the fall-back satisfies the signature.
        ErrorName::try_from(name_of(self.0.code))
            .unwrap_or_else(|_| ErrorName::from_static_str_unchecked("org.libvirt.Error.INTERNAL_ERROR"))
    }

    fn description(&self) -> Option<&str> {
        Some(&self.0.detail)
    }
}

impl std::fmt::Display for Whole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Whole {}

/// Documents travel whole.
fn whole() -> FormatOptions {
    FormatOptions { secure: true, ..FormatOptions::default() }
}

/// A UUID of one of our own daemons.
fn uuid(text: &str) -> Result<Uuid> {
    Ok(Uuid::try_parse(text).map_err(|_| ApiError::invalid_arg(format!("{text} is not a UUID")))?)
}

/// `org.libvirt.virtbus.Networks`.
#[derive(Debug)]
struct Networks(Arc<dyn NetworkNeighbour>);

#[zbus::interface(name = "org.libvirt.virtbus.Networks")]
impl Networks {
    /// Plugs in; the port's document comes back.
    async fn plug(&self, network: &str, port: &str, flags: u32) -> Result<String> {
        let port = document::parse_network_port(port, false)?;
        let made = self.0.plug(network, port, PortCreateFlags::from_bits_truncate(flags)).await?;
        Ok(made.format(whole()))
    }

    async fn unplug(&self, network: &str, port: &str) -> Result<()> {
        Ok(self.0.unplug(network, uuid(port)?).await?)
    }

    /// The live document.
    async fn network(&self, name: &str) -> Result<String> {
        Ok(document::format_network(&*self.0.network(name).await?, NetworkXmlFlags::empty()))
    }

    async fn leases(&self, network: &str, mac: &str) -> Result<Vec<LeaseFigures>> {
        Ok(self.0.leases(network, mac).await?.into_iter().map(lease_figures).collect())
    }
}

/// `org.libvirt.virtbus.Storage`.
#[derive(Debug)]
struct Storage(Arc<dyn StorageNeighbour>);

#[zbus::interface(name = "org.libvirt.virtbus.Storage")]
impl Storage {
    /// The documents of the pool and of the volume.
    async fn volume(&self, pool: &str, volume: &str) -> Result<(String, String)> {
        let (pool, volume) = self.0.volume(pool, volume).await?;
        Ok((pool.format(whole()), volume.format(whole())))
    }

    /// UUID, usage type, usage id and value of the secret with this UUID; with an empty one, of the secret for this use.
    async fn secret(&self, uuid: &str, usage_type: i32, usage_id: &str) -> Result<(String, i32, String, Vec<u8>)> {
        let name = if uuid.is_empty() {
            SecretName::Usage { usage_type, usage_id: usage_id.to_owned() }
        } else {
            SecretName::Uuid(self::uuid(uuid)?)
        };
        let (secret, value) = self.0.secret(&name).await?;
        Ok((secret.uuid.to_string(), secret.usage_type, secret.usage_id, value.expose().to_vec()))
    }
}
