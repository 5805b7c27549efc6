//! The host's end of a network card, as QEMU takes it: taps, sockets, processes beside QEMU, its own NAT.

use std::os::fd::RawFd;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::chardev::Reconnect;
use virtbus_schema::domain::device::interface::{
    GuestIp, Interface, InterfaceBackendKind, InterfaceKind, InterfaceSource, SourceLocal,
};

use crate::device::chardev::{Backend, Chardev, Socket};
use crate::device::props::props;
use crate::device::{Cx, Part};

props! {
    struct Tap {
        r#type: &'static str,
        fd: Option<String>,
        fds: Option<String>,
        vhost: Option<bool>,
        vhostfd: Option<String>,
        vhostfds: Option<String>,
        sndbuf: Option<u32>,
        id: String,
    }

    struct User<'a> {
        r#type: &'static str,
        net: Option<String>,
        ipv6_prefix: Option<String>,
        ipv6_prefixlen: Option<u32>,
        id: &'a str,
    }

    struct VhostUser<'a> { r#type: &'static str, chardev: &'a str, queues: Option<u64>, id: &'a str }

    struct VhostVdpa<'a> { r#type: &'static str, vhostdev: String, id: &'a str }

    struct Wire<'a> {
        r#type: &'static str,
        listen: Option<String>,
        connect: Option<String>,
        mcast: Option<String>,
        udp: Option<String>,
        localaddr: Option<String>,
        id: &'a str,
    }

    struct Stream<'a> {
        r#type: &'static str,
        addr: UnixAddress,
        server: bool,
        reconnect_ms: Option<u32>,
        reconnect: Option<u32>,
        id: &'a str,
    }

    struct UnixAddress { r#type: &'static str, path: String }
}

/// What a card is connected to, and by how many queues.
pub(super) struct End {
    pub(super) parts: Vec<Part>,
    pub(super) queues: usize,
}

/// Seconds until QEMU asks again for a process that has gone.
const AGAIN: u32 = 5;

impl End {
    pub(super) fn of(interface: &Interface, id: &str, netdev: &str, cx: &mut Cx<'_>) -> Result<Self> {
        let queues = interface.driver.as_ref().and_then(|it| it.queues).unwrap_or(1);
        let is_passt = interface.backend.as_ref().is_some_and(|it| it.kind == Some(InterfaceBackendKind::Passt));
        let one = |part: Result<Part>| Ok(Self { parts: vec![part?], queues: 1 });
        match interface.kind {
            InterfaceKind::Network | InterfaceKind::Bridge | InterfaceKind::Ethernet | InterfaceKind::Direct => {
                tap(interface, id, netdev, cx)
            }
            InterfaceKind::VhostUser => vhost_user(interface, id, netdev, is_passt, u64::from(queues), cx),
            InterfaceKind::Vdpa => vdpa(id, netdev, cx),
            kind if queues > 1 => {
                let mac = interface.mac.map(|it| it.address.to_string()).unwrap_or_default();
                Err(Error::unsupported_config(format!(
                    "interface {mac} - multiqueue is not supported for network interfaces of type {kind}"
                )))
            }
            InterfaceKind::User if is_passt => one(passt(id, netdev, cx)),
            InterfaceKind::User | InterfaceKind::Internal => one(Part::netdev(netdev, &user(&interface.ips, netdev))),
            InterfaceKind::Server | InterfaceKind::Client | InterfaceKind::Mcast | InterfaceKind::Udp => {
                one(Part::netdev(netdev, &wire(interface, netdev)))
            }
            kind @ (InterfaceKind::Null | InterfaceKind::Vds | InterfaceKind::Hostdev) => Err(
                Error::unsupported_config(format!("network device type '{kind}' is not supported by this hypervisor")),
            ),
        }
    }
}

/// Descriptors as QEMU takes them: one, or several with colons.
fn list(fds: &[RawFd]) -> (Option<String>, Option<String>) {
    match fds {
        [] => (None, None),
        [one] => (Some(one.to_string()), None),
        many => (None, Some(many.iter().map(ToString::to_string).collect::<Vec<_>>().join(":"))),
    }
}

fn tap(interface: &Interface, id: &str, netdev: &str, cx: &mut Cx<'_>) -> Result<End> {
    let (taps, vhosts): (Vec<RawFd>, Vec<RawFd>) = match cx.networks.remove(id) {
        Some(open) => (
            open.taps.into_iter().map(|fd| cx.pass(fd)).collect(),
            open.vhosts.into_iter().map(|fd| cx.pass(fd)).collect(),
        ),
        None => (vec![cx.show_descriptor()], Vec::new()),
    };
    let queues = taps.len();
    let (fd, fds) = list(&taps);
    let (vhostfd, vhostfds) = list(&vhosts);
    let vhost = (!vhosts.is_empty()).then_some(true);
    let tap = Tap { r#type: "tap", fd, fds, vhost, vhostfd, vhostfds, sndbuf: interface.sndbuf, id: netdev.to_owned() };
    Ok(End { parts: vec![Part::netdev(netdev, &tap)?], queues })
}

/// QEMU's own NAT, with the addresses the document gives it.
fn user<'a>(ips: &[GuestIp], netdev: &'a str) -> User<'a> {
    let mut user = User { r#type: "user", id: netdev, ..User::default() };
    for it in ips {
        if it.address.is_ipv6() {
            user.ipv6_prefix = Some(it.address.to_string());
            user.ipv6_prefixlen = it.prefix.filter(|it| *it > 0);
        } else {
            let prefix = it.prefix.filter(|it| *it > 0).map(|it| format!("/{it}")).unwrap_or_default();
            user.net = Some(format!("{}{prefix}", it.address));
        }
    }
    user
}

/// Guests wired to each other by sockets of QEMU.
fn wire<'a>(interface: &Interface, netdev: &'a str) -> Wire<'a> {
    let none = InterfaceSource::default();
    let source = interface.source.as_ref().unwrap_or(&none);
    let end = |address: Option<&str>, port: Option<i32>| {
        Some(format!("{}:{}", address.unwrap_or_default(), port.unwrap_or_default()))
    };
    let there = end(source.address.as_deref(), source.port);
    let mut wire = Wire { r#type: "socket", id: netdev, ..Wire::default() };
    match interface.kind {
        InterfaceKind::Server => wire.listen = there,
        InterfaceKind::Client => wire.connect = there,
        InterfaceKind::Mcast => wire.mcast = there,
        _ => {
            wire.udp = there;
            let local = source.local.as_ref();
            wire.localaddr = local.and_then(|SourceLocal { address, port }| end(address.as_deref(), *port));
        }
    }
    wire
}

fn vhost_user(
    interface: &Interface,
    id: &str,
    netdev: &str,
    is_passt: bool,
    queues: u64,
    cx: &mut Cx<'_>,
) -> Result<End> {
    let source = interface.source.as_ref();
    let backend = if is_passt {
        let path = cx.host.sockets.remove(id).ok_or_else(|| no_process(id))?;
        let again = Some(u64::from(AGAIN) * 1000);
        Backend::Unix {
            path: path.to_string_lossy().into_owned(),
            socket: Socket { server: false, waits: false, reconnect_ms: again },
        }
    } else {
        let path = source.and_then(|it| it.path.clone());
        let path = path.ok_or_else(|| Error::xml("a vhost-user interface needs the path of a socket"))?;
        let reconnect = source.and_then(|it| it.reconnect).and_then(|Reconnect { enabled, timeout }| {
            if enabled.is_on() { timeout.map(|seconds| u64::from(seconds) * 1000) } else { Some(0) }
        });
        // QEMU waits for the switch to come: without it the card has no features to offer.
        let server = source.and_then(|it| it.mode.as_deref()) == Some("server");
        Backend::Unix { path, socket: Socket { server, waits: server, reconnect_ms: reconnect } }
    };
    let chardev = Chardev::new(format!("char{id}"), backend);
    let end = VhostUser {
        r#type: "vhost-user",
        chardev: chardev.id(),
        queues: Some(queues).filter(|it| *it > 1),
        id: netdev,
    };
    let end = Part::netdev(netdev, &end)?;
    Ok(End { parts: vec![Part::Chardev(chardev), end], queues: usize::try_from(queues).unwrap_or(1) })
}

fn vdpa(id: &str, netdev: &str, cx: &mut Cx<'_>) -> Result<End> {
    let open = cx.host.descriptors.remove(id).and_then(|it| it.into_iter().next());
    let open = open.ok_or_else(|| Error::internal(format!("{id}: the vDPA device is not open")))?;
    let (add, vhostdev) = cx.pass_as_file(open, &format!("{id}-vdpa"));
    let end = Part::netdev(netdev, &VhostVdpa { r#type: "vhost-vdpa", vhostdev, id: netdev })?;
    Ok(End { parts: vec![add, end], queues: 1 })
}

fn passt(id: &str, netdev: &str, cx: &mut Cx<'_>) -> Result<Part> {
    let path = cx.host.sockets.remove(id).ok_or_else(|| no_process(id))?;
    let in_milliseconds = cx.caps.has_schema("netdev.stream.reconnect-ms");
    let stream = Stream {
        r#type: "stream",
        addr: UnixAddress { r#type: "unix", path: path.to_string_lossy().into_owned() },
        server: false,
        reconnect_ms: in_milliseconds.then_some(AGAIN * 1000),
        reconnect: (!in_milliseconds).then_some(AGAIN),
        id: netdev,
    };
    Part::netdev(netdev, &stream)
}

fn no_process(id: &str) -> Error {
    Error::internal(format!("{id}: passt does not run"))
}
