//! Network devices of every kind: listing, making, naming, up and down, and what they belong to.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoMacVtap, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, MacVtapMode,
};

use super::{Error, Netlink, Result};

/// A network device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// Its number; given to no other until the host restarts.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its hardware address, if it is one of six bytes.
    pub mac: Option<[u8; 6]>,
    /// Its largest frame, in bytes.
    pub mtu: u32,
    /// Whether it is up.
    pub up: bool,
    /// Whether it has a carrier.
    pub running: bool,
    /// What kind it is: `bridge`, `tun`, `veth`, `macvtap`; absent for hardware.
    pub kind: Option<String>,
    /// The number of the bridge or bond it belongs to.
    pub controller: Option<u32>,
    /// The number of the device it lies upon (macvtap, VLAN).
    pub lower: Option<u32>,
}

/// What a macvtap device lets through between the devices on the same hardware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacvtapMode {
    /// To an outer switch that sends it back.
    Vepa,
    /// Directly.
    Bridge,
    /// Nothing.
    Private,
    /// One device alone, with all of the hardware.
    Passthrough,
}

impl Netlink {
    /// All devices.
    ///
    /// # Errors
    /// As the kernel refuses.
    pub fn links(&mut self) -> Result<Vec<Link>> {
        let answers = self.list(&Message::GetLink(LinkMessage::default()));
        let answers = answers.map_err(|fault| fault.named(|| "cannot list the network devices".to_owned()))?;
        Ok(answers.into_iter().filter_map(read).collect())
    }

    /// The device `name`.
    ///
    /// # Errors
    /// [`Error::is_absent`] when there is none.
    pub fn link(&mut self, name: &str) -> Result<Link> {
        let failed = || format!("cannot find network device '{name}'");
        let answers = self.ask(Message::GetLink(by_name(name))).map_err(|fault| fault.named(failed))?;
        answers.into_iter().find_map(read).ok_or_else(|| Error {
            what: failed(),
            explained: None,
            source: std::io::Error::from_raw_os_error(libc::ENODEV),
        })
    }

    /// Removes the device `name`. One that is not there is as good as removed.
    ///
    /// # Errors
    /// As the kernel refuses: hardware cannot be removed.
    pub fn delete_link(&mut self, name: &str) -> Result<()> {
        match self.change(Message::DelLink(by_name(name)), 0) {
            Ok(()) => Ok(()),
            Err(fault) => {
                let error = fault.named(|| format!("cannot remove network device '{name}'"));
                if error.is_absent() { Ok(()) } else { Err(error) }
            }
        }
    }

    /// Takes the device `name` up or down.
    ///
    /// # Errors
    /// As the kernel refuses.
    pub fn set_up(&mut self, name: &str, up: bool) -> Result<()> {
        let mut message = by_name(name);
        message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
        message.header.change_mask = LinkFlags::Up;
        let word = if up { "up" } else { "down" };
        self.set(message, || format!("cannot take network device '{name}' {word}"))
    }

    /// Sets the hardware address of `name`.
    ///
    /// # Errors
    /// As the kernel refuses.
    pub fn set_mac(&mut self, name: &str, mac: [u8; 6]) -> Result<()> {
        let mut message = by_name(name);
        message.attributes.push(LinkAttribute::Address(mac.to_vec()));
        self.set(message, || format!("cannot set the MAC address of network device '{name}'"))
    }

    /// Sets the largest frame of `name`, in bytes.
    ///
    /// # Errors
    /// As the kernel refuses: each kind of device has its bounds.
    pub fn set_mtu(&mut self, name: &str, mtu: u32) -> Result<()> {
        let mut message = by_name(name);
        message.attributes.push(LinkAttribute::Mtu(mtu));
        self.set(message, || format!("cannot set the MTU of network device '{name}' to {mtu}"))
    }

    /// Makes `name` a port of the bridge `bridge`, or of none. It leaves the one it belonged to.
    ///
    /// # Errors
    /// As the kernel refuses; no such bridge.
    pub fn set_bridge_of(&mut self, name: &str, bridge: Option<&str>) -> Result<()> {
        let index = bridge.map(|bridge| self.link(bridge)).transpose()?.map_or(0, |link| link.index);
        let mut message = by_name(name);
        message.attributes.push(LinkAttribute::Controller(index));
        self.set(message, || match bridge {
            Some(bridge) => format!("cannot attach network device '{name}' to bridge '{bridge}'"),
            None => format!("cannot take network device '{name}' off its bridge"),
        })
    }

    /// Makes a pair of devices: what one sends, the other receives.
    ///
    /// # Errors
    /// As the kernel refuses.
    pub fn add_veth(&mut self, name: &str, peer: &str) -> Result<()> {
        let mut message = by_name(name);
        let data = InfoData::Veth(InfoVeth::Peer(by_name(peer)));
        message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(data)]));
        self.add(message, || format!("cannot create the pair of network devices '{name}' and '{peer}'"))
    }

    /// Makes a macvtap device `name` upon `lower`.
    ///
    /// # Errors
    /// As the kernel refuses: passthrough wants `lower` for itself.
    pub fn add_macvtap(&mut self, name: &str, lower: &str, mode: MacvtapMode, mac: Option<[u8; 6]>) -> Result<()> {
        let index = self.link(lower)?.index;
        let mode = match mode {
            MacvtapMode::Vepa => MacVtapMode::Vepa,
            MacvtapMode::Bridge => MacVtapMode::Bridge,
            MacvtapMode::Private => MacVtapMode::Private,
            MacvtapMode::Passthrough => MacVtapMode::Passthrough,
        };
        let mut message = by_name(name);
        message.attributes.push(LinkAttribute::Link(index));
        if let Some(mac) = mac {
            message.attributes.push(LinkAttribute::Address(mac.to_vec()));
        }
        let data = InfoData::MacVtap(vec![InfoMacVtap::Mode(mode)]);
        message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::MacVtap), LinkInfo::Data(data)]));
        self.add(message, || format!("cannot create macvtap device '{name}' upon '{lower}'"))
    }

    pub(super) fn add(&mut self, message: LinkMessage, what: impl FnOnce() -> String) -> Result<()> {
        self.change(Message::NewLink(message), NLM_F_CREATE | NLM_F_EXCL).map_err(|fault| fault.named(what))
    }

    pub(super) fn set(&mut self, message: LinkMessage, what: impl FnOnce() -> String) -> Result<()> {
        self.change(Message::NewLink(message), 0).map_err(|fault| fault.named(what))
    }
}

/// A request about the device `name`.
pub(super) fn by_name(name: &str) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    message
}

fn read(message: Message) -> Option<Link> {
    let Message::NewLink(message) = message else { return None };
    let flags = message.header.flags;
    let mut link = Link {
        index: message.header.index,
        up: flags.contains(LinkFlags::Up),
        running: flags.contains(LinkFlags::LowerUp),
        ..Link::default()
    };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Address(mac) => link.mac = mac.try_into().ok(),
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::Controller(index) => link.controller = Some(index),
            LinkAttribute::Link(index) => link.lower = Some(index),
            LinkAttribute::LinkInfo(infos) => {
                link.kind = infos.into_iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind.to_string()),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    Some(link)
}
