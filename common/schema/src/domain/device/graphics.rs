//! `<graphics>`: how the guest's screen is seen.

use virtbus_xml::{Error, ErrorKind, Node, OnOff, Xml, XmlEnum, YesNo};

/// `<graphics type='vnc'>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(tag = "type")]
#[allow(clippy::large_enum_variant)]
pub enum Graphics {
    Sdl {
        #[xml(attr)]
        display: Option<String>,
        #[xml(attr)]
        xauth: Option<String>,
        #[xml(attr, when = is_yes)]
        fullscreen: Option<YesNo>,
        #[xml(attr = "gl/@enable", required)]
        gl: Option<YesNo>,
    },
    Vnc(Vnc),
    Rdp(Rdp),
    Desktop {
        #[xml(attr)]
        display: Option<String>,
        #[xml(attr, when = is_yes)]
        fullscreen: Option<YesNo>,
    },
    Spice(Spice),
    EglHeadless {
        #[xml(attr = "gl/@rendernode", form = crate::forms::absolute_path)]
        rendernode: Option<String>,
    },
    Dbus(DbusDisplay),
}

/// VNC.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = Vnc::check, form = Vnc::form)]
pub struct Vnc {
    /// TCP port; -1 lets the daemon choose one from 5900.
    #[xml(attr, fault = Internal, form = crate::forms::port)]
    pub port: Option<i32>,
    #[xml(attr, lenient)]
    pub autoport: Option<YesNo>,
    /// Port for WebSocket clients; -1 lets QEMU choose.
    #[xml(attr, form = crate::forms::port)]
    pub websocket: Option<i32>,
    /// Whether the daemon chose the WebSocket port.
    #[xml(attr = "websocketGenerated", live)]
    pub websocket_generated: Option<YesNo>,
    /// The first address it listens on, in the short form.
    #[xml(attr, form = crate::forms::host)]
    pub listen: Option<String>,
    /// The Unix socket it listens on, in the short form.
    #[xml(attr, form = crate::forms::absolute_path)]
    pub socket: Option<String>,
    #[xml(attr)]
    pub keymap: Option<String>,
    #[xml(attr = "sharePolicy")]
    pub share_policy: Option<SharePolicy>,
    #[xml(attr = "powerControl")]
    pub power_control: Option<YesNo>,
    #[xml(attr, secret)]
    pub passwd: Option<String>,
    #[xml(attr = "passwdValidTo", secret, form = crate::forms::moment)]
    pub passwd_valid_to: Option<String>,
    #[xml(attr, lenient)]
    pub connected: Option<WhenConnected>,
    #[xml(children = "listen")]
    pub listens: Vec<Listen>,
    /// The sound that goes with it.
    #[xml(attr = "audio/@id", nonzero, free, required, form = crate::forms::uint8)]
    pub audio: Option<u32>,
}

fn is_yes(it: &Option<YesNo>, _: &virtbus_xml::FormatOptions) -> bool {
    *it == Some(YesNo::Yes)
}

impl Vnc {
    /// What listens on a socket has no port.
    fn form(node: Node<'_>) -> Result<(), Error> {
        let of_port = ["port", "autoport", "websocket", "listen", "sharePolicy", "powerControl"];
        match of_port.iter().find(|it| node.attr(it).is_some() && node.attr("socket").is_some()) {
            Some(stray) => Err(node.error(ErrorKind::Unknown, format!("{stray} beside a socket"))),
            None => match node.attr("connected").filter(|it| it.value() != "keep") {
                Some(_) => Err(node.error(ErrorKind::Unknown, "clients of VNC stay connected")),
                None => Ok(()),
            },
        }
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        settle_listens(&mut self.listens, &mut self.listen, &mut self.socket, node)?;
        if let Some(until) =
            self.passwd_valid_to.as_ref().filter(|it| self.passwd.is_some() && !crate::forms::moment(it))
        {
            return Err(
                node.error(ErrorKind::Internal, format!("'{until}' is not a date and time, YYYY-MM-DDTHH:MM:SS"))
            );
        }
        if self.passwd.is_none() {
            (self.passwd_valid_to, self.connected) = (None, None);
        }
        if self.connected.is_some_and(|it| it != WhenConnected::Keep) {
            return Err(node.error(ErrorKind::Unsupported, "clients of VNC stay connected: only 'keep' is supported"));
        }
        match self.listens.first().map(|it| it.kind) {
            Some(ListenKind::Address | ListenKind::Network) => {
                let is_open = self.port.is_none_or(|it| it == -1);
                let chosen = *self.autoport.get_or_insert(YesNo::from(is_open));
                self.port = match (chosen, self.port) {
                    (YesNo::Yes, port) => Some(port.filter(|it| *it != 0).unwrap_or(-1)),
                    // No port at all: what the document says cannot be had.
                    (YesNo::No, port) => port.filter(|it| !matches!(it, 0 | -1)),
                };
            }
            _ => (self.port, self.autoport, self.websocket) = (None, None, None),
        }
        Ok(())
    }
}

/// RDP.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Rdp {
    #[xml(attr, fault = Internal, form = crate::forms::port)]
    pub port: Option<i32>,
    #[xml(attr)]
    pub autoport: Option<YesNo>,
    #[xml(attr, form = crate::forms::host)]
    pub listen: Option<String>,
    #[xml(attr = "replaceUser")]
    pub replace_user: Option<YesNo>,
    #[xml(attr = "multiUser")]
    pub multi_user: Option<YesNo>,
    #[xml(attr)]
    pub username: Option<String>,
    #[xml(attr, secret)]
    pub passwd: Option<String>,
    #[xml(children = "listen")]
    pub listens: Vec<Listen>,
}

/// QEMU's display on D-Bus.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct DbusDisplay {
    #[xml(attr, when = is_yes)]
    pub p2p: Option<YesNo>,
    #[xml(attr)]
    pub address: Option<String>,
    #[xml(attr, live)]
    pub from_config: Option<YesNo>,
    #[xml(child)]
    pub gl: Option<Gl>,
    #[xml(attr = "audio/@id", nonzero, free, required, form = crate::forms::uint8)]
    pub audio: Option<u32>,
}

/// `<gl enable='yes' rendernode='/dev/dri/renderD128'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct Gl {
    #[xml(attr)]
    pub enable: YesNo,
    #[xml(attr, form = crate::forms::absolute_path)]
    pub rendernode: Option<String>,
}

/// SPICE.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = Spice::check)]
pub struct Spice {
    #[xml(attr, fault = Internal, form = crate::forms::port)]
    pub port: Option<i32>,
    #[xml(attr = "tlsPort", fault = Internal, form = crate::forms::port)]
    pub tls_port: Option<i32>,
    #[xml(attr, lenient)]
    pub autoport: Option<YesNo>,
    #[xml(attr, form = crate::forms::host)]
    pub listen: Option<String>,
    #[xml(attr)]
    pub keymap: Option<String>,
    #[xml(attr = "defaultMode")]
    pub default_mode: Option<ChannelMode>,
    #[xml(attr, secret)]
    pub passwd: Option<String>,
    #[xml(attr = "passwdValidTo", secret, form = crate::forms::moment)]
    pub passwd_valid_to: Option<String>,
    #[xml(attr, lenient)]
    pub connected: Option<WhenConnected>,
    #[xml(children = "listen")]
    pub listens: Vec<Listen>,
    #[xml(children = "channel")]
    pub channels: Vec<SpiceChannel>,
    #[xml(attr = "image/@compression", required)]
    pub image: Option<ImageCompression>,
    #[xml(attr = "jpeg/@compression", required)]
    pub jpeg: Option<LossyCompression>,
    #[xml(attr = "zlib/@compression", required)]
    pub zlib: Option<LossyCompression>,
    #[xml(attr = "playback/@compression", required)]
    pub playback: Option<OnOff>,
    #[xml(attr = "streaming/@mode", required)]
    pub streaming: Option<StreamingMode>,
    #[xml(attr = "clipboard/@copypaste", required)]
    pub copypaste: Option<YesNo>,
    #[xml(attr = "mouse/@mode", required)]
    pub mouse: Option<super::chardev::VdagentMouse>,
    #[xml(attr = "filetransfer/@enable", required)]
    pub filetransfer: Option<YesNo>,
    #[xml(child)]
    pub gl: Option<Gl>,
}

impl Spice {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.passwd.is_none() {
            (self.passwd_valid_to, self.connected) = (None, None);
        }
        settle_listens(&mut self.listens, &mut self.listen, &mut None, node)
    }
}

/// `<channel name='main' mode='secure'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct SpiceChannel {
    #[xml(attr)]
    pub name: SpiceChannelName,
    #[xml(attr)]
    pub mode: ChannelMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum SpiceChannelName {
    Main,
    Display,
    Inputs,
    Cursor,
    Playback,
    Record,
    Smartcard,
    Usbredir,
}

/// How pictures are made smaller on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum ImageCompression {
    #[xml(name = "auto_glz")]
    AutoGlz,
    #[xml(name = "auto_lz")]
    AutoLz,
    Quic,
    Glz,
    Lz,
    Off,
}

/// The same on slow connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum LossyCompression {
    Auto,
    Never,
    Always,
}

/// Which parts of the screen are sent as video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum StreamingMode {
    Filter,
    All,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum ChannelMode {
    Any,
    Secure,
    Insecure,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum SharePolicy {
    AllowExclusive,
    ForceShared,
    Ignore,
}

/// What a new password does to clients that are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum WhenConnected {
    Fail,
    Disconnect,
    Keep,
}

/// `<listen type='address' address='127.0.0.1'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(form = Listen::form)]
pub struct Listen {
    #[xml(attr = "type")]
    pub kind: ListenKind,
    #[xml(attr, form = crate::forms::host)]
    pub address: Option<String>,
    #[xml(attr)]
    pub network: Option<String>,
    #[xml(attr, form = crate::forms::absolute_path)]
    pub socket: Option<String>,
    #[xml(attr = "fromConfig", live)]
    pub from_config: Option<u32>,
    #[xml(attr = "autoGenerated", live)]
    pub auto_generated: Option<YesNo>,
}

impl Listen {
    /// What each kind of place says.
    fn form(node: Node<'_>) -> Result<(), Error> {
        let known: &[&str] = match node.attr("type").map(|it| it.value()) {
            Some("address") => &["address"],
            Some("network") => &["network", "address"],
            Some("socket") => &["socket"],
            _ => &[],
        };
        let all = ["address", "network", "socket"];
        if let Some(stray) = all.iter().find(|it| node.attr(it).is_some() && !known.contains(it)) {
            return Err(node.error(ErrorKind::Unknown, format!("{stray} does not belong to this kind of place")));
        }
        if known.contains(&"network") && node.attr("network").is_none() {
            return Err(node.missing("@network"));
        }
        Ok(())
    }

    /// A place of a kind with nothing said about it.
    #[must_use]
    pub fn new(kind: ListenKind) -> Self {
        Self { kind, address: None, network: None, socket: None, from_config: None, auto_generated: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum ListenKind {
    None,
    Address,
    Network,
    Socket,
}

/// Brings the short form and the list together: at least one place, and the attributes say what the first one says.
fn settle_listens(
    listens: &mut Vec<Listen>,
    listen: &mut Option<String>,
    socket: &mut Option<String>,
    node: Node<'_>,
) -> Result<(), Error> {
    for it in listens.iter_mut() {
        match it.kind {
            ListenKind::Address if it.address.as_deref() == Some("") => it.address = None,
            ListenKind::Network if it.network.is_none() => return Err(node.missing("listen/@network")),
            _ => {}
        }
        if it.kind != ListenKind::Address {
            it.address = None;
        }
        if it.kind != ListenKind::Network {
            it.network = None;
        }
        if it.kind != ListenKind::Socket {
            it.socket = None;
        }
    }
    if listens.is_empty() {
        listens.push(match (socket.as_ref(), listen.as_ref()) {
            (Some(path), _) => Listen { socket: Some(path.clone()), ..Listen::new(ListenKind::Socket) },
            (None, address) => {
                Listen { address: address.filter(|it| !it.is_empty()).cloned(), ..Listen::new(ListenKind::Address) }
            }
        });
    }
    let Some(first) = listens.first_mut() else { return Ok(()) };
    // A socket wins over what the first <listen> says, unless that is another socket.
    match (&socket, first.kind) {
        (Some(path), ListenKind::Socket) if first.socket.as_ref().is_some_and(|it| it != path) => {
            let message = format!("socket '{path}' is not the socket of the first <listen>");
            return Err(node.error(ErrorKind::Unsupported, message));
        }
        (Some(path), ListenKind::Socket | ListenKind::Address | ListenKind::Network) => {
            *first = Listen { socket: Some(path.clone()), ..Listen::new(ListenKind::Socket) };
        }
        _ => {}
    }
    if let (Some(short), ListenKind::Address) = (&listen, first.kind)
        && first.address.as_ref().is_some_and(|it| it != short)
    {
        let message = format!("listen '{short}' is not the address of the first <listen>");
        return Err(node.error(ErrorKind::Unsupported, message));
    }
    if first.kind == ListenKind::Address && first.address.is_none() {
        first.address = listen.clone().filter(|it| !it.is_empty());
    }
    *listen = first.address.clone();
    *socket = first.socket.clone();
    Ok(())
}
