//! Character devices: serial and parallel ports, consoles and channels. The back ends they share are in `source`.

use virtbus_xml::{Error, ErrorKind, Node, Xml, XmlEnum, form};

mod source;

pub use source::{
    CharLog, CharSource, CharSourceMode, Chardev, NullModem, PathChardev, ProtocolKind, Reconnect, SocketChardev,
    Vdagent, VdagentClipboard, VdagentMouse,
};

use super::address::Info;

/// `<serial type='pty'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
pub struct Serial {
    #[xml(flatten)]
    pub chardev: Chardev,
    #[xml(child)]
    pub target: Option<SerialTarget>,
    #[xml(flatten)]
    pub info: Info,
}

/// `<target type='isa-serial' port='0'>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct SerialTarget {
    #[xml(attr = "type", fault = Unsupported, free, form = crate::forms::terminal)]
    pub kind: Option<SerialTargetKind>,
    #[xml(attr, free)]
    pub port: Option<u32>,
    #[xml(attr = "model/@name", fault = Unsupported)]
    pub model: Option<SerialModel>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum SerialTargetKind {
    IsaSerial,
    UsbSerial,
    PciSerial,
    SpaprVioSerial,
    SystemSerial,
    SclpSerial,
    IsaDebug,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum SerialModel {
    IsaSerial,
    UsbSerial,
    PciSerial,
    SpaprVty,
    Pl011,
    Sclpconsole,
    Sclplmconsole,
    #[xml(name = "16550a")]
    Uart16550a,
    IsaDebugcon,
}

/// `<parallel type='dev'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
pub struct Parallel {
    #[xml(flatten)]
    pub chardev: Chardev,
    #[xml(child)]
    pub target: Option<ParallelTarget>,
    #[xml(flatten)]
    pub info: Info,
}

/// `<target port='0'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
#[xml(form = as_serial)]
pub struct ParallelTarget {
    #[xml(attr, free)]
    pub port: Option<u32>,
}

/// The schema gives every target what serial ports have; elsewhere it says nothing.
fn as_serial(target: Node<'_>) -> Result<(), Error> {
    form::attr::<String>(target, &[], "type", false, false, Some(crate::forms::terminal))?;
    form::attr::<SerialModel>(target, &["model"], "name", false, true, None)
}

/// `<console type='pty'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
pub struct Console {
    #[xml(flatten)]
    pub chardev: Chardev,
    /// The terminal once more, where old clients look for it.
    #[xml(attr, live)]
    pub tty: Option<String>,
    #[xml(child)]
    pub target: Option<ConsoleTarget>,
    #[xml(flatten)]
    pub info: Info,
}

/// `<target type='virtio' port='0'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
#[xml(form = as_serial)]
pub struct ConsoleTarget {
    #[xml(attr = "type", fault = Unsupported, free, form = crate::forms::terminal)]
    pub kind: Option<ConsoleTargetKind>,
    #[xml(attr, free)]
    pub port: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum ConsoleTargetKind {
    Serial,
    Xen,
    Uml,
    Virtio,
    Lxc,
    Openvz,
    Sclp,
    Sclplm,
}

/// `<channel type='unix'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(check = Channel::check)]
pub struct Channel {
    #[xml(flatten)]
    pub chardev: Chardev,
    #[xml(child)]
    pub target: ChannelTarget,
    #[xml(flatten)]
    pub info: Info,
}

impl Channel {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        match &self.target {
            ChannelTarget::Guestfwd { address: None, .. } => {
                Err(node.error(ErrorKind::BadValue, "a guestfwd channel needs a target address"))
            }
            ChannelTarget::Guestfwd { port: None, .. } => {
                Err(node.error(ErrorKind::BadValue, "a guestfwd channel needs a target port"))
            }
            ChannelTarget::Guestfwd { address: Some(address), .. } => match address.parse::<std::net::IpAddr>() {
                Ok(std::net::IpAddr::V4(_)) => Ok(()),
                Ok(_) => Err(node.error(ErrorKind::Unsupported, "a guestfwd channel has an IPv4 address")),
                Err(_) => Err(node.error(ErrorKind::Unresolved, format!("'{address}' is not an IP address"))),
            },
            _ => Ok(()),
        }
    }
}

/// `<target>` of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(tag = "type", fault = Unsupported)]
pub enum ChannelTarget {
    /// A TCP address in the guest's user network.
    Guestfwd {
        #[xml(attr, must)]
        address: Option<String>,
        #[xml(attr, must, free)]
        port: Option<u16>,
    },
    /// A named virtio-serial port.
    Virtio {
        #[xml(attr)]
        name: Option<String>,
        #[xml(attr, live, lenient)]
        state: Option<ChannelState>,
    },
    Xen {
        #[xml(attr)]
        name: Option<String>,
        #[xml(attr, live, lenient)]
        state: Option<ChannelState>,
    },
}

/// Whether something in the guest has the port open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum ChannelState {
    Connected,
    Disconnected,
}
