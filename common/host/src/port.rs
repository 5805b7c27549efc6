//! Who holds a port: the process behind a socket that is in the way.
//!
//! For messages only: it reads /proc as it is at this moment, and finds no process of a user whose descriptors may not be
//! looked at. It knows nothing of what the ports are for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// The protocol of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

/// A socket that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The address it listens on; unspecified for all.
    pub address: IpAddr,
    /// Its process, if that may be known: number and name.
    pub process: Option<(i32, String)>,
}

/// State of a listening TCP socket, and of a UDP socket that is bound only (linux/tcp_states.h).
const TCP_LISTEN: &str = "0A";
const UDP_BOUND: &str = "07";

/// The sockets that listen on `port` at `address` or at all addresses, in this thread's network namespace.
pub fn holders(protocol: Protocol, address: IpAddr, port: u16) -> Vec<Holder> {
    let (files, state) = match protocol {
        Protocol::Tcp => (["tcp", "tcp6"], TCP_LISTEN),
        Protocol::Udp => (["udp", "udp6"], UDP_BOUND),
    };
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(Path::new("/proc/thread-self/net").join(file)).unwrap_or_default();
        for (at, inode) in text.lines().skip(1).filter_map(|line| listening(line, port, state)) {
            // A socket for all IPv6 addresses takes IPv4 as well, unless told otherwise; for a message that will do.
            if at == address || at.is_unspecified() && (at.is_ipv6() || address.is_ipv4()) {
                found.push(Holder { address: at, process: process_of(inode) });
            }
        }
    }
    found
}

/// Address and inode of a line of /proc/net/tcp and the like, if it is of this port and state.
fn listening(line: &str, port: u16, state: &str) -> Option<(IpAddr, u64)> {
    let mut fields = line.split_ascii_whitespace();
    let (address, at) = fields.nth(1)?.split_once(':')?;
    if u16::from_str_radix(at, 16).ok()? != port || fields.nth(1)? != state {
        return None;
    }
    // Behind the state: queues, timers, retransmissions, user, timeout.
    Some((parse(address)?, fields.nth(5)?.parse().ok()?))
}

/// An address as the kernel writes it: words of 32 bits in the host's order, in hexadecimal.
fn parse(text: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for (to, at) in bytes.chunks_exact_mut(4).zip([0, 8, 16, 24]) {
                to.copy_from_slice(&word(at)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

fn process_of(inode: u64) -> Option<(i32, String)> {
    let wanted = format!("socket:[{inode}]");
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    for process in processes {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let Ok(mut fds) = std::fs::read_dir(process.path().join("fd")) else { continue };
        let holds = |fd: std::fs::DirEntry| std::fs::read_link(fd.path()).is_ok_and(|to| to.as_os_str() == &*wanted);
        if fds.any(|fd| fd.is_ok_and(holds)) {
            let name = crate::sysfs::text(&process.path().join("comm")).unwrap_or_else(|| "?".to_owned());
            return Some((pid, name));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_port_is_found() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("bound");
        let listener = std::net::TcpListener::bind("[::1]:0").expect("bound");
        let me = i32::try_from(std::process::id()).expect("a pid");
        let address = socket.local_addr().expect("bound");
        let found = holders(Protocol::Udp, address.ip(), address.port());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].process.as_ref().map(|it| it.0), Some(me));
        let address = listener.local_addr().expect("bound");
        let found = holders(Protocol::Tcp, address.ip(), address.port());
        assert_eq!((found.len(), found[0].address), (1, address.ip()));
        assert_eq!(holders(Protocol::Tcp, "127.0.0.9".parse().expect("an address"), address.port()), []);
    }
}
