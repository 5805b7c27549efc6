//! The back ends of character devices, shared by ports, consoles, channels, redirected and other devices.

use virtbus_xml::{Error, ErrorKind, Node, OnOff, Xml, XmlEnum, YesNo};

use crate::domain::security::SourceSecLabel;

/// `type=` and everything that belongs to it, in the element of the device.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(tag = "type", fault = Unsupported)]
pub enum Chardev {
    Null {
        #[xml(child)]
        log: Option<CharLog>,
    },
    Vc {
        #[xml(child)]
        log: Option<CharLog>,
    },
    Pty {
        /// The terminal QEMU opened; also `tty=` in old documents.
        #[xml(child, live)]
        source: Option<CharSource>,
        #[xml(child)]
        log: Option<CharLog>,
    },
    Dev(PathChardev),
    File(PathChardev),
    Pipe(PathChardev),
    Stdio {
        #[xml(child)]
        log: Option<CharLog>,
    },
    Udp(SocketChardev),
    Tcp(SocketChardev),
    Unix {
        /// Absent for a channel until a path is chosen.
        #[xml(child)]
        source: Option<CharSource>,
        #[xml(child)]
        log: Option<CharLog>,
    },
    Spicevmc {
        #[xml(child)]
        log: Option<CharLog>,
    },
    Spiceport {
        #[xml(attr = "source/@channel")]
        channel: Option<String>,
        #[xml(child)]
        log: Option<CharLog>,
    },
    Nmdm {
        #[xml(child)]
        source: NullModem,
    },
    QemuVdagent {
        #[xml(child)]
        source: Option<Vdagent>,
        #[xml(child)]
        log: Option<CharLog>,
    },
    Dbus {
        #[xml(attr = "source/@channel")]
        channel: Option<String>,
        #[xml(child)]
        log: Option<CharLog>,
    },
}

impl Chardev {
    /// The path of a socket, which only channels may leave to the daemon.
    #[must_use]
    pub fn lacks_path(&self) -> bool {
        match self {
            Self::Unix { source, .. } => source.as_ref().is_none_or(|it| it.path.is_none()),
            _ => false,
        }
    }

    pub(super) fn check_path(&self, node: Node<'_>) -> Result<(), Error> {
        if self.lacks_path() {
            return Err(node.error(ErrorKind::Internal, "the character device has no source path"));
        }
        Ok(())
    }
}

/// A back end that is one path.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(check = PathChardev::check)]
pub struct PathChardev {
    #[xml(child)]
    pub source: Option<CharSource>,
    #[xml(child)]
    pub log: Option<CharLog>,
}

impl PathChardev {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.source.as_ref().is_none_or(|it| it.path.is_none()) {
            return Err(node.error(ErrorKind::Internal, "the character device has no source path"));
        }
        Ok(())
    }
}

/// A network back end.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(check = SocketChardev::check)]
pub struct SocketChardev {
    /// TCP has one; UDP may have one to bind and one to connect.
    #[xml(children = "source")]
    pub sources: Vec<CharSource>,
    #[xml(attr = "protocol/@type")]
    pub protocol: Option<ProtocolKind>,
    #[xml(child)]
    pub log: Option<CharLog>,
}

impl SocketChardev {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        let is_udp = node.attr("type").is_some_and(|it| it.value() == "udp");
        if is_udp {
            self.protocol = None;
        } else {
            self.sources.truncate(1);
            self.protocol = self.protocol.or(Some(ProtocolKind::Raw));
        }
        for source in &mut self.sources {
            source.mode = source.mode.or(Some(CharSourceMode::Connect));
        }
        let connect = |it: &&CharSource| it.mode != Some(CharSourceMode::Bind);
        let complete = if is_udp {
            self.sources.iter().find(connect).is_some_and(|it| it.service.is_some())
        } else {
            self.sources.first().is_some_and(|it| it.service.is_some())
        };
        if complete {
            Ok(())
        } else {
            Err(node.error(ErrorKind::Internal, "the character device has no source service"))
        }
    }
}

/// `<source master='/dev/nmdm0A' slave='/dev/nmdm0B'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct NullModem {
    #[xml(attr)]
    pub master: String,
    #[xml(attr)]
    pub slave: String,
}

/// `<source>`: which fields count depends on the kind.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
pub struct CharSource {
    #[xml(attr)]
    pub mode: Option<CharSourceMode>,
    #[xml(attr)]
    pub host: Option<String>,
    #[xml(attr)]
    pub service: Option<String>,
    #[xml(attr)]
    pub path: Option<String>,
    #[xml(attr)]
    pub append: Option<OnOff>,
    #[xml(attr)]
    pub tls: Option<YesNo>,
    #[xml(child)]
    pub reconnect: Option<Reconnect>,
    #[xml(children = "seclabel")]
    pub seclabels: Vec<SourceSecLabel>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum CharSourceMode {
    Connect,
    Bind,
}

/// `<reconnect enabled='yes' timeout='10'/>`, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
#[xml(check = Reconnect::check)]
pub struct Reconnect {
    #[xml(attr)]
    pub enabled: YesNo,
    #[xml(attr)]
    pub timeout: Option<u32>,
}

impl Reconnect {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.enabled.is_on() && self.timeout.is_none() { Err(node.missing("@timeout")) } else { Ok(()) }
    }
}

/// `<log file='/path' append='on'/>`; without a file there is no log.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(absent = CharLog::has_no_file)]
pub struct CharLog {
    #[xml(attr)]
    pub file: String,
    #[xml(attr)]
    pub append: Option<OnOff>,
}

impl CharLog {
    fn has_no_file(node: Node<'_>) -> bool {
        node.attr("file").is_none()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum ProtocolKind {
    Raw,
    Telnet,
    Telnets,
    Tls,
}

/// `<source>` of a vdagent: `<clipboard copypaste='yes'/><mouse mode='client'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Vdagent {
    #[xml(attr = "clipboard/@copypaste")]
    pub clipboard: Option<VdagentClipboard>,
    #[xml(attr = "mouse/@mode")]
    pub mouse: Option<VdagentMouse>,
}

/// Who draws the pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum VdagentMouse {
    Server,
    Client,
}

/// Whether the clipboard is shared.
pub type VdagentClipboard = YesNo;
