//! What a document leads a character device to, in QEMU's terms.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::chardev::{
    CharLog, CharSource, CharSourceMode, Chardev as Source, PathChardev, ProtocolKind, Reconnect, SocketChardev,
    Vdagent, VdagentMouse,
};
use virtbus_schema::xml::{OnOff, YesNo};

use super::{Backend, Chardev, Socket};
use crate::device::{Cx, Resource};

impl Chardev {
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
pub(in crate::device) fn resources(source: &Source) -> Vec<Resource> {
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
