//! The least of a DHCP and a DNS client.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};

const PATIENCE: Duration = Duration::from_secs(20);
const COOKIE: [u8; 4] = [99, 130, 83, 99];
const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const ACK: u8 = 5;

/// Asks for an address on `device`, as the guest `name`.
pub(crate) fn lease(device: &str, mac: [u8; 6], name: &str) -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind("0.0.0.0:68").ok()?;
    socket.set_broadcast(true).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    setsockopt(&socket, sockopt::BindToDevice, &device.into()).ok()?;
    let offer = exchange(&socket, mac, name, &[53, 1, DISCOVER], OFFER)?;
    let (address, server) = (yours(&offer)?, option(&offer, 54)?);
    let mut request = vec![53, 1, REQUEST, 50, 4];
    request.extend(address.octets());
    request.extend([54, 4]);
    request.extend(server);
    yours(&exchange(&socket, mac, name, &request, ACK)?)
}

/// Sends until the answer to this client comes: the server looks for other holders for some seconds first, and answers each
/// question.
fn exchange(socket: &UdpSocket, mac: [u8; 6], name: &str, options: &[u8], wanted: u8) -> Option<Vec<u8>> {
    let id = [7, mac[3], mac[4], mac[5]];
    let mut message = vec![1, 1, 6, 0];
    message.extend(id);
    // The answer is to be sent to everybody: there is no address yet.
    message.extend([0, 0, 0x80, 0]);
    message.extend([0; 16]);
    message.extend(mac);
    message.extend([0; 10 + 192]);
    message.extend(COOKIE);
    message.extend(options);
    message.extend([12, u8::try_from(name.len()).ok()?]);
    message.extend(name.as_bytes());
    message.push(255);
    let server: SocketAddr = "255.255.255.255:67".parse().ok()?;
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let sent: io::Result<usize> = socket.send_to(&message, server);
        sent.ok()?;
        let mut answer = vec![0; 2048];
        if let Ok(length) = socket.recv(&mut answer) {
            answer.truncate(length);
            if answer.get(4..8) == Some(&id) && option(&answer, 53)? == [wanted] {
                return Some(answer);
            }
        }
    }
    None
}

fn yours(message: &[u8]) -> Option<Ipv4Addr> {
    let bytes: [u8; 4] = message.get(16..20)?.try_into().ok()?;
    Some(bytes.into())
}

fn option(message: &[u8], wanted: u8) -> Option<Vec<u8>> {
    let mut rest = message.get(240..)?;
    loop {
        let (kind, length) = (*rest.first()?, usize::from(*rest.get(1)?));
        let value = rest.get(2..2 + length)?;
        if kind == wanted {
            return Some(value.to_vec());
        }
        rest = rest.get(2 + length..)?;
    }
}

/// Asks `server` for the IPv4 address of `name`.
pub(crate) fn resolve(server: Ipv4Addr, name: &str) -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    let mut question = vec![0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    question.push(u8::try_from(name.len()).ok()?);
    question.extend(name.as_bytes());
    question.extend([0, 0, 1, 0, 1]);
    socket.send_to(&question, (server, 53)).ok()?;
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer).ok()?;
    let (count, last) = (answer.get(7)?, length.checked_sub(4)?);
    let bytes: [u8; 4] = answer.get(last..length)?.try_into().ok()?;
    (*count > 0).then(|| bytes.into())
}
