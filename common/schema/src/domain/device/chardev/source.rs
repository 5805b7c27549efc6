//! The back ends of character devices, shared by ports, consoles, channels, redirected and other devices.

use virtbus_xml::{Error, ErrorKind, Node, OnOff, Xml, XmlEnum, YesNo};

use crate::domain::security::SourceSecLabel;

/// `type=` and everything that belongs to it, in the element of the device.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(tag = "type", fault = Unsupported, check = Chardev::check, form = Chardev::form)]
pub enum Chardev {
    Null {
        #[xml(child)]
        log: Option<CharLog>,
    },
    Vc {
        #[xml(child)]
        log: Option<CharLog>,
    },
    /// Meant where nothing is said.
    #[xml(default)]
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
        #[xml(attr = "source/@channel", may)]
        channel: Option<String>,
        #[xml(child)]
        log: Option<CharLog>,
    },
    Nmdm {
        #[xml(child, omit_empty)]
        source: Option<NullModem>,
        #[xml(child)]
        log: Option<CharLog>,
    },
    QemuVdagent {
        #[xml(child, omit_empty)]
        source: Option<Vdagent>,
        #[xml(child)]
        log: Option<CharLog>,
    },
    Dbus {
        #[xml(attr = "source/@channel", may)]
        channel: Option<String>,
        #[xml(child)]
        log: Option<CharLog>,
    },
}

impl Chardev {
    /// The sources it has: one, or two where it listens and speaks elsewhere.
    pub fn sources(&self) -> impl Iterator<Item = &CharSource> {
        let (one, more): (Option<&CharSource>, &[CharSource]) = match self {
            Self::Dev(it) | Self::File(it) | Self::Pipe(it) => (it.source.as_ref(), &[]),
            Self::Pty { source, .. } | Self::Unix { source, .. } => (source.as_ref(), &[]),
            Self::Udp(it) | Self::Tcp(it) => (None, &it.sources),
            _ => (None, &[]),
        };
        one.into_iter().chain(more)
    }

    /// What it needs and does not say; only channels may leave the path of a socket to the daemon.
    #[must_use]
    pub fn lacks(&self) -> Option<&'static str> {
        let has_path = |it: &Option<CharSource>| it.as_ref().is_some_and(|it| it.path.is_some());
        match self {
            Self::Dev(it) | Self::File(it) | Self::Pipe(it) => (!has_path(&it.source)).then_some("path"),
            Self::Unix { source, .. } => (!has_path(source)).then_some("path"),
            Self::Tcp(it) => match it.sources.first() {
                Some(CharSource { host: None, .. }) => Some("host"),
                Some(CharSource { service: Some(_), .. }) => None,
                _ => Some("service"),
            },
            Self::Udp(it) => {
                let connects = |it: &&CharSource| it.mode != Some(CharSourceMode::Bind);
                it.sources.iter().find(connects).is_none_or(|it| it.service.is_none()).then_some("service")
            }
            Self::Spiceport { channel, .. } | Self::Dbus { channel, .. } => channel.is_none().then_some("channel"),
            Self::Nmdm { source, .. } => match source {
                Some(NullModem { master: Some(_), slave: Some(_) }) => None,
                Some(NullModem { master: Some(_), .. }) => Some("slave"),
                _ => Some("master"),
            },
            Self::Null { .. }
            | Self::Vc { .. }
            | Self::Pty { .. }
            | Self::Stdio { .. }
            | Self::Spicevmc { .. }
            | Self::QemuVdagent { .. } => None,
        }
    }

    /// Whether it connects again by itself, and whether it can: only who connects does.
    #[must_use]
    pub fn reconnects_in_vain(&self) -> bool {
        let source = match self {
            Self::Tcp(it) => it.sources.first(),
            Self::Unix { source, .. } => source.as_ref(),
            _ => None,
        };
        source.is_some_and(|it| it.reconnect.is_some() && it.mode == Some(CharSourceMode::Bind))
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        let (most, said) = if matches!(self, Self::Udp(_)) { (2, "two sources") } else { (1, "one source") };
        if let Some(more) = node.children("source").nth(most) {
            return Err(more.error(ErrorKind::BadValue, format!("a character device has no more than {said}")));
        }
        let reconnect = match self {
            Self::Tcp(it) => it.sources.first().and_then(|it| it.reconnect),
            Self::Unix { source, .. } => source.as_ref().and_then(|it| it.reconnect),
            _ => None,
        };
        if reconnect.is_some_and(|it| it.timeout == Some(0)) {
            return Err(node.error(ErrorKind::Argument, "the timeout of a reconnect cannot be 0"));
        }
        if let Self::Unix { source: Some(source), .. } = self {
            check_mode(node)?;
            let CharSource { mode, host: _, service: _, path, append: _, tls: _, reconnect, seclabels } =
                std::mem::take(source);
            let mode = mode.or(path.is_some().then_some(CharSourceMode::Connect));
            *source = CharSource { mode, path, reconnect, seclabels, ..CharSource::default() };
        }
        Ok(())
    }

    /// In strict reading any kind may have all parts of a source, and passes over what it does not know.
    fn form(node: Node<'_>) -> Result<(), Error> {
        let bare = node.is("console") && node.elements().next().is_none();
        if node.attr("type").is_none() && !bare {
            return Err(node.missing("@type"));
        }
        if matches!(node.local_name(), "serial" | "parallel" | "console") {
            virtbus_xml::form::attr::<String>(node, &[], "tty", false, false, Some(crate::forms::absolute_path))?;
        }
        for source in node.children("source") {
            for name in ["mode", "path", "host", "service", "channel", "master", "slave"] {
                let _ = source.attr(name);
            }
            virtbus_xml::form::attr::<OnOff>(source, &[], "append", false, false, None)?;
            virtbus_xml::form::attr::<YesNo>(source, &[], "tls", false, false, None)?;
            virtbus_xml::form::child::<Reconnect>(source, &[], "reconnect", false, None)?;
            virtbus_xml::form::children::<SourceSecLabel>(source, &[], "seclabel", false, None)?;
            Vdagent::examine(source)?;
        }
        virtbus_xml::form::attr::<ProtocolKind>(node, &["protocol"], "type", false, false, None)?;
        virtbus_xml::form::child::<CharLog>(node, &[], "log", false, None)
    }
}

/// A mode is told of what connects or waits; elsewhere nobody asks.
fn check_mode(node: Node<'_>) -> Result<(), Error> {
    for source in node.children("source") {
        if let Some(mode) = source.attr("mode") {
            mode.read::<CharSourceMode>()?;
        }
    }
    Ok(())
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
    #[allow(clippy::unnecessary_wraps, reason = "the shape of a check")]
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        let is_file = node.attr("type").is_some_and(|it| it.value() == "file");
        if let Some(source) = &mut self.source {
            (source.mode, source.host, source.service) = (None, None, None);
            (source.tls, source.reconnect) = (None, None);
            source.append = source.append.filter(|_| is_file);
        }
        // Without a path there is no source.
        self.source = self.source.take().filter(|it| it.path.is_some());
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
    #[xml(attr = "protocol/@type", may)]
    pub protocol: Option<ProtocolKind>,
    #[xml(child)]
    pub log: Option<CharLog>,
}

impl SocketChardev {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        check_mode(node)?;
        let is_udp = node.attr("type").is_some_and(|it| it.value() == "udp");
        for source in &mut self.sources {
            source.mode = source.mode.or(Some(CharSourceMode::Connect));
        }
        if is_udp {
            self.protocol = None;
            // Where it binds comes first, and only if that says anything; of two ends of a kind the first counts.
            let says = |it: &CharSource| it.host.is_some() || it.service.is_some();
            self.sources.retain(|it| it.mode == Some(CharSourceMode::Connect) || says(it));
            self.sources.sort_by_key(|it| it.mode == Some(CharSourceMode::Connect));
            self.sources.dedup_by_key(|it| it.mode);
        } else {
            self.protocol = self.protocol.or(Some(ProtocolKind::Raw));
        }
        for source in &mut self.sources {
            (source.path, source.append) = (None, None);
            if is_udp {
                (source.tls, source.reconnect) = (None, None);
            }
        }
        Ok(())
    }
}

/// `<source master='/dev/nmdm0A' slave='/dev/nmdm0B'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct NullModem {
    #[xml(attr)]
    pub master: Option<String>,
    #[xml(attr)]
    pub slave: Option<String>,
}

/// `<source>`: which fields count depends on the kind.
#[derive(Debug, Clone, PartialEq, Default, Xml)]
#[xml(check = CharSource::check)]
pub struct CharSource {
    #[xml(attr, lenient, free)]
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

impl CharSource {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        SourceSecLabel::settle(&mut self.seclabels, node)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum CharSourceMode {
    Connect,
    Bind,
}

/// `<reconnect enabled='yes' timeout='10'/>`, in seconds. Without `enabled` it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
#[xml(absent = Reconnect::says_nothing, check = Reconnect::check)]
pub struct Reconnect {
    #[xml(attr)]
    pub enabled: YesNo,
    #[xml(attr, lenient)]
    pub timeout: Option<u32>,
}

impl Reconnect {
    fn says_nothing(node: Node<'_>) -> bool {
        node.attr("enabled").is_none()
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        match self.timeout {
            // How long nobody waits for does not matter.
            _ if !self.enabled.is_on() => self.timeout = None,
            Some(_) => {}
            None => return Err(node.error(ErrorKind::BadValue, "a reconnect that is enabled needs a timeout")),
        }
        Ok(())
    }
}

/// `<log file='/path' append='on'/>`; without a file there is no log.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(absent = CharLog::has_no_file)]
pub struct CharLog {
    #[xml(attr, form = crate::forms::absolute_path)]
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
