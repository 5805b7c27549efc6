//! A service for tests, and both ends of sockets to it.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test file uses a part of it"
)]

use std::io::{Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use virtbus_host::task;
use virtbus_proto::error::ErrorMessage;
use virtbus_proto::table::node::{ConnectGetHostnameReply, ConnectGetLibVersionReply};
use virtbus_proto::types::Domain;
use virtbus_proto::{Header, MessageType, Program, Status, Xdr};
use virtbus_rpc::call::{Call, Reply, Service};
use virtbus_rpc::client::Connection;
use virtbus_rpc::connection::Link;
use virtbus_rpc::error::{self, Failure};
use virtbus_rpc::frame::{Frame, Incoming};
use virtbus_rpc::peer::{Client, SocketKind};
use virtbus_rpc::server::{Limits, Server};
use virtbus_rpc::stream::{self, Incoming as Packet};

/// The number that `CONNECT_GET_LIB_VERSION` gives.
pub const LIB_VERSION: u64 = 11_003_000;

/// Answers a few procedures, some of them oddly.
pub struct Plain {
    /// What `CONNECT_GET_HOSTNAME` gives.
    pub name: String,
    /// `DOMAIN_SHUTDOWN` waits for a permit.
    pub gate: Semaphore,
    /// Calls of `DOMAIN_SHUTDOWN` that have begun.
    pub begun: AtomicUsize,
    /// What `STORAGE_VOL_UPLOAD` received, by packet.
    pub uploaded: Arc<Mutex<Vec<Packet>>>,
    /// Clients that have connected.
    pub clients: Mutex<Vec<Client>>,
    /// Clients that are gone.
    pub gone: AtomicUsize,
}

impl Plain {
    pub fn new(name: &str) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            gate: Semaphore::new(0),
            begun: AtomicUsize::new(0),
            uploaded: Arc::default(),
            clients: Mutex::default(),
            gone: AtomicUsize::new(0),
        })
    }

    pub fn client(&self) -> Client {
        self.clients.lock().unwrap().last().unwrap().clone()
    }
}

#[async_trait]
impl Service for Plain {
    fn connected(&self, client: &Client) {
        self.clients.lock().unwrap().push(client.clone());
    }

    fn disconnected(&self, _client: &Client) {
        self.gone.fetch_add(1, Ordering::SeqCst);
    }

    async fn call(&self, client: &Client, call: Call) -> Result<Reply, Failure> {
        match call.entry.name {
            "CONNECT_OPEN" | "CONNECT_REGISTER_CLOSE_CALLBACK" | "CONNECT_DOMAIN_EVENT_REGISTER" => Ok(Reply::empty()),
            "CONNECT_CLOSE" => Ok(Reply::empty().closing()),
            "CONNECT_GET_HOSTNAME" => Reply::of(&ConnectGetHostnameReply { hostname: self.name.clone() }),
            "CONNECT_GET_LIB_VERSION" => Reply::of(&ConnectGetLibVersionReply { lib_ver: LIB_VERSION }),
            "CONNECT_GET_SYSINFO" => Reply::of(&client.identity().user_name.clone().unwrap_or_default()),
            "DOMAIN_SHUTDOWN" => {
                self.begun.fetch_add(1, Ordering::SeqCst);
                self.gate.acquire().await.unwrap().forget();
                Ok(Reply::empty())
            }
            "DOMAIN_SUSPEND" => panic!("this handler is broken"),
            "DOMAIN_RESUME" => {
                tokio::task::yield_now().await;
                panic!("this handler is broken as well")
            }
            "DOMAIN_OPEN_CONSOLE" => {
                let (console, end) = stream::channel();
                let (ours, theirs) = tokio::io::duplex(64);
                task::spawn("console", console.join(ours));
                task::spawn("echo", async move {
                    let (mut reader, mut writer) = tokio::io::split(theirs);
                    tokio::io::copy(&mut reader, &mut writer).await
                });
                Ok(Reply::empty().with_stream(end))
            }
            "STORAGE_VOL_DOWNLOAD" => {
                let (download, end) = stream::channel();
                let length = call.decode::<virtbus_proto::table::storage::StorageVolDownload>()?.length;
                task::spawn("download", download.download(tokio::io::repeat(7).take(length)));
                Ok(Reply::empty().with_stream(end))
            }
            "STORAGE_VOL_UPLOAD" => {
                let (mut upload, end) = stream::channel();
                let mut packets = Vec::new();
                // The gate stands for a slow disk, when the name says so.
                let slow = call.decode::<virtbus_proto::table::storage::StorageVolUpload>()?.vol.name == "slow";
                let uploaded = Arc::clone(&self.uploaded);
                task::spawn("upload", async move {
                    if slow {
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                    loop {
                        let packet = upload.receive().await;
                        packets.push(packet.clone());
                        match packet {
                            Packet::Finish => {
                                let total =
                                    packets.iter().map(|it| if let Packet::Data(it) = it { it.len() } else { 0 });
                                let total: usize = total.sum();
                                *uploaded.lock().unwrap() = packets;
                                return upload
                                    .finish(if total == 13 { Err(error::rpc("unlucky")) } else { Ok(()) })
                                    .await;
                            }
                            Packet::Abort => return,
                            _ => {}
                        }
                    }
                });
                Ok(Reply::empty().with_stream(end))
            }
            "DOMAIN_OPEN_GRAPHICS_FD" => {
                let mut file = tempfile::tempfile().unwrap();
                file.write_all(self.name.as_bytes()).unwrap();
                Ok(Reply::empty().with_fds(vec![file.into()]))
            }
            "DOMAIN_FD_ASSOCIATE" => {
                let texts: Vec<String> = call.fds.into_iter().map(read_file).collect();
                Err(error::internal(texts.join(",")))
            }
            name => Err(error::plain(3, format!("this function is not supported: {name} by {}", self.name))),
        }
    }
}

/// The content of the file behind a descriptor.
pub fn read_file(fd: OwnedFd) -> String {
    let mut file = std::fs::File::from(fd);
    file.rewind().unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text
}

/// A file with `text`.
pub fn file(text: &str) -> OwnedFd {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.into()
}

/// A server for `service`, with a socket that is connected to it.
pub fn serve(service: Arc<Plain>, limits: Limits) -> (Server, UnixStream) {
    let server = Server::new(service, limits);
    let socket = connect(&server, SocketKind::ReadWrite);
    (server, socket)
}

/// Another client of `server`.
pub fn connect(server: &Server, kind: SocketKind) -> UnixStream {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = server.clone();
    task::spawn("server", async move { server.run(theirs, kind).await });
    ours
}

/// Serves `service` at `path` until the task is aborted.
pub fn listen(service: Arc<Plain>, path: &Path) -> (Server, task::JoinHandle<()>) {
    let server = Server::new(service, Limits::default());
    let listener = UnixListener::bind(path).unwrap();
    let accepting = server.clone();
    let handle = task::spawn("accept", async move { accepting.serve(listener, SocketKind::ReadWrite).await.unwrap() });
    (server, handle)
}

/// An open connection to a fresh server.
pub async fn open(service: &Arc<Plain>) -> (Server, Connection) {
    let (server, socket) = serve(Arc::clone(service), Limits::default());
    let connection = Connection::new(socket).expect("watched");
    connection.open("qemu:///system", false).await.unwrap();
    (server, connection)
}

/// A guest that does not matter.
pub fn domain() -> Domain {
    Domain { name: "vm1".to_owned(), uuid: [1; 16], id: 1 }
}

/// A frame-level client.
pub struct Raw(pub Link);

impl Raw {
    pub fn new(socket: UnixStream) -> Self {
        Self(Link::new(socket).expect("watched"))
    }

    pub async fn send(&mut self, header: Header, body: &[u8]) {
        self.0.outbox.push(header, Bytes::copy_from_slice(body), Vec::new()).unwrap();
        self.0.flush().await.unwrap();
    }

    pub async fn receive(&mut self) -> Frame {
        match tokio::time::timeout(Duration::from_secs(5), self.0.receive()).await.expect("a frame comes").unwrap() {
            Some(Incoming::Frame(frame)) => frame,
            other => panic!("no frame but {other:?}"),
        }
    }

    /// Whether the server has closed the connection.
    pub async fn is_closed(&mut self) -> bool {
        !matches!(tokio::time::timeout(Duration::from_secs(5), self.0.receive()).await, Err(_) | Ok(Ok(Some(_))))
    }

    pub async fn call(&mut self, procedure: i32, serial: u32, body: &[u8]) -> Frame {
        self.send(Header::call(Program::Remote, procedure, serial), body).await;
        self.receive().await
    }

    /// Sends `header` and gives the error that comes back.
    pub async fn error(&mut self, header: Header, body: &[u8]) -> ErrorMessage {
        self.send(header, body).await;
        let frame = self.receive().await;
        assert_eq!(frame.header, header.answer(MessageType::Reply, Status::Error));
        ErrorMessage::from_bytes(frame.payload()).unwrap()
    }
}

/// Waits for `condition`.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain for: {what}");
}
