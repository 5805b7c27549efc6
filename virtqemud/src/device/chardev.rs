//! Character devices of QEMU: what a serial port, a channel, a monitor leads to.
//!
//! `-chardev` takes key=value pairs only, `chardev-add` JSON only; both are written here from one value.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::chardev::{
    CharLog, CharSource, CharSourceMode, Chardev as Source, PathChardev, ProtocolKind, Reconnect, SocketChardev,
    Vdagent, VdagentMouse,
};
use virtbus_schema::xml::{OnOff, YesNo};

use super::props::{Props, props};
use super::{Cx, Part, Resource};

/// Where the certificates of QEMU's servers and clients lie.
const CERTIFICATES: &str = "/etc/pki/qemu";

/// A character device.
#[derive(Debug, Clone, PartialEq)]
pub struct Chardev {
    /// Its id, `charserial0`.
    pub id: String,
    /// What it leads to.
    pub backend: Backend,
    /// A file that gets a copy of all that is written: its path, and whether to append.
    pub log: Option<(String, Option<bool>)>,
}

/// A socket that is listened on or connected to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Socket {
    /// Whether QEMU listens.
    pub server: bool,
    /// Whether it waits for the first client before it does anything else.
    pub waits: bool,
    /// Milliseconds until it connects again after a loss; 0 does not.
    pub reconnect_ms: Option<u64>,
}

/// Where the bytes go.
#[derive(Debug, Clone, PartialEq)]
pub enum Backend {
    /// Nowhere.
    Null,
    /// A virtual console in QEMU's window.
    Vc,
    /// A pseudo terminal, optionally with a symbolic link to it.
    Pty,
    /// QEMU's standard streams.
    Stdio,
    /// A file.
    File {
        /// Its path.
        path: String,
        /// Whether to append.
        append: Option<bool>,
    },
    /// A host's serial device.
    Serial {
        /// Its path.
        path: String,
    },
    /// A host's parallel port.
    Parallel {
        /// Its path.
        path: String,
    },
    /// A named pipe.
    Pipe {
        /// Its path.
        path: String,
    },
    /// A Unix socket by path.
    Unix {
        /// Its path.
        path: String,
        /// How it is used.
        socket: Socket,
    },
    /// A socket that is open already.
    Fd {
        /// Its number in QEMU.
        fd: i32,
        /// How it is used.
        socket: Socket,
    },
    /// TCP.
    Tcp {
        /// Host name or address.
        host: String,
        /// Port or service.
        port: String,
        /// Whether to speak the telnet protocol.
        telnet: bool,
        /// How it is used.
        socket: Socket,
        /// The id of the TLS credentials.
        tls: Option<String>,
    },
    /// UDP.
    Udp {
        /// Where to send: host and port.
        to: (String, String),
        /// Where to receive: address, empty for any, and port, 0 for any.
        from: (String, String),
    },
    /// SPICE's guest agent and smart cards.
    SpiceVmc {
        /// `vdagent`, `usbredir`, `smartcard`.
        name: &'static str,
    },
    /// A named SPICE port.
    SpicePort {
        /// Its name.
        name: String,
    },
    /// The clipboard of QEMU itself.
    Vdagent {
        /// Whether the mouse goes through the agent.
        mouse: Option<bool>,
        /// Whether the clipboard is shared.
        clipboard: Option<bool>,
    },
    /// QEMU's D-Bus display.
    Dbus {
        /// The channel's name.
        name: String,
    },
}

/// Doubles commas, which separate the pairs.
pub(crate) fn escape(text: &str) -> String {
    text.replace(',', ",,")
}

pub(super) fn on_off(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}

impl Socket {
    /// The pairs after the address.
    fn pairs(&self, out: &mut String) {
        if self.server {
            out.push_str(if self.waits { ",server=on" } else { ",server=on,wait=off" });
        }
        if let Some(reconnect) = self.reconnect_ms {
            let _ = write!(out, ",reconnect-ms={reconnect}");
        }
    }

    fn members(&self, address: &Value) -> Value {
        let mut it = json!({"addr": address, "server": self.server});
        if self.server {
            it["wait"] = json!(self.waits);
        }
        if let Some(reconnect) = self.reconnect_ms {
            it["reconnect-ms"] = json!(reconnect);
        }
        it
    }
}

impl Chardev {
    /// A device without a log.
    #[must_use]
    pub fn new(id: impl Into<String>, backend: Backend) -> Self {
        Self { id: id.into(), backend, log: None }
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The argument of `-chardev`.
    #[must_use]
    pub fn argument(&self) -> String {
        let mut out = format!("{},id={}", self.backend.kind(), self.id);
        self.backend.pairs(&mut out);
        if let Some((path, append)) = &self.log {
            let _ = write!(out, ",logfile={}", escape(path));
            if let Some(append) = append {
                let _ = write!(out, ",logappend={}", on_off(*append));
            }
        }
        out
    }

    /// The arguments of `chardev-add`.
    ///
    /// # Errors
    /// As [`Props::new`].
    pub fn arguments(&self) -> Result<Box<RawValue>> {
        #[derive(Serialize)]
        struct Add<'a> {
            id: &'a str,
            backend: Backend<'a>,
        }
        #[derive(Serialize)]
        struct Backend<'a> {
            #[serde(rename = "type")]
            kind: &'a str,
            data: Value,
        }
        let mut data = self.backend.members();
        if let Some((path, append)) = &self.log {
            data["logfile"] = json!(path);
            if let Some(append) = append {
                data["logappend"] = json!(append);
            }
        }
        let add = Add { id: &self.id, backend: Backend { kind: self.backend.kind(), data } };
        Ok(Props::new(&*self.id, &add)?.json().to_owned())
    }
}

impl Chardev {
    /// The device with the objects it needs before it.
    ///
    /// # Errors
    /// As [`Props::new`].
    pub fn into_parts(self) -> Result<Vec<Part>> {
        props! {
            struct Credentials<'a> {
                qom_type: &'static str,
                id: &'a str,
                dir: &'static str,
                endpoint: &'static str,
                verify_peer: bool,
            }
        }
        let mut parts = Vec::new();
        if let Backend::Tcp { socket, tls: Some(id), .. } = &self.backend {
            let endpoint = if socket.server { "server" } else { "client" };
            let credentials =
                Credentials { qom_type: "tls-creds-x509", id, dir: CERTIFICATES, endpoint, verify_peer: true };
            parts.push(Part::object(id, &credentials)?);
        }
        parts.push(Part::Chardev(self));
        Ok(parts)
    }

    /// The device for a document's back end.
    ///
    /// # Errors
    /// The back end is incomplete, or QEMU has no such one.
    pub fn of(source: &Source, id: String, cx: &Cx<'_>) -> Result<Self> {
        Self::of_kind(source, id, "vdagent", cx)
    }

    /// The same for a device whose SPICE channel is of another kind than the guest agent's.
    ///
    /// # Errors
    /// As [`Chardev::of`].
    pub fn of_kind(source: &Source, id: String, spice: &'static str, cx: &Cx<'_>) -> Result<Self> {
        let incomplete = |what: &str| Error::internal(format!("{id}: the character device has no {what}"));
        let path =
            |it: &Option<CharSource>| it.as_ref().and_then(|it| it.path.clone()).ok_or_else(|| incomplete("path"));
        let (backend, log) = match source {
            Source::Null { log } => (Backend::Null, log),
            Source::Vc { log } => (Backend::Vc, log),
            Source::Pty { source: _, log } => (Backend::Pty, log),
            Source::Stdio { log } => (Backend::Stdio, log),
            Source::Dev(PathChardev { source, log }) => (Backend::Serial { path: path(source)? }, log),
            Source::File(PathChardev { source, log }) => {
                let append = source.as_ref().and_then(|it| it.append).map(OnOff::is_on);
                (Backend::File { path: path(source)?, append }, log)
            }
            Source::Pipe(PathChardev { source, log }) => (Backend::Pipe { path: path(source)? }, log),
            Source::Udp(SocketChardev { sources, protocol: _, log }) => (udp(sources), log),
            Source::Tcp(SocketChardev { sources, protocol, log }) => {
                let source = sources.first().ok_or_else(|| incomplete("source"))?;
                (tcp(source, *protocol, &id, cx)?, log)
            }
            Source::Unix { source, log } => {
                let source = source.as_ref().ok_or_else(|| incomplete("source"))?;
                let path = source.path.clone().ok_or_else(|| incomplete("path"))?;
                (Backend::Unix { path, socket: socket(source) }, log)
            }
            Source::Spicevmc { log } => {
                if !cx.caps.has_schema("chardev.spicevmc") {
                    return Err(Error::unsupported_config("spicevmc not supported in this QEMU binary"));
                }
                (Backend::SpiceVmc { name: spice }, log)
            }
            Source::Spiceport { channel, log } => {
                (Backend::SpicePort { name: channel.clone().ok_or_else(|| incomplete("channel"))? }, log)
            }
            Source::QemuVdagent { source, log } => {
                let Vdagent { mouse, clipboard } = source.clone().unwrap_or_default();
                let mouse = mouse.map(|it| it == VdagentMouse::Client);
                (Backend::Vdagent { mouse, clipboard: clipboard.map(YesNo::is_on) }, log)
            }
            Source::Dbus { channel, log } => {
                (Backend::Dbus { name: channel.clone().ok_or_else(|| incomplete("channel"))? }, log)
            }
            Source::Nmdm { .. } => {
                return Err(Error::unsupported_config("unsupported chardev 'nmdm'"));
            }
        };
        let log = log.as_ref().map(|CharLog { file, append }| (file.clone(), append.map(OnOff::is_on)));
        Ok(Self { id, backend, log })
    }
}

fn socket(source: &CharSource) -> Socket {
    let reconnect_ms = source.reconnect.and_then(|Reconnect { enabled, timeout }| match enabled {
        YesNo::Yes => timeout.map(|seconds| u64::from(seconds) * 1000),
        YesNo::No => Some(0),
    });
    Socket { server: source.mode == Some(CharSourceMode::Bind), waits: false, reconnect_ms }
}

fn tcp(source: &CharSource, protocol: Option<ProtocolKind>, id: &str, cx: &Cx<'_>) -> Result<Backend> {
    if let Some(protocol @ (ProtocolKind::Tls | ProtocolKind::Telnets)) = protocol {
        return Err(Error::unsupported_config(format!("tcp chardev protocol '{protocol}' not supported")));
    }
    let tls = source.tls == Some(YesNo::Yes);
    if tls {
        cx.needs("tls-creds-x509", "<source tls='yes'>")?;
    }
    Ok(Backend::Tcp {
        host: source.host.clone().unwrap_or_default(),
        port: source.service.clone().unwrap_or_default(),
        telnet: protocol == Some(ProtocolKind::Telnet),
        socket: socket(source),
        tls: tls.then(|| format!("obj{id}_tls0")),
    })
}

fn udp(sources: &[CharSource]) -> Backend {
    let end = |it: &CharSource| (it.host.clone().unwrap_or_default(), it.service.clone());
    let binds = |it: &&CharSource| it.mode == Some(CharSourceMode::Bind);
    let (to, service) = sources.iter().find(|it| !binds(it)).map(end).unwrap_or_default();
    // Any address and port of this end unless the document has one.
    let (from, own) = sources.iter().find(binds).map(end).unwrap_or_default();
    Backend::Udp { to: (to, service.unwrap_or_default()), from: (from, own.unwrap_or_else(|| "0".to_owned())) }
}

/// What of the host a back end uses.
pub(super) fn resources(source: &Source) -> Vec<Resource> {
    let path = |it: &Option<CharSource>| it.as_ref().and_then(|it| it.path.clone());
    let (main, log) = match source {
        Source::Dev(PathChardev { source, log }) => (path(source).map(|path| Resource::Device { path }), log),
        Source::File(PathChardev { source, log }) | Source::Pipe(PathChardev { source, log }) => {
            (path(source).map(|path| Resource::File { path, write: true }), log)
        }
        Source::Unix { source, log } => {
            let bound = source.as_ref().filter(|it| it.mode == Some(CharSourceMode::Bind));
            (bound.and_then(|it| it.path.clone()).map(|path| Resource::Socket { path }), log)
        }
        Source::Null { log }
        | Source::Vc { log }
        | Source::Pty { log, .. }
        | Source::Stdio { log }
        | Source::Udp(SocketChardev { log, .. })
        | Source::Tcp(SocketChardev { log, .. })
        | Source::Spicevmc { log }
        | Source::Spiceport { log, .. }
        | Source::QemuVdagent { log, .. }
        | Source::Dbus { log, .. } => (None, log),
        Source::Nmdm { .. } => return Vec::new(),
    };
    let log = log.as_ref().map(|it| Resource::File { path: it.file.clone(), write: true });
    main.into_iter().chain(log).collect()
}

impl Backend {
    fn kind(&self) -> &'static str {
        match self {
            Backend::Null => "null",
            Backend::Vc => "vc",
            Backend::Pty => "pty",
            Backend::Stdio => "stdio",
            Backend::File { .. } => "file",
            Backend::Serial { .. } => "serial",
            Backend::Parallel { .. } => "parallel",
            Backend::Pipe { .. } => "pipe",
            Backend::Unix { .. } | Backend::Fd { .. } | Backend::Tcp { .. } => "socket",
            Backend::Udp { .. } => "udp",
            Backend::SpiceVmc { .. } => "spicevmc",
            Backend::SpicePort { .. } => "spiceport",
            Backend::Vdagent { .. } => "qemu-vdagent",
            Backend::Dbus { .. } => "dbus",
        }
    }

    fn pairs(&self, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = match self {
            Backend::Null | Backend::Vc | Backend::Pty | Backend::Stdio => Ok(()),
            Backend::File { path, append } => match append {
                None => write!(out, ",path={}", escape(path)),
                Some(append) => write!(out, ",path={},append={}", escape(path), on_off(*append)),
            },
            Backend::Serial { path } | Backend::Parallel { path } | Backend::Pipe { path } => {
                write!(out, ",path={}", escape(path))
            }
            Backend::Unix { path, socket } => {
                let _ = write!(out, ",path={}", escape(path));
                socket.pairs(out);
                Ok(())
            }
            Backend::Fd { fd, socket } => {
                let _ = write!(out, ",fd={fd}");
                socket.pairs(out);
                Ok(())
            }
            Backend::Tcp { host, port, telnet, socket, tls } => {
                let _ = write!(out, ",host={},port={}", escape(host), escape(port));
                if *telnet {
                    out.push_str(",telnet=on");
                }
                socket.pairs(out);
                tls.as_ref().map_or(Ok(()), |tls| write!(out, ",tls-creds={tls}"))
            }
            Backend::Udp { to: (host, port), from: (own_host, own_port) } => {
                let _ = write!(out, ",host={},port={}", escape(host), escape(port));
                write!(out, ",localaddr={},localport={}", escape(own_host), escape(own_port))
            }
            Backend::SpiceVmc { name } => write!(out, ",name={name}"),
            Backend::SpicePort { name } | Backend::Dbus { name } => write!(out, ",name={}", escape(name)),
            Backend::Vdagent { mouse, clipboard } => {
                out.push_str(",name=vdagent");
                for (name, value) in [("clipboard", clipboard), ("mouse", mouse)] {
                    if let Some(value) = value {
                        let _ = write!(out, ",{name}={}", on_off(*value));
                    }
                }
                Ok(())
            }
        };
    }

    /// The `data` of `chardev-add`.
    fn members(&self) -> Value {
        match self {
            Backend::Null | Backend::Vc | Backend::Pty | Backend::Stdio => json!({}),
            Backend::File { path, append } => match append {
                None => json!({"out": path}),
                Some(append) => json!({"out": path, "append": append}),
            },
            Backend::Serial { path } | Backend::Parallel { path } | Backend::Pipe { path } => json!({"device": path}),
            Backend::Unix { path, socket } => socket.members(&json!({"type": "unix", "data": {"path": path}})),
            // Over QMP the descriptor was handed over by getfd under this name.
            Backend::Fd { fd, socket } => socket.members(&json!({"type": "fd", "data": {"str": fd.to_string()}})),
            Backend::Tcp { host, port, telnet, socket, tls } => {
                let mut it = socket.members(&json!({"type": "inet", "data": {"host": host, "port": port}}));
                if *telnet {
                    it["telnet"] = json!(true);
                }
                if let Some(tls) = tls {
                    it["tls-creds"] = json!(tls);
                }
                it
            }
            Backend::Udp { to: (host, port), from: (own_host, own_port) } => json!({
                "remote": {"type": "inet", "data": {"host": host, "port": port}},
                "local": {"type": "inet", "data": {"host": own_host, "port": own_port}},
            }),
            Backend::SpiceVmc { name } => json!({"type": name}),
            Backend::SpicePort { name } => json!({"fqdn": name}),
            Backend::Dbus { name } => json!({"name": name}),
            Backend::Vdagent { mouse, clipboard } => {
                let mut it = json!({});
                for (name, value) in [("clipboard", clipboard), ("mouse", mouse)] {
                    if let Some(value) = value {
                        it[name] = json!(value);
                    }
                }
                it
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_socket() {
        let socket = Socket { server: true, waits: false, reconnect_ms: None };
        let it = Chardev::new("charchannel0", Backend::Unix { path: "/run/a,b".to_owned(), socket });
        assert_eq!(it.argument(), "socket,id=charchannel0,path=/run/a,,b,server=on,wait=off");
        let text = it.arguments().expect("plain data").get().to_owned();
        assert!(text.starts_with(r#"{"id":"charchannel0","backend":{"type":"socket","data":{"#), "{text}");
        assert!(text.contains(r#""data":{"path":"/run/a,b"}"#), "{text}");
    }

    #[test]
    fn log_and_append() {
        let mut it = Chardev::new("c", Backend::File { path: "/a".to_owned(), append: Some(true) });
        it.log = Some(("/b".to_owned(), Some(false)));
        assert_eq!(it.argument(), "file,id=c,path=/a,append=on,logfile=/b,logappend=off");
    }
}
