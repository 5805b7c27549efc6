//! A lean client of the message bus: one blocking socket that calls and waits. It reads no signals: it drops them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

/// A method to call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Method<'a> {
    pub(super) destination: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) member: &'a str,
    /// The one argument, the flags most methods have; none for the standard ones.
    pub(super) flags: Option<u32>,
}

/// A connection to a bus.
#[derive(Debug)]
pub(super) struct BusClient {
    socket: UnixStream,
    answers: BufReader<UnixStream>,
    serial: u32,
}

impl BusClient {
    /// Connects, authenticates as this process and says hello.
    pub(super) fn open(socket: &Path) -> Result<Self> {
        let mut socket = UnixStream::connect(socket).with_context(|| socket.display().to_string())?;
        socket.set_read_timeout(Some(Duration::from_secs(60)))?;
        let uid: String = nix::unistd::getuid().to_string().bytes().map(|it| format!("{it:02x}")).collect();
        write!(socket, "\0AUTH EXTERNAL {uid}\r\n")?;
        let mut answers = BufReader::new(socket.try_clone()?);
        let mut line = String::new();
        answers.read_line(&mut line)?;
        ensure!(line.starts_with("OK "), "the bus said {line:?}");
        socket.write_all(b"BEGIN\r\n")?;
        let mut client = Self { socket, answers, serial: 0 };
        let bus = "org.freedesktop.DBus";
        let path = "/org/freedesktop/DBus";
        client.call(Method { destination: bus, path, interface: bus, member: "Hello", flags: None })?;
        Ok(client)
    }

    /// Calls and waits for the answer; how many bytes it has.
    pub(super) fn call(&mut self, method: Method<'_>) -> Result<usize> {
        self.serial += 1;
        self.socket.write_all(&message(self.serial, method))?;
        loop {
            let mut head = [0; 16];
            self.answers.read_exact(&mut head)?;
            let number = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?) as usize);
            let (body, fields) = number(4).zip(number(12)).context("the head has 16 bytes")?;
            let mut rest = vec![0; fields.next_multiple_of(8) + body];
            self.answers.read_exact(&mut rest)?;
            match head[1] {
                2 => return Ok(body),
                3 => bail!("{}: {}", method.member, String::from_utf8_lossy(&rest)),
                _ => {}
            }
        }
    }
}

/// A method call as D-Bus has it on the wire, in little-endian form.
fn message(serial: u32, method: Method<'_>) -> Vec<u8> {
    let mut fields = Vec::new();
    for (code, kind, value) in
        [(1, b'o', method.path), (2, b's', method.interface), (3, b's', method.member), (6, b's', method.destination)]
    {
        align(&mut fields, 8);
        fields.extend([code, 1, kind, 0]);
        fields.extend(length(value.len()));
        fields.extend(value.as_bytes());
        fields.push(0);
    }
    if method.flags.is_some() {
        align(&mut fields, 8);
        fields.extend([8, 1, b'g', 0, 1, b'u', 0]);
    }
    let body = method.flags.map(u32::to_le_bytes);
    // Little-endian, a call, without flags, of version 1.
    let mut out = vec![b'l', 1, 0, 1];
    out.extend(length(body.map_or(0, |it| it.len())));
    out.extend(serial.to_le_bytes());
    out.extend(length(fields.len()));
    out.extend(fields);
    align(&mut out, 8);
    out.extend(body.into_iter().flatten());
    out
}

fn align(bytes: &mut Vec<u8>, to: usize) {
    bytes.resize(bytes.len().next_multiple_of(to), 0);
}

/// Lengths here are those of a few names.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_padded_and_says_its_lengths() {
        let method = Method { destination: "a.b", path: "/", interface: "a.b", member: "M", flags: Some(7) };
        let it = message(3, method);
        assert_eq!(it.len() % 4, 0);
        assert_eq!(it[..12], [b'l', 1, 0, 1, 4, 0, 0, 0, 3, 0, 0, 0]);
        assert_eq!(it[it.len() - 4..], [7, 0, 0, 0]);
    }
}
