//! A lean client of the wire: one blocking socket, calls by type, and raw frames for tests that break the rules.
//!
//! The benches use it against both sides, so that what they compare is the servers. It reads no events: it drops them.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use virtbus_proto::error::ErrorMessage;
use virtbus_proto::table::session::{AuthList, AuthPolkit, ConnectOpen};
use virtbus_proto::{HEADER_LEN, Header, LENGTH_LEN, MESSAGE_MAX, MessageType, Procedure, Program, Status, Xdr};

/// The authentication type that asks the system who may.
const POLKIT: i32 = 2;
/// The keepalive program's two messages.
const PING: i32 = 1;
const PONG: i32 = 2;

/// A connection.
#[derive(Debug)]
pub struct Client {
    socket: UnixStream,
    serial: u32,
    out: Vec<u8>,
}

/// A frame as it arrived.
#[derive(Debug)]
pub struct Frame {
    /// Its header.
    pub header: Header,
    /// What follows the header.
    pub payload: Vec<u8>,
}

/// An answer that is an error, as the server said it.
#[derive(Debug)]
pub struct Refused(pub ErrorMessage);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "error {}/{}: {}", self.0.code, self.0.domain, self.0.message.as_deref().unwrap_or("no message"))
    }
}

impl std::error::Error for Refused {}

impl Client {
    /// Connects, and says nothing yet.
    pub fn connect(socket: &Path) -> Result<Self> {
        let it = UnixStream::connect(socket).with_context(|| socket.display().to_string())?;
        it.set_read_timeout(Some(Duration::from_secs(60)))?;
        it.set_write_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { socket: it, serial: 0, out: Vec::with_capacity(4096) })
    }

    /// Connects, authenticates and opens `qemu:///system`.
    pub fn open(socket: &Path) -> Result<Self> {
        Self::open_as(socket, "qemu:///system")
    }

    /// Connects, authenticates and opens `uri`.
    pub fn open_as(socket: &Path, uri: &str) -> Result<Self> {
        let mut it = Self::connect(socket)?;
        let offered = it.call(&AuthList {})?.types;
        if offered.contains(&POLKIT) {
            it.call(&AuthPolkit {})?;
        }
        it.call(&ConnectOpen { name: Some(uri.into()), flags: 0 })?;
        Ok(it)
    }

    /// Calls and waits for the answer.
    pub fn call<P: Procedure>(&mut self, arguments: &P) -> Result<P::Reply> {
        let serial = self.send(arguments)?;
        let frame = self.answer_to(serial)?;
        reply::<P>(&frame)
    }

    /// Calls and does not wait; returns the serial of the call.
    pub fn send<P: Procedure>(&mut self, arguments: &P) -> Result<u32> {
        let serial = self.serial;
        self.serial = serial.wrapping_add(1);
        self.out.clear();
        self.out.extend_from_slice(&[0; LENGTH_LEN]);
        self.out.extend_from_slice(&Header::call(P::PROGRAM, P::NUMBER, serial).encode());
        arguments.encode(&mut self.out)?;
        let length = u32::try_from(self.out.len())?;
        self.out[..LENGTH_LEN].copy_from_slice(&length.to_be_bytes());
        self.socket.write_all(&self.out)?;
        Ok(serial)
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.socket.write_all(bytes)?)
    }

    /// The next frame of any kind; pings are answered and not returned. An error when the server closed.
    pub fn frame(&mut self) -> Result<Frame> {
        loop {
            let mut head = [0; LENGTH_LEN + HEADER_LEN];
            self.socket.read_exact(&mut head)?;
            let (length, header) = head.split_first_chunk::<LENGTH_LEN>().context("a head")?;
            let length = usize::try_from(u32::from_be_bytes(*length))?;
            if !(LENGTH_LEN + HEADER_LEN..=MESSAGE_MAX + LENGTH_LEN).contains(&length) {
                bail!("the server sent a frame of {length} bytes");
            }
            let header = Header::decode(header.first_chunk().context("a header")?)?;
            let mut payload = vec![0; length - LENGTH_LEN - HEADER_LEN];
            self.socket.read_exact(&mut payload)?;
            if header.program == Program::Keepalive.number() && header.procedure == PING {
                let mut pong = 28u32.to_be_bytes().to_vec();
                pong.extend_from_slice(&Header::message(Program::Keepalive, PONG).encode());
                self.socket.write_all(&pong)?;
                continue;
            }
            return Ok(Frame { header, payload });
        }
    }

    /// True when the server has closed this connection, or does so within the deadline; what still comes is dropped.
    pub fn is_closed_within(&mut self, deadline: Duration) -> Result<bool> {
        self.socket.set_read_timeout(Some(deadline))?;
        let mut buffer = [0; 4096];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return Ok(true),
                Ok(_) => {}
                Err(why) if matches!(why.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                    return Ok(false);
                }
                Err(_) => return Ok(true),
            }
        }
    }

    fn answer_to(&mut self, serial: u32) -> Result<Frame> {
        loop {
            let frame = self.frame()?;
            if frame.header.kind == MessageType::Reply && frame.header.serial == serial {
                return Ok(frame);
            }
        }
    }
}

/// What a reply's payload says.
pub fn reply<P: Procedure>(frame: &Frame) -> Result<P::Reply> {
    let mut payload = frame.payload.as_slice();
    if frame.header.status == Status::Error {
        let error = ErrorMessage::decode(&mut payload)?;
        return Err(Refused(error).into());
    }
    Ok(P::Reply::decode(&mut payload)?)
}
